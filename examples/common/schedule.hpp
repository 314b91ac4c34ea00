#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

/// \file
/// The schedule of the learning rate.

namespace example {

/// Rises linearly over the first steps, then falls along half a cosine to almost 0.
inline double scheduled(double highest, std::size_t step, std::size_t steps) {
  const double warm_up = std::min(200.0, 0.1 * static_cast<double>(steps));
  const double at = static_cast<double>(step);
  if (at < warm_up) return highest * (at + 1) / (warm_up + 1);
  const double progress = (at - warm_up) / (static_cast<double>(steps) - warm_up);
  return highest * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace example
