#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/terms/linear_contrastive_term.hpp"

namespace nearfar::detail {

/// The factor of hinges of each kind, given how many there are.
inline ByKind<double> linear_contrastive_scales(Reduction reduction,
                                                const LinearContrastiveResult& counts) {
  const auto share = [](std::int64_t pairs) {
    return pairs > 0 ? 1 / static_cast<double>(pairs) : 0.0;
  };
  switch (reduction) {
    case Reduction::mean:
      return {share(counts.positive_pairs), share(counts.negative_pairs)};
    case Reduction::mean_nonzero:
      return {share(counts.active_positive_pairs), share(counts.active_negative_pairs)};
    case Reduction::sum:
    case Reduction::none:
      break;
  }
  return {1, 1};
}

/// The loss in the frame of one process or of many.
template <class S, class Frame>
LinearContrastiveResult linear_contrastive(const LinearContrastiveOptions& options, Frame& call) {
  LinearContrastiveResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without any other row");
  auto term = call.template make<LinearContrastiveTerm<S>>(
      call.kernel().sign(), ByKind<double>{*options.positive_margin, *options.negative_margin},
      call.rule(), call.upstream());
  const auto count_active = [&] {
    result.active_positive_pairs = call.total([&](Index i) { return term[i].positive.active; });
    result.active_negative_pairs = call.total([&](Index i) { return term[i].negative.active; });
  };
  result.positive_pairs = call.total([&](Index i) { return call.positives(i); });
  result.negative_pairs = call.total([&](Index i) { return call.negatives(i); });
  if (options.reduction == Reduction::mean_nonzero) {
    Diagnostics again;  // the same scores
    call.forward(term, again);
    count_active();
  }
  term.set_scales(linear_contrastive_scales(options.reduction, result));
  call.run(term, d);
  count_active();
  call.combine(d);
  d.terms = result.positive_pairs + result.negative_pairs;
  d.active_terms = result.active_positive_pairs + result.active_negative_pairs;
  // The divisors are in the term's scales already.
  const Reduction rest = options.reduction == Reduction::none ? Reduction::none : Reduction::sum;
  call.reduce(
      rest, [&](Index i) { return term.value(i); }, result);
  call.scatter(gradient_scale(rest, d, call.upstream()));
  return result;
}

template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel, const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return linear_contrastive<S>(options, call);
}

}  // namespace nearfar::detail
