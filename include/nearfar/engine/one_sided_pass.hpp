#pragma once

#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/engine/score_range.hpp"
#include "nearfar/engine/softmax_term.hpp"

/// \file
/// The score pass in which queries alone accumulate their scores. Forward: tiles of scores, each
/// folded into the statistics of its rows and forgotten. Forward and backward: panels of whole
/// rows, shared out to threads; once a panel's rows are closed its scores become weights in place,
/// and two products add the panel's share of both gradients. Panels add to the keys' gradient in a
/// pipeline, tile by tile, so every sum has one order, at any number of threads.
///
/// Keys may come in blocks, a pass for each: `accumulate` folds a block into rows that stay open,
/// and once they are closed `gradient` takes the blocks again; a term with a local gradient takes
/// each block once. Where blocks are multiples of `block_grid` rows, every sum has the order that
/// one block of all keys has.

namespace nearfar::detail {

/// The place of a pass's keys among all keys, when they are not all.
struct KeyBlockPlace {
  Index number = 0;  ///< of the first key, as the term counts
  Index own = 0;     ///< with Pairing::others: query i is key i + own
};

/// Rows that panels and tiles both end with.
inline constexpr Index block_grid = tile_width;

template <class S>
class OneSidedPass {
 public:
  /// All arguments must outlive the pass; the same object twice for a set compared with itself.
  OneSidedPass(Scratch& scratch, int threads, const KernelValue<S>& kernel,
               const PackedRows<S>& queries, const PackedRows<S>& keys,
               Pairing pairing = Pairing::all, const ExcludedPairs& excluded = {},
               const KeyBlockPlace& place = {})
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        queries_(queries),
        keys_(keys),
        mask_{pairing, excluded, place.own},
        number_(place.number),
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys) {}

  /// Closes every row of the term. `diagnostics` gets the range of the scores.
  void forward(RowTerm<S>& term, Diagnostics& diagnostics) {
    if (in_place(term)) {
      // The same sums as with gradients, and so the same value to the last bit.
      RowGradients<S> none;
      forward_backward(term, none, none, diagnostics);
      return;
    }
    ScoreRange<S>* ranges = take_ranges();
    each_short_panel([&](PanelMemory<S>& mine, const Block& block) {
      for (Index i = block.first; i < block.end(); ++i) term.start(i);
      accumulate_block(term, mine, block, ranges);
      for (Index i = block.first; i < block.end(); ++i) term.close(i);
    });
    gather(ranges, diagnostics);
  }

  /// As forward; and adds the gradients with respect to the packed rows (unscaled) to `dx` and
  /// `dy`, each where wanted. For a set compared with itself both may be the same.
  void forward_backward(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy,
                        Diagnostics& diagnostics) {
    ScoreRange<S>* ranges = take_ranges();
    each_panel(PanelProducts<S>::height(queries_.rows), dx, dy,
               [&](PanelMemory<S>& mine, int, const Block& block, const Ticket& ticket,
                   PanelGradients<S>& gradients) {
                 if (in_place(term)) {
                   replace_by_exponentials(*term.softmax(), mine, block, ranges);
                   const bool scaled = scale_weights(mine, block);
                   add_gradients(mine, block, ticket, scaled ? nullptr : mine.factors, gradients);
                   return;
                 }
                 for (Index i = block.first; i < block.end(); ++i) term.start(i);
                 each_tile_of(block, [&](Index first, Index end) {
                   products_.score(block.first, block.count, first, end, mine.panel);
                   accumulate_tile(term, mine, block, first, end, ranges);
                 });
                 for (Index i = block.first; i < block.end(); ++i) term.close(i);
                 each_tile_of(block, [&](Index first, Index end) {
                   weigh_tile(term, mine, block, first, end);
                 });
                 add_gradients(mine, block, ticket, nullptr, gradients);
               });
    gather(ranges, diagnostics);
  }

  /// A block of the keys: folds its scores into rows that were started and not yet closed, and
  /// into their ranges, one a query.
  void accumulate(RowTerm<S>& term, ScoreRange<S>* ranges) {
    each_short_panel([&](PanelMemory<S>& mine, const Block& block) {
      accumulate_block(term, mine, block, ranges);
    });
  }

  /// A block of the keys of closed rows: adds its share of the gradients to `dx` and `dy`, each
  /// where wanted, two different ones.
  void gradient(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy) {
    weigh_blocks(term, dx, dy,
                 [&](const PanelMemory<S>& mine, const Block& block, Index first, Index end) {
                   pairs_to_geometry(mine, block, first, end);
                 });
  }

  /// Both at once, for a term with a local gradient.
  void accumulate_and_gradient(RowTerm<S>& term, ScoreRange<S>* ranges, RowGradients<S>& dx,
                               RowGradients<S>& dy) {
    weigh_blocks(term, dx, dy,
                 [&](const PanelMemory<S>& mine, const Block& block, Index first, Index end) {
                   accumulate_tile(term, mine, block, first, end, ranges);
                 });
  }

  /// Whole rows for a miner; gradients where wanted, for none only the scores are computed. The
  /// miner masks pairs itself.
  void whole_rows(RowMiner<S>& miner, RowGradients<S>& dx, RowGradients<S>& dy,
                  Diagnostics& diagnostics) {
    ScoreRange<S>* ranges = take_ranges();
    const bool gradients_wanted = dx.wanted() || dy.wanted();
    // Without gradients no sum depends on the height.
    const Index height =
        gradients_wanted ? PanelProducts<S>::height(queries_.rows) : 4 * panel_rows;
    const Index length = round_up(keys_.rows, tile_width);
    S* row_buffers = scratch_.take<S>(2 * Index(threads_) * length);
    const bool distances = is_distance();

    each_panel(
        height, dx, dy,
        [&](PanelMemory<S>& mine, int worker, const Block& block, const Ticket& ticket,
            PanelGradients<S>& gradients) {
          each_tile_of(block, [&](Index first, Index end) {
            products_.score(block.first, block.count, first, end, mine.panel);
            for (Index r = 0; r < block.count; ++r) {
              score_rows_.products_to_geometry(block.first + r, first, end - first,
                                               mine.panel.at(r, first), mine.near_of(r, first));
            }
          });
          S* s = row_buffers + 2 * Index(worker) * length;
          S* g = gradients_wanted ? s + length : nullptr;
          for (Index r = 0; r < block.count; ++r) {
            const Index i = block.first + r;
            each_tile_of(block, [&](Index first, Index end) {
              const S* scores = score_rows_.scores(end - first, mine.panel.at(r, first), s + first);
              if (scores != s + first) std::copy_n(scores, end - first, s + first);
              mask_.each_part(i, first, end,
                              [&](Index from, Index n) { ranges[i].fold(distances, n, s + from); });
            });
            miner.row(i, worker, keys_.rows, s, g);
            if (!gradients_wanted) continue;
            each_tile_of(block, [&](Index first, Index end) {
              mine.weights[r] +=
                  score_rows_.weights(end - first, g + first, s + first, mine.panel.at(r, first),
                                      mine.near_of(r, first));
              MaskedZeros(mine.panel, r, end).clear_until(padded_end(end));
            });
          }
          add_gradients(mine, block, ticket, nullptr, gradients);
        });
    gather(ranges, diagnostics);
  }

 private:
  /// Queries of a panel, and the first key that any of them is compared with.
  struct Block {
    Index first;
    Index count;
    Index first_key;
    Index end() const { return first + count; }
  };

  bool is_distance() const { return score_rows_.kernel().orientation == Orientation::distance; }
  bool has_row_weights() const { return score_rows_.kernel().is_distance(); }

  bool in_place(RowTerm<S>& term) const {
    if (!score_rows_.kernel().scores_are_products()) return false;
    const SoftmaxTerm<S>* softmax = term.softmax();
    return softmax != nullptr && softmax->in_place();
  }

  ScoreRange<S>* take_ranges() {
    auto* ranges = scratch_.take<ScoreRange<S>>(queries_.rows);
    std::uninitialized_fill_n(ranges, queries_.rows, ScoreRange<S>());
    return ranges;
  }

  Block block_of(Index panel, Index height) const {
    const Index first = panel * height;
    return {first, std::min(height, queries_.rows - first), mask_.is_upper() ? first : 0};
  }

  template <class Body>
  void each_tile_of(const Block& block, const Body& body) const {
    each_tile(block.first_key, keys_.rows, body);
  }

  /// body(memory, worker, block, ticket, gradients) for each panel of whole rows.
  template <class Body>
  void each_panel(Index height, RowGradients<S>& dx, RowGradients<S>& dy, const Body& body) {
    if (dx.wanted()) products_.prepare_gradients();
    const Index panels = tasks_of(queries_.rows, height);
    const int workers =
        panels_at_once(queries_, keys_, PanelMemory<S>::bytes(queries_, height, keys_.rows),
                       std::min<Index>(threads_, panels));
    auto* memory = PanelMemory<S>::take(scratch_, workers, queries_, height, keys_.rows);
    PanelGradients<S> gradients(scratch_, queries_, dx, dy, mask_.is_upper());
    parallel_pipeline(panels, workers, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        PanelMemory<S>& mine = memory[worker];
                        const Block block = block_of(t, height);
                        mine.panel.first = round_down(block.first_key, tile_width);
                        mine.near.clear(0, block.count);
                        std::fill_n(mine.weights, block.count, 0.0);
                        body(mine, worker, block, ticket, gradients);
                      });
    gradients.finish(threads_);
  }

  /// body(memory, block) for panels of which one tile at a time is held.
  template <class Body>
  void each_short_panel(const Body& body) {
    constexpr Index height = 8 * panel_rows;
    auto* memory = PanelMemory<S>::take(scratch_, threads_, queries_, height, tile_width);
    parallel_tasks(tasks_of(queries_.rows, height), threads_, [&](Index t, int worker) {
      PanelMemory<S>& mine = memory[worker];
      const Block block = block_of(t, height);
      body(mine, block);
    });
  }

  void accumulate_block(RowTerm<S>& term, PanelMemory<S>& mine, const Block& block,
                        ScoreRange<S>* ranges) const {
    each_tile_of(block, [&](Index first, Index end) {
      mine.panel.first = round_down(first, tile_width);
      mine.near.clear(0, block.count);
      products_.score(block.first, block.count, first, end, mine.panel);
      accumulate_tile(term, mine, block, first, end, ranges);
    });
  }

  /// The panel's share of both gradients, tile by tile.
  void add_gradients(PanelMemory<S>& mine, const Block& block, const Ticket& ticket,
                     const S* factors, PanelGradients<S>& gradients) const {
    if (!gradients.wants_queries() && !gradients.wants_keys()) return;
    const S* rows = factors != nullptr && gradients.wants_keys()
                        ? mine.scaled_rows(queries_, block.first, block.count)
                        : queries_.row(block.first);
    const bool apart = factors != nullptr || gradients.shared();
    S* sums = nullptr;
    if (gradients.wants_queries()) sums = apart ? mine.sums : gradients.rows(block.first);
    if (apart) std::fill_n(mine.sums, round_up(block.count, panel_rows) * queries_.stride, S(0));
    each_tile_of(block, [&](Index first, Index end) {
      if (mine.any_near(block.count, first, end)) {
        if (gradients.wants_keys()) ticket.wait_for(first / tile_width);
        products_.add_near_gradients(mine.panel, mine.near, block.first, block.count, first, first,
                                     end, sums, gradients.of_keys());
      }
      if (sums != nullptr) {
        products_.add_query_gradients(mine.panel, block.count, first, end, sums);
      }
      if (gradients.wants_keys()) {
        ticket.wait_for(first / tile_width);
        products_.add_key_gradients(mine.panel, rows, block.count, first, end, gradients.of_keys());
        ticket.leave(first / tile_width);
      }
    });
    if (sums == nullptr) return;
    if (apart) gradients.add_rows(block.first, block.count, sums, factors);
    if (has_row_weights()) gradients.take_weights(block.first, block.count, mine.weights);
  }

  /// Inner products of the pairs of a tile that count to geometry values.
  void pairs_to_geometry(const PanelMemory<S>& mine, const Block& block, Index first,
                         Index end) const {
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        score_rows_.products_to_geometry(i, from, n, mine.panel.at(r, from), mine.near_of(r, from));
      });
    }
  }

  /// Adds the gradients of closed rows, or of rows that need not be closed: tiles of scores, which
  /// to_geometry(memory, block, first, end) makes geometry values of, become weights.
  template <class ToGeometry>
  void weigh_blocks(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy,
                    const ToGeometry& to_geometry) {
    if (dx.wanted()) products_.prepare_gradients();
    constexpr Index height = 96;  // whatever the number of rows: panels must end where blocks do
    static_assert(block_grid % height == 0);
    const Index panels = tasks_of(queries_.rows, height);
    auto* memory = PanelMemory<S>::take(scratch_, threads_, queries_, height, tile_width);
    parallel_pipeline(panels, threads_, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        PanelMemory<S>& mine = memory[worker];
                        const Block block = block_of(t, height);
                        // Sums go on where the blocks before have left them.
                        const bool weighs = dx.wanted() && has_row_weights();
                        for (Index r = 0; r < block.count; ++r) {
                          mine.weights[r] = weighs ? -dx.weight[block.first + r] : 0;
                        }
                        each_tile_of(block, [&](Index first, Index end) {
                          mine.panel.first = first;
                          mine.near.clear(0, block.count);
                          products_.score(block.first, block.count, first, end, mine.panel);
                          to_geometry(mine, block, first, end);
                          weigh_tile(term, mine, block, first, end);
                          S* sums = dx.wanted() ? dx.data + block.first * queries_.stride : nullptr;
                          if (mine.any_near(block.count, first, end)) {
                            ticket.wait_for(first / tile_width);
                            products_.add_near_gradients(mine.panel, mine.near, block.first,
                                                         block.count, first, first, end, sums, dy);
                          }
                          if (dx.wanted()) {
                            products_.add_query_gradients(mine.panel, block.count, first, end,
                                                          sums);
                          }
                          ticket.wait_for(first / tile_width);
                          if (dy.wanted()) {
                            products_.add_key_gradients(mine.panel, queries_.row(block.first),
                                                        block.count, first, end, dy);
                          }
                          ticket.leave(first / tile_width);
                        });
                        for (Index r = 0; weighs && r < block.count; ++r) {
                          dx.weight[block.first + r] = -mine.weights[r];
                        }
                      });
  }

  /// Inner products of a tile to geometry values, and its scores to the term.
  void accumulate_tile(RowTerm<S>& term, const PanelMemory<S>& mine, const Block& block,
                       Index first, Index end, ScoreRange<S>* ranges) const {
    const bool distances = is_distance();
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        S* u = mine.panel.at(r, from);
        score_rows_.products_to_geometry(i, from, n, u, mine.near_of(r, from));
        const S* s = score_rows_.scores(n, u, mine.buffers);
        term.accumulate(i, number_ + from, n, s);
        ranges[i].fold(distances, n, s);
      });
    }
  }

  /// Where blocks that end with key `end` do.
  Index padded_end(Index end) const { return end == keys_.rows ? round_up(end, panel_rows) : end; }

  /// A tile's geometry values become weights, in place.
  void weigh_tile(RowTerm<S>& term, PanelMemory<S>& mine, const Block& block, Index first,
                  Index end) const {
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      MaskedZeros masked(mine.panel, r, first);
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        masked.clear_until(from);
        S* u = mine.panel.at(r, from);
        const S* s = score_rows_.scores(n, u, mine.buffers);
        S* g = mine.buffers + tile_width;
        term.gradient(i, number_ + from, n, s, g);
        mine.weights[r] += score_rows_.weights(n, g, s, u, mine.near_of(r, from));
        masked.skip_to(from + n);
      });
      masked.clear_until(padded_end(end));
    }
  }

  /// A panel of a softmax term: scores become exponentials in place, which are the weights but for
  /// the rows' factors.
  void replace_by_exponentials(SoftmaxTerm<S>& term, PanelMemory<S>& mine, const Block& block,
                               ScoreRange<S>* ranges) const {
    each_tile_of(block, [&](Index first, Index end) {
      products_.score(block.first, block.count, first, end, mine.panel);
      for (Index r = 0; r < block.count; ++r) {
        const Index i = block.first + r;
        mask_.each_part(i, first, end, [&](Index from, Index n) {
          ranges[i].fold(score_rows_.products_to_scores(n, mine.panel.at(r, from)));
        });
      }
    });
    const auto positive_at = [&](Index r) -> S* {
      const Index column = term.positive_of(block.first + r);
      return column != no_column ? mine.panel.at(r, column - number_) : nullptr;
    };
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      S* positive = positive_at(r);
      S largest = ranges[i].largest;
      if (positive != nullptr && *positive == largest && lies_far_apart(ranges[i], term.rate())) {
        largest = largest_but(*positive, mine, r, block);
      }
      term.begin(i, largest, positive != nullptr ? *positive : S(0));
    }
    // Tile by tile, as they lie in memory.
    each_tile_of(block, [&](Index first, Index end) {
      for (Index r = 0; r < block.count; ++r) {
        const Index i = block.first + r;
        MaskedZeros masked(mine.panel, r, first);
        mask_.each_part(i, first, end, [&](Index from, Index n) {
          masked.clear_until(from);
          term.exponentiate(i, number_ + from, n, mine.panel.at(r, from));
          masked.skip_to(from + n);
        });
        masked.clear_until(padded_end(end));
      }
    });
    for (Index r = 0; r < block.count; ++r) {
      const InPlaceRow<S> row = term.finalise(block.first + r);
      mine.factors[r] = row.factor;
      S* positive = positive_at(r);
      if (positive != nullptr) *positive = row.positive;
    }
  }

  /// Multiplies exponentials by their rows' factors if that is less work than it is to multiply the
  /// rows and their gradients. Depends on sizes only.
  bool scale_weights(PanelMemory<S>& mine, const Block& block) const {
    if (keys_.rows > queries_.depth) return false;
    each_tile_of(block, [&](Index first, Index end) {
      for (Index r = 0; r < block.count; ++r) {
        S* const row = mine.panel.at(r, first);
        row_loops<S>().scale(end - first, mine.factors[r], row, row);
      }
    });
    return true;
  }

  /// Whether an exponential relative to the largest of these scores may be too small for S.
  static bool lies_far_apart(const ScoreRange<S>& range, S rate) {
    constexpr double farthest = sizeof(S) == sizeof(float) ? 90 : 900;  // exponents of two
    return (static_cast<double>(range.largest) - static_cast<double>(range.smallest)) *
               static_cast<double>(rate) >
           farthest;
  }

  /// The largest score of a panel's row without `one` of them, which is not the only one.
  S largest_but(S& one, const PanelMemory<S>& mine, Index r, const Block& block) const {
    const S kept = one;
    one = std::numeric_limits<S>::lowest();
    ScoreRange<S> range;
    each_tile_of(block, [&](Index first, Index end) {
      mask_.each_part(block.first + r, first, end, [&](Index from, Index n) {
        range.fold(score_loops<S>().range(n, mine.panel.at(r, from)));
      });
    });
    one = kept;
    return range.largest;
  }

  void gather(const ScoreRange<S>* ranges, Diagnostics& d) const {
    score_rows_.check_overflow();
    for (Index i = 0; i < queries_.rows; ++i) ranges[i].add_to(d);
  }

  Scratch& scratch_;
  int threads_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  PairMask mask_;
  Index number_;
  PanelProducts<S> products_;
  ScoreRows<S> score_rows_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class OneSidedPass<float>;
extern template class OneSidedPass<double>;
#endif

}  // namespace nearfar::detail
