#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_target_calls.hpp"

namespace nearfar {

/// Settings of SigLip.
struct SigLipOptions {
  double logit_scale = 10;                ///< sigma > 0; the paper starts at 10
  double logit_bias = -10;                ///< b; the paper starts at -10
  Reduction reduction = Reduction::mean;  ///< terms are images, each with its N pairs

  /// Calls visit("logit_scale", o.logit_scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("logit_scale", o.logit_scale...);
    visit("logit_bias", o.logit_bias...);
    visit("reduction", o.reduction...);
  }
};

/// The result of SigLip.
struct SigLipResult : Result {
  double d_logit_scale = 0;  ///< dL/dsigma (times upstream); 0 from forward
  double d_logit_bias = 0;   ///< dL/db (times upstream); 0 from forward
};

namespace detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const Inputs<S, 2>& inputs, const Targets& targets);

}  // namespace detail

/// SigLIP's sigmoid loss: binary cross entropy of every pair of an image and a text (Zhai et al.,
/// Sigmoid loss for language image pre-training, 2023, algorithm 1):
///
///     L_i = -sum_j log sigmoid( y_ij (sigma s_ij + b) ),   y_ij = 1 if i = j, else -1
///
/// with s_ij the score of kernel K for image i (a row of x) and text j (a row of y). Terms are the
/// N images: Reduction::mean is 1/N sum_ij, as in OpenCLIP, not 1/N^2.
///
/// With labels, one a pair, y_ij = 1 for all i and j of the same label (several captions an image).
/// With sets of labels, y_ij = 1 for those that share a label; with lists, for the texts that image
/// i lists.
///
/// With ids, one a pair (Targets::ids), the sum leaves out pairs i != j of the same id: copies of
/// one pair are no negatives of each other.
///
/// Extra memory O(N D), 6 N^2 D floating point operations. An object is immutable and may be shared
/// by threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class SigLip : public PairTargetCalls<SigLip<S, K>, S, SigLipResult> {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: SigLip needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless logit_scale is finite and > 0 and logit_bias finite.
  explicit SigLip(SigLipOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("logit_scale", options.logit_scale);
    check_offset<S>("logit_bias", options.logit_bias);
  }

  const SigLipOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  SigLipOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/sig_lip.hpp"
#endif
