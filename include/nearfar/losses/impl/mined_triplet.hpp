#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/engine/class_blocks.hpp"
#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/mining/chosen_keys.hpp"
#include "nearfar/mining/counted_triplets.hpp"
#include "nearfar/mining/sampled_triplets.hpp"

namespace nearfar::detail {

/// True if triplets are all of a kind, not chosen ones.
constexpr bool mines_every_one(Mining mining) {
  return mining == Mining::all || mining == Mining::hard || mining == Mining::semihard ||
         mining == Mining::easy;
}

/// True if an anchor has one triplet.
constexpr bool mines_one(Mining mining) {
  return mining == Mining::batch_hard || mining == Mining::batch_easy_hard;
}

/// The choice of that triplet.
inline KeyChoice choice_of(const MinedTripletOptions& options) {
  if (options.mining == Mining::batch_hard) return {PositiveChoice::hard, NegativeChoice::hard};
  return {options.positive, options.negative};
}

/// Each anchor's one positive or negative as pairs of rows.
template <class S>
struct ChosenPairs {
  Index* partner;
  PairedScores<S> scores;

  ChosenPairs(LabelledCall<S>& call, const ChosenKeysTerm<S>& chosen,
              ChosenKey<S> ChosenKeys<S>::*kind)
      : partner(call.scratch().template take<Index>(call.anchors())),
        scores(call.scratch(), call.anchors()) {
    // An anchor without a triplet is paired with any row; its weight stays 0.
    for (Index i = 0; i < call.anchors(); ++i) {
      partner[i] = std::max<Index>((chosen[i].*kind).key, 0);
    }
    paired_scores(call.threads(), call.kernel(), call.queries(), call.keys(), scores, partner);
  }

  void add_gradients(LabelledCall<S>& call) const {
    add_paired_gradients(call.threads(), call.kernel(), call.queries(), call.keys(), scores,
                         call.d_queries(), call.d_keys(), partner);
  }
};

/// The one triplet of an anchor, with its positive and negative at these distances. Sets `slope` to
/// the derivative of its loss.
inline AnchorTriplets one_triplet(const MinedTripletOptions& options, double positive,
                                  double negative, double& slope) {
  const TripletTerm term(options.form, positive - negative + options.margin);
  slope = term.slope;
  AnchorTriplets row{term.value, 1, term.value > 0 ? 1 : 0, 0, 0, 0};
  ++(negative <= positive                   ? row.hard
     : positive < negative - options.margin ? row.easy
                                            : row.semihard);
  return row;
}

/// The loss of one triplet for each anchor.
template <class S>
const AnchorTriplets* mine_one(const MinedTripletOptions& options, LabelledCall<S>& call,
                               Diagnostics& d) {
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  ChosenKeysTerm<S> chosen(call.scratch(), n, choice_of(options), sign, call.rule());
  call.forward(chosen, d);
  if (chosen.waits()) {
    chosen.begin_second_pass();
    Diagnostics again;  // discarded: the pass repeats the same scores
    call.forward(chosen, again);
  }
  const ChosenPairs<S> positive(call, chosen, &ChosenKeys<S>::positive);
  const ChosenPairs<S> negative(call, chosen, &ChosenKeys<S>::negative);
  auto* rows = call.scratch().template take<AnchorTriplets>(n);
  for (Index i = 0; i < n; ++i) {
    rows[i] = {0, 0, 0, 0, 0, 0};
    if (!chosen[i].positive.found() || !chosen[i].negative.found()) continue;
    double slope = 0;
    rows[i] = one_triplet(options, -sign * static_cast<double>(positive.scores.s[i]),
                          -sign * static_cast<double>(negative.scores.s[i]), slope);
    const S g = static_cast<S>(sign * slope * row_upstream(call.upstream(), i));
    positive.scores.g[i] = -g;
    negative.scores.g[i] = g;
  }
  if (!call.d_queries().wanted() && !call.d_keys().wanted()) return rows;
  positive.add_gradients(call);
  negative.add_gradients(call);
  return rows;
}

/// True if each score of a batch can be computed once for both of its rows: for all hinges of a
/// kind, and classes whose inner scores are few enough to keep.
template <class S>
bool is_counted_by_class(const MinedTripletOptions& options, const LabelledCall<S>& call) {
  if (!mines_every_one(options.mining) || options.form != TripletForm::hinge ||
      !call.is_by_class()) {
    return false;
  }
  Index bytes = 0;
  for (Index i = 0; i < call.anchors(); ++i) {
    const Index n = call.positives(i);
    bytes += ClassBlocks<S>::bytes_a_row(n + 1) + PositivesMemory<S>::bytes(n) +
             4 * HingeTriplets<S>::changes_size(n);
  }
  return bytes <= most_bytes_between(call.queries(), call.keys());
}

template <class S>
const AnchorTriplets* mine_by_class(const MinedTripletOptions& options, LabelledCall<S>& call,
                                    Diagnostics& d) {
  const Index n = call.anchors();
  const int sign = call.kernel().sign();
  Scratch& scratch = call.scratch();
  ClassBlocks<S> classes(scratch, call.threads(), call.kernel(), call.queries(), call.rule());
  HingeNegativesTerm<S> term(scratch, n, {options.mining, options.margin, sign}, call.rule(),
                             call.upstream());
  auto* memory = scratch.template take<PositivesMemory<S>>(n);
  auto** changes = scratch.template take<std::int32_t*>(n);
  for (Index i = 0; i < n; ++i) {
    const Index count = call.positives(i);
    memory[i] = PositivesMemory<S>(scratch, count);
    changes[i] = scratch.template take<std::int32_t>(HingeTriplets<S>::changes_size(count));
  }
  classes.each_row([&](Index i, Index count, Index own, const S* s) {
    std::int32_t* keys = memory[i].keys;
    std::iota(keys, keys + own, 0);
    std::iota(keys + own, keys + count - 1, static_cast<std::int32_t>(own) + 1);
    const auto distance = [&](Index k) { return S(-sign) * s[k]; };
    term.set_positives(i, {count - 1, distance, options.margin, memory[i]}, call.negatives(i),
                       changes[i]);
  });

  call.run_in_one_sweep(term, d);

  auto* rows = scratch.template take<AnchorTriplets>(n);
  if (!call.d_queries().wanted()) {
    for (Index i = 0; i < n; ++i) rows[i] = term.finish(i, [](Index, double) {});
    return rows;
  }
  classes.add_gradients(
      [&](Index i, Index count, Index, S* g) {
        std::fill_n(g, count, S(0));
        const double unit = -sign * row_upstream(call.upstream(), i);
        rows[i] =
            term.finish(i, [&](Index key, double times) { g[key] = static_cast<S>(unit * times); });
      },
      call.d_queries());
  return rows;
}

/// The triplets of every anchor, and the gradients of their sum; null without pairs.
template <class S>
const AnchorTriplets* mine(const MinedTripletOptions& options, LabelledCall<S>& call,
                           Diagnostics& d) {
  if (call.anchors() == 0 || call.keys().rows == 0) return nullptr;
  if (mines_one(options.mining)) return mine_one(options, call, d);
  if (is_counted_by_class(options, call)) return mine_by_class(options, call, d);
  const Index n = call.anchors();
  const Index m = call.keys().rows;
  const Roles<S> roles{call.rule(), call.excluded(), call.same_rows()};
  const TripletCost cost{options.form, options.margin};
  auto* memory =
      AnchorScratch<S>::take(call.scratch(), call.threads(), m, HingeTriplets<S>::changes_size(m));
  if (options.mining == Mining::distance_weighted) {
    SampledTriplets<S> miner(call.scratch(), n,
                             {options.weighting, call.kernel(), call.queries().depth}, cost,
                             call.kernel().sign(), roles, memory, call.upstream());
    call.run_whole_rows(miner, d);
    return miner.data();
  }
  CountedTriplets<S> miner(call.scratch(), n, options.mining, cost, call.kernel().sign(), roles,
                           memory, call.upstream());
  call.run_whole_rows(miner, d);
  return miner.data();
}

/// The loss in the frame of one process or of many, each with its own `mine`.
template <class S, class Frame>
MinedTripletResult mined_triplet(const MinedTripletOptions& options, Frame& call) {
  MinedTripletResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
  const AnchorTriplets* rows = mine(options, call, d);
  const auto row = [&](Index i) { return rows != nullptr ? rows[i] : AnchorTriplets(); };
  for (Index i = 0; i < call.anchors(); ++i) {
    d.terms += row(i).terms;
    d.active_terms += row(i).active;
  }
  result.hard_triplets = call.total([&](Index i) { return row(i).hard; });
  result.semihard_triplets = call.total([&](Index i) { return row(i).semihard; });
  result.easy_triplets = call.total([&](Index i) { return row(i).easy; });
  call.combine(d);
  call.reduce([&](Index i) { return row(i).value; }, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return mined_triplet<S>(options, call);
}

}  // namespace nearfar::detail
