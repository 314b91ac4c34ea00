#pragma once

#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/lifted.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class S>
S largest_negative(Index n, const S* s, int sign, const PositiveMask<S>& positives) {
  ElementMax<S> best;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    best.see(if_negative(positives, k, nearness<T>(sign, s + k), spread<T>(-infinity<S>)));
  });
  return best.value();
}

template <class S>
double negative_sum(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T top = spread<T>(best);
    // A positive may be nearer than every negative: it is masked before the exponential.
    const T e = exp(if_negative(positives, k, nearness<T>(sign, s + k), top) - top);
    sum += if_negative(positives, k, e, constant<T>(0));
  });
  return sum.total();
}

template <class S>
void negative_gradient(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best,
                       S weight, S* g) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T from_best = if_negative(positives, k, nearness<T>(sign, s + k) - spread<T>(best), zero);
    const T e = exp(min(from_best, zero));
    store(g + k, if_negative(positives, k, e * spread<T>(weight), zero));
  });
}

inline void sums_of_pairs(Index n, double own, double* l, double* share) {
  each_element<double>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T a = spread<T>(own);
    const T b = load<T>(l + k);
    const T top = max(a, b);
    const T below = select_equal(a, b, constant<T>(0), min(a, b) - top);
    const T other = exp(below);
    const T one = constant<T>(1);
    store(share + k, select_less(a, b, other, one) / (one + other));
    store(l + k, top + log1p(other));
  });
}

template <class S>
inline constexpr LiftedLoops<S> lifted_loops_here = {
    .largest_negative = &largest_negative<S>,
    .negative_sum = &negative_sum<S>,
    .negative_gradient = &negative_gradient<S>,
    .sums_of_pairs = &sums_of_pairs,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const LiftedLoops<S>& lifted_loops() {
  return lifted_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
