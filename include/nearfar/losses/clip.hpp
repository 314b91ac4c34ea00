#pragma once

#include <limits>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/terms/softmax_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/mutual_walk.hpp"

namespace nearfar {

/// What Clip makes of its two directions.
enum class ClipDirections {
  mean,  ///< half their sum: CLIP, OpenCLIP
  sum    ///< their sum, as some implementations have it
};

/// Settings of Clip.
struct ClipOptions {
  /// sigma > 0, the factor of the scores: 1 / temperature. CLIP starts at 1 / 0.07.
  double logit_scale = 1 / 0.07;
  /// A larger logit_scale counts as this one, and then has no gradient. CLIP's is 100.
  double largest_logit_scale = std::numeric_limits<double>::infinity();
  ClipDirections directions = ClipDirections::mean;
  Reduction reduction = Reduction::mean;  ///< terms are pairs (image i, text i)
  /// A pair is unusable when there is no other pair to tell it from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What Clip returns.
struct ClipResult : Result {
  /// dL/dsigma (times upstream); 0 from forward. When log sigma is what is learnt, as in CLIP,
  /// its gradient is sigma times this.
  double d_logit_scale = 0;
};

/// CLIP's symmetric cross entropy: each image is to find its text among all texts, and each text
/// its image among all images (Radford et al., Learning transferable visual models from natural
/// language supervision, 2021, figure 3; Zhang et al., ConVIRT, 2020):
///
///     L_i = 1/2 ( -log softmax_j(sigma s_ij)[i] - log softmax_j(sigma s_ji)[i] )
///
/// with s_ij the score of kernel K for image i and text j: the mean of both directions, as in
/// OpenCLIP's ClipLoss; with ClipDirections::sum twice that. Terms are the N pairs.
///
/// Extra memory O(N D). Immutable; shared by threads each with its own Workspace; the same bits at
/// any number of threads.
template <class S, Kernel K = Cosine>
class Clip {
 public:
  /// Throws std::invalid_argument unless logit_scale is finite and > 0 and largest_logit_scale > 0.
  explicit Clip(ClipOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("logit_scale", options.logit_scale);
    if (!(options.largest_logit_scale > 0)) {
      fail_argument("largest_logit_scale", "a number > 0",
                    std::to_string(options.largest_logit_scale));
    }
  }

  const ClipOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of images and texts (both N x D), pair i in row i of both. An empty batch has value
  /// 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
  ClipResult forward(Rows<S> images, Rows<S> texts, CallOptions<S> call = {}) const {
    return run(nullptr, images, texts, no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, N x D.
  ClipResult forward_backward(Rows<S> images, Rows<S> texts, GradientRows<S> d_images,
                              GradientRows<S> d_texts, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, images.rows());
    return run(&one, images, texts, d_images, d_texts, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  ClipResult backward(const Upstream& upstream, Rows<S> images, Rows<S> texts,
                      GradientRows<S> d_images, GradientRows<S> d_texts,
                      CallOptions<S> call = {}) const {
    return run(&upstream, images, texts, d_images, d_texts, call);
  }

 private:
  ClipResult run(const Upstream* upstream, const Rows<S>& images, const Rows<S>& texts,
                 GradientRows<S> d_images, GradientRows<S> d_texts, CallOptions<S> call) const;

  ClipOptions options_;
  K kernel_;
};

template <class S, Kernel K>
ClipResult Clip<S, K>::run(const Upstream* upstream, const Rows<S>& images, const Rows<S>& texts,
                           GradientRows<S> d_images, GradientRows<S> d_texts,
                           CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = images.rows();
  if (texts.rows() != n) fail_shape("texts", n, texts.cols(), texts.rows(), texts.cols());
  detail::check_rows<S>(kernel_, threads,
                        {{"images", images, Side::query}, {"texts", texts, Side::key}});
  detail::refuse_unusable(options_.unusable_anchors, n == 1 ? 1 : 0, "without a negative");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_images.check_shape("d_images", n, images.cols());
    d_texts.check_shape("d_texts", n, texts.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"images", images, Side::query}, {"texts", texts, Side::key}}});
  detail::MutualWalk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1));
  const bool clamped = options_.logit_scale > options_.largest_logit_scale;
  const double scale = clamped ? options_.largest_logit_scale : options_.logit_scale;
  const Upstream one(1.0);
  const detail::SoftmaxRows<S, detail::nearness_sign<K>> loss(
      1 / scale, Denominator::with_positive, {}, upstream != nullptr ? *upstream : one);

  Diagnostics seen;
  const auto both = upstream == nullptr ? walk.forward(loss, seen)
                                        : walk.forward_backward(loss, batch.want(0, d_images, call),
                                                                batch.want(1, d_texts, call), seen);

  const detail::SoftmaxRow<S>* of_images = both.queries;
  const detail::SoftmaxRow<S>* of_texts = both.keys;
  ClipResult result;
  result.diagnostics = seen;
  Diagnostics& d = result.diagnostics;
  d.anchors = d.terms = n;
  const double share = options_.directions == ClipDirections::mean ? 0.5 : 1.0;
  const auto value_of = [&](Index i) { return share * (of_images[i].value + of_texts[i].value); };
  for (Index i = 0; i < n; ++i) {
    if (of_images[i].negatives == 0) ++d.anchors_without_negative;
    if (value_of(i) > 0) ++d.active_terms;
  }
  detail::reduce_rows(options_.reduction, n, value_of, result);
  if (upstream == nullptr) return result;

  const double factor = share * detail::gradient_scale(options_.reduction, d, *upstream);
  if (!clamped) {
    // dL/dsigma = -1/sigma^2 dL/dtau.
    const double d_temperature = loss.temperature_gradient(of_images, n, factor) +
                                 loss.temperature_gradient(of_texts, n, factor);
    result.d_logit_scale = -d_temperature / (scale * scale);
  }
  batch.hand_back(factor, {&d_images, &d_texts}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, Clip)
#endif

}  // namespace nearfar
