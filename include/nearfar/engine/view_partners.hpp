#pragma once

#include "nearfar/core/workspace.hpp"
#include "nearfar/loops/range.hpp"

/// \file
/// Two views of each sample, one set above the other.

namespace nearfar::detail {

/// The row of the other view of each of the 2 * samples rows.
inline const Index* view_partners(Scratch& scratch, Index samples) {
  Index* partner = scratch.take<Index>(2 * samples);
  for (Index i = 0; i < 2 * samples; ++i) partner[i] = i < samples ? i + samples : i - samples;
  return partner;
}

}  // namespace nearfar::detail
