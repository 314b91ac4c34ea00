#pragma once

#include "nearfar/tiles/extremes.hpp"
#include "nearfar/tiles/pairs.hpp"
#include "nearfar/tiles/row_loss.hpp"
#include "nearfar/tiles/strip.hpp"

/// \file
/// The walk over the score matrix of queries and keys. Forward: tiles of scores, each folded into
/// the statistics of its rows and forgotten. Forward and backward: strips of whole rows; once a
/// strip's scores are complete its rows know their loss, the scores become weights in place, and
/// two products add the strip's share of both gradients. The strips come one after another and the
/// threads share the work inside one, so every sum has one order, at any number of threads, and
/// memory holds one strip.

namespace nearfar::detail {

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
        pairs_{pairing, exclusions},
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys) {}

  /// The statistics of every row. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  typename P::Row* forward(const P& loss, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    constexpr Index height = 8 * Shape::rows;
    const Index workers = std::max(1, threads_);
    S* packed = scratch_.take<S>(workers * height * keys_.depth);
    const Index tile_size = Strip<S>::size(height, stretch);
    S* tiles = scratch_.take<S>(workers * tile_size);
    S* buffers = scratch_.take<S>(workers * stretch);
    parallel_tasks(tasks_of(queries_.rows, height), threads_, [&](Index t, int worker) {
      const Index first_row = t * height;
      const Index count = std::min(height, queries_.rows - first_row);
      S* mine = packed + worker * height * keys_.depth;
      const Strip<S> tile{tiles + worker * tile_size, height};
      products_.pack_queries(first_row, count, mine);
      for (Index r = 0; r < count; ++r) {
        rows[first_row + r] = loss.start(first_row + r);
        extremes[first_row + r] = RowExtremes();
      }
      const Index begin = pairs_.pairing == Pairing::upper ? round_down(first_row, stretch) : 0;
      for (Index first = begin; first < keys_.rows; first += stretch) {
        const Index end = std::min(first + stretch, keys_.rows);
        products_.score(mine, tasks_of(count, Shape::rows), first, end, tile.data);
        for (Index r = 0; r < count; ++r) {
          const Index i = first_row + r;
          pairs_.each_part(i, first, end, [&](Index from, Index n) {
            S* u = tile.at(r, from - first);
            score_rows_.inner_products_to_u(i, from, n, u);
            const S* s = score_rows_.scores(u, n, buffers + worker * stretch);
            show(loss, rows[i], i, from, n, s);
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
    const Index height = products_.height();
    const Strip<S> strip{scratch_.take<S>(Strip<S>::size(height, keys_.rows)), height};
    S* packed = scratch_.take<S>(height * keys_.depth);
    S* buffers = scratch_.take<S>(2 * Index(std::max(1, threads_)) * stretch);

    for (Index first_row = 0; first_row < queries_.rows; first_row += height) {
      const Index count = std::min(height, queries_.rows - first_row);
      // Columns before this are below the diagonal for every row of the strip.
      const Index first_key =
          pairs_.pairing == Pairing::upper ? round_down(first_row, keys_per_step) : 0;
      score_strip(strip, packed, first_row, count, first_key);
      parallel_tasks(count, threads_, [&](Index r, int worker) {
        S* buffer = buffers + 2 * Index(worker) * stretch;
        finish_row(loss, strip, r, first_row + r, first_key, rows[first_row + r],
                   extremes[first_row + r], dx, buffer);
      });
      if (dx.wanted()) products_.add_query_gradients(strip, first_row, count, first_key, dx);
      if (dy.wanted()) products_.add_key_gradients(strip, first_row, count, first_key, dy);
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
    const Index height = products_.height();
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
          pairs_.each_part(i, first, first + n,
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
      if (dx.wanted()) products_.add_query_gradients(strip, first_row, count, 0, dx);
      if (dy.wanted()) products_.add_key_gradients(strip, first_row, count, 0, dy);
    }
    gather(extremes, diagnostics);
    return rows;
  }

 private:
  using Shape = BlockShape<S>;
  using RowExtremes = Extremes<S, K>;

  /// each_part over all stretches from key first_key on.
  template <class Body>
  void each_stretch(Index i, Index first_key, const Body& body) const {
    for (Index first = first_key; first < keys_.rows;) {
      const Index end = std::min(round_down(first, stretch) + stretch, keys_.rows);
      pairs_.each_part(i, first, end, body);
      first = end;
    }
  }

  /// Inner products of queries [first_row, first_row + count) with keys from first_key on.
  void score_strip(const Strip<S>& strip, S* packed, Index first_row, Index count,
                   Index first_key) const {
    products_.pack_queries(first_row, count, packed);
    parallel_tasks(tasks_of(keys_.rows - first_key, Shape::cols), threads_, [&](Index t, int) {
      const Index first = first_key + t * Shape::cols;
      products_.score(packed, tasks_of(count, Shape::rows), first,
                      std::min<Index>(first + Shape::cols, keys_.rows), strip.at(0, first));
    });
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
      show(loss, row, i, from, n, s);
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
      ask(loss, row, i, from, n, s, g);
      weight_sum += score_rows_.weights(n, g, s, u);
      done = from + n;
    });
    clear_until(round_up(keys_.rows, keys_per_task));
    if (K::geometry == Geometry::squared_distance && dx.wanted()) dx.weight[i] -= weight_sum;
  }

  void gather(const RowExtremes* extremes, Diagnostics& d) const {
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(d);
  }

  Scratch& scratch_;
  int threads_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Pairs pairs_;
  StripProducts<S> products_;
  ScoreRows<S, K> score_rows_;
};

}  // namespace nearfar::detail
