#pragma once

#include <algorithm>
#include <vector>

#include "support/oracle.hpp"

/// \file
/// Margins far from all distances, so that hinges have no kink near them.

namespace support {

/// The middle of the widest gap between distances with at least a fifth of them on either side; if
/// there are too few, twice the largest (1 if that is 0).
inline double clear_margin(std::vector<oracle::Real> distances) {
  std::sort(distances.begin(), distances.end());
  const std::size_t rest = std::max<std::size_t>(1, distances.size() / 5);
  oracle::Real widest = 0;
  oracle::Real margin = distances.empty() || distances.back() == 0 ? 1 : 2 * distances.back();
  for (std::size_t i = rest; i + rest <= distances.size(); ++i) {
    const oracle::Real gap = distances[i] - distances[i - 1];
    if (gap > widest) {
      widest = gap;
      margin = (distances[i] + distances[i - 1]) / 2;
    }
  }
  return static_cast<double>(margin);
}

}  // namespace support
