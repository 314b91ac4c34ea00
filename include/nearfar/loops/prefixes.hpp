#pragma once

#include "nearfar/loops/range.hpp"
#include "nearfar/loops/set.hpp"

/// \file
/// Vector code of scores of prefixes: a product of two prefixes times a factor of each row.

namespace nearfar::detail {

template <class S>
struct PrefixLoops {
  /// Sets u to u factor factors[j], clamped to [-most, most].
  void (*scores)(Index n, S factor, const S* factors, S most, S* u);
  /// Derivatives g of scores s become weights of the products, g factor factors[j], in place of s;
  /// g s is added to moments[j]. Returns the sum of g s.
  double (*weights)(Index n, S factor, const S* factors, const S* g, S* s, S* moments);
};

template <class S>
const PrefixLoops<S>& prefix_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/prefixes.hpp"
#endif
