#pragma once

#include "nearfar/loops/gaussian.hpp"
#include "nearfar/loops/impl/vec.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class T, class S>
NEARFAR_ALWAYS_INLINE T gaussian_exponent(const S* s, S sharpness, S nearest) {
  return (load<T>(s) - spread<T>(nearest)) * spread<T>(sharpness);
}

/// e^x - 1 for x <= 0 with e^x given.
template <class T>
NEARFAR_ALWAYS_INLINE T less_one(T x, T exp_x) {
  constexpr auto& coefficients = Elementary<ScalarOf<T>>::exp;
  constexpr int count = sizeof coefficients / sizeof coefficients[0];
  T sum = constant<T>(coefficients[count - 1]);
  for (int k = count - 2; k > 0; --k) sum = multiply_add(sum, x, constant<T>(coefficients[k]));
  return select_less(constant<T>(-0.25), x, x * sum, exp_x - constant<T>(1));
}

template <class S>
GaussianSums gaussian_sums(Index n, const S* s, S sharpness, S nearest) {
  ElementSum<S> potentials;
  ElementSum<S> below_one;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T x = gaussian_exponent<T>(s + j, sharpness, nearest);
    const T potential = exp(x);
    potentials += potential;
    below_one += less_one(x, potential);
  });
  return {potentials.total(), below_one.total()};
}

template <class S>
void gaussian_gradient(Index n, const S* s, S sharpness, S nearest, S* g) {
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    store(g + j, exp(gaussian_exponent<T>(s + j, sharpness, nearest)) * spread<T>(sharpness));
  });
}

template <class S>
inline constexpr GaussianLoops<S> gaussian_loops_here = {
    .sums = &gaussian_sums<S>,
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
