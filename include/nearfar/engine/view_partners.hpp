#pragma once

#include "nearfar/core/labels.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/loops/range.hpp"

/// \file
/// Two views of each sample, one set above the other.

namespace nearfar::detail {

/// The partner of each of the 2 * samples rows: the row of the other view.
inline const Index* view_partners(Scratch& scratch, Index samples) {
  Index* partner = scratch.take<Index>(2 * samples);
  for (Index i = 0; i < 2 * samples; ++i) partner[i] = i < samples ? i + samples : i - samples;
  return partner;
}

/// The ids of all views, from those of the samples.
inline Labels ids_of_views(Scratch& scratch, const Labels& ids) {
  const Index samples = ids.size();
  auto* out = scratch.take<std::int64_t>(2 * samples);
  for (Index i = 0; i < samples; ++i) out[i] = out[samples + i] = ids[i];
  return {out, 2 * samples};
}

}  // namespace nearfar::detail
