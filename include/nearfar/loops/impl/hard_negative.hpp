#pragma once

#include "nearfar/loops/hard_negative.hpp"
#include "nearfar/loops/impl/vec.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class T>
struct HardNegativeShares {
  T plain;
  T weight;
};

template <class T, class S>
NEARFAR_ALWAYS_INLINE HardNegativeShares<T> hard_negative_shares(
    const S* s, S best, const HardNegativeRates<S>& rates) {
  const T x = (load<T>(s) - spread<T>(best)) * spread<T>(rates.inverse);
  return {exp(x), exp(x * spread<T>(rates.concentration))};
}

template <class S>
HardNegativeSums hard_negative_sums(Index n, const S* s, S best,
                                    const HardNegativeRates<S>& rates) {
  ElementSum<S> hardened;
  ElementSum<S> weights;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const HardNegativeShares<T> e = hard_negative_shares<T>(s + j, best, rates);
    hardened += e.plain * e.weight;
    weights += e.weight;
  });
  return {hardened.total(), weights.total()};
}

template <class S>
double hard_negative_gradient(Index n, const S* s, S best, const HardNegativeRates<S>& rates,
                              const HardNegativeFactors<S>& factors, S* g) {
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const HardNegativeShares<T> e = hard_negative_shares<T>(s + j, best, rates);
    // Equal negatives: the two cancel, however large the concentration.
    const T by_weights =
        in_order(in_order(e.plain * spread<T>(factors.hardened)) - spread<T>(factors.weights));
    const T out = e.weight * (e.plain * spread<T>(factors.plain) + by_weights);
    moment += out * load<T>(s + j);
    store(g + j, out);
  });
  return moment.total();
}

template <class S>
inline constexpr HardNegativeLoops<S> hard_negative_loops_here = {
    .sums = &hard_negative_sums<S>,
    .gradient = &hard_negative_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const HardNegativeLoops<S>& hard_negative_loops() {
  return hard_negative_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
