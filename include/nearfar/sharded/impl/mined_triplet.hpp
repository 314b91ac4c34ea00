#pragma once

#include <numeric>
#include <optional>

#include "nearfar/losses/impl/mined_triplet.hpp"
#include "nearfar/mining/counted_positives.hpp"
#include "nearfar/mining/pair_triplets.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/mined_triplet.hpp"

namespace nearfar::detail {

/// One triplet an anchor.
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
  const KeyChoice choice = choice_of(options);
  auto chosen = call.template make<ChosenKeysTerm<S>>(choice, sign, call.rule());
  call.team().agree([&] {
    Scratch& scratch = call.scratch();
    of_positive = scratch.template take<S>(n);
    of_negative = scratch.template take<S>(n);
    partner = scratch.template take<Index>(n);
    pairs.emplace(scratch, n);
  });
  call.forward(chosen, d);
  if (chosen.waits()) {
    chosen.begin_second_pass();
    Diagnostics again;  // the same scores
    call.forward(chosen, again);
  }

  const int far_positive = choice.positive == PositiveChoice::easy ? -1 : 1;
  const int far_negative = choice.negative == NegativeChoice::easy ? 1 : -1;
  for (Index i = 0; i < n; ++i) {
    rows[i] = {0, 0, 0, 0, 0, 0};
    of_positive[i] = of_negative[i] = 0;
    if (!chosen[i].positive.found() || !chosen[i].negative.found()) continue;
    double slope = 0;
    rows[i] = one_triplet(options, far_positive * static_cast<double>(chosen[i].positive.merit),
                          far_negative * static_cast<double>(chosen[i].negative.merit), slope);
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

/// The positives of each anchor, sorted by distance; `memory` is taken here.
template <class S>
SortedPositives<S> sorted(const ArrivedPositives<S>& arrived, double margin,
                          PositivesMemory<S>& memory) {
  std::iota(memory.keys, memory.keys + arrived.count, 0);
  return SortedPositives<S>(
      arrived.count, [&](Index k) { return arrived.numbers[k]; }, margin, memory);
}

/// Collects the positives of all anchors; memory for their order comes with them.
template <class S>
PositivesMemory<S>* collect(ShardedLabelledCall<S>& call, CollectPositives<S>& arrived,
                            Diagnostics& d) {
  PositivesMemory<S>* memory = nullptr;
  call.team().agree([&] {
    memory = call.scratch().template take<PositivesMemory<S>>(call.anchors());
    for (Index i = 0; i < call.anchors(); ++i) {
      memory[i] = PositivesMemory<S>(call.scratch(), call.positives(i));
    }
  });
  call.forward(arrived, d);
  return memory;
}

/// Every triplet of a kind, by a term of the negatives. prepare(i, positives) tells it an anchor's
/// positives.
template <class S, class Negatives, class Prepare>
void mine_all(double margin, ShardedLabelledCall<S>& call, Negatives& negatives,
              const Prepare& prepare, AnchorTriplets* rows, Diagnostics& d) {
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  auto arrived = call.template make<CollectPositives<S>>([&](Index i) { return call.positives(i); },
                                                         false, sign, call.rule());
  PositivesMemory<S>* memory = collect(call, arrived, d);
  parallel_tasks(n, call.threads(),
                 [&](Index i, int) { prepare(i, sorted(arrived[i], margin, memory[i])); });
  if (call.wants_gradients()) {
    call.add_gradients(negatives);
  } else {
    Diagnostics again;  // the same scores
    call.forward(negatives, again);
  }
  for (Index i = 0; i < n; ++i) {
    rows[i] = negatives.finish(
        i, [&](Index key, double times) { arrived[i].numbers[key] = static_cast<S>(times); });
  }
  if (!call.wants_gradients()) return;
  DrawPositives<S> weighted(arrived.data(), n, sign, call.rule(), call.upstream());
  call.add_gradients(weighted);
}

/// Memory for size_of(positives) numbers of type T for each anchor.
template <class T, class S, class SizeOf>
T** take_for_anchors(ShardedLabelledCall<S>& call, const SizeOf& size_of) {
  T** out = nullptr;
  call.team().agree([&] {
    out = call.scratch().template take<T*>(call.anchors());
    for (Index i = 0; i < call.anchors(); ++i) {
      out[i] = call.scratch().template take<T>(size_of(call.positives(i)));
    }
  });
  return out;
}

template <class S>
void mine_all(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
              AnchorTriplets* rows, Diagnostics& d) {
  const int sign = call.kernel().sign();
  if (options.form == TripletForm::hinge) {
    auto negatives = call.template make<HingeNegativesTerm<S>>(
        HingeTriplets<S>(options.mining, options.margin, sign), call.rule(), call.upstream());
    std::int32_t** changes = take_for_anchors<std::int32_t>(call, HingeTriplets<S>::changes_size);
    const auto prepare = [&](Index i, const SortedPositives<S>& positives) {
      negatives.set_positives(i, positives, call.negatives(i), changes[i]);
    };
    mine_all(options.margin, call, negatives, prepare, rows, d);
    return;
  }
  auto negatives = call.template make<CostlyNegativesTerm<S>>(
      options.mining, TripletCost{options.form, options.margin}, sign, call.rule(),
      call.upstream());
  double** slopes = take_for_anchors<double>(call, [](Index count) { return count; });
  const auto prepare = [&](Index i, const SortedPositives<S>& positives) {
    negatives.set_positives(i, positives, slopes[i]);
  };
  mine_all(options.margin, call, negatives, prepare, rows, d);
}

/// One negative for each positive, as a term of the negatives chooses it.
template <class S, class Negatives>
void mine_pairs(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
                Negatives& negatives, CollectPositives<S>& arrived,
                const PositivesMemory<S>* memory, AnchorTriplets* rows) {
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  const TripletCost cost{options.form, options.margin};
  auto weights = call.template make<KeyWeightsTerm<S>>(
      [&](Index i) { return call.wants_gradients() ? 2 * call.positives(i) : Index(0); });
  for (Index i = 0; i < n; ++i) {
    AnchorTriplets& row = rows[i];
    row = negatives.counts(i);
    const double unit = -sign * row_upstream(call.upstream(), i);
    negatives.each_pair(i, [&](Index rank, const FoundKey<S>& negative) {
      const TripletTerm term =
          cost.of(memory[i].distances[rank], static_cast<double>(negative.distance));
      ++row.terms;
      row.value += term.value;
      row.active += term.value > 0 ? 1 : 0;
      if (!call.wants_gradients()) return;
      const S weight = static_cast<S>(unit * term.slope);
      weights.add(i, arrived[i].keys[memory[i].keys[rank]], weight);
      weights.add(i, negative.key, -weight);
    });
    weights.sort(i);
  }
  if (call.wants_gradients()) call.add_gradients(weights);
}

template <class S>
void mine_pairs(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
                AnchorTriplets* rows, Diagnostics& d) {
  const int sign = call.kernel().sign();
  const auto count_of = [&](Index i) { return call.positives(i); };
  auto arrived = call.template make<CollectPositives<S>>(count_of, true, sign, call.rule());
  const PositivesMemory<S>* memory = nullptr;
  const auto prepare = [&](auto& negatives) {
    memory = collect(call, arrived, d);
    parallel_tasks(call.anchors(), call.threads(), [&](Index i, int) {
      PositivesMemory<S> mine = memory[i];
      negatives.set_positives(i, sorted(arrived[i], options.margin, mine));
    });
  };
  Diagnostics again;  // the same scores
  if (options.mining == Mining::semi_hard_per_pair) {
    auto negatives = call.template make<NearestFartherTerm<S>>(count_of, sign, call.rule());
    prepare(negatives);
    call.forward(negatives, again);
    mine_pairs(options, call, negatives, arrived, memory, rows);
    return;
  }
  const DrawWeights<S> weights(options.weighting, call.kernel(), call.frame().rows(0).depth);
  auto negatives = call.template make<DrawnNegativesTerm<S>>(count_of, Index(call.team().size()),
                                                             weights, sign, call.rule());
  prepare(negatives);
  call.forward(negatives, again);
  for (Index i = 0; i < call.anchors(); ++i) {
    negatives.draw(i, call.frame().first_row(0) + i,
                   [&](Index rank) { return arrived[i].keys[memory[i].keys[rank]]; });
  }
  negatives.begin_second_pass();
  call.forward(negatives, again);
  negatives.end_block();
  mine_pairs(options, call, negatives, arrived, memory, rows);
}

/// Every anchor's triplets, and the gradients of their sum.
template <class S>
const AnchorTriplets* mine(const MinedTripletOptions& options, ShardedLabelledCall<S>& call,
                           Diagnostics& d) {
  AnchorTriplets* rows = nullptr;
  call.team().agree([&] { rows = call.scratch().template take<AnchorTriplets>(call.anchors()); });
  if (mines_one(options.mining)) {
    mine_one(options, call, rows, d);
  } else if (mines_every_one(options.mining)) {
    mine_all(options, call, rows, d);
  } else {
    mine_pairs(options, call, rows, d);
  }
  return rows;
}

template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const ShardedLabelledInputs<S>& inputs) {
  // Seeds and steps are compared in halves that a double can hold.
  const auto low = [](std::uint64_t bits) { return static_cast<double>(bits & 0xffffffffu); };
  const auto high = [](std::uint64_t bits) { return static_cast<double>(bits >> 32); };
  const DistanceWeighting& drawn = options.weighting;
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("MinedTriplet", kernel, inputs.rows, options,
                                           {{"margin", options.margin},
                                            {"form", static_cast<double>(options.form)},
                                            {"mining", static_cast<double>(options.mining)},
                                            {"positive", static_cast<double>(options.positive)},
                                            {"negative", static_cast<double>(options.negative)},
                                            {"seed (low half)", low(drawn.seed)},
                                            {"seed (high half)", high(drawn.seed)},
                                            {"step (low half)", low(drawn.step)},
                                            {"step (high half)", high(drawn.step)},
                                            {"nearest", drawn.nearest},
                                            {"farthest", drawn.farthest}}),
                              inputs);
  return mined_triplet<S>(options, call);
}

}  // namespace nearfar::detail
