#pragma once

#include <atomic>
#include <nearfar/kernels/kernel.hpp>

#include "support/random.hpp"

/// \file
/// Kernels that count the pairs whose score or its slope is computed.

namespace support {

/// Of all threads.
inline std::atomic<Index> scores = 0;
inline std::atomic<Index> slopes = 0;

/// Of one thread since it began.
struct ThreadCounts {
  Index scores = 0;
  Index slopes = 0;
};
inline thread_local ThreadCounts thread_counts;

/// An inner product, or a distance, that counts.
template <nearfar::Geometry g, nearfar::Orientation o>
struct Counted {
  static constexpr auto geometry = g;
  static constexpr auto orientation = o;
  template <class S>
  S score(S u) const {
    scores.fetch_add(1, std::memory_order_relaxed);
    ++thread_counts.scores;
    return u;
  }
  template <class S>
  S slope(S, S) const {
    slopes.fetch_add(1, std::memory_order_relaxed);
    ++thread_counts.slopes;
    return 1;
  }
};
using CountedSimilarity = Counted<nearfar::Geometry::cosine, nearfar::Orientation::similarity>;
using CountedDistance =
    Counted<nearfar::Geometry::squared_distance, nearfar::Orientation::distance>;

}  // namespace support
