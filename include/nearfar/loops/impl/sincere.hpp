#pragma once

#include "nearfar/loops/impl/exponential.hpp"
#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/sincere.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

// Differences first, then the temperature: large scores would lose digits in the quotient.

/// -tau x of a positive, from its nearness less the best negative's.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T sincere_lead(T above_best, const SincereNegatives<S>& negatives) {
  return above_best - spread<T>(negatives.offset);
}

/// sigmoid(x), from e = exp(-|x|).
template <class T>
NEARFAR_ALWAYS_INLINE T sincere_slope(T lead, T e) {
  const T one = constant<T>(1);
  const T of_larger = one / (one + e);  // sigmoid(|x|)
  return select_less(constant<T>(0), lead, e * of_larger, of_larger);
}

template <class S>
SincereSums sincere_sums(Index n, const S* s, int sign, const SincereNegatives<S>& negatives) {
  ElementSum<S> behind;
  ElementSum<S> rest;
  ElementSum<S> slopes;
  ElementSum<S> active;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T one = constant<T>(1);
    const T lead = sincere_lead(nearness<T>(sign, s + k) - spread<T>(negatives.best), negatives);
    const T e = exp_scaled(zero - abs(lead), negatives.rate);
    behind += max(zero - lead, zero);
    rest += log1p(e);
    slopes += sincere_slope(lead, e);
    active += select_less(zero, max(zero - lead, e), one, zero);
  });
  return {behind.total(), rest.total(), slopes.total(), static_cast<std::int64_t>(active.total())};
}

template <class S>
double sincere_gradient(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                        const SincereNegatives<S>& negatives, S of_positives, S of_negatives,
                        S* g) {
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T above_best = nearness<T>(sign, s + k) - spread<T>(negatives.best);
    const T lead = sincere_lead(above_best, negatives);
    // One exponential, of a number that is at most zero for both kinds.
    const T e = exp_scaled(if_positive(positives, k, zero - abs(lead), above_best), negatives.rate);
    const T out = if_positive(positives, k, sincere_slope(lead, e) * spread<T>(of_positives),
                              e * spread<T>(of_negatives));
    moment += out * above_best;
    store(g + k, out);
  });
  return moment.total();
}

template <class S>
inline constexpr SincereLoops<S> sincere_loops_here = {
    .sums = &sincere_sums<S>,
    .gradient = &sincere_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const SincereLoops<S>& sincere_loops() {
  return sincere_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
