#pragma once

#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/pair_logits.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

// The logits of a score, and their derivatives, for each form.

template <class T>
NEARFAR_ALWAYS_INLINE T positive_logit(const MultiSimilarityForm& form, T s) {
  return (s - constant<T>(form.base)) * constant<T>(-form.alpha);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_logit(const MultiSimilarityForm& form, T s) {
  return (s - constant<T>(form.base)) * constant<T>(form.beta);
}
template <class T>
NEARFAR_ALWAYS_INLINE T positive_slope(const MultiSimilarityForm& form, T) {
  return constant<T>(-form.alpha);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_slope(const MultiSimilarityForm& form, T) {
  return constant<T>(form.beta);
}

template <class T>
NEARFAR_ALWAYS_INLINE T positive_logit(const MinedSimilarityForm& form, T s) {
  const MultiSimilarityForm& all = form;
  return select_less(s, constant<T>(form.positives_below), positive_logit(all, s),
                     constant<T>(-infinity<double>));
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_logit(const MinedSimilarityForm& form, T s) {
  const MultiSimilarityForm& all = form;
  return select_less(constant<T>(form.negatives_above), s, negative_logit(all, s),
                     constant<T>(-infinity<double>));
}

template <class T>
NEARFAR_ALWAYS_INLINE T positive_logit(const DistanceForm& form, T s) {
  return s * constant<T>(-form.sign);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_logit(const DistanceForm& form, T s) {
  return s * constant<T>(form.sign);
}
template <class T>
NEARFAR_ALWAYS_INLINE T positive_slope(const DistanceForm& form, T) {
  return constant<T>(-form.sign);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_slope(const DistanceForm& form, T) {
  return constant<T>(form.sign);
}

template <class T>
NEARFAR_ALWAYS_INLINE T circle_positive_weight(const CircleForm& form, T s) {
  return max(constant<T>(1 + form.m) - s, constant<T>(0));
}
template <class T>
NEARFAR_ALWAYS_INLINE T circle_negative_weight(const CircleForm& form, T s) {
  return max(s + constant<T>(form.m), constant<T>(0));
}
/// The derivative of a logit over gamma, up to its sign, for a logit of this weight.
template <class T>
NEARFAR_ALWAYS_INLINE T circle_slope(const CircleForm& form, T weight) {
  if (!form.differentiates_weights) return weight;
  // Where the weight is 0 the logit is constant.
  return select_equal(weight, constant<T>(0), weight, weight + weight - constant<T>(2 * form.m));
}

template <class T>
NEARFAR_ALWAYS_INLINE T positive_logit(const CircleForm& form, T s) {
  return circle_positive_weight(form, s) * (constant<T>(1 - form.m) - s) * constant<T>(form.gamma);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_logit(const CircleForm& form, T s) {
  return circle_negative_weight(form, s) * (s - constant<T>(form.m)) * constant<T>(form.gamma);
}
template <class T>
NEARFAR_ALWAYS_INLINE T positive_slope(const CircleForm& form, T s) {
  return circle_slope(form, circle_positive_weight(form, s)) * constant<T>(-form.gamma);
}
template <class T>
NEARFAR_ALWAYS_INLINE T negative_slope(const CircleForm& form, T s) {
  return circle_slope(form, circle_negative_weight(form, s)) * constant<T>(form.gamma);
}

/// exp(logit - best of its kind). That of the other kind may overflow, and is thus never computed.
template <class T, class S, class Form>
NEARFAR_ALWAYS_INLINE T exponential_of_logit(const PositiveMask<S>& positives, Index k, T s,
                                             const Form& form, const LargestLogits<S>& best) {
  return exp(if_positive(positives, k, positive_logit(form, s) - spread<T>(best.positive),
                         negative_logit(form, s) - spread<T>(best.negative)));
}

template <class S, class Form>
LargestLogits<S> largest_logits(Index n, const S* s, const PositiveMask<S>& positives,
                                const Form& form) {
  constexpr S lowest = std::numeric_limits<S>::lowest();
  ElementMax<S> positive;
  ElementMax<S> negative;
  positive.see(lowest);
  negative.see(lowest);
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T at = load<T>(s + k);
    positive.see(if_positive(positives, k, positive_logit(form, at), spread<T>(lowest)));
    negative.see(if_negative(positives, k, negative_logit(form, at), spread<T>(lowest)));
  });
  return {positive.value(), negative.value()};
}

template <class S, class Form>
LogitSums logit_sums(Index n, const S* s, const PositiveMask<S>& positives, const Form& form,
                     const LargestLogits<S>& best) {
  ElementSum<S> of_positives;
  ElementSum<S> of_negatives;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T e = exponential_of_logit(positives, k, load<T>(s + k), form, best);
    of_positives += if_positive(positives, k, e, zero);
    of_negatives += if_negative(positives, k, e, zero);
  });
  return {of_positives.total(), of_negatives.total()};
}

template <class S, class Form>
void logit_gradient(Index n, const S* s, const PositiveMask<S>& positives, const Form& form,
                    const LogitWeights<S>& weights, S* g) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T at = load<T>(s + k);
    const T slope =
        if_positive(positives, k, spread<T>(weights.positive) * positive_slope(form, at),
                    spread<T>(weights.negative) * negative_slope(form, at));
    store(g + k, exponential_of_logit(positives, k, at, form, weights.best) * slope);
  });
}

template <class S, class Form>
inline constexpr PairLogitFormLoops<S, Form> pair_logit_form_loops_here = {
    .largest = &largest_logits<S, Form>,
    .sums = &logit_sums<S, Form>,
    .gradient = &logit_gradient<S, Form>,
};

template <class S>
inline constexpr PairLogitLoops<S> pair_logit_loops_here = {
    .multi_similarity = pair_logit_form_loops_here<S, MultiSimilarityForm>,
    .mined_similarity = pair_logit_form_loops_here<S, MinedSimilarityForm>,
    .circle = pair_logit_form_loops_here<S, CircleForm>,
    .distance = pair_logit_form_loops_here<S, DistanceForm>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const PairLogitLoops<S>& pair_logit_loops() {
  return pair_logit_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
