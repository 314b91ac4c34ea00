#pragma once

#include "nearfar/tiles/exclusions.hpp"

/// \file
/// Which pairs of a query and a key are compared.

namespace nearfar::detail {

enum class Pairing {
  all,     ///< every query with every key
  others,  ///< queries and keys are the same rows: j != i
  upper    ///< queries and keys are the same rows: j > i, each unordered pair once
};

/// Pairs (i, j) by a rule; or by exclusions, which then are all that is left out.
struct Pairs {
  Pairing pairing = Pairing::all;
  Exclusions exclusions;

  /// body(from, n) for the parts of columns [first, end) that row i is compared with.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    if (exclusions.any()) {  // among them row i itself, when it is one of the keys
      exclusions.each_part(i, first, end, body);
      return;
    }
    if (pairing == Pairing::all || i < first || i >= end) {
      if (pairing == Pairing::upper && i >= end) return;
      body(first, end - first);
      return;
    }
    if (pairing == Pairing::others && i > first) body(first, i - first);
    if (i + 1 < end) body(i + 1, end - i - 1);
  }
};

}  // namespace nearfar::detail
