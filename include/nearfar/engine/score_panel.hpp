#pragma once

#include <optional>
#include <type_traits>

#include "nearfar/engine/bfloat16_products.hpp"
#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/engine/score_rows.hpp"

/// \file
/// A row panel of the score matrix, and the three products that fill and use it. A panel belongs to
/// one thread, and its scores stay in that thread's caches until their last use.

namespace nearfar::detail {

/// Scores of some queries with keys from `first` (a multiple of tile_width) on, tile after tile. A
/// tile is `height` x tile_width and contiguous, so that every product reads or writes a piece of
/// memory that fits a cache and takes few pages.
template <class S>
struct ScorePanel {
  S* data;
  Index height;
  Index first = 0;

  /// Elements from row to row of a tile. An odd number of cache lines, so that the pieces of a
  /// column are in all sets of a cache and not in a few that are too small for them.
  static constexpr Index stride = tile_width + 64 / Index(sizeof(S));

  static Index size(Index height, Index keys) {
    return height * tasks_of(keys, tile_width) * stride;
  }

  /// The column of key j in the panel.
  Index column(Index j) const { return j - first; }

  /// Row r's scores with keys j, j + 1, ... up to the end of j's tile.
  S* at(Index r, Index j) const {
    const Index k = column(j);
    return data + (k / tile_width * height + r) * stride + k % tile_width;
  }
};

/// The end of the tile that contains key j, of `keys` keys.
constexpr Index tile_end(Index j, Index keys) {
  return std::min(round_down(j, tile_width) + tile_width, keys);
}

/// Calls body(first, end) for the tiles of keys [first, keys).
template <class Body>
void each_tile(Index first, Index keys, const Body& body) {
  while (first < keys) {
    const Index end = tile_end(first, keys);
    body(first, end);
    first = end;
  }
}

/// Zeroes a panel's row outside of the pairs that count: masked pairs and padding have no weight.
template <class S>
class MaskedZeros {
 public:
  MaskedZeros(const ScorePanel<S>& panel, Index row, Index first_key)
      : panel_(panel), row_(row), done_(first_key) {}

  void clear_until(Index end) {
    while (done_ < end) {
      const Index n = std::min(end, round_down(done_, tile_width) + tile_width) - done_;
      std::fill_n(panel_.at(row_, done_), n, S(0));
      done_ += n;
    }
  }
  void skip_to(Index end) { done_ = end; }

 private:
  const ScorePanel<S>& panel_;
  Index row_;
  Index done_;
};

/// The queries of a panel as the gradient of the keys takes them.
template <class S>
struct FactoredRows {
  Index first;       ///< the panel's first row
  const S* factors;  ///< of its rows; null: none
  const S* rows;     ///< the rows times their factors, queries' stride apart; null if not needed
};

/// The products of row panels of queries with keys.
template <class S>
class PanelProducts {
 public:
  /// Rows of a panel: as many as fit a core's cache together with a tile, its queries and its keys,
  /// and fewer if there would be too few panels for the threads. Depends on sizes only, like all
  /// that orders sums. A multiple of the vectors of every instruction set.
  static Index height(Index rows) {
    static_assert(96 % panel_rows == 0 && 48 % panel_rows == 0);
    return rows >= 1024 ? 96 : 48;
  }

  /// Both sides must outlive the object.
  PanelProducts(Scratch& scratch, int threads, const PackedRows<S>& queries,
                const PackedRows<S>& keys)
      : scratch_(scratch), threads_(threads), queries_(queries), keys_(keys) {
    if constexpr (std::is_same_v<S, float>) {
      if (queries.in_bfloat16.words != nullptr && keys.in_bfloat16.words != nullptr) {
        in_bfloat16_.emplace(scratch, threads, queries, keys);
        return;
      }
    }
    panels_ = scratch.take<S>(round_up(keys.rows, loops_.panel_cols) * keys.depth);
    parallel_tasks(tasks_of(keys.rows, loops_.panel_cols), threads, [&](Index p, int) {
      const Index first = p * loops_.panel_cols;
      loops_.pack_col_panels(keys.row(first), keys.stride,
                             std::min(loops_.panel_cols, keys.rows - first), keys.depth,
                             panels_ + first * keys.depth);
    });
  }

  /// Whether products are of bfloat16.
  bool in_bfloat16() const { return in_bfloat16_.has_value(); }

  /// Call it before gradients are computed, with those that are.
  void prepare_gradients(bool of_queries, bool of_keys) {
    if (in_bfloat16()) in_bfloat16_->prepare_gradients(of_queries, of_keys);
    if (in_bfloat16() || !of_queries || columns_ != nullptr) return;
    // The gradient of few queries reads keys where they are packed: a copy does not pay.
    if (queries_.rows <= 128) return;
    columns_ = scratch_.take<S>(keys_.rows * round_up(keys_.depth, loops_.lanes));
    parallel_tasks(tasks_of(keys_.rows, rows_per_task), threads_, [&](Index t, int) {
      const Index end = std::min(keys_.rows, (t + 1) * rows_per_task);
      for (Index b = 0; b < column_blocks(loops_, keys_.depth); ++b) {
        const Columns d = column_block(loops_, b, keys_.depth);
        for (Index j = t * rows_per_task; j < end; ++j) {
          std::copy_n(keys_.row(j) + d.first, d.count, key_block(d, j));
        }
      }
    });
  }

  /// Inner products of `count` queries from first_row on with keys [first, end) of one tile of the
  /// panel, and of the keys beside them that share a vector.
  void score(Index first_row, Index count, Index first, Index end,
             const ScorePanel<S>& panel) const {
    const Index begin = round_down(first, loops_.lanes);
    if constexpr (std::is_same_v<S, float>) {
      if (in_bfloat16()) {
        in_bfloat16_->score(first_row, count, begin, end, panel.at(0, begin), panel.stride);
        return;
      }
    }
    loops_.multiply_panels(queries_.row(first_row), queries_.stride, panels_, keys_.depth,
                           tasks_of(count, panel_rows), begin, end,
                           tasks_of(keys_.rows, loops_.panel_cols), panel.at(0, begin),
                           ScorePanel<S>::stride, false);
  }

  /// Moves the weights w of near pairs with keys [first, end) of one tile out of the panel. Adds w
  /// (y - x) to sums, if wanted, and w (x - y) to the gradients of keys from `below` on, if wanted.
  /// In W Y + diag(r) X both terms may be far larger than their sum.
  void add_near_gradients(int thread, const ScorePanel<S>& panel, const NearPairs& near,
                          Index first_row, Index count, Index first, Index below, Index end,
                          S* sums, RowGradients<S>& dy) const {
    const RowLoops<S>& loops = row_loops<S>();
    struct Pair {
      Index r;
      Index j;
      S w;
    };
    const auto add = [&](const Pair& pair, const S* x, const S* y) {
      if (sums != nullptr) {
        loops.add_scaled_difference(keys_.depth, -pair.w, x, y, sums + pair.r * queries_.stride);
      }
      if (dy.wanted() && pair.j >= below) {
        loops.add_scaled_difference(keys_.depth, pair.w, x, y, dy.data + pair.j * keys_.stride);
      }
    };
    auto differences = row_differences<Pair>(queries_, keys_, thread, add);
    for (Index r = 0; r < count; ++r) {
      const NearBits bits = near.row(r, panel.column(first));
      take_near_weights(bits, end - first, panel.at(r, first), [&](Index c, S w) {
        differences.add(first_row + r, first + c, {r, first + c, w});
      });
    }
    differences.finish();
  }

  /// sums (count x queries' stride, padded to whole row panels) += W Y over keys [first, end) of
  /// one tile. `thread` is the number of the calling thread.
  void add_query_gradients(int thread, const ScorePanel<S>& panel, Index count, Index first,
                           Index end, S* sums) const {
    if constexpr (std::is_same_v<S, float>) {
      if (in_bfloat16()) {
        in_bfloat16_->add_query_gradients(thread, panel.at(0, first), panel.stride, count, first,
                                          end, sums);
        return;
      }
    }
    for (Index b = 0; b < column_blocks(loops_, keys_.depth); ++b) {
      const Columns d = column_block(loops_, b, keys_.depth);
      const bool copied = columns_ != nullptr;
      loops_.multiply_rows(panel.at(0, first), panel.stride, tasks_of(count, panel_rows),
                           end - first, copied ? key_block(d, first) : keys_.row(first) + d.first,
                           copied ? d.count : keys_.stride, keys_.rows - first, d.count,
                           sums + d.first, queries_.stride);
    }
  }

  /// dY += W^T X over keys [first, end) of one tile; X are the panel's `rows`. Columns from `end`
  /// to a whole block must be zero.
  void add_key_gradients(int thread, const ScorePanel<S>& panel, const FactoredRows<S>& rows,
                         Index count, Index first, Index end, RowGradients<S>& dy) const {
    if constexpr (std::is_same_v<S, float>) {
      if (in_bfloat16()) {
        in_bfloat16_->add_key_gradients(thread, panel.at(0, first), panel.stride, rows.first, count,
                                        rows.factors, first, end, dy.data);
        return;
      }
    }
    loops_.multiply_transposed(panel.at(0, first), panel.stride, tasks_of(end - first, panel_rows),
                               count, rows.rows, queries_.stride, queries_.depth,
                               dy.data + first * keys_.stride, keys_.stride);
    if (keys_.squared_norm == nullptr) return;
    S sums[tile_width] = {};
    for (Index r = 0; r < count; ++r) row_loops<S>().add(end - first, panel.at(r, first), sums);
    for (Index c = 0; c < end - first; ++c) dy.weight[first + c] -= static_cast<double>(sums[c]);
  }

 private:
  S* key_block(const Columns& d, Index j) const {
    return columns_ + d.first * keys_.rows + j * d.count;
  }

  const ProductLoops<S>& loops_ = product_loops<S>();
  Scratch& scratch_;
  int threads_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  S* panels_ = nullptr;   ///< column panels of keys, for the scores
  S* columns_ = nullptr;  ///< blocks of columns, for the gradient of the queries if they are many
  std::optional<Bfloat16Products> in_bfloat16_;
};

/// The memory of one thread for a row panel.
template <class S>
struct PanelMemory {
  int thread;
  ScorePanel<S> panel;
  S* rows;          ///< the panel's queries, times factors
  S* sums;          ///< of their gradients, if they are apart from those of others
  S* factors;       ///< of the rows
  double* weights;  ///< sums of rows of weights
  S* buffers;       ///< two tile widths of a row
  NearPairs near;   ///< of the panel; for distances alone

  /// Thread `number`'s, for panels of `height` rows with `keys` keys.
  PanelMemory(Scratch& scratch, int number, const PackedRows<S>& queries, Index height, Index keys)
      : thread(number),
        panel{scratch.take<S>(ScorePanel<S>::size(height, keys)), height},
        rows(scratch.take<S>(height * queries.stride)),
        sums(scratch.take<S>(height * queries.stride)),
        factors(scratch.take<S>(height)),
        weights(scratch.take<double>(height)),
        buffers(scratch.take<S>(2 * tile_width)) {
    if (queries.squared_norm != nullptr)
      near = NearPairs(scratch, height, round_up(keys, tile_width));
  }

  static Index bytes(const PackedRows<S>& queries, Index height, Index keys) {
    return (ScorePanel<S>::size(height, keys) + 2 * height * queries.stride) * Index(sizeof(S));
  }

  /// The bits of row r's pairs from key j on.
  NearBits near_of(Index r, Index j) const { return near.row(r, panel.column(j)); }

  /// One for each of `count` threads.
  static PanelMemory* take(Scratch& scratch, int count, const PackedRows<S>& queries, Index height,
                           Index keys) {
    auto* all = scratch.take<PanelMemory>(count);
    for (int k = 0; k < count; ++k) new (all + k) PanelMemory(scratch, k, queries, height, keys);
    return all;
  }

  /// True if any pair of `count` rows with keys [first, end) is near.
  bool any_near(Index count, Index first, Index end) const {
    for (Index r = 0; r < count; ++r) {
      if (near_of(r, first).any(end - first)) return true;
    }
    return false;
  }

  /// The rows of the panel times their factors.
  const S* scaled_rows(const PackedRows<S>& queries, Index first_row, Index count) const {
    for (Index r = 0; r < count; ++r) {
      row_loops<S>().scale(queries.stride, factors[r], queries.row(first_row + r),
                           rows + r * queries.stride);
    }
    return rows;
  }
};

/// The gradient sums of a pass: those of keys, to which panels add one after the other, and those
/// of queries, which belong to one panel until it is done.
template <class S>
class PanelGradients {
 public:
  /// Takes both gradients of the pass; each may be not wanted, or both the same. `own_only`: a
  /// panel adds nothing to gradients of rows of panels before it, so that a common gradient of both
  /// sides needs no second buffer.
  PanelGradients(Scratch& scratch, const PackedRows<S>& queries, RowGradients<S>& dx,
                 RowGradients<S>& dy, bool own_only)
      : queries_(queries), dx_(dx), dy_(dy), of_queries_(dx) {
    if (dx.wanted() && dx.data == dy.data && !own_only) {
      of_queries_ = take_gradients(scratch, queries);
      apart_ = true;
    }
  }

  bool wants_queries() const { return dx_.wanted(); }
  bool wants_keys() const { return dy_.wanted(); }
  RowGradients<S>& of_keys() { return dy_; }

  /// True if gradients of queries are also those of keys, to which panels before may still add.
  bool shared() const { return of_queries_.data == dy_.data; }

  /// The sums of a panel's rows.
  S* rows(Index first_row) const { return of_queries_.data + first_row * queries_.stride; }

  /// Adds sums of a panel's rows from another place, times each row's factor if there are any.
  void add_rows(Index first_row, Index count, const S* sums, const S* factors) {
    const Index stride = queries_.stride;
    for (Index r = 0; r < count; ++r) {
      row_loops<S>().add_scaled(stride, factors != nullptr ? factors[r] : S(1), sums + r * stride,
                                rows(first_row + r));
    }
  }

  /// Subtracts a panel's weights from those of its rows.
  void take_weights(Index first_row, Index count, const double* weights) {
    for (Index r = 0; r < count; ++r) of_queries_.weight[first_row + r] -= weights[r];
  }

  /// Ends the pass, after the last panel.
  void finish(int threads) {
    if (apart_) add_gradients(threads, queries_, of_queries_, dx_);
  }

 private:
  const PackedRows<S>& queries_;
  RowGradients<S>& dx_;
  RowGradients<S>& dy_;
  RowGradients<S> of_queries_;
  bool apart_ = false;
};

}  // namespace nearfar::detail
