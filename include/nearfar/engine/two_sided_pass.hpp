#pragma once

#include <optional>

#include "nearfar/core/compiled_once.hpp"
#include "nearfar/engine/kept_scores.hpp"
#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/engine/score_range.hpp"
#include "nearfar/engine/shared_exponentials.hpp"

/// \file
/// The score pass in which both sides of a score accumulate it: its query and its key. A tile's
/// queries take its rows; its keys take its columns, transposed. Gradients need the statistics of
/// both, and thus a second sweep, in which a score's weight is the sum of both derivatives. Between
/// the sweeps, the scores of some panels are kept, up to a bound that does not grow with N M; those
/// of the other panels are computed again. Apart from these, each thread holds one tile of scores.
///
/// Queries with keys: 2 N M D floating point operations forward, 6 N M D with gradients if all
/// scores are kept and 8 N M D if none are; two one-sided passes would take 4 and 12. Rows with
/// themselves: scores are symmetric, so those on and above the diagonal are enough; before a row's
/// own panel, the row has accumulated all earlier scores as a key. N^2 D and 3 to 4 N^2 D, where a
/// one-sided pass takes 2 and 6.
///
/// Rows may come in blocks, a pass for each pair of blocks: `accumulate` folds a pair into rows
/// that stay open on both sides, and `gradient` takes the pair again once all rows are closed.

namespace nearfar::detail {

/// The place of a pass's rows among all rows, when they are not all.
struct BlockPair {
  Index first_query = 0;                   ///< queries before it are not compared
  Index key_number = 0;                    ///< of the first key, as the queries' term counts
  Index query_number = 0;                  ///< of the first query, as the keys' term counts
  bool one_set = false;                    ///< queries and keys are different rows of one set
  const ExcludedPairs* of_keys = nullptr;  ///< the excluded pairs as keys see them
};

template <class S>
class TwoSidedPass {
 public:
  /// All arguments must outlive the pass. The same object twice for rows compared with all others
  /// of them, or with those that `excluded` leaves (never with themselves); else all queries with
  /// all keys, or with those that `excluded` leaves. A pair is excluded as (i, j) and as (j, i),
  /// for queries with keys, too. `height`, a multiple of 48 that depends on sizes alone, is the
  /// number of rows of a panel; 0 is the usual one. `place` is that of a pair of blocks.
  NEARFAR_COMPILED_ONCE TwoSidedPass(Scratch& scratch, int threads, const KernelValue<S>& kernel,
                                     const PackedRows<S>& queries, const PackedRows<S>& keys,
                                     const ExcludedPairs& excluded = {}, Index height = 0,
                                     const BlockPair& place = {})
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        same_(&queries == &keys),
        queries_(queries),
        keys_(keys),
        place_(place),
        mask_{same_ ? Pairing::others : Pairing::all, excluded},
        mask_of_keys_{mask_.pairing, place.of_keys != nullptr ? *place.of_keys : excluded},
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys),
        height_(height > 0 ? height : PanelProducts<S>::height(queries.rows)),
        memory_(scratch.take<Memory>(threads_)) {
    for (int k = 0; k < threads_; ++k) new (memory_ + k) Memory(scratch, k, queries, height_);
  }

  /// Closes every row of both terms, one of each side; for rows with themselves pass the same
  /// object twice. Adds the range of the scores to `diagnostics`.
  NEARFAR_COMPILED_ONCE void forward(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                     Diagnostics& diagnostics) {
    start(of_queries, queries_.rows);
    if (!same_) start(of_keys, keys_.rows);
    ScoreRange<S>* ranges = take_ranges<S>(scratch_, queries_.rows);
    accumulate(of_queries, of_keys, ranges, [&](const Block& block) {
      for (Index i = block.first; i < block.end(); ++i) of_queries.close(i);
    });
    for (Index j = 0; j < keys_.rows && !same_; ++j) of_keys.close(j);
    gather(ranges, diagnostics);
  }

  /// Like forward; also adds the gradients with respect to the packed rows (unscaled) to `dx` and
  /// `dy`, each if wanted; the same for rows with themselves.
  NEARFAR_COMPILED_ONCE void forward_backward(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                              RowGradients<S>& dx, RowGradients<S>& dy,
                                              Diagnostics& diagnostics) {
    Index bytes = most_bytes_kept(keys_);
    keep(detail::keep_scores<S>(scratch_, bytes, queries_.rows, keys_.rows, height_,
                                score_rows_.kernel().is_distance(), same_));
    forward(of_queries, of_keys, diagnostics);
    gradient(of_queries, of_keys, dx, dy);
  }

  /// Memory for scores of panels of the usual height, see detail::keep_scores: of a pass with `all`
  /// queries, of which the last `queries` are compared with a block of keys.
  static KeptScores<S> keep_scores(Scratch& scratch, Index& bytes, Index all, Index queries,
                                   Index keys, bool distances, bool same_rows) {
    return detail::keep_scores<S>(scratch, bytes, queries, keys, PanelProducts<S>::height(all),
                                  distances, same_rows);
  }

  /// Keeps the scores of the first panels from the sweep that accumulates to that of the gradients,
  /// also of another pass of the same rows.
  void keep(const KeptScores<S>& scores) { kept_ = scores; }

  /// A pair of blocks: folds its scores into rows that were started and not yet closed, and into
  /// ranges, one a query.
  NEARFAR_COMPILED_ONCE void accumulate(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                        ScoreRange<S>* ranges) {
    accumulate(of_queries, of_keys, ranges, [](const Block&) {});
  }

  /// A pair of blocks whose rows are closed: adds its share of the gradients to `dx` and `dy`, each
  /// where wanted; the same for rows with themselves.
  NEARFAR_COMPILED_ONCE void gradient(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                      RowGradients<S>& dx, RowGradients<S>& dy) {
    const Terms terms(of_queries, of_keys, score_rows_.kernel(), mask_);
    const Sides sides(scratch_, terms, queries_.rows, keys_.rows, same_);
    add_gradients(of_queries, of_keys, dx, dy,
                  [&](Memory& mine, const Block& block, Index first, Index below, Index end) {
                    // Also where exponentials are shared: kept scores are clamped cosines.
                    if (!block.kept) to_geometry(mine, block, first, end);
                    return Shared{weigh_own(terms, mine, block, first, below, sides),
                                  weigh_shared(terms, mine, block, below, end, sides)};
                  });
  }

  /// Both at once, for terms with a local gradient.
  NEARFAR_COMPILED_ONCE void accumulate_and_gradient(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                                     ScoreRange<S>* ranges, RowGradients<S>& dx,
                                                     RowGradients<S>& dy) {
    add_gradients(of_queries, of_keys, dx, dy,
                  [&](Memory& mine, const Block& block, Index first, Index below, Index end) {
                    fold_ranges(mine, block, first, below, 1, ranges);
                    fold_ranges(mine, block, below, end, pairs_of_a_score(), ranges);
                    accumulate_keys(of_keys, mine, block, below, end);
                    accumulate_queries(of_queries, mine, block, first, end);
                    return Shared{false, false};
                  });
  }

  /// For rows with themselves and a term whose `gradient` accumulates, in one sweep: 3 N^2 D
  /// floating point operations.
  NEARFAR_COMPILED_ONCE void one_sweep(RowTerm<S>& term, RowGradients<S>& dx,
                                       Diagnostics& diagnostics) {
    start(term, queries_.rows);
    ScoreRange<S>* ranges = take_ranges<S>(scratch_, queries_.rows);
    add_gradients(term, term, dx, dx,
                  [&](Memory& mine, const Block& block, Index first, Index below, Index end) {
                    fold_ranges(mine, block, first, below, 1, ranges);
                    fold_ranges(mine, block, below, end, 2, ranges);
                    return Shared{false, false};
                  });
    gather(ranges, diagnostics);
  }

 private:
  /// Columns that are transposed together: whole vectors, for every instruction set.
  static constexpr Index columns = 64;
  static_assert(tile_width % columns == 0);

  /// The memory of one thread.
  struct Memory {
    PanelMemory<S> panel;   ///< with the scores of the present block
    PanelScores<S> tile;    ///< its own
    ScorePanel<S> to_keys;  ///< derivatives of the keys' side
    Index block_stride;
    S* block;   ///< columns of scores as rows
    S* slopes;  ///< dL/ds of these
    SharedMemory<S> shared;

    Memory(Scratch& scratch, int thread, const PackedRows<S>& queries, Index height)
        : panel(scratch, thread, queries, height, tile_width),
          tile{panel.panel, panel.near},
          to_keys{scratch.take<S>(ScorePanel<S>::size(height, tile_width)), height},
          block_stride(height + 64 / Index(sizeof(S))),
          block(scratch.take<S>(columns * block_stride)),
          slopes(scratch.take<S>(columns * block_stride)),
          shared(scratch, height) {}

    void use(const PanelScores<S>& scores) {
      panel.panel = scores.panel;
      panel.near = scores.near;
    }
  };

  /// Queries of a panel. They accumulate keys from `begin` on, and keys from `below` on accumulate
  /// them.
  struct Block {
    Index first;
    Index count;
    Index begin;
    Index below;
    bool kept;  ///< true if its scores are kept
    Index end() const { return first + count; }
  };

  /// Tiles in which both sides share exponentials: those of a panel's rows with themselves, and
  /// those with the keys that accumulate them.
  struct Shared {
    bool own;
    bool others;
  };

  /// Both terms as softmax terms that can share exponentials; null if they cannot.
  struct Terms {
    SoftmaxTerm<S>* queries = nullptr;
    SoftmaxTerm<S>* keys = nullptr;

    Terms(RowTerm<S>& of_queries, RowTerm<S>& of_keys, const KernelValue<S>& kernel,
          const PairMask& mask) {
      SoftmaxTerm<S>* softmax = of_queries.softmax();
      if (softmax == nullptr || !kernel.scores_are_products()) return;
      if (!softmax->shares_exponentials()) return;
      if (mask.excluded.any() && softmax->query_codes() != nullptr) return;
      queries = softmax;
      keys = of_keys.softmax();
    }
    bool share() const { return queries != nullptr && keys != nullptr; }
  };

  /// Factors of both sides if exponentials are shared.
  struct Sides {
    std::optional<SharedSide<S>> queries;
    std::optional<SharedSide<S>> keys;
    bool usable = false;

    Sides(Scratch& scratch, const Terms& terms, Index n, Index m, bool same) {
      if (!terms.share()) return;
      queries.emplace(scratch, n);
      usable = queries->fill(*terms.queries, n);
      if (same) {
        keys = queries;
      } else {
        keys.emplace(scratch, m);
        usable = keys->fill(*terms.keys, m) && usable;
      }
    }
  };

  bool has_row_weights() const { return score_rows_.kernel().is_distance(); }

  /// What a score stands for that rows on both sides accumulate: i with j and j with i, where they
  /// are rows of one set.
  Index pairs_of_a_score() const { return same_ || place_.one_set ? 2 : 1; }

  /// The first sweep: close(block) once all of a panel's scores are folded in.
  template <class Close>
  void accumulate(RowTerm<S>& of_queries, RowTerm<S>& of_keys, ScoreRange<S>* ranges,
                  const Close& close) {
    const Terms terms(of_queries, of_keys, score_rows_.kernel(), mask_);
    each_panel([&](Memory& mine, const Block& block, const Ticket& ticket) {
      if (block.kept) mine.panel.near.clear(0, block.count);
      each_tile(block.begin, keys_.rows, [&](Index first, Index end) {
        score_tile(mine, block, first, end);
        const Index below = std::clamp(block.below, first, end);
        const Range<S> own = fold_ranges(mine, block, first, below, 1, ranges);
        const Range<S> range = fold_ranges(mine, block, below, end, pairs_of_a_score(), ranges);
        ticket.wait_for(first / tile_width);
        const Shared shared{accumulate_own(terms, mine, block, first, below, own),
                            accumulate_shared(terms, mine, block, below, end, range)};
        if (!shared.others) accumulate_keys(of_keys, mine, block, below, end);
        accumulate_queries(of_queries, mine, block, shared.own ? below : first,
                           shared.others ? below : end);
        ticket.leave(first / tile_width);
      });
      close(block);
    });
  }

  static void start(RowTerm<S>& term, Index count) {
    for (Index i = 0; i < count; ++i) term.start(i);
  }

  void gather(const ScoreRange<S>* ranges, Diagnostics& d) const {
    score_rows_.check_overflow();
    for (Index i = 0; i < queries_.rows; ++i) ranges[i].add_to(d);
  }

  Index panels() const { return tasks_of(queries_.rows - place_.first_query, height_); }

  Block block_of(Index panel) const {
    const Index first = place_.first_query + panel * height_;
    const Index count = std::min(height_, queries_.rows - first);
    return {first, count, same_ ? first : 0, same_ ? first + count : 0, kept_.has(panel)};
  }

  /// Calls body(memory, block, ticket) for each panel.
  template <class Body>
  void each_panel(const Body& body) {
    parallel_pipeline(panels(), threads_, scratch_.take<Index>(panels()),
                      [&](Index t, int worker, const Ticket& ticket) {
                        Memory& mine = memory_[worker];
                        mine.use(kept_.has(t) ? kept_.panels[t] : mine.tile);
                        body(mine, block_of(t), ticket);
                      });
  }

  void begin_tile(Memory& mine, const Block& block, Index first) const {
    mine.to_keys.first = round_down(first, tile_width);
    if (!block.kept) mine.panel.panel.first = mine.to_keys.first;
  }

  /// Computes inner products of a tile.
  void score_tile(Memory& mine, const Block& block, Index first, Index end) const {
    begin_tile(mine, block, first);
    if (!block.kept) mine.panel.near.clear(0, block.count);
    products_.score(block.first, block.count, first, end, mine.panel.panel);
  }

  /// Turns inner products of a tile with keys [first, end) into geometry values.
  void to_geometry(const Memory& mine, const Block& block, Index first, Index end) const {
    for (Index r = 0; r < block.count && first < end; ++r) {
      score_rows_.products_to_geometry(mine.panel.thread, block.first + r, first, end - first,
                                       mine.panel.panel.at(r, first), mine.panel.near_of(r, first));
    }
  }

  /// Scores of row r with n keys from `from` on.
  const S* scores(const Memory& mine, Index r, Index from, Index n) const {
    return score_rows_.scores(n, mine.panel.panel.at(r, from), mine.panel.buffers);
  }

  /// Calls to_geometry, and adds the scores to the range, each as `pairs` pairs. Returns the range
  /// of the products if scores are products.
  Range<S> fold_ranges(const Memory& mine, const Block& block, Index first, Index end, Index pairs,
                       ScoreRange<S>* ranges) const {
    constexpr S infinity = std::numeric_limits<S>::infinity();
    Range<S> all{infinity, -infinity};
    const KernelValue<S>& kernel = score_rows_.kernel();
    const bool products = kernel.scores_are_products();
    const bool distances = kernel.orientation == Orientation::distance;
    if (!products) to_geometry(mine, block, first, end);
    for (Index r = 0; r < block.count && first < end; ++r) {
      const Index i = block.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        if (!products) {
          ranges[i].fold(distances, n, scores(mine, r, from, n), pairs);
          return;
        }
        const Range<S> range = score_rows_.products_to_scores(n, mine.panel.panel.at(r, from));
        ranges[i].fold(range);
        all = {std::min(all.smallest, range.smallest), std::max(all.largest, range.largest)};
      });
    }
    return all;
  }

  /// The sweep that adds gradients. `open(memory, block, first, below, end)` turns a tile's inner
  /// products into geometry values, or into weights, and returns which.
  template <class Open>
  void add_gradients(RowTerm<S>& of_queries, RowTerm<S>& of_keys, RowGradients<S>& dx,
                     RowGradients<S>& dy, const Open& open) {
    products_.prepare_gradients(dx.wanted(), dy.wanted());
    PanelGradients<S> gradients(scratch_, queries_, dx, dy, same_);
    each_panel([&](Memory& mine, const Block& block, const Ticket& ticket) {
      PanelMemory<S>& panel = mine.panel;
      std::fill_n(panel.weights, block.count, 0.0);
      // Panels before this one have left the tile of its own rows when their sums begin.
      S* const sums = gradients.wants_queries() ? gradients.rows(block.first) : nullptr;
      each_tile(block.begin, keys_.rows, [&](Index first, Index end) {
        if (block.kept) {
          begin_tile(mine, block, first);
        } else {
          score_tile(mine, block, first, end);
        }
        const Index below = std::clamp(block.below, first, end);
        ticket.wait_for(first / tile_width);
        const Shared weighed = open(mine, block, first, below, end);
        weigh_tile(of_queries, of_keys, mine, block, weighed.own ? below : first, below,
                   weighed.others ? below : end);
        clear_padding(mine, block, end);
        if (same_ && first == block.first && !weighed.own) make_symmetric(mine, block);
        if (gradients.wants_queries() || gradients.wants_keys()) {
          products_.add_near_gradients(panel.thread, panel.panel, panel.near, block.first,
                                       block.count, first, below, end, sums, gradients.of_keys());
        }
        if (gradients.wants_keys()) {
          products_.add_key_gradients(panel.thread, panel.panel,
                                      {block.first, nullptr, queries_.row(block.first)},
                                      block.count, below, end, gradients.of_keys());
        }
        ticket.leave(first / tile_width);
        if (sums != nullptr) {
          products_.add_query_gradients(panel.thread, panel.panel, block.count, first, end, sums);
        }
      });
      if (sums != nullptr && has_row_weights()) {
        gradients.take_weights(block.first, block.count, panel.weights);
      }
    });
    gradients.finish(threads_);
  }

  // ---- each side by itself ---------------------------------------------------------------------

  void accumulate_queries(RowTerm<S>& term, const Memory& mine, const Block& block, Index first,
                          Index end) const {
    if (first >= end) return;
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        term.accumulate(i, place_.key_number + from, n, scores(mine, r, from, n));
      });
    }
  }

  /// Calls body(first, end) for the parts of keys [first, end) whose columns are transposed
  /// together.
  template <class Body>
  void each_column_block(Index first, Index end, const Body& body) const {
    while (first < end) {
      const Index stop = std::min(round_down(first, columns) + columns, end);
      body(first, stop);
      first = stop;
    }
  }

  void accumulate_keys(RowTerm<S>& term, const Memory& mine, const Block& block, Index first,
                       Index end) const {
    each_column_block(first, end, [&](Index begin, Index stop) {
      transpose_columns(mine, block, begin, stop);
      for (Index j = begin; j < stop; ++j) {
        const S* s =
            score_rows_.scores(block.count, column(mine, mine.block, j), mine.panel.buffers);
        mask_of_keys_.each_part(j, block.first, block.end(), [&](Index from, Index n) {
          term.accumulate(j, place_.query_number + from, n, s + (from - block.first));
        });
      }
    });
  }

  /// Column j of a tile as a row of a block.
  S* column(const Memory& mine, S* block, Index j) const {
    return block + j % columns * mine.block_stride;
  }

  void transpose_columns(const Memory& mine, const Block& block, Index first, Index end) const {
    const Index lanes = loops_.lanes;
    const Index begin = round_down(first, lanes);
    loops_.transpose(mine.panel.panel.at(0, begin), ScorePanel<S>::stride,
                     column(mine, mine.block, begin), mine.block_stride,
                     round_up(block.count, lanes), round_up(end - begin, lanes));
  }

  /// Writes the keys' derivatives of a tile's scores with keys [first, end) to to_keys.
  void gradient_of_keys(RowTerm<S>& term, const Memory& mine, const Block& block, Index first,
                        Index end) const {
    each_column_block(first, end, [&](Index begin, Index stop) {
      transpose_columns(mine, block, begin, stop);
      for (Index j = begin; j < stop; ++j) {
        S* g = column(mine, mine.slopes, j);
        std::fill_n(g, mine.block_stride, S(0));
        const S* s =
            score_rows_.scores(block.count, column(mine, mine.block, j), mine.panel.buffers);
        mask_of_keys_.each_part(j, block.first, block.end(), [&](Index from, Index n) {
          const Index k = from - block.first;
          term.gradient(j, place_.query_number + from, n, s + k, g + k);
        });
      }
      const Index lanes = loops_.lanes;
      const Index from = round_down(begin, lanes);
      loops_.transpose(column(mine, mine.slopes, from), mine.block_stride, mine.to_keys.at(0, from),
                       ScorePanel<S>::stride, round_up(stop - from, lanes),
                       round_up(block.count, lanes));
    });
  }

  /// Turns a tile's geometry values with keys [first, end) into weights, in place: of the queries'
  /// derivatives, and from `below` on also of the keys'.
  void weigh_tile(RowTerm<S>& of_queries, RowTerm<S>& of_keys, Memory& mine, const Block& block,
                  Index first, Index below, Index end) const {
    gradient_of_keys(of_keys, mine, block, below, end);
    if (first >= end) return;
    for (Index r = 0; r < block.count; ++r) {
      const Index i = block.first + r;
      MaskedZeros masked(mine.panel.panel, r, first);
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        masked.clear_until(from);
        S* u = mine.panel.panel.at(r, from);
        const S* s = scores(mine, r, from, n);
        S* g = mine.panel.buffers + tile_width;
        of_queries.gradient(i, place_.key_number + from, n, s, g);
        if (from + n > below) {
          const Index seen = std::max(from, below);
          row_loops<S>().add(from + n - seen, mine.to_keys.at(r, seen), g + (seen - from));
        }
        mine.panel.weights[r] += score_rows_.weights(n, g, s, u, mine.panel.near_of(r, from));
        masked.skip_to(from + n);
      });
      masked.clear_until(end);
    }
  }

  /// Adds, to the weights of a panel's rows among themselves, those of the other direction, so that
  /// a row's own gradient has all of both.
  void make_symmetric(Memory& mine, const Block& block) const {
    const ScorePanel<S>& panel = mine.panel.panel;
    for (Index r = 0; r < block.count; ++r) {
      for (Index c = 0; c < r; ++c) {
        S& here = *panel.at(r, block.first + c);
        S& there = *panel.at(c, block.first + r);
        // Both rows or neither: distances are symmetric to the last bit.
        if (!mine.panel.near_of(r, block.first).has(c)) {
          mine.panel.weights[r] += static_cast<double>(there);
          mine.panel.weights[c] += static_cast<double>(here);
        }
        here = there = here + there;
      }
    }
  }

  void clear_padding(Memory& mine, const Block& block, Index end) const {
    if (end != keys_.rows) return;
    for (Index r = 0; r < block.count; ++r) {
      MaskedZeros(mine.panel.panel, r, end).clear_until(round_up(end, panel_rows));
    }
  }

  // ---- both sides together ---------------------------------------------------------------------

  SharedTile<S> shared_tile(const Terms& terms, Memory& mine, const Block& block, Index first,
                            Index end) const {
    return {
        *terms.queries, *terms.keys, mine.panel.panel,  mask_.excluded, block.first, block.count,
        first,          end,         place_.key_number, mine.shared};
  }

  /// Adds a tile's scores with keys [first, end), which lie in `range`, to both sides if they can
  /// share exponentials.
  bool accumulate_shared(const Terms& terms, Memory& mine, const Block& block, Index first,
                         Index end, const Range<S>& range) const {
    if (!terms.share()) return false;
    if (first == end) return true;
    const TileReference<S> reference(range, terms.queries->rate());
    if (!reference.usable) return false;
    shared_tile(terms, mine, block, first, end).accumulate(reference.value);
    return true;
  }

  /// The same for a panel's rows with themselves, keys [first, below).
  bool accumulate_own(const Terms& terms, Memory& mine, const Block& block, Index first,
                      Index below, const Range<S>& range) const {
    if (!terms.share() || first == below) return false;
    const TileReference<S> reference(range, terms.queries->rate());
    if (!reference.usable) return false;
    shared_tile(terms, mine, block, first, below).accumulate_own(reference.value);
    return true;
  }

  /// The same for weights.
  bool weigh_own(const Terms& terms, Memory& mine, const Block& block, Index first, Index below,
                 const Sides& sides) const {
    if (!sides.usable || first == below) return false;
    const Range<S> tops = score_loops<S>().range(block.count, sides.queries->top + block.first);
    const TileReference<S> reference(tops, terms.queries->rate(), ReferenceOf::weights);
    if (!reference.usable) return false;
    terms.queries->add_moment(block.first, shared_tile(terms, mine, block, first, below)
                                               .gradient_own(reference.value, *sides.queries));
    return true;
  }

  /// The same for weights of keys [first, end).
  bool weigh_shared(const Terms& terms, Memory& mine, const Block& block, Index first, Index end,
                    const Sides& sides) const {
    if (!sides.usable) return false;
    if (first == end) return true;
    const ScoreLoops<S>& loops = score_loops<S>();
    const Range<S> queries = loops.range(block.count, sides.queries->top + block.first);
    const Range<S> keys = loops.range(end - first, sides.keys->top + first);
    const TileReference<S> reference({std::min(queries.smallest, keys.smallest), queries.largest},
                                     terms.queries->rate(), ReferenceOf::weights);
    if (!reference.usable) return false;
    terms.queries->add_moment(block.first,
                              shared_tile(terms, mine, block, first, end)
                                  .gradient(reference.value, *sides.queries, *sides.keys));
    return true;
  }

  const ProductLoops<S>& loops_ = product_loops<S>();
  Scratch& scratch_;
  int threads_;
  bool same_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  BlockPair place_;
  PairMask mask_;
  PairMask mask_of_keys_;
  PanelProducts<S> products_;
  ScoreRows<S> score_rows_;
  Index height_;
  Memory* memory_;
  KeptScores<S> kept_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class TwoSidedPass<float>;
extern template class TwoSidedPass<double>;
#endif

}  // namespace nearfar::detail
