#pragma once

#include "nearfar/core/compiled_once.hpp"
#include "nearfar/engine/kept_scores.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_tiles.hpp"
#include "nearfar/engine/softmax_term.hpp"

/// \file
/// The score pass in which queries alone accumulate their scores. Forward, it computes tiles of
/// scores; each is added to the statistics of its rows and discarded. Forward and backward, threads
/// take panels of whole rows. When a panel's rows are closed, its scores become weights in place,
/// and two products add the panel's share of both gradients. Panels add to the keys' gradient in a
/// pipeline, tile by tile, so every sum has one order at any number of threads.
///
/// Keys may come in blocks, a pass for each: `accumulate` adds a block to open rows; after they are
/// closed, `gradient` takes the blocks again. A term with a local gradient takes each block once.
/// If blocks are multiples of `block_grid` rows, every sum has the order of one block of all keys.

namespace nearfar::detail {

/// The position of a pass's keys among all keys.
struct KeyBlockPlace {
  Index number = 0;         ///< of the first key, in the term's numbers
  Index own = 0;            ///< with Pairing::others: query i is key i + own
  OwnColumns without = {};  ///< keys that their queries are not compared with
};

/// A number of rows at which both a panel and a tile end.
inline constexpr Index block_grid = tile_width;

/// Rows of the panels that add gradients of blocks, for any number of rows: panels must end where
/// blocks do.
inline constexpr Index block_height = 96;
static_assert(block_grid % block_height == 0);

template <class S>
class OneSidedPass {
 public:
  /// All arguments must outlive the pass. Pass the same object twice for a set compared with
  /// itself.
  NEARFAR_COMPILED_ONCE OneSidedPass(Scratch& scratch, int threads, const KernelValue<S>& kernel,
                                     const PackedRows<S>& queries, const PackedRows<S>& keys,
                                     Pairing pairing = Pairing::all,
                                     const ExcludedPairs& excluded = {},
                                     const KeyBlockPlace& place = {})
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        queries_(queries),
        keys_(keys),
        number_(place.number),
        tiles_(scratch, threads, kernel, queries, keys,
               {pairing, excluded, place.own, place.without}) {}

  /// Closes every row of the term. Adds the range of the scores to `diagnostics`.
  NEARFAR_COMPILED_ONCE void forward(RowTerm<S>& term, Diagnostics& diagnostics) {
    if (in_place(term)) {
      // The same sums as with gradients, and thus a value of the same bits.
      RowGradients<S> none;
      forward_backward(term, none, none, diagnostics);
      return;
    }
    ScoreRange<S>* ranges = take_ranges<S>(scratch_, queries_.rows);
    each_short_panel({}, [&](PanelMemory<S>& mine, const PanelQueries& block, bool) {
      for (Index i = block.first; i < block.end(); ++i) term.start(i);
      accumulate_block(term, mine, block, false, ranges);
      for (Index i = block.first; i < block.end(); ++i) term.close(i);
    });
    tiles_.gather(ranges, diagnostics);
  }

  /// Like forward; also adds the gradients with respect to the packed rows (unscaled) to `dx` and
  /// `dy`, each if wanted. For a set compared with itself both may be the same.
  NEARFAR_COMPILED_ONCE void forward_backward(RowTerm<S>& term, RowGradients<S>& dx,
                                              RowGradients<S>& dy, Diagnostics& diagnostics) {
    ScoreRange<S>* ranges = take_ranges<S>(scratch_, queries_.rows);
    each_panel(
        PanelProducts<S>::height(queries_.rows), dx, dy,
        [&](PanelMemory<S>& mine, int, const PanelQueries& block, const Ticket& ticket,
            PanelGradients<S>& gradients) {
          if (in_place(term)) {
            replace_by_exponentials(*term.softmax(), mine, block, ranges);
            const bool scaled = scale_weights(mine, block);
            tiles_.add_gradients(mine, block, ticket, scaled ? nullptr : mine.factors, gradients);
            return;
          }
          for (Index i = block.first; i < block.end(); ++i) term.start(i);
          tiles_.each_tile_of(block, [&](Index first, Index end) {
            tiles_.multiply(mine.panel, block, first, end);
            accumulate_tile(term, mine, block, first, end, ranges);
          });
          for (Index i = block.first; i < block.end(); ++i) term.close(i);
          tiles_.each_tile_of(
              block, [&](Index first, Index end) { weigh_tile(term, mine, block, first, end); });
          tiles_.add_gradients(mine, block, ticket, nullptr, gradients);
        });
    tiles_.gather(ranges, diagnostics);
  }

  /// Memory for scores of panels of `queries` with a block of keys, see `keep_scores`.
  static KeptScores<S> keep_scores(Scratch& scratch, Index& bytes, Index queries, Index keys,
                                   bool distances) {
    return detail::keep_scores<S>(scratch, bytes, queries, keys, block_height, distances);
  }

  /// Adds the scores of a block of keys to open rows, and to their ranges, one a query. Keeps those
  /// of the first panels for `gradient`.
  NEARFAR_COMPILED_ONCE void accumulate(RowTerm<S>& term, ScoreRange<S>* ranges,
                                        const KeptScores<S>& kept = {}) {
    each_short_panel(kept, [&](PanelMemory<S>& mine, const PanelQueries& block, bool keeps) {
      accumulate_block(term, mine, block, keeps, ranges);
    });
  }

  /// Adds the share of a block of keys to the gradients `dx` and `dy`, each if wanted, two
  /// different ones. Rows are closed. Scores that were kept become weights.
  NEARFAR_COMPILED_ONCE void gradient(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy,
                                      const KeptScores<S>& kept = {}) {
    weigh_blocks(term, dx, dy, kept,
                 [&](const PanelMemory<S>& mine, const PanelQueries& block, Index first,
                     Index end) { tiles_.to_geometry(mine, block, first, end); });
  }

  /// Both in one step, for a term with a local gradient.
  NEARFAR_COMPILED_ONCE void accumulate_and_gradient(RowTerm<S>& term, ScoreRange<S>* ranges,
                                                     RowGradients<S>& dx, RowGradients<S>& dy) {
    weigh_blocks(term, dx, dy, {},
                 [&](const PanelMemory<S>& mine, const PanelQueries& block, Index first,
                     Index end) { accumulate_tile(term, mine, block, first, end, ranges); });
  }

  /// Passes whole rows to a miner, with gradients if wanted. The miner masks pairs itself.
  NEARFAR_COMPILED_ONCE void whole_rows(RowMiner<S>& miner, RowGradients<S>& dx,
                                        RowGradients<S>& dy, Diagnostics& diagnostics) {
    ScoreRange<S>* ranges = take_ranges<S>(scratch_, queries_.rows);
    const bool gradients_wanted = dx.wanted() || dy.wanted();
    // Without gradients no sum depends on the height.
    const Index height =
        gradients_wanted ? PanelProducts<S>::height(queries_.rows) : 4 * panel_rows;
    const Index length = round_up(keys_.rows, tile_width);
    S* row_buffers = scratch_.take<S>(2 * Index(threads_) * length);
    const bool distances = tiles_.is_distance();

    each_panel(height, dx, dy,
               [&](PanelMemory<S>& mine, int worker, const PanelQueries& block,
                   const Ticket& ticket, PanelGradients<S>& gradients) {
                 tiles_.each_tile_of(block, [&](Index first, Index end) {
                   tiles_.multiply(mine.panel, block, first, end);
                   for (Index r = 0; r < block.count; ++r) {
                     tiles_.score_rows().products_to_geometry(worker, block.first + r, first,
                                                              end - first, mine.panel.at(r, first),
                                                              mine.near_of(r, first));
                   }
                 });
                 S* s = row_buffers + 2 * Index(worker) * length;
                 S* g = gradients_wanted ? s + length : nullptr;
                 for (Index r = 0; r < block.count; ++r) {
                   const Index i = block.first + r;
                   tiles_.each_tile_of(block, [&](Index first, Index end) {
                     const S* scores = tiles_.score_rows().scores(
                         end - first, mine.panel.at(r, first), s + first);
                     if (scores != s + first) std::copy_n(scores, end - first, s + first);
                     tiles_.mask().each_part(i, first, end, [&](Index from, Index n) {
                       ranges[i].fold(distances, n, s + from);
                     });
                   });
                   miner.row(i, worker, keys_.rows, s, g);
                   if (!gradients_wanted) continue;
                   tiles_.each_tile_of(block, [&](Index first, Index end) {
                     mine.weights[r] += tiles_.score_rows().weights(
                         end - first, g + first, s + first, mine.panel.at(r, first),
                         mine.near_of(r, first));
                     MaskedZeros(mine.panel, r, end).clear_until(tiles_.padded_end(end));
                   });
                 }
                 tiles_.add_gradients(mine, block, ticket, nullptr, gradients);
               });
    tiles_.gather(ranges, diagnostics);
  }

 private:
  bool in_place(RowTerm<S>& term) const {
    if (!tiles_.score_rows().kernel().scores_are_products()) return false;
    const SoftmaxTerm<S>* softmax = term.softmax();
    return softmax != nullptr && softmax->in_place();
  }

  /// Calls body(memory, worker, block, ticket, gradients) for each panel of whole rows.
  template <class Body>
  void each_panel(Index height, RowGradients<S>& dx, RowGradients<S>& dy, const Body& body) {
    tiles_.prepare_gradients(dx.wanted(), dy.wanted());
    const Index panels = tasks_of(queries_.rows, height);
    const int workers =
        panels_at_once(queries_, keys_, PanelMemory<S>::bytes(queries_, height, keys_.rows),
                       std::min<Index>(threads_, panels));
    auto* memory = PanelMemory<S>::take(scratch_, workers, queries_, height, keys_.rows);
    PanelGradients<S> gradients(scratch_, queries_, dx, dy, tiles_.mask().is_upper());
    parallel_pipeline(panels, workers, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        PanelMemory<S>& mine = memory[worker];
                        const PanelQueries block = tiles_.panel(t, height);
                        mine.panel.first = round_down(block.first_key, tile_width);
                        mine.near.clear(0, block.count);
                        std::fill_n(mine.weights, block.count, 0.0);
                        body(mine, worker, block, ticket, gradients);
                      });
    gradients.finish(threads_);
  }

  /// The memory of a thread for panel t: of one tile, or that of the panel's kept scores.
  static PanelMemory<S> memory_of(PanelMemory<S> mine, const KeptScores<S>& kept, Index t) {
    if (!kept.has(t)) return mine;
    mine.panel = kept.panels[t].panel;
    mine.near = kept.panels[t].near;
    return mine;
  }

  /// Calls body(memory, block, keeps) for panels in memory for one tile, or for scores that are
  /// kept.
  template <class Body>
  void each_short_panel(const KeptScores<S>& kept, const Body& body) {
    const Index height = kept.count > 0 ? block_height : 8 * panel_rows;
    auto* memory = PanelMemory<S>::take(scratch_, threads_, queries_, height, tile_width);
    parallel_tasks(tasks_of(queries_.rows, height), threads_, [&](Index t, int worker) {
      PanelMemory<S> mine = memory_of(memory[worker], kept, t);
      const PanelQueries block = tiles_.panel(t, height);
      body(mine, block, kept.has(t));
    });
  }

  void accumulate_block(RowTerm<S>& term, PanelMemory<S>& mine, const PanelQueries& block,
                        bool keeps, ScoreRange<S>* ranges) const {
    if (keeps) mine.near.clear(0, block.count);
    tiles_.each_tile_of(block, [&](Index first, Index end) {
      if (!keeps) {
        mine.panel.first = round_down(first, tile_width);
        mine.near.clear(0, block.count);
      }
      tiles_.multiply(mine.panel, block, first, end);
      accumulate_tile(term, mine, block, first, end, ranges);
    });
  }

  /// Adds the gradients of closed rows, or of rows that need not be closed. to_geometry(memory,
  /// block, first, end) turns a tile of products into geometry values, which then become weights;
  /// kept scores are such values.
  template <class ToGeometry>
  void weigh_blocks(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy,
                    const KeptScores<S>& kept, const ToGeometry& to_geometry) {
    tiles_.prepare_gradients(dx.wanted(), dy.wanted());
    constexpr Index height = block_height;
    const Index panels = tasks_of(queries_.rows, height);
    auto* memory = PanelMemory<S>::take(scratch_, threads_, queries_, height, tile_width);
    parallel_pipeline(panels, threads_, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        PanelMemory<S> mine = memory_of(memory[worker], kept, t);
                        const PanelQueries block = tiles_.panel(t, height);
                        // Sums continue from the blocks before.
                        const bool weighs = dx.wanted() && tiles_.has_row_weights();
                        for (Index r = 0; r < block.count; ++r) {
                          mine.weights[r] = weighs ? -dx.weight[block.first + r] : 0;
                        }
                        tiles_.each_tile_of(block, [&](Index first, Index end) {
                          if (!kept.has(t)) {
                            mine.panel.first = first;
                            mine.near.clear(0, block.count);
                            tiles_.multiply(mine.panel, block, first, end);
                            to_geometry(mine, block, first, end);
                          }
                          weigh_tile(term, mine, block, first, end);
                          S* sums = dx.wanted() ? dx.data + block.first * queries_.stride : nullptr;
                          const Index stage = first / tile_width;
                          tiles_.add_tile_gradients(mine, block, tiles_.plain_rows(block), first,
                                                    end, ticket, stage, sums, dy);
                          if (dy.wanted()) ticket.leave(stage);
                        });
                        for (Index r = 0; weighs && r < block.count; ++r) {
                          dx.weight[block.first + r] = -mine.weights[r];
                        }
                      });
  }

  /// Turns inner products of a tile into geometry values, and passes its scores to the term.
  void accumulate_tile(RowTerm<S>& term, const PanelMemory<S>& mine, const PanelQueries& block,
                       Index first, Index end, ScoreRange<S>* ranges) const {
    tiles_.accumulate(mine, block, first, end, ranges,
                      [&](Index r, Index from, Index n, const S* s) {
                        term.accumulate(block.first + r, number_ + from, n, s);
                      });
  }

  /// Turns a tile's geometry values into weights, in place.
  void weigh_tile(RowTerm<S>& term, PanelMemory<S>& mine, const PanelQueries& block, Index first,
                  Index end) const {
    tiles_.weigh(mine, block, first, end, [&](Index r, Index from, Index n, const S* s, S* g) {
      term.gradient(block.first + r, number_ + from, n, s, g);
    });
  }

  /// For a panel of a softmax term: replaces scores by exponentials, which are the weights without
  /// the rows' factors.
  void replace_by_exponentials(SoftmaxTerm<S>& term, PanelMemory<S>& mine,
                               const PanelQueries& block, ScoreRange<S>* ranges) const {
    tiles_.each_tile_of(block, [&](Index first, Index end) {
      tiles_.multiply(mine.panel, block, first, end);
      for (Index r = 0; r < block.count; ++r) {
        const Index i = block.first + r;
        tiles_.mask().each_part(i, first, end, [&](Index from, Index n) {
          ranges[i].fold(tiles_.score_rows().products_to_scores(n, mine.panel.at(r, from)));
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
    // Tile by tile, in the order of memory.
    tiles_.each_tile_of(block, [&](Index first, Index end) {
      for (Index r = 0; r < block.count; ++r) {
        const Index i = block.first + r;
        MaskedZeros masked(mine.panel, r, first);
        tiles_.mask().each_part(i, first, end, [&](Index from, Index n) {
          masked.clear_until(from);
          term.exponentiate(i, number_ + from, n, mine.panel.at(r, from));
          masked.skip_to(from + n);
        });
        masked.clear_until(tiles_.padded_end(end));
      }
    });
    for (Index r = 0; r < block.count; ++r) {
      const InPlaceRow<S> row = term.finalise(block.first + r);
      mine.factors[r] = row.factor;
      S* positive = positive_at(r);
      if (positive != nullptr) *positive = row.positive;
    }
  }

  /// Multiplies exponentials by their rows' factors if that is less work than multiplying the rows
  /// and their gradients. Depends on sizes only.
  bool scale_weights(PanelMemory<S>& mine, const PanelQueries& block) const {
    if (keys_.rows > queries_.depth) return false;
    tiles_.each_tile_of(block, [&](Index first, Index end) {
      for (Index r = 0; r < block.count; ++r) {
        S* const row = mine.panel.at(r, first);
        row_loops<S>().scale(end - first, mine.factors[r], row, row);
      }
    });
    return true;
  }

  /// True if an exponential relative to the largest of these scores may underflow in S.
  static bool lies_far_apart(const ScoreRange<S>& range, S rate) {
    constexpr double farthest = sizeof(S) == sizeof(float) ? 90 : 900;  // exponents of two
    return (static_cast<double>(range.largest) - static_cast<double>(range.smallest)) *
               static_cast<double>(rate) >
           farthest;
  }

  /// The largest score of a panel's row without `one` of them; there are others.
  S largest_but(S& one, const PanelMemory<S>& mine, Index r, const PanelQueries& block) const {
    const S kept = one;
    one = std::numeric_limits<S>::lowest();
    ScoreRange<S> range;
    tiles_.each_tile_of(block, [&](Index first, Index end) {
      tiles_.mask().each_part(block.first + r, first, end, [&](Index from, Index n) {
        range.fold(score_loops<S>().range(n, mine.panel.at(r, from)));
      });
    });
    one = kept;
    return range.largest;
  }

  Scratch& scratch_;
  int threads_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  Index number_;  ///< of the first key
  ScoreTiles<S> tiles_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class OneSidedPass<float>;
extern template class OneSidedPass<double>;
#endif

}  // namespace nearfar::detail
