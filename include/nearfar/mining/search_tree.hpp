#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>

#include "nearfar/loops/triplets.hpp"

/// \file
/// Construction of search trees.

namespace nearfar::detail {

/// The size of memory for a tree of up to `count` numbers.
template <class S>
Index search_tree_size(Index count) {
  return std::max(SearchTree<S>::least_size,
                  static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(count) + 1)));
}

/// The tree of `count` numbers in order, number(0) <= number(1) <= ..., in `memory`, which must
/// outlive it.
template <class S, class Number>
SearchTree<S> search_tree(Index count, S* memory, const Number& number) {
  SearchTree<S> tree;
  tree.nodes = memory;
  tree.used = static_cast<int>(std::bit_width(static_cast<std::size_t>(count)));
  tree.levels = std::max(tree.used, SearchTree<S>::least_levels);
  std::fill_n(memory, search_tree_size<S>(count), std::numeric_limits<S>::infinity());
  for (int level = tree.levels - tree.used; level < tree.levels; ++level) {
    const Index step = Index(1) << (tree.levels - level);
    S* to = memory + (Index(1) << level);
    for (Index rank = step / 2 - 1; rank < count; rank += step) *to++ = number(rank);
  }
  return tree;
}

}  // namespace nearfar::detail
