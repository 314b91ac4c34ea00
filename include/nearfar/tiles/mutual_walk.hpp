#pragma once

#include "nearfar/tiles/extremes.hpp"
#include "nearfar/tiles/pairs.hpp"
#include "nearfar/tiles/row_loss.hpp"
#include "nearfar/tiles/strip.hpp"

/// \file
/// The walk that shows each score to both sides: to its query and to its key. A strip's queries see
/// it as it is; the keys see its columns, transposed. Gradients need the statistics of both: they
/// take a second pass, in which a score's weight is the sum of what it means to either.
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
      : threads_(threads),
        same_(&queries == &keys),
        queries_(queries),
        keys_(keys),
        pairs_{same_ ? Pairing::others : Pairing::all, exclusions},
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys),
        // A strip is transposed in whole squares of vectors.
        height_(round_up(products_.height(), Vec<S>::lanes)),
        block_stride_(height_ + 64 / Index(sizeof(S))),
        block_size_(columns * block_stride_),
        scratch_(scratch) {
    const Index workers = std::max(1, threads_);
    packed_ = scratch.take<S>(height_ * keys_.depth);
    scores_ = take_strip();
    blocks_ = scratch.take<S>(workers * block_size_);
    buffers_ = scratch.take<S>(2 * workers * stretch);
  }

  /// The statistics of every query and key. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  BothRows<typename P::Row> forward(const P& loss, Diagnostics& diagnostics) {
    using Row = typename P::Row;
    Row* rows = start<Row>(loss, queries_.rows);
    Row* seen_by_keys = same_ ? rows : start<Row>(loss, keys_.rows);
    RowExtremes* extremes = scratch_.take<RowExtremes>(queries_.rows);
    each_span([&](const Span& span) {
      each_block(span, [&](Index first, Index end, int worker) {
        const Index begin = std::clamp(span.below, first, end);
        S* block = blocks_ + worker * block_size_;
        transpose(span, first, begin, end, block);
        for (Index j = begin; j < end; ++j) {
          const S* s =
              score_rows_.scores(block + (j - first) * block_stride_, span.count(), buffer(worker));
          pairs_.each_part(j, span.first, span.end, [&](Index from, Index n) {
            show(loss, seen_by_keys[j], j, from, n, s + (from - span.first));
          });
        }
      });
      parallel_tasks(span.count(), threads_, [&](Index r, int worker) {
        const Index i = span.first + r;
        extremes[i] = RowExtremes();
        const auto see = [&](Index begin, Index end, Index pairs) {
          each_stretch(i, begin, end, [&](Index from, Index n) {
            const S* s = score_rows_.scores(scores_.at(r, from), n, buffer(worker));
            show(loss, rows[i], i, from, n, s);
            extremes[i].fold(s, n, pairs);
          });
        };
        see(span.begin, span.below, 1);
        see(span.below, keys_.rows, same_ ? 2 : 1);  // i with j, and j with i
        loss.close(rows[i], i);
      });
    });
    for (Index j = 0; j < keys_.rows && !same_; ++j) loss.close(seen_by_keys[j], j);
    for (Index i = 0; i < queries_.rows; ++i) extremes[i].add_to(diagnostics);
    return {rows, seen_by_keys};
  }

  /// As forward; and adds the gradients with respect to the prepared rows (unscaled) to `dx` and
  /// `dy`, each where wanted; the same for rows with themselves.
  template <RowLoss<S> P>
  BothRows<typename P::Row> forward_backward(const P& loss, RowGradients<S>& dx,
                                             RowGradients<S>& dy, Diagnostics& diagnostics) {
    const BothRows<typename P::Row> rows = forward(loss, diagnostics);
    // What scores mean to their keys, where the scores are.
    const Strip<S> to_keys = take_strip();
    S* slopes = scratch_.take<S>(Index(std::max(1, threads_)) * block_size_);
    each_span([&](const Span& span) {
      each_block(span, [&](Index first, Index end, int worker) {
        const Index begin = std::clamp(span.below, first, end);
        S* block = blocks_ + worker * block_size_;
        S* g = slopes + worker * block_size_;
        transpose(span, first, begin, end, block);
        std::fill_n(g, block_size_, S(0));
        for (Index j = begin; j < end; ++j) {
          const Index at = (j - first) * block_stride_;
          const S* s = score_rows_.scores(block + at, span.count(), buffer(worker));
          pairs_.each_part(j, span.first, span.end, [&](Index from, Index n) {
            const Index k = from - span.first;
            ask(loss, rows.keys[j], j, from, n, s + k, g + at + k);
          });
        }
        transpose_back(span, first, end, g, to_keys);
      });
      parallel_tasks(span.count(), threads_, [&](Index r, int worker) {
        weigh_row(loss, span, r, to_keys, rows.queries[span.first + r], dx, buffer(worker));
      });
      if (dx.wanted()) {
        products_.add_query_gradients(scores_, span.first, span.count(), span.first_key, dx);
      }
      if (dy.wanted()) {
        products_.add_key_gradients(scores_, span.first, span.count(), span.first_key, dy);
      }
    });
    return rows;
  }

 private:
  using Shape = BlockShape<S>;
  using RowExtremes = Extremes<S, K>;

  /// Columns a task takes: whole panels and whole vectors, for every instruction set.
  static constexpr Index columns = 64;
  static_assert(columns % Shape::cols == 0 && keys_per_step % columns == 0 &&
                columns % Vec<S>::lanes == 0);

  /// Queries [first, end) of a strip. Of its columns they have not seen those from `begin` on, and
  /// the keys from `below` on are shown theirs; products start with first_key, a whole task.
  struct Span {
    Index first;
    Index end;
    Index begin;
    Index below;
    Index first_key;
    Index count() const { return end - first; }
  };

  template <class Row, class P>
  Row* start(const P& loss, Index count) {
    Row* rows = scratch_.take<Row>(count);
    for (Index i = 0; i < count; ++i) rows[i] = loss.start(i);
    return rows;
  }

  Strip<S> take_strip() { return {scratch_.take<S>(Strip<S>::size(height_, keys_.rows)), height_}; }

  /// Two rows of scores of a worker's own.
  S* buffer(int worker) const { return buffers_ + 2 * Index(worker) * stretch; }

  template <class Body>
  void each_span(const Body& body) const {
    for (Index first = 0; first < queries_.rows; first += height_) {
      const Index end = std::min(first + height_, queries_.rows);
      const Span span = same_ ? Span{first, end, first, end, round_down(first, keys_per_step)}
                              : Span{first, end, 0, 0, 0};
      products_.pack_queries(span.first, span.count(), packed_);
      body(span);
    }
  }

  /// body(first, end, worker) for blocks of columns whose scores are complete.
  template <class Body>
  void each_block(const Span& span, const Body& body) const {
    parallel_tasks(tasks_of(keys_.rows - span.first_key, columns), threads_,
                   [&](Index t, int worker) {
                     const Index first = span.first_key + t * columns;
                     const Index end = std::min(first + columns, keys_.rows);
                     products_.score(packed_, tasks_of(span.count(), Shape::rows), first, end,
                                     scores_.at(0, first));
                     for (Index r = 0; r < span.count(); ++r) {
                       score_rows_.inner_products_to_u(span.first + r, first, end - first,
                                                       scores_.at(r, first));
                     }
                     body(first, end, worker);
                   });
  }

  /// Columns [begin, end) of the span's scores as rows of `block`, which starts with column first.
  void transpose(const Span& span, Index first, Index begin, Index end, S* block) const {
    constexpr Index lanes = Vec<S>::lanes;
    for (Index c = round_down(begin - first, lanes); c < end - first; c += lanes) {
      for (Index r = 0; r < span.count(); r += lanes) {
        transpose_square(scores_.at(r, first + c), scores_.stride, block + c * block_stride_ + r,
                         block_stride_);
      }
    }
  }

  void transpose_back(const Span& span, Index first, Index end, const S* block,
                      const Strip<S>& to) const {
    constexpr Index lanes = Vec<S>::lanes;
    for (Index c = 0; c < end - first; c += lanes) {
      for (Index r = 0; r < span.count(); r += lanes) {
        transpose_square(block + c * block_stride_ + r, block_stride_, to.at(r, first + c),
                         to.stride);
      }
    }
  }

  /// body(from, n) for the stretches of columns [first, last) that row i is compared with.
  template <class Body>
  void each_stretch(Index i, Index first, Index last, const Body& body) const {
    while (first < last) {
      const Index end = std::min(round_down(first, stretch) + stretch, last);
      pairs_.each_part(i, first, end, body);
      first = end;
    }
  }

  /// The strip's row r: its scores become weights, in place.
  template <class P>
  void weigh_row(const P& loss, const Span& span, Index r, const Strip<S>& to_keys,
                 typename P::Row& row, RowGradients<S>& dx, S* buffer) const {
    const Index i = span.first + r;
    double weight_sum = 0;
    Index done = span.first_key;
    // Pairs that do not count, and the padding, weigh nothing.
    const auto clear_until = [&](Index end) {
      while (done < end) {
        const Index n = std::min(end, round_down(done, stretch) + stretch) - done;
        std::fill_n(scores_.at(r, done), n, S(0));
        done += n;
      }
    };
    each_stretch(i, span.begin, keys_.rows, [&](Index from, Index n) {
      clear_until(from);
      S* u = scores_.at(r, from);
      const S* s = score_rows_.scores(u, n, buffer);
      S* g = buffer + stretch;
      ask(loss, row, i, from, n, s, g);
      const S* other = to_keys.at(r, from);
      each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
        store(g + j, load<T>(g + j) + load<T>(other + j));
      });
      weight_sum += score_rows_.weights(n, g, s, u);
      done = from + n;
    });
    clear_until(round_up(keys_.rows, keys_per_task));
    if (K::geometry == Geometry::squared_distance && dx.wanted()) dx.weight[i] -= weight_sum;
  }

  int threads_;
  bool same_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Pairs pairs_;
  StripProducts<S> products_;
  ScoreRows<S, K> score_rows_;
  Index height_;
  Index block_stride_;
  Index block_size_;
  Scratch& scratch_;
  S* packed_;
  Strip<S> scores_;
  S* blocks_;
  S* buffers_;
};

}  // namespace nearfar::detail
