#pragma once

#include "nearfar/tiles/extremes.hpp"
#include "nearfar/tiles/pairs.hpp"
#include "nearfar/tiles/row_loss.hpp"
#include "nearfar/tiles/strip.hpp"

/// \file
/// The walk over the score matrix of queries and keys. Forward: tiles of scores, each folded into
/// the statistics of its rows and forgotten. Forward and backward: strips of whole rows, shared out
/// to threads; once a strip's scores are complete its rows know their loss, the scores become
/// weights in place, and two products add the strip's share of both gradients. Strips add to the
/// keys' gradient in turn, tile by tile, so every sum has one order, at any number of threads.
///
/// Keys may come in parts, a walk for each: `observe` folds a part into statistics of rows that go
/// from part to part, and once they are closed `differentiate` takes the parts again; a loss whose
/// gradients do not wait for the statistics takes each part once. Where parts
/// are multiples of `part_grid` rows, every sum has the order that one part of all keys has.

namespace nearfar::detail {

/// Where a walk's keys are among all keys, when they are not all.
struct KeyPart {
  Index number = 0;  ///< what the loss knows the first of them by
  Index own = 0;     ///< with Pairing::others: query i is key i + own
};

/// Rows that strips and tiles both end with.
inline constexpr Index part_grid = stretch;

template <class S, Kernel K>
class Walk {
 public:
  using RowExtremes = Extremes<S, K>;

  /// Both sides must outlive the walk; the same object twice for a set compared with itself.
  /// Where there are exclusions, they are what is left out, and `pairing` is not asked.
  Walk(Scratch& scratch, int threads, const K& kernel, const PreparedRows<S>& queries,
       const PreparedRows<S>& keys, Pairing pairing = Pairing::all,
       const Exclusions& exclusions = {}, const KeyPart& part = {})
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        queries_(queries),
        keys_(keys),
        pairs_{pairing, exclusions, part.own},
        number_(part.number),
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys) {}

  /// The statistics of every row. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  typename P::Row* forward(const P& loss, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    if constexpr (can_be_in_place<P>) {
      // The same sums as with gradients, and so the same value to the last bit.
      RowGradients<S> none;
      if (loss.in_place()) return forward_backward(loss, none, none, diagnostics);
    }
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    show_all(
        loss, rows, extremes, [&](const Span& span) { start_rows(loss, span, rows, extremes); },
        [&](const Span& span) {
          for (Index i = span.first; i < span.end(); ++i) loss.close(rows[i], i);
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
    each_strip(StripProducts<S>::height(queries_.rows), dx, dy,
               [&](StripMemory<S>& mine, int, const Span& span, const Turn& turn,
                   StripGradients<S>& gradients) {
                 if constexpr (can_be_in_place<P>) {
                   if (loss.in_place()) {
                     finish_in_place(loss, mine, span, rows, extremes);
                     add_gradients(mine, span, turn, mine.factors, gradients);
                     return;
                   }
                 }
                 start_rows(loss, span, rows, extremes);
                 each_tile(span, [&](Index first, Index end) {
                   products_.score(mine.packed, span.count, first, end, mine.strip);
                   show_tile(loss, mine, span, first, end, rows, extremes);
                 });
                 for (Index i = span.first; i < span.end(); ++i) loss.close(rows[i], i);
                 each_tile(span, [&](Index first, Index end) {
                   weigh_tile(loss, mine, span, first, end, rows);
                 });
                 add_gradients(mine, span, turn, nullptr, gradients);
               });
    gather(extremes, diagnostics);
    return rows;
  }

  /// A part of the keys: folds its scores into rows that were started and not yet closed.
  template <RowLoss<S> P>
  void observe(const P& loss, typename P::Row* rows, RowExtremes* extremes) {
    const auto nothing = [](const Span&) {};
    show_all(loss, rows, extremes, nothing, nothing);
  }

  /// A part of the keys of closed rows: adds its share of the gradients to `dx` and `dy`, each
  /// where wanted, two different ones.
  template <RowLoss<S> P>
  void differentiate(const P& loss, typename P::Row* rows, RowGradients<S>& dx,
                     RowGradients<S>& dy) {
    weigh_all(loss, rows, dx, dy,
              [&](const StripMemory<S>& mine, const Span& span, Index first, Index end) {
                u_of_pairs(mine, span, first, end);
              });
  }

  /// Both at once.
  template <IndependentScoresLoss<S> P>
  void observe_and_differentiate(const P& loss, typename P::Row* rows, RowExtremes* extremes,
                                 RowGradients<S>& dx, RowGradients<S>& dy) {
    weigh_all(loss, rows, dx, dy,
              [&](const StripMemory<S>& mine, const Span& span, Index first, Index end) {
                show_tile(loss, mine, span, first, end, rows, extremes);
              });
  }

  /// Strips of whole rows for a loss that needs them; gradients where wanted, for none only the
  /// scores are computed. Pairs that do not count are the loss's affair here.
  template <WholeRowLoss<S> P>
  typename P::Row* whole_rows(const P& loss, RowGradients<S>& dx, RowGradients<S>& dy,
                              Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = scratch_.take<Row>(queries_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    const bool gradients_wanted = dx.wanted() || dy.wanted();
    // Without gradients no sum depends on the height.
    const Index height =
        gradients_wanted ? StripProducts<S>::height(queries_.rows) : 4 * Shape::rows;
    const Index length = round_up(keys_.rows, stretch);
    S* row_buffers = scratch_.take<S>(2 * Index(threads_) * length);

    each_strip(height, dx, dy,
               [&](StripMemory<S>& mine, int worker, const Span& span, const Turn& turn,
                   StripGradients<S>& gradients) {
                 each_tile(span, [&](Index first, Index end) {
                   products_.score(mine.packed, span.count, first, end, mine.strip);
                   u_of_tile(mine, span, first, end);
                 });
                 S* s = row_buffers + 2 * Index(worker) * length;
                 S* g = gradients_wanted ? s + length : nullptr;
                 for (Index r = 0; r < span.count; ++r) {
                   const Index i = span.first + r;
                   extremes[i] = RowExtremes();
                   each_tile(span, [&](Index first, Index end) {
                     const S* scores =
                         score_rows_.scores(mine.strip.at(r, first), end - first, s + first);
                     if (scores != s + first) std::copy_n(scores, end - first, s + first);
                     pairs_.each_part(i, first, end,
                                      [&](Index from, Index n) { extremes[i].fold(s + from, n); });
                   });
                   rows[i] = loss.row(i, worker, keys_.rows, s, g);
                   if (!gradients_wanted) continue;
                   each_tile(span, [&](Index first, Index end) {
                     mine.weights[r] += score_rows_.weights(end - first, g + first, s + first,
                                                            mine.strip.at(r, first));
                     Gaps(mine.strip, r, end).clear_until(padded_end(end));
                   });
                 }
                 add_gradients(mine, span, turn, nullptr, gradients);
               });
    gather(extremes, diagnostics);
    return rows;
  }

 private:
  using Shape = BlockShape<S>;

  template <class P>
  static constexpr bool can_be_in_place = InPlaceLoss<P, S>&& ScoreRows<S, K>::are_products;

  /// Queries of a strip, and the first key that any of them is compared with.
  struct Span {
    Index first;
    Index count;
    Index first_key;
    Index end() const { return first + count; }
  };

  bool shows_upper() const { return pairs_.pairing == Pairing::upper && !pairs_.exclusions.any(); }

  Span span_of(Index strip, Index height) const {
    const Index first = strip * height;
    return {first, std::min(height, queries_.rows - first), shows_upper() ? first : 0};
  }

  /// How many strips of whole rows may be at work together: as many as there are threads, unless
  /// they would take more memory than a multiple of what the rows and their gradients take.
  int strips_at_once(Index height) const {
    const Index strips =
        most_bytes_between(queries_, keys_) / StripMemory<S>::bytes(queries_, height, keys_.rows);
    const Index wanted = std::min<Index>(threads_, tasks_of(queries_.rows, height));
    return static_cast<int>(std::clamp<Index>(strips, 1, std::max<Index>(wanted, 1)));
  }

  /// body(memory, worker, span, turn, gradients) for each strip, with its queries packed and its
  /// sums zero.
  template <class Body>
  void each_strip(Index height, RowGradients<S>& dx, RowGradients<S>& dy, const Body& body) {
    if (dx.wanted()) products_.prepare_gradients();
    const Index strips = tasks_of(queries_.rows, height);
    const int workers = strips_at_once(height);
    auto* memory = StripMemory<S>::take(scratch_, workers, queries_, height, keys_.rows);
    StripGradients<S> gradients(scratch_, queries_, dx, dy, shows_upper());
    parallel_turns(strips, workers, scratch_.take<Index>(strips),
                   [&](Index t, int worker, const Turn& turn) {
                     StripMemory<S>& mine = memory[worker];
                     const Span span = span_of(t, height);
                     products_.pack_queries(span.first, span.count, mine.packed);
                     mine.strip.first = round_down(span.first_key, stretch);
                     std::fill_n(mine.weights, span.count, 0.0);
                     std::fill_n(mine.sums, height * queries_.stride, S(0));
                     body(mine, worker, span, turn, gradients);
                   });
    gradients.finish(threads_);
  }

  /// body(first, end) for the tiles of a strip.
  template <class Body>
  void each_tile(const Span& span, const Body& body) const {
    for (Index first = span.first_key; first < keys_.rows;) {
      const Index end = tile_end(first, keys_.rows);
      body(first, end);
      first = end;
    }
  }

  /// The strip's share of both gradients, tile by tile.
  void add_gradients(StripMemory<S>& mine, const Span& span, const Turn& turn, const S* factors,
                     StripGradients<S>& gradients) const {
    if (!gradients.wants_queries() && !gradients.wants_keys()) return;
    const S* rows = factors != nullptr && gradients.wants_keys()
                        ? mine.scaled_rows(queries_, span.first, span.count)
                        : queries_.row(span.first);
    each_tile(span, [&](Index first, Index end) {
      if (gradients.wants_queries()) {
        products_.add_query_gradients(mine.strip, span.count, first, end, mine.sums);
      }
      if (gradients.wants_keys()) {
        turn.wait_for(first / stretch);
        products_.add_key_gradients(mine.strip, rows, span.count, first, end, gradients.of_keys());
        turn.leave(first / stretch);
      }
    });
    if (gradients.wants_queries()) {
      gradients.add_rows(span.first, span.count, mine.sums, factors,
                         K::geometry == Geometry::squared_distance ? mine.weights : nullptr);
    }
  }

  template <class P>
  void start_rows(const P& loss, const Span& span, typename P::Row* rows,
                  RowExtremes* extremes) const {
    for (Index i = span.first; i < span.end(); ++i) {
      rows[i] = loss.start(i);
      extremes[i] = RowExtremes();
    }
  }

  /// Inner products of a tile to the kernel's u, pair by pair.
  void u_of_tile(const StripMemory<S>& mine, const Span& span, Index first, Index end) const {
    for (Index r = 0; r < span.count; ++r) {
      score_rows_.inner_products_to_u(span.first + r, first, end - first, mine.strip.at(r, first));
    }
  }

  /// The same of those pairs alone that count.
  void u_of_pairs(const StripMemory<S>& mine, const Span& span, Index first, Index end) const {
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        score_rows_.inner_products_to_u(i, from, n, mine.strip.at(r, from));
      });
    }
  }

  /// Shows the loss all scores, in strips that between `before(span)` and `after(span)` are one
  /// thread's.
  template <class P, class Before, class After>
  void show_all(const P& loss, typename P::Row* rows, RowExtremes* extremes, const Before& before,
                const After& after) {
    constexpr Index height = 8 * Shape::rows;
    auto* memory = StripMemory<S>::take(scratch_, threads_, queries_, height, stretch);
    parallel_tasks(tasks_of(queries_.rows, height), threads_, [&](Index t, int worker) {
      StripMemory<S>& mine = memory[worker];
      const Span span = span_of(t, height);
      products_.pack_queries(span.first, span.count, mine.packed);
      before(span);
      each_tile(span, [&](Index first, Index end) {
        mine.strip.first = round_down(first, stretch);
        products_.score(mine.packed, span.count, first, end, mine.strip);
        show_tile(loss, mine, span, first, end, rows, extremes);
      });
      after(span);
    });
  }

  /// Adds the gradients of closed rows, or of rows that need not be: tiles of scores, which
  /// look(memory, span, first, end) makes u of, become weights.
  template <class P, class Look>
  void weigh_all(const P& loss, typename P::Row* rows, RowGradients<S>& dx, RowGradients<S>& dy,
                 const Look& look) {
    if (dx.wanted()) products_.prepare_gradients();
    constexpr Index height = 96;  // whatever the number of rows: strips must end where parts do
    static_assert(part_grid % height == 0);
    const Index strips = tasks_of(queries_.rows, height);
    auto* memory = StripMemory<S>::take(scratch_, threads_, queries_, height, stretch);
    parallel_turns(strips, threads_, scratch_.take<Index>(strips),
                   [&](Index t, int worker, const Turn& turn) {
                     StripMemory<S>& mine = memory[worker];
                     const Span span = span_of(t, height);
                     products_.pack_queries(span.first, span.count, mine.packed);
                     // Sums go on where the parts before have left them.
                     const bool weighs = dx.wanted() && K::geometry == Geometry::squared_distance;
                     for (Index r = 0; r < span.count; ++r) {
                       mine.weights[r] = weighs ? -dx.weight[span.first + r] : 0;
                     }
                     each_tile(span, [&](Index first, Index end) {
                       mine.strip.first = first;
                       products_.score(mine.packed, span.count, first, end, mine.strip);
                       look(mine, span, first, end);
                       weigh_tile(loss, mine, span, first, end, rows);
                       if (dx.wanted()) {
                         products_.add_query_gradients(mine.strip, span.count, first, end,
                                                       dx.data + span.first * queries_.stride);
                       }
                       turn.wait_for(first / stretch);
                       if (dy.wanted()) {
                         products_.add_key_gradients(mine.strip, queries_.row(span.first),
                                                     span.count, first, end, dy);
                       }
                       turn.leave(first / stretch);
                     });
                     for (Index r = 0; weighs && r < span.count; ++r) {
                       dx.weight[span.first + r] = -mine.weights[r];
                     }
                   });
  }

  /// Inner products of a tile to u, and its scores to the loss.
  template <class P>
  void show_tile(const P& loss, const StripMemory<S>& mine, const Span& span, Index first,
                 Index end, typename P::Row* rows, RowExtremes* extremes) const {
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        S* u = mine.strip.at(r, from);
        score_rows_.inner_products_to_u(i, from, n, u);
        const S* s = score_rows_.scores(u, n, mine.buffers);
        show(loss, rows[i], i, number_ + from, n, s);
        extremes[i].fold(s, n);
      });
    }
  }

  /// Where blocks that end with key `end` do.
  Index padded_end(Index end) const { return end == keys_.rows ? round_up(end, Shape::rows) : end; }

  /// A tile's u become weights, in place, now that rows know their statistics.
  template <class P>
  void weigh_tile(const P& loss, StripMemory<S>& mine, const Span& span, Index first, Index end,
                  typename P::Row* rows) const {
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      Gaps gaps(mine.strip, r, first);
      pairs_.each_part(i, first, end, [&](Index from, Index n) {
        gaps.clear_until(from);
        S* u = mine.strip.at(r, from);
        const S* s = score_rows_.scores(u, n, mine.buffers);
        S* g = mine.buffers + stretch;
        ask(loss, rows[i], i, number_ + from, n, s, g);
        mine.weights[r] += score_rows_.weights(n, g, s, u);
        gaps.skip_to(from + n);
      });
      gaps.clear_until(padded_end(end));
    }
  }

  /// A strip of a loss whose weights are, but for rows' factors, what its scores become in place as
  /// they are seen.
  template <class P>
  void finish_in_place(const P& loss, StripMemory<S>& mine, const Span& span, typename P::Row* rows,
                       RowExtremes* extremes) const {
    for (Index i = span.first; i < span.end(); ++i) extremes[i] = RowExtremes();
    each_tile(span, [&](Index first, Index end) {
      products_.score(mine.packed, span.count, first, end, mine.strip);
      for (Index r = 0; r < span.count; ++r) {
        const Index i = span.first + r;
        pairs_.each_part(i, first, end, [&](Index from, Index n) {
          extremes[i].fold(ScoreRows<S, K>::products_to_scores(n, mine.strip.at(r, from)));
        });
      }
    });
    const auto score_of_row = [&](Index r) {
      return [this, &mine, r](Index j) -> S& { return *mine.strip.at(r, j - number_); };
    };
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      rows[i] = loss.open(i, extremes[i].largest, score_of_row(r));
    }
    // Tile by tile, as they lie in memory.
    each_tile(span, [&](Index first, Index end) {
      for (Index r = 0; r < span.count; ++r) {
        const Index i = span.first + r;
        Gaps gaps(mine.strip, r, first);
        pairs_.each_part(i, first, end, [&](Index from, Index n) {
          gaps.clear_until(from);
          loss.exponentiate(rows[i], i, number_ + from, n, mine.strip.at(r, from));
          gaps.skip_to(from + n);
        });
        gaps.clear_until(padded_end(end));
      }
    });
    for (Index r = 0; r < span.count; ++r) {
      const Index i = span.first + r;
      loss.close(rows[i], i);
      loss.settle(rows[i], i, score_of_row(r));
      mine.factors[r] = loss.factor(rows[i], i);
    }
  }

  void gather(const RowExtremes* extremes, Diagnostics& d) const {
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(d);
  }

  Scratch& scratch_;
  int threads_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Pairs pairs_;
  Index number_;
  StripProducts<S> products_;
  ScoreRows<S, K> score_rows_;
};

}  // namespace nearfar::detail
