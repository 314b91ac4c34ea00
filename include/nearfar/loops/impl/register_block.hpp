#pragma once

#include <utility>

#include "nearfar/loops/impl/vec.hpp"
#include "nearfar/loops/products.hpp"

/// \file
/// The innermost product: a block of the result that fits the vector registers, so that each loaded
/// element serves many multiply-adds. All three products of a loss (scores, gradient of the
/// queries, gradient of the keys) consist of it; they differ in the layout of the factors in
/// memory.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Shape of the block for S. With 32 registers 6 x 4 vectors keep 24 sums in flight, more than the
/// 8 that two multiply-add units of latency 4 need, and 10 loads serve 24 multiply-adds. 12 x 2
/// takes 14 loads, too many for a core shared by two hardware threads. With 16 registers 6 x 2 is
/// the largest block that does not spill.
template <class S>
struct BlockShape {
  static constexpr int rows = int(panel_rows);
  static constexpr int vectors = vector_registers >= 32 ? 4 : 2;
  static constexpr int lanes = Vec<S>::lanes;
  static constexpr int cols = vectors * lanes;
};

/// Elements are numbers.
struct MultiplyNumbers {
  template <class V>
  static NEARFAR_ALWAYS_INLINE V add(V a, V b, V sum) {
    return multiply_add(a, b, sum);
  }
};

/// C (+)= A B with A rows x depth, B depth x (vectors * lanes):
/// A(r, k) = a[r * a_row + k * a_depth], B(k, .) = b[k * b_depth ...], C(r, .) = c[r * c_row ...].
/// `add` keeps the contents of C. `ARow` is Index, or a Constant if known. `ahead(k)` is called in
/// each step, to prefetch the data of the next block: hardware prefetchers stop at every jump from
/// row to row. `Multiply` adds the products of two vectors of elements to sums.
template <int rows, int vectors, class Multiply, class S, class ARow, class Ahead>
NEARFAR_ALWAYS_INLINE void register_block(Index depth, const S* a, ARow a_row, Index a_depth,
                                          const S* b, Index b_depth, S* c, Index c_row, bool add,
                                          const Ahead& ahead) {
  using V = Vec<S>;
  constexpr int line = 64 / int(sizeof(S));
  V sum[rows][vectors];
  unrolled<rows>([&](auto r) NEARFAR_LAMBDA_INLINE {
    unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
      sum[r][v] = V::zero();
      if constexpr (v * V::lanes % line == 0) fetch(c + r * c_row + v * V::lanes);
    });
  });
  for (Index k = 0; k < depth; ++k) {
    V bk[vectors];
    unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE { bk[v] = V::load(b + v * V::lanes); });
    unrolled<rows>([&](auto r) NEARFAR_LAMBDA_INLINE {
      const V ar = V::broadcast(a[r * a_row]);
      unrolled<vectors>(
          [&](auto v) NEARFAR_LAMBDA_INLINE { sum[r][v] = Multiply::add(ar, bk[v], sum[r][v]); });
    });
    a += a_depth;
    b += b_depth;
    ahead(k);
  }
  unrolled<rows>([&](auto r) NEARFAR_LAMBDA_INLINE {
    unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
      S* to = c + r * c_row + v * V::lanes;
      (add ? V::load(to) + sum[r][v] : sum[r][v]).store(to);
    });
  });
}

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
