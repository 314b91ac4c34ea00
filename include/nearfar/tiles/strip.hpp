#pragma once

#include "nearfar/tiles/prepared_rows.hpp"
#include "nearfar/tiles/row_scores.hpp"

/// \file
/// A strip of whole rows of the score matrix, and the three products that fill and use it.

namespace nearfar::detail {

/// Keys of a task of the keys' gradient: whole register blocks.
inline constexpr Index keys_per_task = 96;

/// Keys that are left out of a strip are left out by so many: whole tasks of every kind.
inline constexpr Index keys_per_step = 192;

/// Scores of some rows, tile after tile: a tile is `height` x stretch and contiguous, so that every
/// product reads or writes a piece of memory that fits a cache and few pages.
template <class S>
struct Strip {
  S* data;
  Index height;

  /// Elements from row to row of a tile. An odd number of cache lines: a column's pieces then lie
  /// in all sets of a cache, not in a few that can't hold them together.
  static constexpr Index stride = stretch + 64 / Index(sizeof(S));

  static Index size(Index height, Index keys) { return height * tasks_of(keys, stretch) * stride; }

  /// Row r's scores with keys j, j + 1, ... up to the end of j's tile.
  S* at(Index r, Index j) const { return data + (j / stretch * height + r) * stride + j % stretch; }
};

/// The products of strips of queries with all keys.
template <class S>
class StripProducts {
 public:
  /// Both sides must outlive the object.
  StripProducts(Scratch& scratch, int threads, const PreparedRows<S>& queries,
                const PreparedRows<S>& keys)
      : threads_(threads),
        queries_(queries),
        keys_(keys),
        packed_keys_(scratch.take<S>(tasks_of(keys.rows, Shape::cols) * Shape::cols * keys.depth)) {
    parallel_tasks(tasks_of(keys.rows, Shape::cols), threads, [&](Index p, int) {
      const Index first = p * Shape::cols;
      pack_panels<Shape::cols>(keys.row(first), keys.stride,
                               std::min<Index>(Shape::cols, keys.rows - first), keys.depth,
                               packed_keys_ + first * keys.depth);
    });
  }

  /// Rows of a strip: many, so that the keys' gradient is read and written seldom; but few enough
  /// that the strip stays in a core's own cache. Depends on sizes only, as all that orders sums
  /// must.
  Index height() const {
    constexpr Index most = 192;
    constexpr Index fewest = 96;
    static_assert(most % Shape::rows == 0 && fewest % Shape::rows == 0);
    constexpr Index bytes = Index(3) << 19;
    const Index fit = bytes / (std::max<Index>(keys_.rows, 1) * Index(sizeof(S)));
    const Index wanted = std::clamp(round_down(fit, 48), fewest, most);
    return std::min(wanted, round_up(std::max<Index>(queries_.rows, 1), Shape::rows));
  }

  void pack_queries(Index first_row, Index count, S* packed) const {
    pack_panels<Shape::rows>(queries_.row(first_row), queries_.stride, count, keys_.depth, packed);
  }

  /// Inner products of packed queries with keys [first, end), all in one tile, at `out` in it.
  void score(const S* packed, Index row_panels, Index first, Index end, S* out) const {
    multiply_panels(packed, packed_keys_, keys_.depth, row_panels, first / Shape::cols,
                    tasks_of(end, Shape::cols), out, Strip<S>::stride);
  }

  /// dX of the strip's rows += W Y, each task some row panels by some columns of the embedding.
  void add_query_gradients(const Strip<S>& strip, Index first_row, Index count, Index first_key,
                           RowGradients<S>& dx) const {
    const Index row_panels = tasks_of(count, Shape::rows);
    const Index wide = column_blocks<S>(keys_.depth);
    // As many row panels a task as leave work for every thread: how rows are grouped orders no sum.
    const Index panels = std::max<Index>(1, row_panels * wide / (2 * std::max(1, threads_)));
    const Index groups = tasks_of(row_panels, panels);
    parallel_tasks(groups * wide, threads_, [&](Index t, int) {
      const Index p = (t / wide) * panels;
      const Columns d = column_block<S>(t % wide, keys_.depth);
      const Index r = p * Shape::rows;
      for (Index first = first_key; first < keys_.rows;) {
        const Index end = std::min(round_down(first, stretch) + stretch, keys_.rows);
        multiply_rows(strip.at(r, first), strip.stride, std::min(panels, row_panels - p),
                      end - first, keys_.row(first) + d.first, keys_.stride, d.count,
                      dx.data + (first_row + r) * queries_.stride + d.first, queries_.stride);
        first = end;
      }
    });
  }

  /// dY += W^T X of the strip's rows, each task some keys by all columns of the embedding.
  void add_key_gradients(const Strip<S>& strip, Index first_row, Index count, Index first_key,
                         RowGradients<S>& dy) const {
    const Index padded_keys = round_up(keys_.rows, Shape::rows);
    parallel_tasks(tasks_of(keys_.rows - first_key, keys_per_task), threads_, [&](Index t, int) {
      const Index j = first_key + t * keys_per_task;
      const S* w = strip.at(0, j);
      multiply_transposed(w, strip.stride, std::min(keys_per_task, padded_keys - j) / Shape::rows,
                          count, queries_.row(first_row), queries_.stride, queries_.depth,
                          dy.data + j * keys_.stride, keys_.stride);
      if (keys_.squared_norm != nullptr) {
        const Index n = std::min(keys_per_task, keys_.rows - j);
        S sums[keys_per_task] = {};
        for (Index r = 0; r < count; ++r) {
          for (Index c = 0; c < n; ++c) sums[c] += w[r * strip.stride + c];
        }
        for (Index c = 0; c < n; ++c) dy.weight[j + c] -= static_cast<double>(sums[c]);
      }
    });
  }

 private:
  using Shape = BlockShape<S>;
  static_assert(stretch % keys_per_step == 0 && keys_per_step % keys_per_task == 0 &&
                keys_per_step % Shape::cols == 0 && keys_per_task % Shape::rows == 0);

  int threads_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  S* packed_keys_;
};

}  // namespace nearfar::detail
