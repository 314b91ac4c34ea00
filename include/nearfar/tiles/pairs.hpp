#pragma once

#include "nearfar/tiles/exclusions.hpp"

/// \file
/// Which pairs of a query and a key are compared.

namespace nearfar::detail {

enum class Pairing {
  all,     ///< every query with every key
  others,  ///< queries are rows of the keys: j is another one
  upper    ///< queries and keys are the same rows: j > i, each unordered pair once
};

/// Pairs (i, j) by a rule; or by exclusions, which then are all that is left out.
struct Pairs {
  Pairing pairing = Pairing::all;
  Exclusions exclusions;
  Index own = 0;  ///< others: query i is key i + own

  /// body(from, n) for the parts of columns [first, end) that row i is compared with.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    if (exclusions.any()) {  // among them row i itself, when it is one of the keys
      exclusions.each_part(i, first, end, body);
      return;
    }
    const Index self = i + own;
    if (pairing == Pairing::all || self < first || self >= end) {
      if (pairing == Pairing::upper && self >= end) return;
      body(first, end - first);
      return;
    }
    if (pairing == Pairing::others && self > first) body(first, self - first);
    if (self + 1 < end) body(self + 1, end - self - 1);
  }
};

}  // namespace nearfar::detail
