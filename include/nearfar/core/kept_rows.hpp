#pragma once

#include "nearfar/core/matrix.hpp"

/// \file
/// The rows of a caller's set that a call takes part of.

namespace nearfar::detail {

/// Rows of a caller's, in order: all of them, or some.
struct KeptRows {
  const Index* number = nullptr;  ///< the caller's number of each row kept; null: all are kept
  Index count = 0;                ///< of rows kept
  Index all = 0;                  ///< of the caller's rows

  KeptRows() = default;
  KeptRows(Index rows) : count(rows), all(rows) {}  // NOLINT(google-explicit-constructor): all rows
  KeptRows(const Index* numbers, Index kept, Index rows)
      : number(numbers), count(kept), all(rows) {}

  bool are_all() const { return number == nullptr; }
  /// The caller's number of row i.
  Index operator[](Index i) const { return number != nullptr ? number[i] : i; }
};

}  // namespace nearfar::detail
