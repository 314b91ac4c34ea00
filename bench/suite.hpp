#pragma once

#include <vector>

#include "support/case.hpp"

/// \file
/// What the suite measures: losses, their floors and sizes, the same for all who take part.

namespace bench {

/// Floors: scores are 2 N M D, N^2 D when symmetric, and must be had again for the
/// gradients where each needs all of its row first; a gradient product is 2 N M D, one for both
/// sides of symmetric scores.
inline constexpr Floor info_nce_floor{6, 2};
inline constexpr Floor clip_floor{8, 2};
inline constexpr Floor symmetric_floor{4, 1};  // NT-Xent, SupCon, multi-similarity
inline constexpr Floor pairs_floor{3, 1};      // Hadsell over all pairs, triplets of all kinds
inline constexpr Floor batch_hard_floor{1, 1};

/// Sizes at which the floors are promised.
inline std::vector<Size> promised_sizes() {
  std::vector<Size> out;
  for (const int threads : {1, 2}) {
    for (const std::ptrdiff_t d : {64, 128, 256, 512}) out.push_back({4096, d, threads});
    out.push_back({512, 128, threads});
  }
  return out;
}

/// Sizes for time against N.
inline std::vector<Size> growing_sizes() {
  return {{256, 128, 1}, {1024, 128, 1}, {2048, 128, 1}, {8192, 128, 1}};
}

/// A size at which a dense matrix is hopeless or nearly so.
inline constexpr Size large_size{16384, 128, 1};

/// One at which it would take 64 GB.
inline constexpr Size largest_size{131072, 64, 2};

}  // namespace bench
