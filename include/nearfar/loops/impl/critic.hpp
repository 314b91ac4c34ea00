#pragma once

#include "nearfar/loops/critic.hpp"
#include "nearfar/loops/impl/vec.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class T, class S>
NEARFAR_ALWAYS_INLINE T critic_exponential(const S* s, S rate, S best) {
  return exp(load<T>(s) * spread<T>(rate) - spread<T>(best));
}

template <class S>
CriticSums critic_sums(Index n, const S* s, S rate, S best) {
  ElementSum<S> exponentials;
  ElementSum<S> scores;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    exponentials += critic_exponential<T>(s + j, rate, best);
    scores += load<T>(s + j);
  });
  return {exponentials.total(), scores.total()};
}

template <class S>
double critic_gradient(Index n, const S* s, S rate, S best, S factor, S* g) {
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T out = critic_exponential<T>(s + j, rate, best) * spread<T>(factor);
    moment += out * load<T>(s + j);
    store(g + j, out);
  });
  return moment.total();
}

template <class S>
inline constexpr CriticLoops<S> critic_loops_here = {
    .sums = &critic_sums<S>,
    .gradient = &critic_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const CriticLoops<S>& critic_loops() {
  return critic_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
