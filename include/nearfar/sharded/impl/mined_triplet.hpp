#pragma once

#include <array>
#include <numeric>

#include "nearfar/losses/impl/mined_triplet.hpp"
#include "nearfar/mining/counted_positives.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/mined_triplet.hpp"

namespace nearfar::detail {

/// The farthest positive and the nearest negative of each anchor.
template <class S>
void mine_one(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
              AnchorTriplets* rows, Diagnostics& d) {
  ShardedCall<S>& frame = call.frame();
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  S* of_positive = nullptr;
  S* of_negative = nullptr;
  Index* partner = nullptr;
  std::optional<PairedScores<S>> pairs;
  auto chosen = call.template make<ChosenKeysTerm<S>>(
      KeyChoice{PositiveChoice::hard, NegativeChoice::hard}, sign, call.rule());
  call.team().agree([&] {
    Scratch& scratch = call.scratch();
    of_positive = scratch.template take<S>(n);
    of_negative = scratch.template take<S>(n);
    partner = scratch.template take<Index>(n);
    pairs.emplace(scratch, n);
  });
  for (Index i = 0; i < n; ++i) chosen.start(i);
  frame.accumulate(
      0, 0, KeyNumbers::of_block, chosen,
      [&](const PositiveRule<S>& rule, const KeyBlock<S>& block) {
        chosen.set_rule(rule);
        chosen.set_number(block.first);
      },
      d);

  for (Index i = 0; i < n; ++i) {
    rows[i] = {0, 0, 0, 0, 0, 0};
    of_positive[i] = of_negative[i] = 0;
    if (!chosen[i].positive.found() || !chosen[i].negative.found()) continue;
    double slope = 0;
    rows[i] = one_triplet(options, static_cast<double>(chosen[i].positive.merit),
                          -static_cast<double>(chosen[i].negative.merit), slope);
    const S weight = static_cast<S>(sign * slope * row_upstream(call.upstream(), i));
    of_positive[i] = -weight;
    of_negative[i] = weight;
  }
  if (!call.wants_gradients()) return;
  // Anchors whose key is in another block are paired with any row of this one, with weight 0.
  frame.each_block(0, [&](const KeyBlock<S>& block, const PackedRows<S>& keys,
                          RowGradients<S>& dk) {
    if (keys.rows == 0) return;
    const auto add = [&](Index first, Index count, const S* weight,
                         ChosenKey<S> ChosenKeys<S>::*kind) {
      const PackedRows<S> own = part_of(frame.rows(0), first, count);
      RowGradients<S> of_own = part_of(frame.gradients(0), frame.rows(0), first);
      const auto is_here = [&](Index i) {
        const Index key = (chosen[first + i].*kind).key - block.first;
        return key >= 0 && key < keys.rows;
      };
      for (Index i = 0; i < count; ++i) {
        partner[i] = is_here(i) ? (chosen[first + i].*kind).key - block.first : 0;
      }
      paired_scores(call.threads(), call.kernel(), own, keys, *pairs, partner);
      for (Index i = 0; i < count; ++i) pairs->g[i] = is_here(i) ? weight[first + i] : S(0);
      add_paired_gradients(call.threads(), call.kernel(), own, keys, *pairs, of_own, dk, partner);
    };
    // Some anchors after others, so that sums have an order that shards on the grid share.
    for (Index first = 0; first < n; first += block_grid) {
      const Index count = std::min(block_grid, n - first);
      add(first, count, of_positive, &ChosenKeys<S>::positive);
      add(first, count, of_negative, &ChosenKeys<S>::negative);
    }
  });
}

/// Every triplet of a kind.
template <class S>
void mine_all(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
              AnchorTriplets* rows, Diagnostics& d) {
  ShardedCall<S>& frame = call.frame();
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  PositivesMemory<S>* memory = nullptr;
  std::int32_t** changes = nullptr;
  auto arrived = call.template make<CollectPositives<S>>([&](Index i) { return call.positives(i); },
                                                         sign, call.rule());
  auto negatives = call.template make<HingeNegativesTerm<S>>(
      HingeTriplets<S>(options.mining, options.margin, sign), call.rule(), call.upstream());
  call.team().agree([&] {
    Scratch& scratch = call.scratch();
    memory = scratch.template take<PositivesMemory<S>>(n);
    changes = scratch.template take<std::int32_t*>(n);
    for (Index i = 0; i < n; ++i) {
      const Index count = call.positives(i);
      memory[i] = PositivesMemory<S>(scratch, count);
      changes[i] = scratch.template take<std::int32_t>(HingeTriplets<S>::changes_size(count));
    }
  });
  const auto rule_of = [](auto& term) {
    return [&term](const PositiveRule<S>& rule, const KeyBlock<S>&) { term.set_rule(rule); };
  };
  for (Index i = 0; i < n; ++i) arrived.start(i);
  frame.accumulate(0, 0, KeyNumbers::of_block, arrived, rule_of(arrived), d);
  parallel_tasks(n, call.threads(), [&](Index i, int) {
    const Index count = arrived[i].count;
    std::iota(memory[i].keys, memory[i].keys + count, 0);
    const auto distance = [&](Index k) { return arrived[i].numbers[k]; };
    negatives.set_positives(i, {count, distance, options.margin, memory[i]}, call.negatives(i),
                            changes[i]);
  });

  if (call.wants_gradients()) {
    frame.gradient(0, 0, KeyNumbers::of_block, negatives, rule_of(negatives));
  } else {
    Diagnostics again;  // the same scores
    frame.accumulate(0, 0, KeyNumbers::of_block, negatives, rule_of(negatives), again);
  }
  for (Index i = 0; i < n; ++i) {
    rows[i] = negatives.triplets().finish(negatives[i], [&](Index key, double times) {
      arrived[i].numbers[key] = static_cast<S>(times);
    });
  }
  if (!call.wants_gradients()) return;
  DrawPositives<S> weighted(arrived.data(), n, sign, call.rule(), call.upstream());
  frame.gradient(0, 0, KeyNumbers::of_block, weighted, rule_of(weighted));
}

template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("MinedTriplet", kernel, inputs.rows, options,
                                           {{"margin", options.margin},
                                            {"form", static_cast<double>(options.form)},
                                            {"mining", static_cast<double>(options.mining)}}),
                              inputs);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  MinedTripletResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  AnchorTriplets* rows = nullptr;
  call.team().agree([&] { rows = call.scratch().template take<AnchorTriplets>(call.anchors()); });
  if (options.mining == Mining::batch_hard) {
    mine_one(options, call, rows, d);
  } else {
    mine_all(options, call, rows, d);
  }
  std::array<std::int64_t, 3> kinds{};
  for (Index i = 0; i < call.anchors(); ++i) {
    d.terms += rows[i].terms;
    d.active_terms += rows[i].active;
    kinds[0] += rows[i].hard;
    kinds[1] += rows[i].semihard;
    kinds[2] += rows[i].easy;
  }
  call.combine(d);
  for (const auto& of_rank : call.team().everyone(kinds)) {
    result.hard_triplets += of_rank[0];
    result.semihard_triplets += of_rank[1];
    result.easy_triplets += of_rank[2];
  }
  call.reduce([&](Index i) { return rows[i].value; }, result);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
