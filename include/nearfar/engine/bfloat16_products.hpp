#pragma once

#include <algorithm>

#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/engine/score_rows.hpp"

/// \file
/// The three products of row panels of queries with keys in bfloat16, the counterpart of
/// PanelProducts for Products::bfloat16.
///
/// A row is a factor times elements (Bfloat16Rows). Scores are products of elements, with sums in
/// float, times both factors. In the gradients' products, a weight times the factor of the row that
/// it multiplies is rounded to bfloat16.

namespace nearfar::detail {

class Bfloat16Products {
 public:
  /// Both sides must outlive the object.
  Bfloat16Products(Scratch& scratch, int threads, const PackedRows<float>& queries,
                   const PackedRows<float>& keys)
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        queries_(queries),
        keys_(keys),
        depth_(tasks_of(keys.depth, 2)) {
    const Index width = loops_.products.panel_cols;
    const Bfloat16Rows& rows = keys.in_bfloat16;
    float* panels = scratch.take<float>(round_up(keys.rows, width) * depth_);
    float* factors = scratch.take<float>(round_up(keys.rows, width));
    std::copy_n(rows.factors, keys.rows, factors);
    std::fill(factors + keys.rows, factors + round_up(keys.rows, width), 0.0f);
    parallel_tasks(tasks_of(keys.rows, width), threads, [&](Index p, int) {
      const Index first = p * width;
      loops_.products.pack_col_panels(rows.row(first), rows.stride,
                                      std::min(width, keys.rows - first), depth_,
                                      panels + first * depth_);
    });
    panels_ = panels;
    key_factors_ = factors;
  }

  /// Call it before gradients are computed, with those that are.
  void prepare_gradients(bool of_queries, bool of_keys) {
    if (!of_queries && !of_keys) return;
    if (words_ == nullptr) words_ = scratch_.take<float>(threads_ * words_of_a_tile);
    if (of_queries && columns_ == nullptr) columns_ = column_words(keys_);
    if (of_keys && rows_ == nullptr) rows_ = row_words(queries_);
  }

  /// Inner products of `count` queries from first_row on with keys from `begin`, where a vector
  /// begins, to the end of the vector that contains key end - 1.
  void score(Index first_row, Index count, Index begin, Index end, float* tile,
             Index stride) const {
    const Bfloat16Rows& rows = queries_.in_bfloat16;
    loops_.products.multiply_panels(
        rows.row(first_row), rows.stride, panels_, depth_, tasks_of(count, panel_rows), begin, end,
        tasks_of(keys_.rows, loops_.products.panel_cols), tile, stride, false);
    loops_.scale(count, end - begin, rows.factors + first_row, key_factors_ + begin, tile, stride);
  }

  /// sums += W Y over keys [first, end) of one tile, whose weights with the first of them are at
  /// `tile`. `first` is even.
  void add_query_gradients(int thread, const float* tile, Index stride, Index count, Index first,
                           Index end, float* sums) const {
    const Index padded = round_up(count, panel_rows);
    float* const w = words_of(thread);
    loops_.weights_along(count, end - first, tile, stride, key_factors_ + first, padded, w,
                         row_stride);
    const Index pairs = tasks_of(keys_.rows, 2);
    for (Index b = 0; b < column_blocks(loops_.products, keys_.depth); ++b) {
      const Columns d = column_block(loops_.products, b, keys_.depth);
      loops_.products.multiply_rows(w, row_stride, padded / panel_rows, tasks_of(end - first, 2),
                                    key_block(columns_, d, first / 2), d.count, pairs - first / 2,
                                    d.count, sums + d.first, queries_.stride);
    }
  }

  /// dY += W^T X over keys [first, end) of one tile, with the queries from first_row, an even
  /// number, on. `factors` of these queries, if there are any, multiply them.
  void add_key_gradients(int thread, const float* tile, Index stride, Index first_row, Index count,
                         const float* factors, Index first, Index end, float* dy) const {
    float* const w = words_of(thread);
    float of_rows[tallest_panel];
    for (Index r = 0; r < count; ++r) {
      const float f = queries_.in_bfloat16.factors[first_row + r];
      of_rows[r] = factors != nullptr ? f * factors[r] : f;
    }
    loops_.weights_across(count, end - first, tile, stride, of_rows, w, column_stride);
    loops_.products.multiply_transposed(w, column_stride, tasks_of(end - first, panel_rows),
                                        tasks_of(count, 2), rows_ + first_row / 2 * queries_.stride,
                                        queries_.stride, queries_.depth, dy + first * keys_.stride,
                                        keys_.stride);
  }

  /// Rows of the highest panel.
  static constexpr Index tallest_panel = 192;

 private:
  // Odd numbers of cache lines, and room for both layouts of a tile in the same memory.
  static constexpr Index row_stride = tile_width / 2 + 16;
  static constexpr Index column_stride = tile_width + 16;
  static constexpr Index words_of_a_tile = tallest_panel * row_stride;
  static_assert(column_stride <= 2 * row_stride);

  float* words_of(int thread) const { return words_ + thread * words_of_a_tile; }

  /// Words of two rows of x, each pair of rows below the one before, in the stride of x.
  const float* row_words(const PackedRows<float>& x) const {
    const Index pairs = tasks_of(x.rows, 2);
    float* const out = scratch_.take<float>(pairs * x.stride);
    each_pair_of_rows(x, [&](Index p, const float* row, const float* next) {
      float* const to = out + p * x.stride;
      const Index cols = round_up(x.depth, loops_.products.lanes);
      loops_.words_of_columns(cols, row, next, to);
      std::fill(to + cols, to + x.stride, 0.0f);
    });
    return out;
  }

  /// The same in blocks of columns.
  const float* column_words(const PackedRows<float>& x) const {
    const Index pairs = tasks_of(x.rows, 2);
    float* const out = scratch_.take<float>(pairs * round_up(x.depth, loops_.products.lanes));
    each_pair_of_rows(x, [&](Index p, const float* row, const float* next) {
      for (Index b = 0; b < column_blocks(loops_.products, x.depth); ++b) {
        const Columns d = column_block(loops_.products, b, x.depth);
        loops_.words_of_columns(d.count, row + d.first / 2, next + d.first / 2,
                                key_block(out, d, p));
      }
    });
    return out;
  }

  /// Calls body(p, row, next) for the rows 2 p and 2 p + 1, of words. The last may be padding.
  template <class Body>
  void each_pair_of_rows(const PackedRows<float>& x, const Body& body) const {
    static_assert(panel_rows % 2 == 0);
    each_row(tasks_of(x.rows, 2), threads_,
             [&](Index p) { body(p, x.in_bfloat16.row(2 * p), x.in_bfloat16.row(2 * p + 1)); });
  }

  template <class Words>
  Words* key_block(Words* columns, const Columns& d, Index pair) const {
    return columns + d.first * tasks_of(keys_.rows, 2) + pair * d.count;
  }

  const Bfloat16Loops& loops_ = *bfloat16_loops();
  Scratch& scratch_;
  int threads_;
  const PackedRows<float>& queries_;
  const PackedRows<float>& keys_;
  Index depth_;                    ///< words of a row
  const float* panels_ = nullptr;  ///< column panels of keys, for the scores
  const float* key_factors_ = nullptr;
  const float* columns_ = nullptr;  ///< pairs of keys, for the gradient of the queries
  const float* rows_ = nullptr;     ///< pairs of queries, for the gradient of the keys
  float* words_ = nullptr;          ///< a tile of weights for each thread
};

}  // namespace nearfar::detail
