#pragma once

#include "nearfar/loops/hadsell.hpp"
#include "nearfar/loops/impl/scores.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class T, class S>
NEARFAR_ALWAYS_INLINE T hadsell_gap(S margin, T distance) {
  return max(spread<T>(margin) - distance, constant<T>(0));
}

template <class S>
HadsellSums hadsell_sums(Index n, const S* s, const PositiveMask<S>& positives, S margin) {
  ElementSum<S> squares;
  ElementSum<S> zeros;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T distance = load<T>(s + k);
    const T length = if_positive(positives, k, distance, hadsell_gap(margin, distance));
    squares += length * length;
    zeros += select_equal(length, zero, constant<T>(1), zero);
  });
  return {squares.total(), n - static_cast<Index>(zeros.total())};
}

template <class S>
void hadsell_gradient(Index n, const S* s, const PositiveMask<S>& positives, S margin, S factor,
                      S* g) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T distance = load<T>(s + k);
    const T slope =
        if_positive(positives, k, distance, constant<T>(0) - hadsell_gap(margin, distance));
    store(g + k, slope * spread<T>(factor));
  });
}

template <class S>
inline constexpr HadsellLoops<S> hadsell_loops_here = {
    .sums = &hadsell_sums<S>,
    .gradient = &hadsell_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const HadsellLoops<S>& hadsell_loops() {
  return hadsell_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
