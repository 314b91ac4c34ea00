#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/score_rows.hpp"

/// \file
/// Scores of rows with the rows of their own class: square blocks, which are kept. 2 N P D floating
/// point operations for classes of P rows, and as many for gradients.

namespace nearfar::detail {

template <class S>
class ClassBlocks {
 public:
  /// Computes the scores of rows of one set, by labels. The kernel and the rows must outlive the
  /// object.
  ClassBlocks(Scratch& scratch, int threads, const KernelValue<S>& kernel,
              const PackedRows<S>& rows, const PositiveRule<S>& rule)
      : threads_(std::max(1, threads)),
        order_(by_class(scratch, rows.rows, rule)),
        rows_(reordered(scratch, threads, rows, order_)),
        score_rows_(scratch, kernel, rows_, rows_) {
    take_blocks(scratch, rule);
    memory_ = scratch.take<Memory>(threads_);
    for (int k = 0; k < threads_; ++k) new (memory_ + k) Memory(scratch, k, rows_, largest_);
    each_part([&](const Part& part, Memory& mine) { compute(part, mine); });
    score_rows_.check_overflow();
  }

  /// Bytes for the scores of a row whose class has n rows.
  static Index bytes_a_row(Index n) { return stride_of(n) * Index(sizeof(S)); }

  /// Calls body(i, n, own, s) for each row i with its scores with the n rows of its class in order.
  /// The one at `own` is the row itself, and its score is undefined.
  template <class Body>
  void each_row(const Body& body) const {
    each_part([&](const Part& part, Memory& mine) {
      for (Index own = part.first; own < part.first + part.count; ++own) {
        const Block& block = *part.block;
        body(order_[block.begin + own], block.count, own,
             score_rows_.scores(block.count, block.row(own), mine.s));
      }
    });
  }

  /// Adds gradients with respect to the packed rows to `dx`. Call it once: weigh(i, n, own, g)
  /// writes dL/ds of the scores of each_row, 0 for a row's own.
  template <class Weigh>
  void add_gradients(const Weigh& weigh, RowGradients<S>& dx) const {
    each_part([&](const Part& part, Memory& mine) {
      const Block& block = *part.block;
      for (Index own = part.first; own < part.first + part.count; ++own) {
        S* u = block.row(own);
        weigh(order_[block.begin + own], block.count, own, mine.g);
        score_rows_.weights(block.count, mine.g, score_rows_.scores(block.count, u, mine.s), u,
                            block.near.row(own, 0));
      }
    });
    parallel_tasks(block_count_, threads_, [&](Index t, int) { make_symmetric(blocks_[t]); });
    each_part([&](const Part& part, Memory& mine) { multiply(part, mine, dx); });
  }

 private:
  static Index stride_of(Index n) { return round_up(n, product_loops<S>().panel_cols); }

  /// Rows of a part. A part and its inputs fit the cache of a core, and there are parts for many
  /// threads.
  static constexpr Index height = 192;
  static_assert(height % panel_rows == 0);

  /// A class. Its rows and columns are padded to whole register blocks.
  struct Block {
    Index begin;  ///< its first row
    Index count;
    Index stride;
    S* u;            ///< of the scores; weights at the end
    NearPairs near;  ///< for distances alone

    S* row(Index r) const { return u + r * stride; }
  };

  /// Rows [first, first + count) of a block.
  struct Part {
    const Block* block;
    Index first;
    Index count;
  };

  /// The memory of one thread.
  struct Memory {
    S* keys;  ///< of its block, packed
    S* s;
    S* g;
    S* sums;
    int thread;

    Memory(Scratch& scratch, int number, const PackedRows<S>& x, Index largest)
        : keys(scratch.take<S>(stride_of(largest) * x.depth)),
          s(scratch.take<S>(largest)),
          g(scratch.take<S>(largest)),
          sums(scratch.take<S>(height * x.stride)),
          thread(number) {}
  };

  /// Numbers of rows sorted by class, each class in order.
  static Index* by_class(Scratch& scratch, Index n, const PositiveRule<S>& rule) {
    Index* order = scratch.take<Index>(n);
    std::iota(order, order + n, Index(0));
    const S* code = rule.codes().query;
    std::sort(order, order + n,
              [&](Index a, Index b) { return code[a] != code[b] ? code[a] < code[b] : a < b; });
    return order;
  }

  void take_blocks(Scratch& scratch, const PositiveRule<S>& rule) {
    const auto each_class = [&](const auto& body) {
      for (Index begin = 0, n = 0; begin < rows_.rows; begin += n) {
        n = rule.members(order_[begin]);
        body(begin, n);
      }
    };
    Index parts = 0;
    each_class([&](Index, Index n) {
      ++block_count_;
      parts += tasks_of(n, height);
      largest_ = std::max(largest_, n);
    });
    Block* block = scratch.take<Block>(block_count_);
    Part* part = scratch.take<Part>(parts);
    blocks_ = block;
    parts_ = part;
    part_count_ = parts;
    each_class([&](Index begin, Index n) {
      const Index stride = stride_of(n);
      *block = {begin, n, stride, scratch.take<S>(round_up(n, panel_rows) * stride), {}};
      if (score_rows_.kernel().is_distance()) block->near = NearPairs(scratch, n, n);
      for (Index first = 0; first < n; first += height) {
        *part++ = {block, first, std::min(height, n - first)};
      }
      ++block;
    });
  }

  /// Calls body(part, memory) for all parts.
  template <class Body>
  void each_part(const Body& body) const {
    parallel_tasks(part_count_, threads_,
                   [&](Index t, int worker) { body(parts_[t], memory_[worker]); });
  }

  void compute(const Part& part, const Memory& mine) const {
    const Block& block = *part.block;
    loops_.pack_col_panels(rows_.row(block.begin), rows_.stride, block.count, rows_.depth,
                           mine.keys);
    const Index panels = tasks_of(block.count, loops_.panel_cols);
    loops_.multiply_panels(rows_.row(block.begin + part.first), rows_.stride, mine.keys,
                           rows_.depth, tasks_of(part.count, panel_rows), 0, block.count, panels,
                           block.row(part.first), block.stride, false);
    block.near.clear(part.first, part.count);
    for (Index r = part.first; r < part.first + part.count; ++r) {
      score_rows_.products_to_geometry(mine.thread, block.begin + r, block.begin, block.count,
                                       block.row(r), block.near.row(r, 0));
    }
  }

  /// Adds the derivatives of both rows of a score.
  static void make_symmetric(const Block& block) {
    for (Index r = 0; r < block.count; ++r) {
      block.row(r)[r] = 0;
      for (Index c = 0; c < r; ++c) {
        S& here = block.row(r)[c];
        S& there = block.row(c)[r];
        here = there = here + there;
      }
    }
  }

  /// Moves the weights of a part's near pairs out of the block, like PanelProducts.
  void add_near(const Part& part, const Memory& mine) const {
    const Block& block = *part.block;
    struct Weighed {
      Index r;
      S w;
    };
    const auto add = [&](const Weighed& of, const S* x, const S* y) {
      row_loops<S>().add_scaled_difference(rows_.depth, -of.w, x, y,
                                           mine.sums + of.r * rows_.stride);
    };
    auto differences = row_differences<Weighed>(rows_, rows_, mine.thread, add);
    for (Index r = 0; r < part.count; ++r) {
      const Index own = part.first + r;
      take_near_weights(block.near.row(own, 0), block.count, block.row(own), [&](Index c, S w) {
        differences.add(block.begin + own, block.begin + c, {r, w});
      });
    }
    differences.finish();
  }

  void multiply(const Part& part, const Memory& mine, RowGradients<S>& dx) const {
    const Block& block = *part.block;
    std::fill_n(mine.sums, height * rows_.stride, S(0));
    add_near(part, mine);
    for (Index b = 0; b < column_blocks(loops_, rows_.depth); ++b) {
      const Columns d = column_block(loops_, b, rows_.depth);
      loops_.multiply_rows(block.row(part.first), block.stride, tasks_of(part.count, panel_rows),
                           block.count, rows_.row(block.begin) + d.first, rows_.stride,
                           rows_.rows - block.begin, d.count, mine.sums + d.first, rows_.stride);
    }
    for (Index r = 0; r < part.count; ++r) {
      const Index i = order_[block.begin + part.first + r];
      row_loops<S>().add(rows_.stride, mine.sums + r * rows_.stride, dx.data + i * rows_.stride);
      if (!score_rows_.kernel().is_distance()) continue;
      const S* w = block.row(part.first + r);
      dx.weight[i] -= std::accumulate(w, w + block.count, 0.0);
    }
  }

  const ProductLoops<S>& loops_ = product_loops<S>();
  int threads_;
  const Index* order_;
  PackedRows<S> rows_;  ///< by class
  ScoreRows<S> score_rows_;
  const Block* blocks_ = nullptr;
  Index block_count_ = 0;
  const Part* parts_ = nullptr;
  Index part_count_ = 0;
  Index largest_ = 0;
  Memory* memory_ = nullptr;
};

}  // namespace nearfar::detail
