#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/terms/lifted_term.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  Result result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  refuse_unusable(options.unusable_anchors, call.anchors_where([](bool positive, bool negative) {
    return !positive || !negative;
  }),
                  "without a positive or a negative");
  const bool same = call.same_rows();
  const Index keys = same ? 0 : call.keys().rows;
  const bool one_sided = !call.rule().is_mutual();
  const PositiveRule<S> from_keys = call.rule_from_keys();
  NegativeLogSumTerm<S> of_queries(call.scratch(), d.anchors, kernel.sign(), call.rule());
  NegativeLogSumTerm<S> of_references(call.scratch(), keys, kernel.sign(), from_keys);
  NegativeLogSumTerm<S>& of_keys = same ? of_queries : of_references;
  Diagnostics again;  // the same scores
  call.forward(of_queries, again);
  if (!same) call.run_from_keys(of_keys, false);
  LiftedTerm<S> term(call.scratch(), d.anchors, same ? LiftedSide::both : LiftedSide::query,
                     kernel.sign(), options.margin, of_queries, of_keys, call.rule(),
                     call.upstream(), one_sided ? &from_keys : nullptr);
  call.run(term, d);
  if (!same && call.wants_gradients()) {
    LiftedTerm<S> through_keys(call.scratch(), keys, LiftedSide::key, kernel.sign(), options.margin,
                               of_keys, of_queries, from_keys, call.upstream());
    call.run_from_keys(through_keys, true);
  }
  const std::int64_t active = call.total([&](Index i) { return term[i].active; });
  d.terms = same ? call.unordered_positive_pairs()
                 : call.total([&](Index i) { return call.positives(i); });
  d.active_terms = same ? active / 2 : active;
  call.reduce([&](Index i) { return term.value(i); }, result);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
