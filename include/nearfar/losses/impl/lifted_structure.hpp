#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/terms/lifted_term.hpp"

namespace nearfar::detail {

/// Counts anchors, and throws on unusable ones if the policy is `error`.
template <class Frame>
void open_lifted(const LiftedStructureOptions& options, Frame& call, Diagnostics& d) {
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive || !negative; },
      "without a positive or a negative");
}

/// Value and gradients, once all anchors are closed.
template <class S, class Frame>
void finish_lifted(Frame& call, const LiftedTerm<S>& term, Result& result) {
  Diagnostics& d = result.diagnostics;
  for (Index i = 0; i < call.anchors(); ++i) {
    d.terms += call.positives(i);
    d.active_terms += term[i].active;
  }
  d.terms += call.positives_listed_once();
  call.combine(d);
  if (call.same_rows()) {  // each pair counts from both of its rows
    d.terms /= 2;
    d.active_terms /= 2;
  }
  call.reduce([&](Index i) { return term.value(i); }, result);
  call.scatter(call.scale(d));
}

/// The loss of rows with themselves, in the frame of one process or of many.
template <class S, class Frame>
Result lifted_structure(const LiftedStructureOptions& options, Frame& call) {
  Result result;
  Diagnostics& d = result.diagnostics;
  open_lifted(options, call, d);
  const int sign = call.kernel().sign();
  auto log_sums = call.template make<NegativeLogSumTerm<S>>(sign, call.rule());
  Diagnostics again;  // discarded: the pass repeats the same scores
  call.forward(log_sums, again);
  auto term =
      call.template make<LiftedTerm<S>>(LiftedSide::both, sign, options.margin, log_sums, log_sums,
                                        call.rule(), call.upstream(), call.rule_of_other_side());
  call.send_along([&](Index i, double* numbers) { term.fill_key(i, numbers); });
  call.run(term, d);
  finish_lifted<S>(call, term, result);
  return result;
}

/// The same for queries with references.
template <class S>
Result lifted_with_references(const LiftedStructureOptions& options, LabelledCall<S>& call) {
  Result result;
  Diagnostics& d = result.diagnostics;
  open_lifted(options, call, d);
  const int sign = call.kernel().sign();
  const Index keys = call.keys().rows;
  const PositiveRule<S> from_keys = call.rule_from_keys();
  NegativeLogSumTerm<S> of_queries(call.scratch(), call.anchors(), sign, call.rule());
  NegativeLogSumTerm<S> of_keys(call.scratch(), keys, sign, from_keys);
  Diagnostics again;  // discarded: the pass repeats the same scores
  call.forward(of_queries, again);
  call.run_from_keys(of_keys, false);
  LiftedTerm<S> term(call.scratch(), call.anchors(), LiftedSide::query, sign, options.margin,
                     of_queries, of_keys, call.rule(), call.upstream());
  call.run(term, d);
  if (call.wants_gradients()) {
    LiftedTerm<S> through_keys(call.scratch(), keys, LiftedSide::key, sign, options.margin, of_keys,
                               of_queries, from_keys, call.upstream());
    call.run_from_keys(through_keys, true);
  }
  finish_lifted<S>(call, term, result);
  return result;
}

template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return call.same_rows() ? lifted_structure<S>(options, call)
                          : lifted_with_references<S>(options, call);
}

}  // namespace nearfar::detail
