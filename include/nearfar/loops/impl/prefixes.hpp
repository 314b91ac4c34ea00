#pragma once

#include "nearfar/loops/impl/vec.hpp"
#include "nearfar/loops/prefixes.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class S>
void prefix_scores(Index n, S factor, const S* factors, S most, S* u) {
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T s = load<T>(u + j) * (spread<T>(factor) * load<T>(factors + j));
    store(u + j, max(min(s, spread<T>(most)), constant<T>(0) - spread<T>(most)));
  });
}

template <class S>
double prefix_weights(Index n, S factor, const S* factors, const S* g, S* s, S* moments) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T slope = load<T>(g + j);
    const T moment = slope * load<T>(s + j);
    sum += moment;
    store(moments + j, load<T>(moments + j) + moment);
    store(s + j, slope * (spread<T>(factor) * load<T>(factors + j)));
  });
  return sum.total();
}

template <class S>
inline constexpr PrefixLoops<S> prefix_loops_here = {
    .scores = &prefix_scores<S>,
    .weights = &prefix_weights<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const PrefixLoops<S>& prefix_loops() {
  return prefix_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
