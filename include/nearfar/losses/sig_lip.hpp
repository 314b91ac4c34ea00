#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/terms/logistic_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of SigLip.
struct SigLipOptions {
  double logit_scale = 10;                ///< sigma > 0; the paper starts at 10
  double logit_bias = -10;                ///< b; the paper starts at -10
  Reduction reduction = Reduction::mean;  ///< terms are images, each with all its N pairs
};

/// What SigLip returns.
struct SigLipResult : Result {
  double d_logit_scale = 0;  ///< dL/dsigma (times upstream); 0 from forward
  double d_logit_bias = 0;   ///< dL/db (times upstream); 0 from forward
};

/// SigLIP's sigmoid loss: every pair of an image and a text is a yes-or-no question of its own
/// (Zhai et al., Sigmoid loss for language image pre-training, 2023, algorithm 1):
///
///     L_i = -sum_j log sigmoid( y_ij (sigma s_ij + b) ),   y_ij = 1 if i = j, else -1
///
/// with s_ij the score of kernel K for image i and text j. Terms are the N images: Reduction::mean
/// is 1/N sum_ij, as in OpenCLIP, not 1/N^2.
///
/// Extra memory O(N D), 6 N^2 D floating point operations. Immutable; shared by threads each with
/// its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class SigLip {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: SigLip needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless logit_scale is finite and > 0 and logit_bias finite.
  explicit SigLip(SigLipOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("logit_scale", options.logit_scale);
    check_finite_option("logit_bias", options.logit_bias);
  }

  const SigLipOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of images and texts (both N x D), pair i in row i of both. An empty batch has value
  /// 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
  SigLipResult forward(Rows<S> images, Rows<S> texts, CallOptions<S> call = {}) const {
    return run(nullptr, images, texts, no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, N x D.
  SigLipResult forward_backward(Rows<S> images, Rows<S> texts, GradientRows<S> d_images,
                                GradientRows<S> d_texts, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, images.rows());
    return run(&one, images, texts, d_images, d_texts, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  SigLipResult backward(const Upstream& upstream, Rows<S> images, Rows<S> texts,
                        GradientRows<S> d_images, GradientRows<S> d_texts,
                        CallOptions<S> call = {}) const {
    return run(&upstream, images, texts, d_images, d_texts, call);
  }

 private:
  SigLipResult run(const Upstream* upstream, const Rows<S>& images, const Rows<S>& texts,
                   GradientRows<S> d_images, GradientRows<S> d_texts, CallOptions<S> call) const;

  SigLipOptions options_;
  K kernel_;
};

template <class S, Kernel K>
SigLipResult SigLip<S, K>::run(const Upstream* upstream, const Rows<S>& images,
                               const Rows<S>& texts, GradientRows<S> d_images,
                               GradientRows<S> d_texts, CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = images.rows();
  if (texts.rows() != n) fail_shape("texts", n, texts.cols(), texts.rows(), texts.cols());
  detail::check_rows<S>(kernel_, threads,
                        {{"images", images, Side::query}, {"texts", texts, Side::key}});
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_images.check_shape("d_images", n, images.cols());
    d_texts.check_shape("d_texts", n, texts.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"images", images, Side::query}, {"texts", texts, Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1));
  const Upstream one(1.0);
  const detail::LogisticRows<S> loss(
      {.scale = options_.logit_scale, .bias = options_.logit_bias, .positives_on_diagonal = true},
      upstream != nullptr ? *upstream : one);
  SigLipResult result;
  Diagnostics& d = result.diagnostics;
  d.anchors = d.terms = n;
  const detail::LogisticRow* rows = upstream == nullptr
                                        ? walk.forward(loss, d)
                                        : walk.forward_backward(loss, batch.want(0, d_images, call),
                                                                batch.want(1, d_texts, call), d);
  for (Index i = 0; i < n; ++i) {
    if (n == 1) ++d.anchors_without_negative;
    if (rows[i].value > 0) ++d.active_terms;
  }
  detail::reduce_rows(
      options_.reduction, n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options_.reduction, d, *upstream);
  for (Index i = 0; i < n; ++i) {
    result.d_logit_scale += scale * rows[i].d_scale;
    result.d_logit_bias += scale * rows[i].d_bias;
  }
  batch.hand_back(scale, {&d_images, &d_texts}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, SigLip)
#endif

}  // namespace nearfar
