#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/losses/intra_pair_variance.hpp"
#include "nearfar/terms/intra_pair_variance_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
IntraPairVarianceResult intra_pair_variance(const IntraPairVarianceOptions& options, Frame& call) {
  IntraPairVarianceResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without any other row");
  auto term = call.template make<IntraPairVarianceTerm<S>>(call.rule(), call.upstream());
  result.positive_pairs = call.total([&](Index i) { return call.positives(i); });
  result.negative_pairs = call.total([&](Index i) { return call.negatives(i); });
  const auto over = [](double sum, std::int64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : 0.0;
  };
  Diagnostics again;  // discarded: the pass repeats the same scores
  call.forward(term, again);
  result.positive_mean =
      over(call.sum([&](Index i) { return term.sums(i).positive; }), result.positive_pairs);
  result.negative_mean =
      over(call.sum([&](Index i) { return term.sums(i).negative; }), result.negative_pairs);
  const ByKind<double> slopes = {1 - options.positive_epsilon, 1 + options.negative_epsilon};
  term.begin_hinges(
      {slopes.positive * result.positive_mean, slopes.negative * result.negative_mean});
  call.forward(term, d);
  result.active_positive_pairs = call.total([&](Index i) { return term[i].positive.active; });
  result.active_negative_pairs = call.total([&](Index i) { return term[i].negative.active; });
  call.combine(d);
  d.terms = result.positive_pairs + result.negative_pairs;
  d.active_terms = result.active_positive_pairs + result.active_negative_pairs;

  const ByKind<double> scales = {
      kind_scale(options.reduction, result.positive_pairs, result.active_positive_pairs),
      kind_scale(options.reduction, result.negative_pairs, result.active_negative_pairs)};
  // The scales contain the divisors.
  const Reduction rest = options.reduction == Reduction::none ? Reduction::none : Reduction::sum;
  call.reduce(
      rest,
      [&](Index i) {
        return scales.positive * term[i].positive.squares +
               scales.negative * term[i].negative.squares;
      },
      result);
  if (!call.wants_gradients()) return result;
  // Each score of a kind changes the mean by 1 / their number, and thus the bound of all hinges.
  const auto hinges = [&](SquaredHinges ByKind<SquaredHinges>::*kind) {
    return call.sum(
        [&](Index i) { return row_upstream(call.upstream(), i) * (term[i].*kind).sum; });
  };
  term.begin_gradients(
      scales,
      {over(2 * scales.positive * slopes.positive * hinges(&ByKind<SquaredHinges>::positive),
            result.positive_pairs),
       over(-2 * scales.negative * slopes.negative * hinges(&ByKind<SquaredHinges>::negative),
            result.negative_pairs)});
  call.run(term, again);
  call.scatter(gradient_scale(rest, d, call.upstream()));
  return result;
}

template <class S>
IntraPairVarianceResult evaluate(const IntraPairVarianceOptions& options,
                                 const KernelValue<S>& kernel, const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return intra_pair_variance<S>(options, call);
}

}  // namespace nearfar::detail
