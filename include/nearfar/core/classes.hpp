#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Class codes: labels in the form in which tiles compare them.

namespace nearfar::detail {

/// Number k as an S such that equal numbers have equal codes and different numbers have different
/// codes, so that vectors of S compare labels. For float the codes are bit patterns from the
/// smallest normal number on. They are exact for 2^31 - 2^24 classes, where float integers end at
/// 2^24, and never denormal, so that they also differ if the processor flushes denormals to zero.
template <class S>
S class_code(std::int64_t k) {
  if constexpr (sizeof(S) == sizeof(float)) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(k) + 0x00800000u);
  } else {
    return static_cast<S>(k);
  }
}

/// The number k of a class code.
template <class S>
std::int64_t class_number(S code) {
  if constexpr (sizeof(S) == sizeof(float)) {
    return static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(code) - 0x00800000u);
  } else {
    return static_cast<std::int64_t>(code);
  }
}

/// Classes of some rows: rows of equal labels have equal codes.
template <class S>
struct Classes {
  S* code = nullptr;         ///< one a row
  Index* members = nullptr;  ///< size of the row's class, one a row
};

/// Codes of both sides of a comparison: query i has the class of key j if query[i] == key[j].
template <class S>
struct ClassCodes {
  const S* query;
  const S* key;
};

/// Finds the classes of keys and of queries. Sets key_code. `members` of the result has the number
/// of keys of each query's class. Labels may have any value; O((N + M) log M).
template <class S>
Classes<S> classify(Scratch& scratch, const Labels& queries, const Labels& keys, S*& key_code) {
  const Index m = keys.size();
  auto* sorted = scratch.take<std::int64_t>(m);
  for (Index j = 0; j < m; ++j) sorted[j] = keys[j];
  std::sort(sorted, sorted + m);
  // The number of a class is its position in the sorted labels.
  const auto place_of = [&](std::int64_t label) {
    return std::equal_range(sorted, sorted + m, label);
  };
  key_code = scratch.take<S>(m);
  for (Index j = 0; j < m; ++j) key_code[j] = class_code<S>(place_of(keys[j]).first - sorted);
  Classes<S> out{scratch.take<S>(queries.size()), scratch.take<Index>(queries.size())};
  for (Index i = 0; i < queries.size(); ++i) {
    const auto [first, last] = place_of(queries[i]);
    // A label that no key has gets a code that no key has.
    out.code[i] = class_code<S>(first == last ? m : first - sorted);
    out.members[i] = last - first;
  }
  return out;
}

/// Classes of one set of rows.
template <class S>
Classes<S> classify(Scratch& scratch, const Labels& labels) {
  S* same = nullptr;
  return classify<S>(scratch, labels, labels, same);
}

}  // namespace nearfar::detail
