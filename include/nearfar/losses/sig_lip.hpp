#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

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
/// with s_ij the score of kernel K for image i and text j. Terms are the N images: Reduction::mean
/// is 1/N sum_ij, as in OpenCLIP, not 1/N^2.
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
class SigLip {
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

  /// The loss of images and texts (both N x D), pair i in row i of both. An empty batch has value
  /// 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
  SigLipResult forward(Rows<S> images, Rows<S> texts, CallOptions<S> call = {}) const {
    return evaluate({{images, texts}, {}, false, call}, Targets());
  }

  /// The same with targets of the N pairs: labels, sets of labels or lists, `Targets(labels)`; ids,
  /// `Targets().ids(ids)`; or both. Throws also if their number is not N, and on weights.
  SigLipResult forward(Rows<S> images, Rows<S> texts, const Targets& targets,
                       CallOptions<S> call = {}) const {
    return evaluate({{images, texts}, {}, false, call}, targets);
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  SigLipResult forward_backward(Rows<S> images, Rows<S> texts, GradientRows<S> d_images,
                                GradientRows<S> d_texts, CallOptions<S> call = {}) const {
    return evaluate({{images, texts}, {d_images, d_texts}, true, call}, Targets());
  }
  SigLipResult forward_backward(Rows<S> images, Rows<S> texts, const Targets& targets,
                                GradientRows<S> d_images, GradientRows<S> d_texts,
                                CallOptions<S> call = {}) const {
    return evaluate({{images, texts}, {d_images, d_texts}, true, call}, targets);
  }

 private:
  SigLipResult evaluate(const detail::Inputs<S, 2>& inputs, const Targets& targets) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, targets);
  }

  SigLipOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/sig_lip.hpp"
#endif
