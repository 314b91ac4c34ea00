#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_target_calls.hpp"

namespace nearfar {

/// The reduction of Clip's two directions.
enum class ClipDirections {
  mean,  ///< half their sum: CLIP, OpenCLIP
  sum    ///< their sum, as in some implementations
};

/// Settings of Clip.
struct ClipOptions {
  /// sigma > 0, the factor of the scores: 1 / temperature. CLIP starts at 1 / 0.07.
  double logit_scale = 1 / 0.07;
  /// The largest effective logit_scale: a larger one counts as this. CLIP's is 100.
  double largest_logit_scale = std::numeric_limits<double>::infinity();
  ClipDirections directions = ClipDirections::mean;
  Reduction reduction = Reduction::mean;  ///< terms are pairs (image i, text i)
  /// A pair is unusable when there is no other pair; with labels, when its image or its text has no
  /// positive.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("logit_scale", o.logit_scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("logit_scale", o.logit_scale...);
    visit("largest_logit_scale", o.largest_logit_scale...);
    visit("directions", o.directions...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of Clip.
struct ClipResult : Result {
  /// dL/dsigma (times upstream); 0 from forward. If the parameter is log sigma, as in CLIP, its
  /// gradient is sigma times this. At and above largest_logit_scale it is the derivative at
  /// largest_logit_scale if gradient descent lowers sigma, so that a scale beyond it returns, and 0
  /// if gradient descent raises sigma.
  /// step downhill lowers sigma, so that a scale beyond it comes back, and 0 where it raises it.
  double d_logit_scale = 0;
};

namespace detail {

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const Inputs<S, 2>& inputs, const Targets& targets);

}  // namespace detail

/// CLIP's symmetric cross entropy: of all texts, an image's own should score highest, and of all
/// images a text's own (Radford et al., Learning transferable visual models from natural language
/// supervision, 2021, figure 3; Zhang et al., ConVIRT, 2020):
///
///     L_i = 1/2 ( -log softmax_j(sigma s_ij)[i] - log softmax_j(sigma s_ji)[i] )
///
/// with s_ij the score of kernel K for image i (a row of x) and text j (a row of y; minus the
/// distance for distances): the mean of both directions, as in OpenCLIP's ClipLoss. With
/// ClipDirections::sum it is twice that. Terms are the N pairs.
///
/// With labels, one a pair, an image's positives are the P_i texts of its label (several captions
/// an image; Yang et al., Unified contrastive learning in image-text-label space, 2022, eq. 1-3):
///
///     -1/|P_i| sum_{p in P_i} log softmax_j(sigma s_ij)[p]
///
/// and likewise for a text's images. With sets of labels, P_i are the texts that share a label with
/// image i. With lists, they are the texts that image i lists; a text's positives are the images
/// that list it. A direction without a positive adds 0; the number of terms stays N.
///
/// With ids, one a pair (Targets::ids), the sums of both directions leave out other pairs of the
/// same id: copies of one pair are no negatives of each other.
///
/// Extra memory O(N D). An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class Clip : public PairTargetCalls<Clip<S, K>, S, ClipResult> {
 public:
  /// Throws std::invalid_argument unless logit_scale is finite and > 0 and largest_logit_scale > 0.
  explicit Clip(ClipOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("logit_scale", options.logit_scale);
    const double largest = options.largest_logit_scale;
    if (detail::is_nan(largest) || !(largest > 0)) {
      fail_argument("largest_logit_scale", "a number > 0", detail::number_text(largest));
    }
    check_scale<S>("largest_logit_scale", std::min(largest, options.logit_scale));
  }

  const ClipOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  ClipOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/clip.hpp"
#endif
