#pragma once

#include "nearfar/tiles/prepared_rows.hpp"
#include "nearfar/tiles/row_scores.hpp"

/// \file
/// A strip of rows of the score matrix, and the three products that fill and use it. A strip is one
/// thread's affair: what it computes stays in that thread's caches until it is used up.

namespace nearfar::detail {

/// Scores of some rows with keys from `first` (a multiple of `stretch`) on, tile after tile: a tile
/// is `height` x stretch and contiguous, so that every product reads or writes a piece of memory
/// that fits a cache and few pages.
template <class S>
struct Strip {
  S* data;
  Index height;
  Index first = 0;

  /// Elements from row to row of a tile. An odd number of cache lines: a column's pieces then lie
  /// in all sets of a cache, not in a few that can't hold them together.
  static constexpr Index stride = stretch + 64 / Index(sizeof(S));

  static Index size(Index height, Index keys) { return height * tasks_of(keys, stretch) * stride; }

  /// Row r's scores with keys j, j + 1, ... up to the end of j's tile.
  S* at(Index r, Index j) const {
    const Index k = j - first;
    return data + (k / stretch * height + r) * stride + k % stretch;
  }
};

/// The end of the tile that key j is in, of `keys` keys.
constexpr Index tile_end(Index j, Index keys) {
  return std::min(round_down(j, stretch) + stretch, keys);
}

/// What lies between the parts of a strip's row that count: pairs that do not, and the padding,
/// weigh nothing.
template <class S>
class Gaps {
 public:
  Gaps(const Strip<S>& strip, Index row, Index first_key)
      : strip_(strip), row_(row), done_(first_key) {}

  void clear_until(Index end) {
    while (done_ < end) {
      const Index n = std::min(end, round_down(done_, stretch) + stretch) - done_;
      std::fill_n(strip_.at(row_, done_), n, S(0));
      done_ += n;
    }
  }
  void skip_to(Index end) { done_ = end; }

 private:
  const Strip<S>& strip_;
  Index row_;
  Index done_;
};

/// The products of strips of queries with keys.
template <class S>
class StripProducts {
 public:
  /// Rows of a strip: as many as let a tile, its queries and its keys lie in a core's own cache
  /// together, and fewer where there would not be enough strips to go round. Depends on sizes only,
  /// as all that orders sums must. A multiple of the vectors of every instruction set.
  static Index height(Index rows) {
    static_assert(96 % Shape::rows == 0 && 48 % Shape::rows == 0);
    static_assert(48 % Vec<S>::lanes == 0);
    return rows >= 1024 ? 96 : 48;
  }

  /// Both sides must outlive the object.
  StripProducts(Scratch& scratch, int threads, const PreparedRows<S>& queries,
                const PreparedRows<S>& keys)
      : scratch_(scratch),
        threads_(threads),
        queries_(queries),
        keys_(keys),
        panels_(scratch.take<S>(tasks_of(keys.rows, Shape::cols) * Shape::cols * keys.depth)) {
    parallel_tasks(tasks_of(keys.rows, Shape::cols), threads, [&](Index p, int) {
      const Index first = p * Shape::cols;
      pack_panels<Shape::cols>(keys.row(first), keys.stride,
                               std::min<Index>(Shape::cols, keys.rows - first), keys.depth,
                               panels_ + first * keys.depth);
    });
  }

  /// To be called before query gradients are.
  void prepare_gradients() {
    if (columns_ != nullptr) return;
    columns_ = scratch_.take<S>(keys_.rows * round_up(keys_.depth, Shape::lanes));
    parallel_tasks(tasks_of(keys_.rows, rows_per_task), threads_, [&](Index t, int) {
      const Index end = std::min(keys_.rows, (t + 1) * rows_per_task);
      for (Index b = 0; b < column_blocks<S>(keys_.depth); ++b) {
        const Columns d = column_block<S>(b, keys_.depth);
        for (Index j = t * rows_per_task; j < end; ++j) {
          std::copy_n(keys_.row(j) + d.first, d.count, key_block(d, j));
        }
      }
    });
  }

  /// Elements that packed queries of a strip of `height` rows take.
  Index packed_size(Index height) const { return height * keys_.depth; }

  void pack_queries(Index first_row, Index count, S* packed) const {
    pack_panels<Shape::rows>(queries_.row(first_row), queries_.stride, count, keys_.depth, packed);
  }

  /// Inner products of packed queries with keys [first, end) of one tile of the strip; those before
  /// and after them that share a vector, or a panel's end, are computed, too.
  void score(const S* packed, Index count, Index first, Index end, const Strip<S>& strip) const {
    const Index begin = round_down(first, Shape::lanes);
    multiply_panels(packed, panels_, keys_.depth, tasks_of(count, Shape::rows), begin,
                    tasks_of(end, Shape::cols), strip.at(0, begin), Strip<S>::stride);
  }

  /// sums (count x queries' stride, padded to whole blocks) += W Y over keys [first, end) of one
  /// tile.
  void add_query_gradients(const Strip<S>& strip, Index count, Index first, Index end,
                           S* sums) const {
    for (Index b = 0; b < column_blocks<S>(keys_.depth); ++b) {
      const Columns d = column_block<S>(b, keys_.depth);
      multiply_rows(strip.at(0, first), strip.stride, tasks_of(count, Shape::rows), end - first,
                    static_cast<const S*>(key_block(d, first)), d.count, d.count, sums + d.first,
                    queries_.stride);
    }
  }

  /// dY += W^T X over keys [first, end) of one tile; `rows` are the strip's, queries' stride apart.
  /// What lies between `end` and a whole block must weigh nothing.
  void add_key_gradients(const Strip<S>& strip, const S* rows, Index count, Index first, Index end,
                         RowGradients<S>& dy) const {
    multiply_transposed(strip.at(0, first), strip.stride, tasks_of(end - first, Shape::rows), count,
                        rows, queries_.stride, queries_.depth, dy.data + first * keys_.stride,
                        keys_.stride);
    if (keys_.squared_norm == nullptr) return;
    S sums[stretch] = {};
    for (Index r = 0; r < count; ++r) {
      const S* w = strip.at(r, first);
      for (Index c = 0; c < end - first; ++c) sums[c] += w[c];
    }
    for (Index c = 0; c < end - first; ++c) dy.weight[first + c] -= static_cast<double>(sums[c]);
  }

 private:
  using Shape = BlockShape<S>;

  S* key_block(const Columns& d, Index j) const {
    return columns_ + d.first * keys_.rows + j * d.count;
  }

  Scratch& scratch_;
  int threads_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  S* panels_;             ///< of BlockShape::cols keys, as the scores read them
  S* columns_ = nullptr;  ///< blocks of columns, as the gradient of the queries reads them
};

/// to += v, n elements.
template <class S>
void add(const S* v, Index n, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, load<T>(to + k) + load<T>(v + k));
  });
}

/// What one thread works on a strip with.
template <class S>
struct StripMemory {
  Strip<S> strip;
  S* packed;        ///< the strip's queries, packed
  S* rows;          ///< the same, times factors
  S* sums;          ///< of their gradients
  S* factors;       ///< of the rows
  double* weights;  ///< sums of rows of weights
  S* buffers;       ///< two stretches of a row

  /// For strips of `height` rows with `keys` keys.
  StripMemory(Scratch& scratch, const PreparedRows<S>& queries, Index height, Index keys)
      : strip{scratch.take<S>(Strip<S>::size(height, keys)), height},
        packed(scratch.take<S>(height * queries.depth)),
        rows(scratch.take<S>(height * queries.stride)),
        sums(scratch.take<S>(height * queries.stride)),
        factors(scratch.take<S>(height)),
        weights(scratch.take<double>(height)),
        buffers(scratch.take<S>(2 * stretch)) {}

  static Index bytes(const PreparedRows<S>& queries, Index height, Index keys) {
    return (Strip<S>::size(height, keys) + 3 * height * queries.stride) * Index(sizeof(S));
  }

  /// One for each of `count` threads.
  static StripMemory* take(Scratch& scratch, int count, const PreparedRows<S>& queries,
                           Index height, Index keys) {
    auto* all = scratch.take<StripMemory>(count);
    for (int k = 0; k < count; ++k) new (all + k) StripMemory(scratch, queries, height, keys);
    return all;
  }

  /// The rows of the strip times their factors.
  const S* scaled_rows(const PreparedRows<S>& queries, Index first_row, Index count) const {
    for (Index r = 0; r < count; ++r) {
      const S* from = queries.row(first_row + r);
      S* to = rows + r * queries.stride;
      each_element<S>(queries.stride, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
        store(to + k, load<T>(from + k) * spread<T>(factors[r]));
      });
    }
    return rows;
  }
};

/// The gradient sums of a walk: those of keys, which strips add to in turn, and those of queries,
/// which are a strip's own until it is done.
template <class S>
class StripGradients {
 public:
  /// Both gradients as the walk was given them, each perhaps not wanted, or both the same.
  /// `own_only`: a strip adds nothing to gradients of rows of strips before it, so that a common
  /// gradient of both sides needs no second one.
  StripGradients(Scratch& scratch, const PreparedRows<S>& queries, RowGradients<S>& dx,
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

  /// Adds a strip's sums, times each row's factor, and takes `weights` (null where the geometry has
  /// none) from the rows' own.
  void add_rows(Index first_row, Index count, const S* sums, const S* factors,
                const double* weights) {
    const Index stride = queries_.stride;
    for (Index r = 0; r < count; ++r) {
      const S factor = factors != nullptr ? factors[r] : S(1);
      const S* from = sums + r * stride;
      S* to = of_queries_.data + (first_row + r) * stride;
      each_element<S>(stride, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
        store(to + k, multiply_add(load<T>(from + k), spread<T>(factor), load<T>(to + k)));
      });
      if (weights != nullptr) of_queries_.weight[first_row + r] -= weights[r];
    }
  }

  /// After the last strip.
  void finish(int threads) {
    if (!apart_) return;
    parallel_tasks(tasks_of(queries_.rows, rows_per_task), threads, [&](Index t, int) {
      const Index first = t * rows_per_task;
      const Index count = std::min(queries_.rows - first, rows_per_task);
      add(of_queries_.data + first * queries_.stride, count * queries_.stride,
          dx_.data + first * queries_.stride);
      for (Index i = first; i < first + count; ++i) dx_.weight[i] += of_queries_.weight[i];
    });
  }

 private:
  const PreparedRows<S>& queries_;
  RowGradients<S>& dx_;
  RowGradients<S>& dy_;
  RowGradients<S> of_queries_;
  bool apart_ = false;
};

}  // namespace nearfar::detail
