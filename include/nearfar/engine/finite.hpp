#pragma once

#include "nearfar/core/matrix.hpp"

/// \file
/// The check that inputs are finite: all that memories, which are headers alone, need of the
/// engine.

namespace nearfar::detail {

/// Throws std::domain_error naming the first element of x, in row order, that is NaN or infinite.
template <class S>
void check_finite(const char* name, const Rows<S>& x, int threads);

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/engine/impl/finite.hpp"
#endif
