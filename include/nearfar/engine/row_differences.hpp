#pragma once

#include <algorithm>
#include <array>

#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Differences of packed rows with all their digits, for pairs that are near each other and far
/// from the centre of all rows.

namespace nearfar::detail {

/// The differences of some pairs of rows of x and y. They are those of the caller's rows, which a
/// kernel's matrix may map: the differences are then mapped, some of them at a time, because mapped
/// rows have lost digits that their difference needs.
template <class S, class Tag, class Body>
class RowDifferences {
 public:
  /// body(tag, a, b) gets `part` of two rows with the difference a - b, in the order of `add`. The
  /// part begins where a vector does. All arguments must outlive the object. `thread` is the number
  /// of the calling thread.
  RowDifferences(const PackedRows<S>& x, const PackedRows<S>& y, int thread, const Columns& part,
                 const Body& body)
      : x_(x), y_(y), thread_(thread), part_(part), body_(body) {}

  /// Adds the pair of row i of x and row j of y.
  void add(Index i, Index j, const Tag& tag) {
    if (!x_.maps_differences()) {
      body_(tag, x_.plain_part(i, part_.first, part_.count, {thread_}),
            y_.plain_part(j, part_.first, part_.count, {thread_, true}));
      return;
    }
    const S* a = x_.plain_row(i, {thread_});
    const S* b = y_.plain_row(j, {thread_, true});
    const DifferenceMemory<S> memory(x_, thread_);
    const Index cols = x_.input.cols();
    S* const difference = memory.plain + count_ * memory.plain_stride;
    bool zero = a == b || cols == 0;  // a row and itself have no need of the product
    if (zero) {
      std::fill_n(difference, cols, S(0));
    } else {
      row_loops<S>().subtract(cols, a, b, difference);
      zero = !(row_loops<S>().largest_magnitude(cols, difference) > S(0));
    }
    pairs_[static_cast<std::size_t>(count_)] = {i, j, zero, tag};
    if (++count_ == memory.count) finish();
  }

  /// Call it after the last pair.
  void finish() {
    if (count_ == 0) return;
    const DifferenceMemory<S> memory(x_, thread_);
    const auto end = pairs_.begin() + count_;
    if (std::any_of(pairs_.begin(), end, [](const Pair& pair) { return !pair.zero; })) map(memory);
    std::fill_n(memory.zeros, part_.count, S(0));
    for (Index k = 0; k < count_; ++k) {
      const Pair& pair = pairs_[static_cast<std::size_t>(k)];
      const S* mapped = pair.zero ? memory.zeros : memory.mapped + k * memory.mapped_stride;
      if (row_loops<S>().all_finite(part_.count, mapped)) {
        body_(pair.tag, mapped, memory.zeros);
      } else {  // a product beyond S
        body_(pair.tag, x_.row(pair.i) + part_.first, y_.row(pair.j) + part_.first);
      }
    }
    count_ = 0;
  }

 private:
  struct Pair {
    Index i;
    Index j;
    bool zero;
    Tag tag;
  };

  void map(const DifferenceMemory<S>& memory) const {
    const Index cols = x_.input.cols();
    std::fill(memory.plain + count_ * memory.plain_stride,
              memory.plain + memory.count * memory.plain_stride, S(0));
    const ProductLoops<S>& loops = product_loops<S>();
    loops.multiply_panels(memory.plain, memory.plain_stride, x_.matrix, cols, 1, part_.first,
                          part_.first + part_.count, tasks_of(x_.depth, loops.panel_cols),
                          memory.mapped, memory.mapped_stride, false);
  }

  const PackedRows<S>& x_;
  const PackedRows<S>& y_;
  int thread_;
  Columns part_;
  const Body& body_;
  std::array<Pair, DifferenceMemory<S>::count> pairs_;
  Index count_ = 0;
};

/// Those of a part of the rows, with the type of the body deduced.
template <class Tag, class S, class Body>
RowDifferences<S, Tag, Body> row_differences(const PackedRows<S>& x, const PackedRows<S>& y,
                                             int thread, const Columns& part, const Body& body) {
  return {x, y, thread, part, body};
}
/// Those of whole rows.
template <class Tag, class S, class Body>
RowDifferences<S, Tag, Body> row_differences(const PackedRows<S>& x, const PackedRows<S>& y,
                                             int thread, const Body& body) {
  return {x, y, thread, {0, x.depth}, body};
}

}  // namespace nearfar::detail
