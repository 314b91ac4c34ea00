#pragma once

#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

namespace nearfar::sharded {

/// SigLIP's loss of a batch that is shared out to processes: the loss, the options and the kernels
/// of nearfar::SigLip over the pairs of all of them, where each gives its own (Zhai et al., Sigmoid
/// loss for language image pre-training, 2023, section 3.3, exchange texts in the same way). Every
/// process makes the same call; see Sharding for what the value and the gradients are.
///
/// 6 N^2 D floating point operations in all: no term waits for others. Texts and their gradients
/// travel once.
template <class S, Kernel K = Cosine>
class SigLip {
 public:
  /// Throws as nearfar::SigLip.
  explicit SigLip(SigLipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SigLipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' images and texts. Own ones are N_r x D both, N_r >= 0, pair i in
  /// row i of both. Throws the same error on all processes, as sharded::InfoNce::forward.
  SigLipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts,
                       CallOptions<S> call = {}) const {
    return run(where, nullptr, {images, no_gradient}, {texts, no_gradient}, call);
  }

  /// Value and the gradients of it for own rows. d_logit_scale and d_logit_bias are of the whole
  /// batch.
  SigLipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                                GradientRows<S> d_images, GradientRows<S> d_texts,
                                CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts), call);
  }
  /// The same of rows in chunks; sizes of chunks of the two need not be the same.
  SigLipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                                const Chunks<S>& texts, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options().reduction, images.rows());
    return run(where, &one, images, texts, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, the same on all
  /// processes, or N_r numbers with Reduction::none.
  SigLipResult backward(const Sharding& where, const Upstream& upstream, Rows<S> images,
                        Rows<S> texts, GradientRows<S> d_images, GradientRows<S> d_texts,
                        CallOptions<S> call = {}) const {
    return run(where, &upstream, {images, d_images}, {texts, d_texts}, call);
  }
  SigLipResult backward(const Sharding& where, const Upstream& upstream, const Chunks<S>& images,
                        const Chunks<S>& texts, CallOptions<S> call = {}) const {
    return run(where, &upstream, images, texts, call);
  }

 private:
  SigLipResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& images,
                   const Chunks<S>& texts, CallOptions<S> call) const;

  nearfar::SigLip<S, K> loss_;
};

template <class S, Kernel K>
SigLipResult SigLip<S, K>::run(const Sharding& where, const Upstream* upstream,
                               const Chunks<S>& images, const Chunks<S>& texts,
                               CallOptions<S> call) const {
  const Index n = images.rows();
  const SigLipOptions& options = loss_.options();
  typename detail::ShardedBatch<S, K, 2>::Sets sets = {{{"images", images}, {"texts", texts}}};
  detail::ShardedBatch<S, K, 2> batch(
      where, loss_.kernel(),
      detail::introduction<S, K>("SigLip", where, upstream,
                                 {{"logit_scale", options.logit_scale},
                                  {"logit_bias", options.logit_bias},
                                  {"reduction", static_cast<double>(options.reduction)}}),
      sets, upstream, call, [&] {
        if (texts.rows() != n) {
          fail_argument("texts", "a row for each of " + std::to_string(n) + " images",
                        std::to_string(texts.rows()));
        }
        if (upstream != nullptr) detail::check_upstream(*upstream, options.reduction, n);
      });

  const Upstream one(1.0);
  const detail::LogisticRows<S> loss(
      {.scale = options.logit_scale, .bias = options.logit_bias, .positives_on_diagonal = true},
      upstream != nullptr ? *upstream : one);
  SigLipResult result;
  Diagnostics& d = result.diagnostics;
  const detail::LogisticRow* rows = batch.run(
      0, 1, detail::KeyNumbers::from_own, [&](const auto&, const auto&) { return loss; }, d);
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    if (batch.all_rows(1) == 1) ++d.anchors_without_negative;
    if (rows[i].value > 0) ++d.active_terms;
  }
  batch.team().combine(d);
  batch.reduce(
      options.reduction, n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options.reduction, d, *upstream);
  result.d_logit_scale = scale * batch.sum_over_all(n, [&](Index i) { return rows[i].d_scale; });
  result.d_logit_bias = scale * batch.sum_over_all(n, [&](Index i) { return rows[i].d_bias; });
  batch.hand_back(scale);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, SigLip)
#endif

}  // namespace nearfar::sharded
