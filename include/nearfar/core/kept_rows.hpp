#pragma once

#include "nearfar/core/matrix.hpp"

/// \file
/// The rows of a caller's set that take part in a call.

namespace nearfar::detail {

/// Rows of a caller's set, in order: all of them, or some.
struct KeptRows {
  const Index* number = nullptr;  ///< the caller's number of each kept row; null: all rows are kept
  Index count = 0;                ///< number of kept rows
  Index all = 0;                  ///< number of the caller's rows

  KeptRows() = default;
  KeptRows(Index rows) : count(rows), all(rows) {}  // NOLINT(google-explicit-constructor): all rows
  KeptRows(const Index* numbers, Index kept, Index rows)
      : number(numbers), count(kept), all(rows) {}

  bool are_all() const { return number == nullptr; }
  /// The caller's number of row i.
  Index operator[](Index i) const { return number != nullptr ? number[i] : i; }
};

}  // namespace nearfar::detail
