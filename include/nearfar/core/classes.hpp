#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Labels as tiles compare them.

namespace nearfar::detail {

/// Number k as an S such that equal numbers give equal codes and different ones different codes,
/// so that labels are compared in vectors of S. For float these are bit patterns from the smallest
/// normal number on: exact for 2^31 - 2^24 classes, where float integers end at 2^24; and never
/// denormal, so that a processor set to flush denormals to zero sees them apart, too.
template <class S>
S class_code(std::int64_t k) {
  if constexpr (sizeof(S) == sizeof(float)) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(k) + 0x00800000u);
  } else {
    return static_cast<S>(k);
  }
}

/// Classes of some rows: equal labels, equal code.
template <class S>
struct Classes {
  S* code = nullptr;         ///< one a row
  Index* members = nullptr;  ///< size of the row's class, one a row
};

/// Classes from labels of any value, in O(N log N).
template <class S>
Classes<S> classify(Scratch& scratch, const Labels& labels) {
  const Index n = labels.size();
  auto* sorted = scratch.take<std::int64_t>(n);
  for (Index i = 0; i < n; ++i) sorted[i] = labels[i];
  std::sort(sorted, sorted + n);
  Classes<S> out{scratch.take<S>(n), scratch.take<Index>(n)};
  for (Index i = 0; i < n; ++i) {
    const auto range = std::equal_range(sorted, sorted + n, labels[i]);
    // The place of a class in the sorted labels names it.
    out.code[i] = class_code<S>(range.first - sorted);
    out.members[i] = range.second - range.first;
  }
  return out;
}

}  // namespace nearfar::detail
