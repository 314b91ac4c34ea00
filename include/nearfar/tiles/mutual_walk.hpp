#pragma once

#include "nearfar/tiles/extremes.hpp"
#include "nearfar/tiles/pairs.hpp"
#include "nearfar/tiles/row_loss.hpp"
#include "nearfar/tiles/shared_exponentials.hpp"
#include "nearfar/tiles/strip.hpp"

/// \file
/// The walk that shows each score to both sides: to its query and to its key. A tile's queries see
/// it as it is; the keys see its columns, transposed. Gradients need the statistics of both: they
/// take a second pass, in which a score's weight is the sum of what it means to either. No more
/// than a tile of scores exists for each thread.
///
/// Queries with keys: 2 N M D floating point operations forward, 8 N M D with gradients; two walks
/// would take 4 and 12. Rows with themselves: scores are symmetric, so that those on and above the
/// diagonal do for all; a row comes to its own strip with all that lies before it seen, as a key.
/// N^2 D and 4 N^2 D, where a walk over all pairs takes 2 and 6.

namespace nearfar::detail {

/// Statistics of both sides; for rows with themselves the same.
template <class Row>
struct BothRows {
  Row* queries;
  Row* keys;
};

template <class S, Kernel K>
class MutualWalk {
 public:
  /// Both sides must outlive the walk. The same object twice for rows compared with all others of
  /// them, or with those that `exclusions` leave them (never with themselves, and i with j where j
  /// with i); else all queries with all keys.
  MutualWalk(Scratch& scratch, int threads, const K& kernel, const PreparedRows<S>& queries,
             const PreparedRows<S>& keys, const Exclusions& exclusions = {})
      : MutualWalk(scratch, threads, kernel, queries, keys, exclusions,
                   StripProducts<S>::height(queries.rows)) {}

  /// The same with strips of `height` rows, a multiple of 48 that depends on sizes alone.
  MutualWalk(Scratch& scratch, int threads, const K& kernel, const PreparedRows<S>& queries,
             const PreparedRows<S>& keys, const Exclusions& exclusions, Index height)
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        same_(&queries == &keys),
        queries_(queries),
        keys_(keys),
        pairs_{same_ ? Pairing::others : Pairing::all, exclusions},
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys),
        height_(height),
        packed_(scratch.take<S>(round_up(queries.rows, height_) * keys.depth)),
        memory_(scratch.take<Memory>(threads_)) {
    for (int k = 0; k < threads_; ++k) new (memory_ + k) Memory(scratch, queries, height_);
    // Used in both passes.
    parallel_tasks(tasks_of(queries.rows, height_), threads, [&](Index t, int) {
      const Index first = t * height_;
      products_.pack_queries(first, std::min(height_, queries.rows - first), packed(first));
    });
  }

  /// The statistics of every query and key. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  BothRows<typename P::Row> forward(const P& loss, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = start<Row>(loss, queries_.rows);
    const BothRows<Row> both{rows, same_ ? rows : start<Row>(loss, keys_.rows)};
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    each_strip([&](Memory& mine, const Span& span, const Turn& turn) {
      for (Index r = 0; r < span.count; ++r) extremes[span.first + r] = RowExtremes();
      each_tile(span, [&](Index first, Index end) {
        score_tile(mine, span, first, end);
        const Index below = std::clamp(span.below, first, end);
        const Index pairs = same_ ? 2 : 1;  // i with j, and j with i
        see_scores(mine, span, first, below, 1, extremes);
        const Range<S> range = see_scores(mine, span, below, end, pairs, extremes);
        turn.wait_for(first / stretch);
        const bool shared = show_shared(loss, mine, span, below, end, range, both);
        if (!shared) show_to_keys(loss, mine, span, below, end, both.keys);
        show_to_queries(loss, mine, span, first, shared ? below : end, both.queries);
        turn.leave(first / stretch);
      });
      for (Index r = 0; r < span.count; ++r) loss.close(rows[span.first + r], span.first + r);
    });
    for (Index j = 0; j < keys_.rows && !same_; ++j) loss.close(both.keys[j], j);
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(diagnostics);
    return both;
  }

  /// As forward; and adds the gradients with respect to the prepared rows (unscaled) to `dx` and
  /// `dy`, each where wanted; the same for rows with themselves.
  template <RowLoss<S> P>
  BothRows<typename P::Row> forward_backward(const P& loss, RowGradients<S>& dx,
                                             RowGradients<S>& dy, Diagnostics& diagnostics) {
    const BothRows<typename P::Row> rows = forward(loss, diagnostics);
    const Sides sides(scratch_, loss, rows, queries_.rows, keys_.rows, same_);
    add_gradients(loss, rows, dx, dy,
                  [&](Memory& mine, const Span& span, Index first, Index below, Index end) {
                    const bool shared = weigh_shared(loss, mine, span, below, end, rows, sides);
                    to_u(mine, span, first, shared ? below : end);
                    return shared;
                  });
    return rows;
  }

  /// For rows with themselves, in one pass: 3 N^2 D floating point operations.
  template <OnePassLoss<S> P>
  typename P::Row* one_pass(const P& loss, RowGradients<S>& dx, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = start<Row>(loss, queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    std::uninitialized_fill_n(extremes, queries_.rows, RowExtremes());
    add_gradients(loss, BothRows<Row>{rows, rows}, dx, dx,
                  [&](Memory& mine, const Span& span, Index first, Index below, Index end) {
                    see_scores(mine, span, first, below, 1, extremes);
                    see_scores(mine, span, below, end, 2, extremes);
                    return false;
                  });
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(diagnostics);
    return rows;
  }

 private:
  using Shape = BlockShape<S>;
  using RowExtremes = Extremes<S, K>;

  /// Columns that are transposed together: whole vectors, for every instruction set.
  static constexpr Index columns = 64;
  static_assert(stretch % columns == 0 && columns % Vec<S>::lanes == 0);

  template <class P>
  static constexpr bool can_share = SharedLoss<P, S>&& ScoreRows<S, K>::are_products;

  /// What one thread works with.
  struct Memory {
    StripMemory<S> strip;
    Strip<S> to_keys;  ///< what scores mean to their keys
    Index block_stride;
    S* block;   ///< columns of scores as rows
    S* slopes;  ///< dL/ds of these
    SharedMemory<S> shared;

    Memory(Scratch& scratch, const PreparedRows<S>& queries, Index height)
        : strip(scratch, queries, height, stretch),
          to_keys{scratch.take<S>(Strip<S>::size(height, stretch)), height},
          block_stride(height + 64 / Index(sizeof(S))),
          block(scratch.take<S>(columns * block_stride)),
          slopes(scratch.take<S>(columns * block_stride)),
          shared(scratch, height) {}

    void begin_at(Index first) {
      strip.strip.first = round_down(first, stretch);
      to_keys.first = strip.strip.first;
    }
  };

  /// Queries of a strip. They see keys from `begin` on, and the keys from `below` on see them.
  struct Span {
    Index first;
    Index count;
    Index begin;
    Index below;
    Index end() const { return first + count; }
  };

  /// Factors of both sides where exponentials are shared.
  struct Sides {
    std::optional<SharedSide<S>> queries;
    std::optional<SharedSide<S>> keys;
    bool usable = false;

    template <class P>
    Sides(Scratch& scratch, const P& loss, const BothRows<typename P::Row>& rows, Index n, Index m,
          bool same) {
      if constexpr (can_share<P>) {
        if (!loss.shares_exponentials()) return;
        queries.emplace(scratch, n);
        usable = queries->fill(loss, rows.queries, n);
        if (same) {
          keys = queries;
        } else {
          keys.emplace(scratch, m);
          usable = keys->fill(loss, rows.keys, m) && usable;
        }
      }
    }
  };

  S* packed(Index first_row) const { return packed_ + first_row * keys_.depth; }

  template <class Row, class P>
  Row* start(const P& loss, Index count) {
    Row* rows = scratch_.take<Row>(count);
    for (Index i = 0; i < count; ++i) rows[i] = loss.start(i);
    return rows;
  }

  /// body(memory, span, turn) for each strip.
  template <class Body>
  void each_strip(const Body& body) {
    const Index strips = tasks_of(queries_.rows, height_);
    parallel_turns(strips, threads_, scratch_.take<Index>(strips),
                   [&](Index t, int worker, const Turn& turn) {
                     const Index first = t * height_;
                     const Index count = std::min(height_, queries_.rows - first);
                     const Span span{first, count, same_ ? first : 0, same_ ? first + count : 0};
                     body(memory_[worker], span, turn);
                   });
  }

  /// body(first, end) for the tiles of a strip.
  template <class Body>
  void each_tile(const Span& span, const Body& body) const {
    for (Index first = span.begin; first < keys_.rows;) {
      const Index end = tile_end(first, keys_.rows);
      body(first, end);
      first = end;
    }
  }

  /// Inner products of a tile.
  void score_tile(Memory& mine, const Span& span, Index first, Index end) const {
    mine.begin_at(first);
    products_.score(packed(span.first), span.count, first, end, mine.strip.strip);
  }

  /// Inner products of a tile with keys [first, end) to the kernel's u.
  void to_u(const Memory& mine, const Span& span, Index first, Index end) const {
    for (Index r = 0; r < span.count && first < end; ++r) {
      score_rows_.inner_products_to_u(span.first + r, first, end - first,
                                      mine.strip.strip.at(r, first));
    }
  }

  /// Scores of row r with n keys from `from` on.
  const S* scores(const Memory& mine, Index r, Index from, Index n) const {
    return score_rows_.scores(mine.strip.strip.at(r, from), n, mine.strip.buffers);
  }

  /// to_u, and the extremes of the scores, each of which stands for `pairs` of them. Returns what
  /// they lie between where they are inner products.
  Range<S> see_scores(const Memory& mine, const Span& span, Index first, Index end, Index pairs,
                      RowExtremes* extremes) const {
    constexpr S infinity = std::numeric_limits<S>::infinity();
    Range<S> all{infinity, -infinity};
    if constexpr (!ScoreRows<S, K>::are_products) to_u(mine, span, first, end);
    for (Index r = 0; r < span.count && first < end; ++r) {
      const Index i = span.first + r;
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        if constexpr (ScoreRows<S, K>::are_products) {
          const Range<S> range =
              ScoreRows<S, K>::products_to_scores(n, mine.strip.strip.at(r, from));
          extremes[i].fold(range);
          all = {std::min(all.smallest, range.smallest), std::max(all.largest, range.largest)};
        } else {
          extremes[i].fold(scores(mine, r, from, n), n, pairs);
        }
      });
    }
    return all;
  }

  /// The pass that adds gradients. `open(memory, span, first, below, end)` makes u of a tile's
  /// inner products, or, of those with keys from `below` on, weights, and returns whether it did.
  template <class P, class Open>
  void add_gradients(const P& loss, const BothRows<typename P::Row>& rows, RowGradients<S>& dx,
                     RowGradients<S>& dy, const Open& open) {
    if (dx.wanted()) products_.prepare_gradients();
    StripGradients<S> gradients(scratch_, queries_, dx, dy, same_);
    each_strip([&](Memory& mine, const Span& span, const Turn& turn) {
      StripMemory<S>& strip = mine.strip;
      std::fill_n(strip.weights, span.count, 0.0);
      std::fill_n(strip.sums, height_ * queries_.stride, S(0));
      each_tile(span, [&](Index first, Index end) {
        score_tile(mine, span, first, end);
        const Index below = std::clamp(span.below, first, end);
        turn.wait_for(first / stretch);
        const bool weighed = open(mine, span, first, below, end);
        weigh_tile(loss, mine, span, first, below, weighed ? below : end, rows);
        clear_padding(mine, span, end);
        if (same_ && first == span.first) make_symmetric(mine, span);
        if (gradients.wants_keys()) {
          products_.add_key_gradients(strip.strip, queries_.row(span.first), span.count, below, end,
                                      gradients.of_keys());
        }
        turn.leave(first / stretch);
        if (gradients.wants_queries()) {
          products_.add_query_gradients(strip.strip, span.count, first, end, strip.sums);
        }
      });
      if (gradients.wants_queries()) {
        gradients.add_rows(span.first, span.count, strip.sums, nullptr,
                           K::geometry == Geometry::squared_distance ? strip.weights : nullptr);
      }
    });
    gradients.finish(threads_);
  }

  // ---- each side for itself --------------------------------------------------------------------

  template <class P>
  void show_to_queries(const P& loss, const Memory& mine, const Span& span, Index first, Index end,
                       typename P::Row* rows) const {
    if (first == end) return;
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        show(loss, rows[i], i, from, n, scores(mine, r, from, n));
      });
    }
  }

  /// body(first, end) for the parts of keys [first, end) whose columns are transposed together.
  template <class Body>
  void each_block(Index first, Index end, const Body& body) const {
    while (first < end) {
      const Index stop = std::min(round_down(first, columns) + columns, end);
      body(first, stop);
      first = stop;
    }
  }

  template <class P>
  void show_to_keys(const P& loss, const Memory& mine, const Span& span, Index first, Index end,
                    typename P::Row* rows) const {
    each_block(first, end, [&](Index begin, Index stop) {
      transpose(mine, span, begin, stop);
      for (Index j = begin; j < stop; ++j) {
        const S* s =
            score_rows_.scores(column(mine, mine.block, j), span.count, mine.strip.buffers);
        pairs_.each_part(j, span.first, span.end(), [&](Index from, Index n) {
          show(loss, rows[j], j, from, n, s + (from - span.first));
        });
      }
    });
  }

  /// Key j's column as a row of a block.
  S* column(const Memory& mine, S* block, Index j) const {
    return block + j % columns * mine.block_stride;
  }

  void transpose(const Memory& mine, const Span& span, Index first, Index end) const {
    constexpr Index lanes = Vec<S>::lanes;
    for (Index c = round_down(first, lanes); c < end; c += lanes) {
      for (Index r = 0; r < span.count; r += lanes) {
        transpose_square(mine.strip.strip.at(r, c), Strip<S>::stride,
                         column(mine, mine.block, c) + r, mine.block_stride);
      }
    }
  }

  /// What keys [first, end) make of a tile's scores, into to_keys.
  template <class P>
  void ask_keys(const P& loss, const Memory& mine, const Span& span, Index first, Index end,
                typename P::Row* rows) const {
    constexpr Index lanes = Vec<S>::lanes;
    each_block(first, end, [&](Index begin, Index stop) {
      transpose(mine, span, begin, stop);
      for (Index j = begin; j < stop; ++j) {
        S* g = column(mine, mine.slopes, j);
        std::fill_n(g, mine.block_stride, S(0));
        const S* s =
            score_rows_.scores(column(mine, mine.block, j), span.count, mine.strip.buffers);
        pairs_.each_part(j, span.first, span.end(), [&](Index from, Index n) {
          const Index k = from - span.first;
          ask(loss, rows[j], j, from, n, s + k, g + k);
        });
      }
      for (Index c = round_down(begin, lanes); c < stop; c += lanes) {
        for (Index r = 0; r < span.count; r += lanes) {
          transpose_square(column(mine, mine.slopes, c) + r, mine.block_stride,
                           mine.to_keys.at(r, c), Strip<S>::stride);
        }
      }
    });
  }

  /// A tile's u with keys [first, end) become weights, in place: what scores mean to their
  /// queries, and from `below` on to their keys.
  template <class P>
  void weigh_tile(const P& loss, Memory& mine, const Span& span, Index first, Index below,
                  Index end, const BothRows<typename P::Row>& rows) const {
    ask_keys(loss, mine, span, below, end, rows.keys);
    if (first == end) return;
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      Gaps gaps(mine.strip.strip, r, first);
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        gaps.clear_until(from);
        S* u = mine.strip.strip.at(r, from);
        const S* s = scores(mine, r, from, n);
        S* g = mine.strip.buffers + stretch;
        ask(loss, rows.queries[i], i, from, n, s, g);
        if (from + n > below) {
          const Index seen = std::max(from, below);
          add(mine.to_keys.at(r, seen), from + n - seen, g + (seen - from));
        }
        mine.strip.weights[r] += score_rows_.weights(n, g, s, u);
        gaps.skip_to(from + n);
      });
      gaps.clear_until(end);
    }
  }

  /// The weights of a strip's rows among themselves, each row's as it sees the others: what the
  /// others see of it is added, so that a row's own gradient has all of both.
  void make_symmetric(Memory& mine, const Span& span) const {
    const Strip<S>& strip = mine.strip.strip;
    for (Index r = 0; r < span.count; ++r) {
      for (Index c = 0; c < r; ++c) {
        S& here = *strip.at(r, span.first + c);
        S& there = *strip.at(c, span.first + r);
        mine.strip.weights[r] += static_cast<double>(there);
        mine.strip.weights[c] += static_cast<double>(here);
        here = there = here + there;
      }
    }
  }

  void clear_padding(Memory& mine, const Span& span, Index end) const {
    if (end != keys_.rows) return;
    for (Index r = 0; r < span.count; ++r) {
      Gaps(mine.strip.strip, r, end).clear_until(round_up(end, Shape::rows));
    }
  }

  // ---- both sides together ---------------------------------------------------------------------

  /// Shows a tile's scores with keys [first, end), which lie in `range`, to both sides if they can
  /// share exponentials.
  template <class P>
  bool show_shared(const P& loss, Memory& mine, const Span& span, Index first, Index end,
                   const Range<S>& range, const BothRows<typename P::Row>& rows) const {
    if constexpr (can_share<P>) {
      if (!loss.shares_exponentials() || pairs_.exclusions.any()) return false;
      if (first == end) return true;
      const TileReference<S> reference(range, loss.rate());
      if (!reference.usable) return false;
      SharedTile<S, P>(loss, mine.strip.strip, span.first, span.count, first, end, mine.shared)
          .observe(reference.value, rows.queries, rows.keys);
      return true;
    }
    return false;
  }

  /// The same for weights.
  template <class P>
  bool weigh_shared(const P& loss, Memory& mine, const Span& span, Index first, Index end,
                    const BothRows<typename P::Row>& rows, const Sides& sides) const {
    if constexpr (can_share<P>) {
      if (!sides.usable || pairs_.exclusions.any()) return false;
      if (first == end) return true;
      const Range<S> queries = range_of(sides.queries->top + span.first, span.count);
      const Range<S> keys = range_of(sides.keys->top + first, end - first);
      const TileReference<S> reference({std::min(queries.smallest, keys.smallest), queries.largest},
                                       loss.rate());
      if (!reference.usable) return false;
      SharedTile<S, P> tile(loss, mine.strip.strip, span.first, span.count, first, end,
                            mine.shared);
      rows.queries[span.first].temperature +=
          tile.differentiate(reference.value, *sides.queries, *sides.keys, rows.queries, rows.keys);
      return true;
    }
    return false;
  }

  Scratch& scratch_;
  int threads_;
  bool same_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Pairs pairs_;
  StripProducts<S> products_;
  ScoreRows<S, K> score_rows_;
  Index height_;
  S* packed_;  ///< the queries, strip by strip
  Memory* memory_;
};

}  // namespace nearfar::detail
