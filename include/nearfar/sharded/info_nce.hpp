#pragma once

#include <optional>

#include "nearfar/losses/info_nce.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

namespace nearfar::sharded {

/// InfoNCE of a batch that is shared out to processes: the loss, the options and the kernels of
/// nearfar::InfoNce over the rows of all of them, where each gives its own. Every process makes the
/// same call; see Sharding for what the value and the gradients are.
///
/// Scores are computed twice, once for the statistics of queries and once for gradients, when all
/// keys have been seen: 8 N M D floating point operations in all (6 N M D with
/// Schedule::all_gather). Keys travel twice, their gradients once.
template <class S, Kernel K = Cosine>
class InfoNce {
 public:
  /// Throws as nearfar::InfoNce.
  explicit InfoNce(InfoNceOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const InfoNceOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' queries against all their keys. Own queries (N_r x D, N_r >= 0) and
  /// keys (M_r x D, M_r >= N_r): own key i is the positive of own query i. Throws the same error on
  /// all processes: std::invalid_argument on shapes that do not fit and on calls that differ (D,
  /// options, scalar type), std::domain_error on an element that is not finite, and
  /// std::runtime_error when one has no memory; its text names the first rank with a reason.
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                        CallOptions<S> call = {}) const {
    return run(where, nullptr, {queries, no_gradient}, {keys, no_gradient}, std::nullopt, call);
  }

  /// The same with any key the positive of a query: `positives` are N_r numbers of keys, counted
  /// over all processes in order of ranks. Throws also on an index that is none.
  InfoNceResult forward(const Sharding& where, Rows<S> queries, Rows<S> keys, Labels positives,
                        CallOptions<S> call = {}) const {
    return run(where, nullptr, {queries, no_gradient}, {keys, no_gradient}, positives, call);
  }

  /// Value and the gradients of it for own rows. d_temperature is of the whole batch.
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 GradientRows<S> d_queries, GradientRows<S> d_keys,
                                 CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(queries, d_queries), Chunks<S>(keys, d_keys), call);
  }
  InfoNceResult forward_backward(const Sharding& where, Rows<S> queries, Rows<S> keys,
                                 Labels positives, GradientRows<S> d_queries,
                                 GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options().reduction, queries.rows());
    return run(where, &one, {queries, d_queries}, {keys, d_keys}, positives, call);
  }
  /// The same of rows in chunks; sizes of chunks of the two need not be the same.
  InfoNceResult forward_backward(const Sharding& where, const Chunks<S>& queries,
                                 const Chunks<S>& keys, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options().reduction, queries.rows());
    return run(where, &one, queries, keys, std::nullopt, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, the same on all
  /// processes, or one an own query with Reduction::none.
  InfoNceResult backward(const Sharding& where, const Upstream& upstream, Rows<S> queries,
                         Rows<S> keys, GradientRows<S> d_queries, GradientRows<S> d_keys,
                         CallOptions<S> call = {}) const {
    return run(where, &upstream, {queries, d_queries}, {keys, d_keys}, std::nullopt, call);
  }
  InfoNceResult backward(const Sharding& where, const Upstream& upstream, Rows<S> queries,
                         Rows<S> keys, Labels positives, GradientRows<S> d_queries,
                         GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return run(where, &upstream, {queries, d_queries}, {keys, d_keys}, positives, call);
  }
  InfoNceResult backward(const Sharding& where, const Upstream& upstream, const Chunks<S>& queries,
                         const Chunks<S>& keys, CallOptions<S> call = {}) const {
    return run(where, &upstream, queries, keys, std::nullopt, call);
  }

 private:
  InfoNceResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& queries,
                    const Chunks<S>& keys, const std::optional<Labels>& positives,
                    CallOptions<S> call) const;

  nearfar::InfoNce<S, K> loss_;
};

template <class S, Kernel K>
InfoNceResult InfoNce<S, K>::run(const Sharding& where, const Upstream* upstream,
                                 const Chunks<S>& queries, const Chunks<S>& keys,
                                 const std::optional<Labels>& positives,
                                 CallOptions<S> call) const {
  const Index n = queries.rows();
  const InfoNceOptions& options = loss_.options();
  typename detail::ShardedBatch<S, K, 2>::Sets sets = {{{"queries", queries}, {"keys", keys}}};
  detail::ShardedBatch<S, K, 2> batch(
      where, loss_.kernel(),
      detail::introduction<S, K>(
          "InfoNce", where, upstream,
          {{"temperature", options.temperature},
           {"denominator", static_cast<double>(options.denominator)},
           {"reduction", static_cast<double>(options.reduction)},
           {"unusable_anchors", static_cast<double>(options.unusable_anchors)},
           {"positives by number", positives ? 1.0 : 0.0}}),
      sets, upstream, call, [&] {
        if (!positives && keys.rows() < n) {
          fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                        std::to_string(keys.rows()) + " keys");
        }
        if (upstream != nullptr) detail::check_upstream(*upstream, options.reduction, n);
      });
  detail::refuse_unusable(options.unusable_anchors, batch.all_rows(1) == 1 ? batch.all_rows(0) : 0,
                          "without a negative");
  Index* column = nullptr;  // keys are numbered from one's own first
  batch.team().agree([&] {
    if (!positives) return;
    const Index* number =
        detail::checked_indices(batch.scratch(), "positives", *positives, n, batch.all_rows(1));
    column = batch.scratch().template take<Index>(n);
    for (Index i = 0; i < n; ++i) column[i] = number[i] - batch.first_row(1);
  });

  const Upstream one(1.0);
  const detail::SoftmaxRows<S, detail::nearness_sign<K>> loss(
      options.temperature, options.denominator, {.column = column},
      upstream != nullptr ? *upstream : one);
  InfoNceResult result;
  Diagnostics& d = result.diagnostics;
  const auto* rows = batch.run(
      0, 1, detail::KeyNumbers::from_own, [&](const auto&, const auto&) { return loss; }, d);
  detail::count_softmax_rows(rows, n, d);
  batch.team().combine(d);
  batch.reduce(
      options.reduction, n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options.reduction, d, *upstream);
  const double moments = batch.sum_over_all(n, [&](Index i) { return rows[i].temperature; });
  result.d_temperature = -scale * moments / options.temperature;
  batch.hand_back(scale);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, InfoNce)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, InfoNce)
#endif

}  // namespace nearfar::sharded
