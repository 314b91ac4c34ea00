#pragma once

#include "nearfar/loops/range.hpp"

/// \file
/// Vector code of Gaussian potentials of cosines.

namespace nearfar::detail {

/// A potential is exp(sharpness * (s - nearest)).
template <class S>
struct GaussianLoops {
  /// The sum of the potentials of n cosines.
  double (*sum)(Index n, const S* s, S sharpness, S nearest);
  /// g = their derivatives.
  void (*gradient)(Index n, const S* s, S sharpness, S nearest, S* g);
};

template <class S>
const GaussianLoops<S>& gaussian_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/gaussian.hpp"
#endif
