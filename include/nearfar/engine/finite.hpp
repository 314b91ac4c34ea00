#pragma once

#include "nearfar/core/matrix.hpp"

/// \file
/// The check that inputs are finite, in a header of its own: memories, which are header-only, need
/// nothing else of the engine.

namespace nearfar::detail {

/// Throws std::domain_error with the position of the first element of x, in row order, that is NaN
/// or infinite.
template <class S>
void check_finite(const char* name, const Rows<S>& x, int threads);

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/engine/impl/finite.hpp"
#endif
