#pragma once

#include "nearfar/losses/sup_con.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/label_calls.hpp"
#include "nearfar/sharded/labelled_shards.hpp"

namespace nearfar::sharded {

/// Supervised contrastive loss of a batch that is shared out to processes: the loss, the options
/// and the kernels of nearfar::SupCon over the rows of all of them, where each gives its own with
/// their labels. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather), where one process
/// takes 4 N^2 D by the symmetry of scores.
template <class S, Kernel K = Cosine>
class SupCon : public LabelCalls<SupCon<S, K>, S, TemperatureResult> {
 public:
  /// Throws as nearfar::SupCon.
  explicit SupCon(SupConOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SupConOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  friend class LabelCalls<SupCon, S, TemperatureResult>;

  TemperatureResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& x,
                        const Tags& tags, CallOptions<S> call) const;

  nearfar::SupCon<S, K> loss_;
};

template <class S, Kernel K>
TemperatureResult SupCon<S, K>::run(const Sharding& where, const Upstream* upstream,
                                    const Chunks<S>& x, const Tags& tags,
                                    CallOptions<S> call) const {
  const SupConOptions& options = loss_.options();
  detail::LabelledShards<S, K> shards(
      where, loss_.kernel(),
      detail::introduction<S, K>(
          "SupCon", where, upstream,
          {{"temperature", options.temperature},
           {"variant", static_cast<double>(options.variant)},
           {"reduction", static_cast<double>(options.reduction)},
           {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      options.reduction, upstream, x, tags, call);
  shards.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  using Rows = detail::SupConRows<S, detail::nearness_sign<K>>;
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  shards.count_anchors(d);
  d.terms = d.anchors - d.anchors_without_positive;
  const auto* rows = shards.batch().run(
      0, 0, detail::KeyNumbers::of_block,
      [&](const auto& relation, const auto&) {
        return Rows(options.temperature,
                    options.variant == SupConVariant::out ? detail::MeanOverPositives::outside_log
                                                          : detail::MeanOverPositives::inside_log,
                    relation, shards.positive_counts(), shards.upstream());
      },
      d);
  for (Index i = 0; i < shards.anchors(); ++i) d.active_terms += rows[i].value > 0 ? 1 : 0;
  shards.team().combine(d);
  shards.reduce([&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double moments =
      shards.batch().sum_over_all(shards.anchors(), [&](Index i) { return rows[i].temperature; });
  result.d_temperature = -shards.scale(d) * moments / options.temperature;
  shards.batch().hand_back(shards.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, SupCon)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, SupCon)
#endif

}  // namespace nearfar::sharded
