#pragma once

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/engine/listed_call.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/terms/linear_contrastive_term.hpp"
#include "nearfar/terms/snr_term.hpp"

namespace nearfar::detail {

/// The factor of the hinges of each kind, given their number.
inline ByKind<double> linear_contrastive_scales(Reduction reduction,
                                                const LinearContrastiveResult& counts) {
  return {kind_scale(reduction, counts.positive_pairs, counts.active_positive_pairs),
          kind_scale(reduction, counts.negative_pairs, counts.active_negative_pairs)};
}

/// Closes all anchors, with gradients of packed rows if these are wanted, and sets value and counts
/// for the pairs of own anchors i with has_terms(i). Returns the remaining reduction: the term's
/// scales contain the divisors.
template <class Options, class Frame, class Term, class HasTerms>
Reduction run_linear_contrastive(const Options& options, Frame& call, Term& term,
                                 const HasTerms& has_terms, LinearContrastiveResult& result) {
  Diagnostics& d = result.diagnostics;
  const auto count_active = [&] {
    result.active_positive_pairs = call.total([&](Index i) { return term[i].positive.active; });
    result.active_negative_pairs = call.total([&](Index i) { return term[i].negative.active; });
  };
  result.positive_pairs =
      call.total([&](Index i) { return has_terms(i) ? call.positives(i) : Index(0); });
  result.negative_pairs =
      call.total([&](Index i) { return has_terms(i) ? call.negatives(i) : Index(0); });
  if (options.reduction == Reduction::mean_nonzero) {
    Diagnostics again;  // discarded: the pass repeats the same scores
    call.forward(term, again);
    count_active();
  }
  term.set_scales(linear_contrastive_scales(options.reduction, result));
  call.run(term, d);
  count_active();
  call.combine(d);
  d.terms = result.positive_pairs + result.negative_pairs;
  d.active_terms = result.active_positive_pairs + result.active_negative_pairs;
  const Reduction rest = options.reduction == Reduction::none ? Reduction::none : Reduction::sum;
  call.reduce(
      rest, [&](Index i) { return term.value(i); }, result);
  return rest;
}

/// The loss in the frame of one process or of many.
template <class S, class Frame>
LinearContrastiveResult linear_contrastive(const LinearContrastiveOptions& options, Frame& call) {
  LinearContrastiveResult result;
  call.count_anchors(result.diagnostics);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without any other row");
  auto term = call.template make<LinearContrastiveTerm<S>>(
      call.kernel().sign(), ByKind<double>{*options.positive_margin, *options.negative_margin},
      call.rule(), call.upstream());
  const Reduction rest = run_linear_contrastive(
      options, call, term, [](Index) { return true; }, result);
  call.scatter(gradient_scale(rest, result.diagnostics, call.upstream()));
  return result;
}

template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel, const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return linear_contrastive<S>(options, call);
}

/// The loss of listed pairs.
template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel, const PairListInputs<S>& inputs) {
  const Index positives = inputs.positives.first.size();
  const Index count = positives + inputs.negatives.first.size();
  ListedCall<S> listed(kernel, options.reduction, inputs, count);
  Call<S>& call = listed.call();
  const PairNumbers pairs = listed.numbers(inputs.positives, inputs.negatives);
  const PairedScores<S> scores = listed.scores(pairs);
  const S sign = static_cast<S>(kernel.sign());
  const S near = static_cast<S>(*options.positive_margin);
  const S far = static_cast<S>(*options.negative_margin);
  const auto hinge = [&](Index k) {
    const S beyond = k < positives ? near - scores.s[k] : scores.s[k] - far;
    return static_cast<double>(std::max(sign * beyond, S(0)));
  };
  LinearContrastiveResult result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, count, scores.s, d);
  count_terms(count, hinge, d);
  result.positive_pairs = positives;
  result.negative_pairs = count - positives;
  for (Index k = 0; k < positives; ++k) result.active_positive_pairs += hinge(k) > 0 ? 1 : 0;
  result.active_negative_pairs = d.active_terms - result.active_positive_pairs;
  const ByKind<double> scales = linear_contrastive_scales(options.reduction, result);
  const auto scale = [&](Index k) { return k < positives ? scales.positive : scales.negative; };
  const Reduction rest = options.reduction == Reduction::none ? Reduction::none : Reduction::sum;
  reduce_rows(
      rest, count, [&](Index k) { return scale(k) * hinge(k); }, result);
  if (!call.wants_gradients()) return result;
  for (Index k = 0; k < count; ++k) {
    const double up = hinge(k) > 0 ? scale(k) * row_upstream(call.upstream(), k) : 0;
    scores.g[k] = (k < positives ? -sign : sign) * static_cast<S>(up);
  }
  listed.add_gradients(pairs, scores);
  call.scatter(gradient_scale(rest, d, call.upstream()));
  return result;
}

/// The kernel of rows less their means.
template <class S>
KernelValue<S> of_centred_rows(const KernelValue<S>& kernel) {
  KernelValue<S> out = kernel;
  out.centres_rows = true;
  return out;
}

/// The loss with signal-to-noise distances, in the frame of one process or of many. The packed rows
/// are centred: a distance is |z_i - z_j|^2 / |z_i|^2.
template <class S, class Frame>
LinearContrastiveResult snr_contrastive(const SnrContrastiveOptions& options, Frame& call) {
  LinearContrastiveResult result;
  call.count_anchors(result.diagnostics);
  const PackedRows<S>& z = call.queries();
  double* signal = nullptr;
  call.agree([&] { signal = call.scratch().template take<double>(call.anchors()); });
  for (Index i = 0; i < call.anchors(); ++i) {
    signal[i] = squared_norm(z.depth, z.plain_row(i, {0})).value();
  }
  const auto has_terms = [&](Index i) { return signal[i] > 0; };
  const auto unusable = call.total(
      [&](Index i) { return call.positives(i) + call.negatives(i) == 0 || !has_terms(i) ? 1 : 0; });
  refuse_unusable(options.unusable_anchors, unusable, "without any other row, or variance");
  const ByKind<double> margins = {options.positive_margin, options.negative_margin};
  const double* const signals = signal;
  auto term = call.template make<SnrTerm<S>>(signals, margins, call.rule(), call.upstream());
  const Reduction rest = run_linear_contrastive(options, call, term, has_terms, result);
  if (call.d_queries().wanted()) {
    each_row(call.anchors(), call.threads(), [&](Index i) {
      // Rows less their means are stored as S: no buffer is used.
      row_loops<S>().add_product(z.depth, static_cast<S>(term.along_row(i)), z.plain_row(i, {0}),
                                 call.d_queries().data + i * z.stride);
    });
  }
  call.scatter(gradient_scale(rest, result.diagnostics, call.upstream()));
  // Scores are squared distances of rows, before the division.
  for (double* score : {&result.diagnostics.smallest_score, &result.diagnostics.largest_score}) {
    *score = *score / call.row_unit() / call.row_unit();
  }
  return result;
}

template <class S>
LinearContrastiveResult evaluate(const SnrContrastiveOptions& options, const KernelValue<S>& kernel,
                                 const LabelledInputs<S>& inputs) {
  const KernelValue<S> of_centred = of_centred_rows(kernel);
  LabelledCall<S> call(of_centred, options.reduction, PairWeights::refused, inputs);
  return snr_contrastive<S>(options, call);
}

}  // namespace nearfar::detail
