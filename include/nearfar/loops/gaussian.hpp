#pragma once

#include "nearfar/loops/range.hpp"

/// \file
/// Vector code of Gaussian potentials of squared distances.

namespace nearfar::detail {

/// Sums of potentials, and of their differences from 1: one of the two has all its digits.
struct GaussianSums {
  double potentials = 0;
  double less_one = 0;  ///< of the potential - 1, at most 0
};

/// A potential is exp(sharpness * (s - nearest)), at most 1.
template <class S>
struct GaussianLoops {
  /// The sums for n squared distances.
  GaussianSums (*sums)(Index n, const S* s, S sharpness, S nearest);
  /// Sets g to the derivatives of the potentials.
  void (*gradient)(Index n, const S* s, S sharpness, S nearest, S* g);
};

template <class S>
const GaussianLoops<S>& gaussian_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/gaussian.hpp"
#endif
