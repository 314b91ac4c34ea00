#pragma once

#include "nearfar/loops/gaussian.hpp"
#include "nearfar/loops/impl/vec.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class T, class S>
NEARFAR_ALWAYS_INLINE T gaussian_potential(const S* s, S sharpness, S nearest) {
  return exp((load<T>(s) - spread<T>(nearest)) * spread<T>(sharpness));
}

template <class S>
double gaussian_sum(Index n, const S* s, S sharpness, S nearest) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    sum += gaussian_potential<T>(s + j, sharpness, nearest);
  });
  return sum.total();
}

template <class S>
void gaussian_gradient(Index n, const S* s, S sharpness, S nearest, S* g) {
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    store(g + j, gaussian_potential<T>(s + j, sharpness, nearest) * spread<T>(sharpness));
  });
}

template <class S>
inline constexpr GaussianLoops<S> gaussian_loops_here = {
    .sum = &gaussian_sum<S>,
    .gradient = &gaussian_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const GaussianLoops<S>& gaussian_loops() {
  return gaussian_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
