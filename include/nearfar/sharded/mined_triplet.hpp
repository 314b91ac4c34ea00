#pragma once

#include <array>
#include <numeric>

#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/mining/counted_positives.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/label_calls.hpp"
#include "nearfar/sharded/labelled_shards.hpp"

namespace nearfar::sharded {

/// Triplet loss of a labelled batch that is shared out to processes: the loss, the options and the
/// kernels of nearfar::MinedTriplet over the rows of all of them, where each gives its own with
/// their labels. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// Mining is one of batch_hard, all, hard, semihard and easy; all but batch_hard with the hinge
/// only. batch_hard takes 2 N^2 D floating point operations in all; every triplet of a kind
/// 14 N^2 D, as positives must be known before negatives are looked at, and keep one number and a
/// place in a search tree for each positive of each own row.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, MinedTripletResult> {
 public:
  /// Throws as nearfar::MinedTriplet, and on minings that shards do not have.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K()) : loss_(options, kernel) {
    const bool counted = options.mining == Mining::all || options.mining == Mining::hard ||
                         options.mining == Mining::semihard || options.mining == Mining::easy;
    if (!counted && options.mining != Mining::batch_hard) {
      fail_argument("mining", "batch_hard, all, hard, semihard or easy in a sharded loss",
                    "another one");
    }
    if (counted && options.form != TripletForm::hinge) {
      fail_argument("form", "the hinge, in a sharded loss over all triplets of a kind",
                    "the soft margin");
    }
  }

  const MinedTripletOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  friend class LabelCalls<MinedTriplet, S, MinedTripletResult>;
  using Shards = detail::LabelledShards<S, K>;
  static constexpr int sign = detail::nearness_sign<K>;

  MinedTripletResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& x,
                         const Tags& tags, CallOptions<S> call) const;
  void mine_one(Shards& shards, detail::AnchorTriplets* rows, Diagnostics& d) const;
  void mine_all(Shards& shards, detail::AnchorTriplets* rows, Diagnostics& d) const;

  nearfar::MinedTriplet<S, K> loss_;
};

/// The farthest positive and the nearest negative of each anchor.
template <class S, Kernel K>
void MinedTriplet<S, K>::mine_one(Shards& shards, detail::AnchorTriplets* rows,
                                  Diagnostics& d) const {
  using Chosen = detail::ChosenKeys<S, sign>;
  using Choice = typename Chosen::Row;
  detail::ShardedBatch<S, K, 1>& batch = shards.batch();
  const Index n = shards.anchors();
  Choice* chosen = nullptr;
  Index* partner = nullptr;
  S* of_positive = nullptr;
  S* of_negative = nullptr;
  S* u = nullptr;
  S* s = nullptr;
  S* g = nullptr;
  shards.team().agree([&] {
    auto& scratch = batch.scratch();
    chosen = scratch.template take<Choice>(n);
    partner = scratch.template take<Index>(n);
    of_positive = scratch.template take<S>(n);
    of_negative = scratch.template take<S>(n);
    u = scratch.template take<S>(n);
    s = scratch.template take<S>(n);
    g = scratch.template take<S>(n);
  });
  for (Index i = 0; i < n; ++i) chosen[i] = Choice();
  batch.observe(
      0, 0, detail::KeyNumbers::of_block,
      [&](const auto& relation, const auto& block) {
        return Chosen(PositiveChoice::hard, NegativeChoice::hard, relation, nullptr, block.first);
      },
      chosen, d);

  for (Index i = 0; i < n; ++i) {
    rows[i] = {0, 0, 0, 0, 0, 0};
    of_positive[i] = of_negative[i] = 0;
    if (!chosen[i].positive.found() || !chosen[i].negative.found()) continue;
    const double d_positive = static_cast<double>(chosen[i].positive.merit);
    const double d_negative = -static_cast<double>(chosen[i].negative.merit);
    const detail::TripletTerm term(options().form, d_positive - d_negative + options().margin);
    rows[i].value = term.value;
    rows[i].terms = 1;
    rows[i].active = term.value > 0 ? 1 : 0;
    ++(d_negative <= d_positive                     ? rows[i].hard
       : d_positive < d_negative - options().margin ? rows[i].easy
                                                    : rows[i].semihard);
    const S weight = static_cast<S>(sign * term.slope * detail::row_upstream(shards.upstream(), i));
    of_positive[i] = -weight;
    of_negative[i] = weight;
  }
  if (!batch.wants_gradients()) return;
  // Anchors whose key is in another block are paired with any row of this one, for nothing.
  batch.each_block(0, [&](const auto& block, const auto& keys, detail::RowGradients<S>& dk) {
    if (keys.rows == 0) return;
    const auto add = [&](Index first, Index count, const S* weight,
                         detail::ChosenKey<S> Choice::*kind) {
      for (Index i = 0; i < count; ++i) {
        const Index key = (chosen[first + i].*kind).key - block.first;
        const bool here = key >= 0 && key < keys.rows;
        partner[i] = here ? key : 0;
        g[i] = here ? weight[first + i] : S(0);
      }
      const auto own = detail::part_of(batch.prepared(0), first, count);
      auto of_own = detail::part_of(batch.gradients(0), batch.prepared(0), first);
      detail::paired_scores(batch.threads(), kernel(), own, keys, u, s, partner);
      detail::add_paired_gradients(batch.threads(), kernel(), own, keys, u, s, g, of_own, dk,
                                   partner);
    };
    // Some anchors after others, so that sums have an order that shards on the grid share.
    for (Index first = 0; first < n; first += detail::part_grid) {
      const Index count = std::min(detail::part_grid, n - first);
      add(first, count, of_positive, &Choice::positive);
      add(first, count, of_negative, &Choice::negative);
    }
  });
}

/// Every triplet of a kind.
template <class S, Kernel K>
void MinedTriplet<S, K>::mine_all(Shards& shards, detail::AnchorTriplets* rows,
                                  Diagnostics& d) const {
  using Anchor = detail::HingeAnchor<S>;
  using Arrived = detail::ArrivedPositives<S>;
  using Memory = detail::PositivesMemory<S>;
  using Negatives = detail::HingeNegatives<S, sign>;
  constexpr auto of_block = detail::KeyNumbers::of_block;
  detail::ShardedBatch<S, K, 1>& batch = shards.batch();
  const Index n = shards.anchors();
  const detail::HingeTriplets<S, sign> triplets(options().mining, options().margin);

  Arrived* arrived = nullptr;
  Anchor* anchors = nullptr;
  Memory* memory = nullptr;
  shards.team().agree([&] {
    detail::Scratch& scratch = batch.scratch();
    arrived = scratch.template take<Arrived>(n);
    anchors = scratch.template take<Anchor>(n);
    memory = scratch.template take<Memory>(n);
    for (Index i = 0; i < n; ++i) {
      const Index count = shards.positives(i);
      arrived[i] = {scratch.template take<S>(count), 0};
      memory[i] = Memory(scratch, count);
      anchors[i].changes = scratch.template take<std::int32_t>(triplets.changes_size(count));
    }
  });
  batch.observe(
      0, 0, of_block,
      [](const auto& relation, const auto&) { return detail::CollectPositives<S, sign>(relation); },
      arrived, d);
  detail::parallel_tasks(n, batch.threads(), [&](Index i, int) {
    const Index count = arrived[i].count;
    std::iota(memory[i].keys, memory[i].keys + count, 0);
    const auto distance = [&](Index k) { return arrived[i].numbers[k]; };
    anchors[i] = triplets.start({count, distance, options().margin, memory[i]}, shards.negatives(i),
                                anchors[i].changes);
  });

  const auto negatives = [&](const auto& relation, const auto&) {
    return Negatives(triplets, anchors, relation, shards.upstream());
  };
  if (batch.wants_gradients()) {
    batch.differentiate(0, 0, of_block, negatives, anchors);
  } else {
    Diagnostics again;  // the same scores
    batch.observe(0, 0, of_block, negatives, anchors, again);
  }
  for (Index i = 0; i < n; ++i) {
    rows[i] = triplets.finish(anchors[i], [&](Index key, double times) {
      arrived[i].numbers[key] = static_cast<S>(times);
    });
    arrived[i].count = 0;
  }
  if (!batch.wants_gradients()) return;
  batch.differentiate(
      0, 0, of_block,
      [&](const auto& relation, const auto&) {
        return detail::DrawPositives<S, sign>(relation, shards.upstream());
      },
      arrived);
}

template <class S, Kernel K>
MinedTripletResult MinedTriplet<S, K>::run(const Sharding& where, const Upstream* upstream,
                                           const Chunks<S>& x, const Tags& tags,
                                           CallOptions<S> call) const {
  Shards shards(where, kernel(),
                detail::introduction<S, K>(
                    "MinedTriplet", where, upstream,
                    {{"margin", options().margin},
                     {"form", static_cast<double>(options().form)},
                     {"mining", static_cast<double>(options().mining)},
                     {"reduction", static_cast<double>(options().reduction)},
                     {"unusable_anchors", static_cast<double>(options().unusable_anchors)}}),
                options().reduction, upstream, x, tags, call);
  shards.refuse(
      options().unusable_anchors,
      [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  MinedTripletResult result;
  Diagnostics& d = result.diagnostics;
  shards.count_anchors(d);
  detail::AnchorTriplets* rows = nullptr;
  shards.team().agree([&] {
    rows = shards.batch().scratch().template take<detail::AnchorTriplets>(shards.anchors());
  });
  if (options().mining == Mining::batch_hard) {
    mine_one(shards, rows, d);
  } else {
    mine_all(shards, rows, d);
  }
  std::array<std::int64_t, 3> kinds{};
  for (Index i = 0; i < shards.anchors(); ++i) {
    d.terms += rows[i].terms;
    d.active_terms += rows[i].active;
    kinds[0] += rows[i].hard;
    kinds[1] += rows[i].semihard;
    kinds[2] += rows[i].easy;
  }
  shards.team().combine(d);
  for (const auto& of_rank : shards.team().everyone(kinds)) {
    result.hard_triplets += of_rank[0];
    result.semihard_triplets += of_rank[1];
    result.easy_triplets += of_rank[2];
  }
  shards.reduce([&](Index i) { return rows[i].value; }, result);
  if (upstream != nullptr) shards.batch().hand_back(shards.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, MinedTriplet)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, MinedTriplet)
#endif

}  // namespace nearfar::sharded
