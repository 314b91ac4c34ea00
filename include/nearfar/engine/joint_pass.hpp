#pragma once

#include <span>

#include "nearfar/core/parallel.hpp"
#include "nearfar/engine/score_tiles.hpp"

/// \file
/// The score pass of rows whose scores lie in several blocks, each of a set of rows with a set of
/// keys: row i of the pass is row i of every block's queries. Threads take panels of whole rows of
/// all blocks. When a panel's rows are closed, the scores of each block become weights in place.
///
/// A block may have a guide, a second set of embeddings of the same rows and keys. The term gets
/// the guide's scores together with those of the block.

namespace nearfar::detail {

/// A block of a joint pass. Everything must outlive the pass.
template <class S>
struct JointBlock {
  ScoreTiles<S>* scores = nullptr;
  const ScoreTiles<S>* guide = nullptr;  ///< null without a guide
  /// Destinations of the gradients of packed queries and keys, each if wanted. Two blocks may have
  /// the same destination, but no destination is for queries and for keys.
  RowGradients<S> d_queries = {};
  RowGradients<S> d_keys = {};
};

/// Term has `start(i)`, `accumulate(block, i, first, n, s, guide)`, `close(i)` and
/// `gradient(block, i, first, n, s, guide, g)`, like RowTerm; `guide` is null without one.
template <class S>
class JointPass {
 public:
  /// All arguments must outlive the pass. There is at least one block; all have as many queries.
  JointPass(Scratch& scratch, int threads, std::span<JointBlock<S>> blocks)
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        blocks_(blocks),
        rows_(blocks.front().scores->queries().rows),
        height_(PanelProducts<S>::height(rows_)) {}

  /// Closes every row of the term. Adds the range of the scores to `diagnostics`.
  template <class Term>
  void forward(Term& term, Diagnostics& diagnostics) {
    take_ranges_of_blocks();
    Memory* memory = take_memory(threads_, true);
    parallel_tasks(tasks_of(rows_, height_), threads_, [&](Index t, int worker) {
      accumulate(term, memory + worker * count(), panel(t), true);
    });
    gather(diagnostics);
  }

  /// The same; also adds the gradients of all blocks.
  template <class Term>
  void forward_backward(Term& term, Diagnostics& diagnostics) {
    take_ranges_of_blocks();
    Index bytes = 0;
    for (JointBlock<S>& block : blocks_) {
      block.scores->prepare_gradients(block.d_queries.wanted(), block.d_keys.wanted());
      const PackedRows<S>& keys = block.scores->keys();
      bytes += PanelMemory<S>::bytes(block.scores->queries(), height_, keys.rows);
      if (block.guide != nullptr) {
        bytes += ScorePanel<S>::size(height_, keys.rows) * Index(sizeof(S));
      }
    }
    const Index panels = tasks_of(rows_, height_);
    const ScoreTiles<S>& first = *blocks_.front().scores;
    const int workers =
        panels_at_once(first.queries(), first.keys(), bytes, std::min<Index>(threads_, panels));
    Memory* memory = take_memory(workers, false);
    parallel_pipeline(panels, workers, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        Memory* mine = memory + worker * count();
                        accumulate(term, mine, panel(t), false);
                        for (Index b = 0; b < count(); ++b) weigh(term, b, mine[b], panel(t));
                        add_gradients(mine, panel(t), ticket);
                      });
    gather(diagnostics);
  }

 private:
  /// The memory of one thread for a block.
  struct Memory {
    PanelMemory<S> scores;
    ScorePanel<S> guide;
  };

  Index count() const { return static_cast<Index>(blocks_.size()); }
  const JointBlock<S>& block(Index b) const { return blocks_[static_cast<std::size_t>(b)]; }
  PanelQueries panel(Index t) const { return blocks_.front().scores->panel(t, height_); }

  void take_ranges_of_blocks() {
    ranges_ = scratch_.take<ScoreRange<S>*>(count());
    for (Index b = 0; b < count(); ++b) {
      ranges_[b] = take_ranges<S>(scratch_, rows_);
    }
  }

  /// The memory of every block for each thread, for one tile of keys or for all.
  Memory* take_memory(int threads, bool one_tile) {
    Memory* memory = scratch_.take<Memory>(threads * count());
    for (Index k = 0; k < threads * count(); ++k) {
      const JointBlock<S>& of = block(k % count());
      const Index keys = one_tile ? tile_width : of.scores->keys().rows;
      S* guide =
          of.guide != nullptr ? scratch_.take<S>(ScorePanel<S>::size(height_, keys)) : nullptr;
      new (memory + k) Memory{PanelMemory<S>(scratch_, static_cast<int>(k / count()),
                                             of.scores->queries(), height_, keys),
                              ScorePanel<S>{guide, height_}};
    }
    return memory;
  }

  template <class Term>
  void accumulate(Term& term, Memory* mine, const PanelQueries& panel, bool one_tile) const {
    for (Index i = panel.first; i < panel.end(); ++i) term.start(i);
    for (Index b = 0; b < count(); ++b) {
      const JointBlock<S>& of = block(b);
      PanelMemory<S>& scores = mine[b].scores;
      ScorePanel<S>& guide = mine[b].guide;
      scores.near.clear(0, panel.count);
      std::fill_n(scores.weights, panel.count, 0.0);
      of.scores->each_tile_of(panel, [&](Index first, Index end) {
        if (one_tile) {
          scores.panel.first = guide.first = first;
          scores.near.clear(0, panel.count);
        }
        of.scores->multiply(scores.panel, panel, first, end);
        if (of.guide != nullptr) of.guide->multiply(guide, panel, first, end);
        of.scores->accumulate(
            scores, panel, first, end, ranges_[b], [&](Index r, Index from, Index n, const S* s) {
              term.accumulate(b, panel.first + r, from, n, s, guide_at(mine[b], r, from));
            });
      });
    }
    for (Index i = panel.first; i < panel.end(); ++i) term.close(i);
  }

  template <class Term>
  void weigh(Term& term, Index b, Memory& mine, const PanelQueries& panel) const {
    const ScoreTiles<S>& scores = *block(b).scores;
    scores.each_tile_of(panel, [&](Index first, Index end) {
      scores.weigh(mine.scores, panel, first, end,
                   [&](Index r, Index from, Index n, const S* s, S* g) {
                     term.gradient(b, panel.first + r, from, n, s, guide_at(mine, r, from), g);
                   });
    });
  }

  /// Blocks with the same keys add to a tile of their gradient one after the other, before the next
  /// panel does.
  void add_gradients(Memory* mine, const PanelQueries& panel, const Ticket& ticket) {
    Index stage = 0;
    for (Index b = 0; b < count(); ++b) {
      const PackedRows<S>* keys = &block(b).scores->keys();
      const auto has_these = [&](Index other) { return &block(other).scores->keys() == keys; };
      bool done = false;
      for (Index before = 0; before < b; ++before) done = done || has_these(before);
      if (done) continue;
      each_tile(Index(0), keys->rows, [&](Index first, Index end) {
        for (Index other = b; other < count(); ++other) {
          if (has_these(other)) {
            add_tile_gradients(other, mine[other].scores, panel, first, end, ticket, stage);
          }
        }
        ticket.leave(stage++);
      });
    }
    for (Index b = 0; b < count(); ++b) {
      RowGradients<S> d = block(b).d_queries;
      if (!d.wanted() || !block(b).scores->has_row_weights()) continue;
      for (Index r = 0; r < panel.count; ++r) {
        d.weight[panel.first + r] -= mine[b].scores.weights[r];
      }
    }
  }

  void add_tile_gradients(Index b, PanelMemory<S>& mine, const PanelQueries& panel, Index first,
                          Index end, const Ticket& ticket, Index stage) {
    JointBlock<S>& of = blocks_[static_cast<std::size_t>(b)];
    const PackedRows<S>& queries = of.scores->queries();
    S* sums = of.d_queries.wanted() ? of.d_queries.data + panel.first * queries.stride : nullptr;
    of.scores->add_tile_gradients(mine, panel, of.scores->plain_rows(panel), first, end, ticket,
                                  stage, sums, of.d_keys);
  }

  static const S* guide_at(const Memory& mine, Index r, Index from) {
    return mine.guide.data != nullptr ? mine.guide.at(r, from) : nullptr;
  }

  void gather(Diagnostics& d) const {
    for (Index b = 0; b < count(); ++b) block(b).scores->gather(ranges_[b], d);
  }

  Scratch& scratch_;
  int threads_;
  std::span<JointBlock<S>> blocks_;
  Index rows_;
  Index height_;
  ScoreRange<S>** ranges_ = nullptr;  ///< of the rows of each block
};

}  // namespace nearfar::detail
