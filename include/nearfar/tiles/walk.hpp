#pragma once

#include <concepts>

#include "nearfar/core/result.hpp"
#include "nearfar/tiles/exclusions.hpp"
#include "nearfar/tiles/row_scores.hpp"

/// \file
/// The walk over the score matrix of queries and keys. Forward: tiles of scores, each folded into
/// the statistics of its rows and forgotten. Forward and backward: strips of whole rows; once a
/// strip's scores are complete its rows know their loss, the scores become weights in place, and
/// two products add the strip's share of both gradients. The strips come one after another and the
/// threads share the work inside one, so every sum has one order, at any number of threads, and
/// memory holds one strip.

namespace nearfar::detail {

/// Which pairs (i, j) the walk compares.
enum class Pairing {
  all,     ///< every query with every key
  others,  ///< queries and keys are the same rows: j != i
  upper    ///< queries and keys are the same rows: j > i, each unordered pair once
};

/// A loss as the walk sees it. It gets the scores of a row in stretches, in order of columns, all
/// of them pairs that count:
/// - `start(i)`: statistics of row i before its first score (`Row`, trivially copyable);
/// - `observe(row, i, first, n, s)`: folds in the scores with keys first .. first + n - 1;
/// - `close(row, i)`: all scores were seen;
/// - `differentiate(row, i, first, n, s, g)`: writes g_j = dL/ds_ij, not yet scaled by the
///   reduction.
/// It is shared by threads: what it learns goes into `Row`, nowhere else.
template <class P, class S>
concept RowLoss = requires(const P& p, typename P::Row& row, Index i, const S* s, S* g) {
  { p.start(i) } -> std::same_as<typename P::Row>;
  p.observe(row, i, i, i, s);
  p.close(row, i);
  p.differentiate(row, i, i, i, s, g);
};

/// A loss that must see a row as a whole, as mining does: `row(i, worker, n, s, g)` gets the scores
/// of query i with all n keys, itself included when it is one of them, returns the row's statistics
/// and, when g is not null, writes dL/ds_ij for all of them (0 for pairs that do not count).
/// `worker` < the walk's threads, for memory of its own.
template <class P, class S>
concept WholeRowLoss = requires(const P& p, Index i, const S* s, S* g) {
  { p.row(i, 0, i, s, g) } -> std::same_as<typename P::Row>;
};

/// Keys of a task: whole register blocks whether they are columns of scores or rows of a gradient.
inline constexpr Index keys_per_task = 96;

/// Scores of some rows, tile after tile: a tile is `height` x stretch and contiguous, so that every
/// product reads or writes a piece of memory that fits a cache and few pages.
template <class S>
struct Strip {
  S* data;
  Index height;

  static Index size(Index height, Index keys) { return height * round_up(keys, stretch); }

  /// Row r's scores with keys j, j + 1, ... up to the end of j's tile.
  S* at(Index r, Index j) const {
    return data + (j / stretch * height + r) * stretch + j % stretch;
  }
};

/// Smallest and largest of some scores, and how many of them are distances of zero.
template <class S, Kernel K>
struct Extremes {
  S smallest = std::numeric_limits<S>::infinity();
  S largest = -std::numeric_limits<S>::infinity();
  Index zeros = 0;

  Extremes() = default;
  Extremes(const S* s, Index n) { fold(s, n); }

  void fold(const S* s, Index n) {
    if (n == 0) return;
    const Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>> v(s, n);
    smallest = std::min(smallest, v.minCoeff());
    largest = std::max(largest, v.maxCoeff());
    if (K::orientation == Orientation::distance && smallest <= S(0)) zeros += (v <= S(0)).count();
  }

  void add_to(Diagnostics& d) const {
    d.smallest_score = std::min(d.smallest_score, static_cast<double>(smallest));
    d.largest_score = std::max(d.largest_score, static_cast<double>(largest));
    d.zero_distances += zeros;
  }
};

/// Diagnostics that know of these scores alone.
template <Kernel K, class S>
Diagnostics score_extremes(const S* s, Index n) {
  Diagnostics d;
  Extremes<S, K>(s, n).add_to(d);
  return d;
}

template <class S, Kernel K>
class Walk {
 public:
  /// Both sides must outlive the walk; the same object twice for a set compared with itself.
  /// Where there are exclusions, they are what is left out, and `pairing` is not asked.
  Walk(Scratch& scratch, int threads, const K& kernel, const PreparedRows<S>& queries,
       const PreparedRows<S>& keys, Pairing pairing = Pairing::all,
       const Exclusions& exclusions = {})
      : scratch_(scratch),
        threads_(threads),
        queries_(queries),
        keys_(keys),
        pairing_(pairing),
        exclusions_(exclusions),
        panels_(tasks_of(keys.rows, Shape::cols)),
        packed_keys_(scratch.take<S>(panels_ * Shape::cols * keys.depth)),
        score_rows_(kernel, queries, keys, squared_norms_of(scratch, keys)) {
    parallel_tasks(panels_, threads, [&](Index p, int) {
      const Index first = p * Shape::cols;
      pack_panels<Shape::cols>(keys.row(first), keys.stride,
                               std::min<Index>(Shape::cols, keys.rows - first), keys.depth,
                               packed_keys_ + first * keys.depth);
    });
  }

  /// The statistics of every row. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  typename P::Row* forward(const P& loss, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    constexpr Index height = 4 * Shape::rows;
    const Index workers = std::max(1, threads_);
    S* packed = scratch_.take<S>(workers * height * keys_.depth);
    S* tiles = scratch_.take<S>(workers * height * stretch);
    S* buffers = scratch_.take<S>(workers * stretch);
    parallel_tasks(tasks_of(queries_.rows, height), threads_, [&](Index t, int worker) {
      const Index first_row = t * height;
      const Index count = std::min(height, queries_.rows - first_row);
      S* mine = packed + worker * height * keys_.depth;
      const Strip<S> tile{tiles + worker * height * stretch, height};
      pack_queries(first_row, count, mine);
      for (Index r = 0; r < count; ++r) {
        rows[first_row + r] = loss.start(first_row + r);
        extremes[first_row + r] = RowExtremes();
      }
      const Index begin = pairing_ == Pairing::upper ? round_down(first_row, stretch) : 0;
      for (Index first = begin; first < keys_.rows; first += stretch) {
        const Index end = std::min(first + stretch, keys_.rows);
        score(mine, tasks_of(count, Shape::rows), first, end, tile.data);
        for (Index r = 0; r < count; ++r) {
          const Index i = first_row + r;
          each_part(i, first, end, [&](Index from, Index n) {
            S* u = tile.at(r, from - first);
            score_rows_.inner_products_to_u(i, from, n, u);
            const S* s = score_rows_.scores(u, n, buffers + worker * stretch);
            loss.observe(rows[i], i, from, n, s);
            extremes[i].fold(s, n);
          });
        }
      }
      for (Index r = 0; r < count; ++r) loss.close(rows[first_row + r], first_row + r);
    });
    gather(extremes, diagnostics);
    return rows;
  }

  /// As forward; and adds the gradients with respect to the prepared rows (unscaled) to `dx` and
  /// `dy`, each where wanted. For a set compared with itself both may be the same.
  template <RowLoss<S> P>
  typename P::Row* forward_backward(const P& loss, RowGradients<S>& dx, RowGradients<S>& dy,
                                    Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    const Index height = strip_rows();
    const Strip<S> strip{scratch_.take<S>(Strip<S>::size(height, keys_.rows)), height};
    S* packed = scratch_.take<S>(height * keys_.depth);
    S* buffers = scratch_.take<S>(2 * Index(std::max(1, threads_)) * stretch);

    for (Index first_row = 0; first_row < queries_.rows; first_row += height) {
      const Index count = std::min(height, queries_.rows - first_row);
      // Columns before this are below the diagonal for every row of the strip.
      const Index first_key = pairing_ == Pairing::upper ? round_down(first_row, keys_per_task) : 0;
      score_strip(strip, packed, first_row, count, first_key);
      parallel_tasks(count, threads_, [&](Index r, int worker) {
        S* buffer = buffers + 2 * Index(worker) * stretch;
        finish_row(loss, strip, r, first_row + r, first_key, rows[first_row + r],
                   extremes[first_row + r], dx, buffer);
      });
      if (dx.wanted()) add_query_gradients(strip, first_row, count, first_key, dx);
      if (dy.wanted()) add_key_gradients(strip, first_row, count, first_key, dy);
    }
    gather(extremes, diagnostics);
    return rows;
  }

  /// Strips of whole rows for a loss that needs them; gradients where wanted, for none only the
  /// scores are computed. Pairs that do not count are the loss's affair here.
  template <WholeRowLoss<S> P>
  typename P::Row* whole_rows(const P& loss, RowGradients<S>& dx, RowGradients<S>& dy,
                              Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    const Index height = strip_rows();
    const Strip<S> strip{scratch_.take<S>(Strip<S>::size(height, keys_.rows)), height};
    S* packed = scratch_.take<S>(height * keys_.depth);
    const Index length = round_up(keys_.rows, stretch);
    S* buffers = scratch_.take<S>(2 * Index(std::max(1, threads_)) * length);
    const bool gradients = dx.wanted() || dy.wanted();

    for (Index first_row = 0; first_row < queries_.rows; first_row += height) {
      const Index count = std::min(height, queries_.rows - first_row);
      score_strip(strip, packed, first_row, count, 0);
      parallel_tasks(count, threads_, [&](Index r, int worker) {
        const Index i = first_row + r;
        S* s = buffers + 2 * Index(worker) * length;
        S* g = gradients ? s + length : nullptr;
        extremes[i] = RowExtremes();
        for (Index first = 0; first < keys_.rows; first += stretch) {
          const Index n = std::min(stretch, keys_.rows - first);
          S* u = strip.at(r, first);
          score_rows_.inner_products_to_u(i, first, n, u);
          const S* scores = score_rows_.scores(u, n, s + first);
          if (scores != s + first) std::copy(scores, scores + n, s + first);
          each_part(i, first, first + n,
                    [&](Index from, Index m) { extremes[i].fold(s + from, m); });
        }
        rows[i] = loss.row(i, worker, keys_.rows, s, g);
        if (!gradients) return;
        double weight_sum = 0;
        for (Index first = 0; first < keys_.rows; first += stretch) {
          const Index n = std::min(stretch, keys_.rows - first);
          S* u = strip.at(r, first);
          weight_sum += score_rows_.weights(n, g + first, s + first, u);
          std::fill(u + n, u + stretch, S(0));
        }
        if (K::geometry == Geometry::squared_distance && dx.wanted()) dx.weight[i] -= weight_sum;
      });
      if (dx.wanted()) add_query_gradients(strip, first_row, count, 0, dx);
      if (dy.wanted()) add_key_gradients(strip, first_row, count, 0, dy);
    }
    gather(extremes, diagnostics);
    return rows;
  }

 private:
  using Shape = BlockShape<S>;
  using RowExtremes = Extremes<S, K>;
  static_assert(stretch % keys_per_task == 0 && keys_per_task % Shape::cols == 0 &&
                keys_per_task % Shape::rows == 0);

  static const S* squared_norms_of(Scratch& scratch, const PreparedRows<S>& keys) {
    if constexpr (K::geometry == Geometry::squared_distance) {
      S* out = scratch.take<S>(keys.rows);
      for (Index j = 0; j < keys.rows; ++j) out[j] = saturated<S>(keys.squared_norm[j]);
      return out;
    } else {
      return nullptr;
    }
  }

  /// Rows of a strip: many, so that the keys' gradient is read and written seldom; but few enough
  /// that the strip stays in a shared cache. Depends on sizes only, as all that orders sums must.
  Index strip_rows() const {
    constexpr Index most = 192;
    constexpr Index fewest = 48;
    static_assert(most % Shape::rows == 0 && fewest % Shape::rows == 0);
    constexpr Index bytes = Index(1) << 24;
    const Index fit = bytes / (std::max<Index>(keys_.rows, 1) * Index(sizeof(S)));
    const Index wanted = std::clamp(round_down(fit, fewest), fewest, most);
    return std::min(wanted, round_up(std::max<Index>(queries_.rows, 1), Shape::rows));
  }

  /// body(from, n) for the parts of columns [first, end) that row i is compared with.
  template <class Body>
  void each_part(Index i, Index first, Index end, const Body& body) const {
    if (exclusions_.any()) {  // among them row i itself, when it is one of the keys
      exclusions_.each_part(i, first, end, body);
      return;
    }
    if (pairing_ == Pairing::all || i < first || i >= end) {
      if (pairing_ == Pairing::upper && i >= end) return;
      body(first, end - first);
      return;
    }
    if (pairing_ == Pairing::others && i > first) body(first, i - first);
    if (i + 1 < end) body(i + 1, end - i - 1);
  }

  /// each_part over all stretches from key first_key on.
  template <class Body>
  void each_stretch(Index i, Index first_key, const Body& body) const {
    for (Index first = first_key; first < keys_.rows;) {
      const Index end = std::min(round_down(first, stretch) + stretch, keys_.rows);
      each_part(i, first, end, body);
      first = end;
    }
  }

  void pack_queries(Index first_row, Index count, S* packed) const {
    pack_panels<Shape::rows>(queries_.row(first_row), queries_.stride, count, keys_.depth, packed);
  }

  /// Inner products of queries [first_row, first_row + count) with keys from first_key on.
  void score_strip(const Strip<S>& strip, S* packed, Index first_row, Index count,
                   Index first_key) const {
    pack_queries(first_row, count, packed);
    parallel_tasks(tasks_of(keys_.rows - first_key, keys_per_task), threads_, [&](Index t, int) {
      const Index first = first_key + t * keys_per_task;
      score(packed, tasks_of(count, Shape::rows), first,
            std::min(first + keys_per_task, keys_.rows), strip.at(0, first));
    });
  }

  /// Inner products of packed queries with keys [first, end), all in one tile, at `out` in it.
  void score(const S* packed, Index row_panels, Index first, Index end, S* out) const {
    const Index panel = first / Shape::cols;
    multiply_panels(packed, packed_keys_, keys_.depth, 0, row_panels, panel,
                    tasks_of(end, Shape::cols), panel, out, stretch);
  }

  /// Row i, the strip's row r: statistics from all its scores, then weights in their place.
  template <class P>
  void finish_row(const P& loss, const Strip<S>& strip, Index r, Index i, Index first_key,
                  typename P::Row& row, RowExtremes& extremes, RowGradients<S>& dx,
                  S* buffer) const {
    row = loss.start(i);
    extremes = RowExtremes();
    each_stretch(i, first_key, [&](Index from, Index n) {
      S* u = strip.at(r, from);
      score_rows_.inner_products_to_u(i, from, n, u);
      const S* s = score_rows_.scores(u, n, buffer);
      loss.observe(row, i, from, n, s);
      extremes.fold(s, n);
    });
    loss.close(row, i);

    double weight_sum = 0;
    Index done = first_key;
    // Pairs that do not count, and the padding, weigh nothing.
    const auto clear_until = [&](Index end) {
      while (done < end) {
        const Index n = std::min(end, round_down(done, stretch) + stretch) - done;
        std::fill_n(strip.at(r, done), n, S(0));
        done += n;
      }
    };
    each_stretch(i, first_key, [&](Index from, Index n) {
      clear_until(from);
      S* u = strip.at(r, from);
      const S* s = score_rows_.scores(u, n, buffer);
      S* g = buffer + stretch;
      loss.differentiate(row, i, from, n, s, g);
      weight_sum += score_rows_.weights(n, g, s, u);
      done = from + n;
    });
    clear_until(round_up(keys_.rows, keys_per_task));
    if (K::geometry == Geometry::squared_distance && dx.wanted()) dx.weight[i] -= weight_sum;
  }

  /// dX of the strip's rows += W Y, each task some row panels by some columns of the embedding.
  void add_query_gradients(const Strip<S>& strip, Index first_row, Index count, Index first_key,
                           RowGradients<S>& dx) const {
    constexpr Index panels = 4;
    const Index row_panels = tasks_of(count, Shape::rows);
    const Index wide = tasks_of(keys_.depth, Shape::cols);
    parallel_tasks(tasks_of(row_panels, panels) * wide, threads_, [&](Index t, int) {
      const Index p = (t / wide) * panels;
      const Index d = (t % wide) * Shape::cols;
      const Index r = p * Shape::rows;
      for (Index first = first_key; first < keys_.rows;) {
        const Index end = std::min(round_down(first, stretch) + stretch, keys_.rows);
        multiply_rows(strip.at(r, first), stretch, std::min(panels, row_panels - p), end - first,
                      keys_.row(first) + d, keys_.stride,
                      std::min<Index>(Shape::cols, keys_.depth - d),
                      dx.data + (first_row + r) * queries_.stride + d, queries_.stride, true);
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
      multiply_transposed(w, stretch, std::min(keys_per_task, padded_keys - j) / Shape::rows, count,
                          queries_.row(first_row), queries_.stride, queries_.depth,
                          dy.data + j * keys_.stride, keys_.stride, true);
      if constexpr (K::geometry == Geometry::squared_distance) {
        const Index n = std::min(keys_per_task, keys_.rows - j);
        S sums[keys_per_task] = {};
        for (Index r = 0; r < count; ++r) {
          for (Index c = 0; c < n; ++c) sums[c] += w[r * stretch + c];
        }
        for (Index c = 0; c < n; ++c) dy.weight[j + c] -= static_cast<double>(sums[c]);
      }
    });
  }

  void gather(const RowExtremes* extremes, Diagnostics& d) const {
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(d);
  }

  Scratch& scratch_;
  int threads_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Pairing pairing_;
  Exclusions exclusions_;
  Index panels_;
  S* packed_keys_;
  ScoreRows<S, K> score_rows_;
};

}  // namespace nearfar::detail
