#pragma once

#include "nearfar/losses/hadsell.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/label_calls.hpp"
#include "nearfar/sharded/labelled_shards.hpp"

namespace nearfar::sharded {

/// Contrastive loss of all pairs of a labelled batch that is shared out to processes: the loss, the
/// options and the kernels of nearfar::HadsellContrastive over labels, where each process gives its
/// own rows with their labels. Every process makes the same call; see Sharding for what the value
/// and the gradients are.
///
/// 6 N^2 D floating point operations in all, where one process takes 3 N^2 D by the symmetry of
/// distances. Rows and their gradients travel once, labels before them.
template <class S, Kernel K = Euclidean>
class HadsellContrastive : public LabelCalls<HadsellContrastive<S, K>, S, Result> {
 public:
  /// Throws as nearfar::HadsellContrastive.
  explicit HadsellContrastive(HadsellOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const HadsellOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  friend class LabelCalls<HadsellContrastive, S, Result>;

  Result run(const Sharding& where, const Upstream* upstream, const Chunks<S>& x, const Tags& tags,
             CallOptions<S> call) const;

  nearfar::HadsellContrastive<S, K> loss_;
};

template <class S, Kernel K>
Result HadsellContrastive<S, K>::run(const Sharding& where, const Upstream* upstream,
                                     const Chunks<S>& x, const Tags& tags,
                                     CallOptions<S> call) const {
  const HadsellOptions& options = loss_.options();
  detail::LabelledShards<S, K> shards(
      where, loss_.kernel(),
      detail::introduction<S, K>(
          "HadsellContrastive", where, upstream,
          {{"margin", options.margin},
           {"factor", static_cast<double>(options.factor)},
           {"reduction", static_cast<double>(options.reduction)},
           {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      options.reduction, upstream, x, tags, call);
  shards.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without another row to form a pair with");
  // Every pair is seen from both of its rows, each of which has half of it.
  const double share = options.factor == SquareFactor::half ? 0.5 : 1.0;
  Result result;
  Diagnostics& d = result.diagnostics;
  shards.count_anchors(d);
  const auto* rows = shards.batch().run(
      0, 0, detail::KeyNumbers::of_block,
      [&](const auto& relation, const auto&) {
        return detail::HadsellRows<S>(options.margin, share, relation, shards.upstream());
      },
      d);
  for (Index i = 0; i < shards.anchors(); ++i) {
    d.terms += shards.positives(i) + shards.negatives(i);
    d.active_terms += rows[i].active;
  }
  shards.team().combine(d);
  d.terms /= 2;
  d.active_terms /= 2;
  d.zero_distances /= 2;
  shards.reduce([&](Index i) { return rows[i].value; }, result);
  if (upstream != nullptr) shards.batch().hand_back(shards.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, HadsellContrastive)
#endif

}  // namespace nearfar::sharded
