#pragma once

#include "nearfar/losses/clip.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

namespace nearfar::sharded {

/// CLIP's loss of a batch that is shared out to processes: the loss, the options and the kernels of
/// nearfar::Clip over the pairs of all of them, where each gives its own. Every process makes the
/// same call; see Sharding for what the value and the gradients are.
///
/// Texts go round for the images' half of the loss, images for the texts': 16 N^2 D floating point
/// operations in all (12 N^2 D with Schedule::all_gather), where one process takes 8 N^2 D.
template <class S, Kernel K = Cosine>
class Clip {
 public:
  /// Throws as nearfar::Clip.
  explicit Clip(ClipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const ClipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' images and texts. Own ones are N_r x D both, N_r >= 0, pair i in
  /// row i of both. Throws the same error on all processes, as sharded::InfoNce::forward.
  ClipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts,
                     CallOptions<S> call = {}) const {
    return run(where, nullptr, {images, no_gradient}, {texts, no_gradient}, call);
  }

  /// Value and the gradients of it for own rows. d_logit_scale is of the whole batch.
  ClipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                              GradientRows<S> d_images, GradientRows<S> d_texts,
                              CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts), call);
  }
  /// The same of rows in chunks; sizes of chunks of the two need not be the same.
  ClipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                              const Chunks<S>& texts, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options().reduction, images.rows());
    return run(where, &one, images, texts, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, the same on all
  /// processes, or N_r numbers with Reduction::none.
  ClipResult backward(const Sharding& where, const Upstream& upstream, Rows<S> images,
                      Rows<S> texts, GradientRows<S> d_images, GradientRows<S> d_texts,
                      CallOptions<S> call = {}) const {
    return run(where, &upstream, {images, d_images}, {texts, d_texts}, call);
  }
  ClipResult backward(const Sharding& where, const Upstream& upstream, const Chunks<S>& images,
                      const Chunks<S>& texts, CallOptions<S> call = {}) const {
    return run(where, &upstream, images, texts, call);
  }

 private:
  ClipResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& images,
                 const Chunks<S>& texts, CallOptions<S> call) const;

  nearfar::Clip<S, K> loss_;
};

template <class S, Kernel K>
ClipResult Clip<S, K>::run(const Sharding& where, const Upstream* upstream, const Chunks<S>& images,
                           const Chunks<S>& texts, CallOptions<S> call) const {
  const Index n = images.rows();
  const ClipOptions& options = loss_.options();
  typename detail::ShardedBatch<S, K, 2>::Sets sets = {{{"images", images}, {"texts", texts}}};
  detail::ShardedBatch<S, K, 2> batch(
      where, loss_.kernel(),
      detail::introduction<S, K>(
          "Clip", where, upstream,
          {{"logit_scale", options.logit_scale},
           {"largest_logit_scale", options.largest_logit_scale},
           {"directions", static_cast<double>(options.directions)},
           {"reduction", static_cast<double>(options.reduction)},
           {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      sets, upstream, call, [&] {
        if (texts.rows() != n) {
          fail_argument("texts", "a row for each of " + std::to_string(n) + " images",
                        std::to_string(texts.rows()));
        }
        if (upstream != nullptr) detail::check_upstream(*upstream, options.reduction, n);
      });
  detail::refuse_unusable(options.unusable_anchors, batch.all_rows(0) == 1 ? 1 : 0,
                          "without a negative");

  const bool clamped = options.logit_scale > options.largest_logit_scale;
  const double scale = clamped ? options.largest_logit_scale : options.logit_scale;
  const Upstream one(1.0);
  const detail::SoftmaxRows<S, detail::nearness_sign<K>> loss(
      1 / scale, Denominator::with_positive, {}, upstream != nullptr ? *upstream : one);
  const auto loss_of = [&](const auto&, const auto&) { return loss; };
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  const auto* of_images = batch.run(0, 1, detail::KeyNumbers::from_own, loss_of, d);
  Diagnostics again;  // the same scores
  const auto* of_texts = batch.run(1, 0, detail::KeyNumbers::from_own, loss_of, again);

  const double share = options.directions == ClipDirections::mean ? 0.5 : 1.0;
  const auto value_of = [&](Index i) { return share * (of_images[i].value + of_texts[i].value); };
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    if (of_images[i].negatives == 0) ++d.anchors_without_negative;
    if (value_of(i) > 0) ++d.active_terms;
  }
  batch.team().combine(d);
  batch.reduce(options.reduction, n, value_of, result);
  if (upstream == nullptr) return result;
  const double factor = share * detail::gradient_scale(options.reduction, d, *upstream);
  const double moments = batch.sum_over_all(
      n, [&](Index i) { return of_images[i].temperature + of_texts[i].temperature; });
  // dL/dsigma = -1/sigma^2 dL/dtau, dL/dtau = -sigma times the moments.
  if (!clamped) result.d_logit_scale = factor * moments / scale;
  batch.hand_back(factor);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, Clip)
#endif

}  // namespace nearfar::sharded
