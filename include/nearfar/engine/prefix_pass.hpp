#pragma once

#include <span>

#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/engine/score_range.hpp"
#include "nearfar/loops/prefixes.hpp"

/// \file
/// The score pass of several prefixes of the same rows: the first d_1, d_2, ... elements, each with
/// scores and a term of its own. The products of a longer prefix are those of the shorter one plus
/// one more block of columns; the gradients of a block take the sum of the weights of all prefixes
/// that contain it. The products thus cost as much as those of the longest prefix.
///
/// For a cosine each prefix is normalised separately: a score is the product of two prefixes times
/// 1 / length of either. Whole rows are normalised first, which makes these factors moderate and
/// changes no score. See docs/losses/matryoshka.md.

namespace nearfar::detail {

/// The blocks of columns between the ends of prefixes, in rows that pad each block with zeros to
/// whole vectors of every instruction set.
template <class S>
class PrefixColumns {
 public:
  /// `ends`: the lengths of the prefixes, ascending; the last is that of the rows. They must
  /// outlive the object.
  PrefixColumns(Scratch& scratch, std::span<const Index> ends)
      : ends_(ends), blocks_(scratch.take<Columns>(prefixes())) {
    Index first = 0;
    for (Index b = 0; b < prefixes(); ++b) {
      blocks_[b] = {first, round_up(length(b), grid)};
      first += blocks_[b].count;
    }
    stride_ = padded_stride<S>(first);
  }

  Index prefixes() const { return static_cast<Index>(ends_.size()); }
  /// Block b in padded rows.
  const Columns& operator[](Index b) const { return blocks_[b]; }
  /// The first column of block b in the rows themselves, and the number of its columns.
  Index first(Index b) const { return b > 0 ? ends_[static_cast<std::size_t>(b - 1)] : 0; }
  Index length(Index b) const { return ends_[static_cast<std::size_t>(b)] - first(b); }
  Index stride() const { return stride_; }

 private:
  static constexpr Index grid = 64 / Index(sizeof(float));

  std::span<const Index> ends_;
  Columns* blocks_;
  Index stride_ = 0;
};

/// Rows in padded blocks of columns, and what passes add to their gradients.
template <class S>
class PrefixRows {
 public:
  /// Arguments must outlive the object.
  PrefixRows(Scratch& scratch, int threads, const PrefixColumns<S>& columns, Geometry geometry,
             const PackedRows<S>& packed)
      : threads_(threads),
        columns_(columns),
        cosine_(geometry == Geometry::cosine),
        packed_(packed) {
    lay_out(scratch);
    take_factors(scratch);
  }

  Index count() const { return packed_.rows; }
  const PackedRows<S>& packed() const { return packed_; }
  const S* row(Index i) const { return data_ + i * columns_.stride(); }
  bool cosine() const { return cosine_; }
  /// 1 / length of prefix p of each row, 0 for zeros; 1 for an inner product.
  const S* factors(Index p) const { return factors_ + p * count(); }
  /// Sums of g s of prefix p, one a row.
  double* moments(Index p) const { return moments_ + p * count(); }
  const RowGradients<S>& gradients() const { return gradients_; }

  /// Takes memory for moments, and for gradients of the padded rows if they are wanted; all 0.
  void take_gradients(Scratch& scratch, bool wanted) {
    moments_ = scratch.take<double>(columns_.prefixes() * count());
    if (wanted) gradients_.data = scratch.take<S>(padded_rows() * columns_.stride());
    clear_gradients();
  }
  void clear_gradients() {
    std::fill_n(moments_, columns_.prefixes() * count(), 0.0);
    if (gradients_.wanted()) {
      std::fill_n(gradients_.data, padded_rows() * columns_.stride(), S(0));
    }
  }

  /// Adds the gradients of padded rows to those of packed ones, if wanted. A normalised prefix has
  /// no gradient along itself: moment / length^2 times the prefix is subtracted.
  void add_gradients(std::span<const double> weights, RowGradients<S>& to) const {
    if (!gradients_.wanted()) return;
    each_row(count(), threads_, [&](Index i) {
      double along = 0;
      for (Index b = columns_.prefixes() - 1; b >= 0; --b) {
        if (cosine_) {
          const auto factor = static_cast<double>(factors(b)[i]);
          along += weights[static_cast<std::size_t>(b)] * moments(b)[i] * factor * factor;
        }
        const Columns& block = columns_[b];
        S* const g = gradients_.data + i * columns_.stride() + block.first;
        row_loops<S>().add_scaled(block.count, saturated<S>(-along), row(i) + block.first, g);
        row_loops<S>().add(columns_.length(b), g, to.data + i * packed_.stride + columns_.first(b));
      }
    });
  }

 private:
  Index padded_rows() const { return round_up(count(), panel_rows); }

  void lay_out(Scratch& scratch) {
    data_ = scratch.take<S>(padded_rows() * columns_.stride());
    each_row(padded_rows(), threads_, [&](Index i) {
      S* const to = data_ + i * columns_.stride();
      std::fill_n(to, columns_.stride(), S(0));
      if (i >= count()) return;
      for (Index b = 0; b < columns_.prefixes(); ++b) {
        std::copy_n(packed_.row(i) + columns_.first(b), columns_.length(b), to + columns_[b].first);
      }
    });
  }

  void take_factors(Scratch& scratch) {
    factors_ = scratch.take<S>(columns_.prefixes() * count());
    std::fill_n(factors_, columns_.prefixes() * count(), S(1));
    if (!cosine_) return;
    each_row(count(), threads_, [&](Index i) {
      double square = 0;
      for (Index p = 0; p < columns_.prefixes(); ++p) {
        const S* const block = row(i) + columns_[p].first;
        square += row_loops<S>().dot_in_double(columns_[p].count, block, block);
        factors_[p * count() + i] = square > 0 ? saturated<S>(1 / std::sqrt(square)) : S(0);
      }
    });
  }

  int threads_;
  const PrefixColumns<S>& columns_;
  bool cosine_;
  const PackedRows<S>& packed_;
  S* data_ = nullptr;
  S* factors_ = nullptr;
  double* moments_ = nullptr;
  RowGradients<S> gradients_;  ///< of padded rows
};

/// Keys may come in blocks, a pass for each: `accumulate` adds a block to open rows; after they are
/// closed, `gradient` takes the blocks again.
template <class S>
class PrefixPass {
 public:
  /// `number`: that of the first key in the terms' numbers. All arguments must outlive the pass.
  PrefixPass(Scratch& scratch, int threads, const PrefixColumns<S>& columns, PrefixRows<S>& queries,
             PrefixRows<S>& keys, Index number = 0)
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        columns_(columns),
        prefixes_(columns.prefixes()),
        number_(number),
        queries_(queries),
        keys_(keys) {
    pack_keys();
  }

  /// Closes every row of the terms, one a prefix. Adds the range of all scores to `diagnostics`.
  void forward(std::span<RowTerm<S>* const> terms, Diagnostics& diagnostics) {
    run(terms, {}, diagnostics);
  }

  /// Like forward; also adds the gradients of sum_p weights[p] L_p to those of both sides that have
  /// memory for them.
  void forward_backward(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
                        Diagnostics& diagnostics) {
    copy_columns();
    run(terms, weights, diagnostics);
  }

  /// Adds the scores of a block of keys to open rows, and to their ranges, one a query.
  void accumulate(std::span<RowTerm<S>* const> terms, ScoreRange<S>* ranges) {
    const Index panels = tasks_of(queries_.count(), height);
    const int workers = static_cast<int>(std::min<Index>(threads_, panels));
    Memory* memory = take_memory(workers, tile_width);
    parallel_tasks(panels, workers, [&](Index t, int worker) {
      const Panel panel = panel_of(t, 0, queries_.count());
      each_tile(0, keys_.count(), [&](Index begin, Index end) {
        begin_tile(memory[worker], begin);
        accumulate_tile(terms, memory[worker], panel, begin, end, ranges);
      });
    });
  }

  /// Takes what gradients need, once for all calls of `gradient`.
  void prepare_gradients() { copy_columns(); }

  /// Adds the share of a block of keys to the gradients of both sides that have memory for them,
  /// of queries first .. first + count - 1. Rows are closed.
  void gradient(std::span<RowTerm<S>* const> terms, std::span<const double> weights, Index first,
                Index count) {
    const Index panels = tasks_of(count, height);
    const int workers = static_cast<int>(std::min<Index>(threads_, panels));
    Memory* memory = take_memory(workers, tile_width);
    parallel_pipeline(panels, workers, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        const Memory& mine = memory[worker];
                        const Panel panel = panel_of(t, first, count);
                        clear_moments(mine);
                        each_tile(0, keys_.count(), [&](Index begin, Index end) {
                          begin_tile(mine, begin);
                          multiply(mine, panel, begin, end);
                          add_gradients(terms, weights, mine, panel, begin, end, ticket);
                        });
                      });
  }

 private:
  static constexpr Index height = 48;

  /// The memory of one thread.
  struct Memory {
    ScorePanel<S>* panels;  ///< one a prefix
    S* buffers;             ///< two tile widths
    S* moments;             ///< of keys, one row a prefix
  };

  /// Queries of a panel.
  struct Panel {
    Index first;
    Index rows;
  };
  static Panel panel_of(Index t, Index first, Index count) {
    return {first + t * height, std::min(height, count - t * height)};
  }

  static std::size_t at(Index k) { return static_cast<std::size_t>(k); }

  /// Packs column panels of each block's keys, for the scores.
  void pack_keys() {
    const Index rows = keys_.count();
    const Index panels = tasks_of(rows, loops_.panel_cols);
    panels_ = scratch_.take<S>(panels * loops_.panel_cols * columns_.stride());
    parallel_tasks(panels, threads_, [&](Index q, int) {
      const Index first = q * loops_.panel_cols;
      const Index count = std::min(loops_.panel_cols, rows - first);
      for (Index b = 0; b < prefixes_; ++b) {
        const Columns& block = columns_[b];
        loops_.pack_col_panels(keys_.row(first) + block.first, columns_.stride(), count,
                               block.count, panels_of(b) + first * block.count);
      }
    });
  }
  S* panels_of(Index b) const {
    const Index rows = round_up(keys_.count(), loops_.panel_cols);
    return panels_ + rows * columns_[b].first;
  }

  /// Copies keys in blocks of columns, for the gradient of the queries.
  void copy_columns() {
    if (!queries_.gradients().wanted()) return;
    const Index rows = keys_.count();
    copied_ = scratch_.take<S>(rows * columns_.stride());
    each_row(rows, threads_, [&](Index j) {
      for (Index b = 0; b < prefixes_; ++b) {
        each_column_block(b, [&](const Columns& d) {
          std::copy_n(keys_.row(j) + d.first, d.count, copied_ + d.first * rows + j * d.count);
        });
      }
    });
  }

  /// Calls body(columns) for the pieces of block b that one product takes.
  template <class Body>
  void each_column_block(Index b, const Body& body) const {
    for (Index t = 0; t < column_blocks(loops_, columns_[b].count); ++t) {
      const Columns d = column_block(loops_, t, columns_[b].count);
      body(Columns{columns_[b].first + d.first, d.count});
    }
  }

  /// For panels of scores with so many keys at a time.
  Memory* take_memory(int count, Index keys) {
    auto* all = scratch_.take<Memory>(count);
    for (int k = 0; k < count; ++k) {
      auto* panels = scratch_.take<ScorePanel<S>>(prefixes_);
      for (Index p = 0; p < prefixes_; ++p) {
        S* const data = scratch_.take<S>(ScorePanel<S>::size(height, keys));
        new (panels + p) ScorePanel<S>{data, height};
      }
      new (all + k) Memory{panels, scratch_.take<S>(2 * tile_width),
                           scratch_.take<S>(prefixes_ * moments_stride())};
    }
    return all;
  }
  Index moments_stride() const { return round_up(keys_.count(), tile_width); }
  void clear_moments(const Memory& mine) const {
    std::fill_n(mine.moments, prefixes_ * moments_stride(), S(0));
  }

  /// Lets panels of one tile hold the tile that begins with a key.
  void begin_tile(const Memory& mine, Index begin) const {
    for (Index p = 0; p < prefixes_; ++p) mine.panels[p].first = begin;
  }

  /// Panels of whole rows, which close their rows and take the gradients of the same scores.
  void run(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
           Diagnostics& diagnostics) {
    const Index n = queries_.count();
    const Index m = keys_.count();
    auto* ranges = take_ranges<S>(scratch_, n);
    const Index panels = tasks_of(n, height);
    const Index bytes = prefixes_ * ScorePanel<S>::size(height, m) * Index(sizeof(S));
    const int count = panels_at_once(queries_.packed(), keys_.packed(), std::max<Index>(bytes, 1),
                                     std::min<Index>(threads_, panels));
    Memory* memory = take_memory(count, m);
    parallel_pipeline(panels, count, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        const Memory& mine = memory[worker];
                        const Panel panel = panel_of(t, 0, n);
                        each_row_of(terms, panel, [](auto& term, Index i) { term.start(i); });
                        each_tile(0, m, [&](Index begin, Index end) {
                          accumulate_tile(terms, mine, panel, begin, end, ranges);
                        });
                        each_row_of(terms, panel, [](auto& term, Index i) { term.close(i); });
                        if (weights.empty()) return;
                        clear_moments(mine);
                        each_tile(0, m, [&](Index begin, Index end) {
                          add_gradients(terms, weights, mine, panel, begin, end, ticket);
                        });
                      });
    for (Index i = 0; i < n; ++i) ranges[i].add_to(diagnostics);
  }

  template <class Body>
  static void each_row_of(std::span<RowTerm<S>* const> terms, const Panel& panel,
                          const Body& body) {
    for (RowTerm<S>* term : terms) {
      for (Index i = panel.first; i < panel.first + panel.rows; ++i) body(*term, i);
    }
  }

  /// Adds the scores of a panel's rows with keys [begin, end) of one tile to the statistics.
  void accumulate_tile(std::span<RowTerm<S>* const> terms, const Memory& mine, const Panel& panel,
                       Index begin, Index end, ScoreRange<S>* ranges) const {
    multiply(mine, panel, begin, end);
    for (Index p = 0; p < prefixes_; ++p) {
      for (Index r = 0; r < panel.rows; ++r) {
        const Index i = panel.first + r;
        S* const s = mine.panels[p].at(r, begin);
        ranges[i].fold(false, end - begin, s);
        terms[at(p)]->accumulate(i, number_ + begin, end - begin, s);
      }
    }
  }

  /// Computes scores of all prefixes with keys [begin, end) of one tile.
  void multiply(const Memory& mine, const Panel& panel, Index begin, Index end) const {
    const Index panels = tasks_of(keys_.count(), loops_.panel_cols);
    for (Index p = 0; p < prefixes_; ++p) {
      S* const to = mine.panels[p].at(0, begin);
      if (p > 0) {
        const S* const from = mine.panels[p - 1].at(0, begin);
        for (Index r = 0; r < round_up(panel.rows, panel_rows); ++r) {
          std::copy_n(from + r * ScorePanel<S>::stride, round_up(end - begin, loops_.lanes),
                      to + r * ScorePanel<S>::stride);
        }
      }
      loops_.multiply_panels(queries_.row(panel.first) + columns_[p].first, columns_.stride(),
                             panels_of(p), columns_[p].count, tasks_of(panel.rows, panel_rows),
                             begin, end, panels, to, ScorePanel<S>::stride, p > 0);
    }
    const S most = queries_.cosine() ? S(1) : std::numeric_limits<S>::max();
    for (Index p = 0; p < prefixes_; ++p) {
      for (Index r = 0; r < panel.rows; ++r) {
        prefix_loops<S>().scores(end - begin, queries_.factors(p)[panel.first + r],
                                 keys_.factors(p) + begin, most, mine.panels[p].at(r, begin));
      }
    }
  }

  /// Turns scores of a tile into weights, and adds its gradients.
  void add_gradients(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
                     const Memory& mine, const Panel& panel, Index begin, Index end,
                     const Ticket& ticket) const {
    weigh(terms, weights, mine, panel, begin, end);
    add_query_gradients(mine, panel, begin, end);
    ticket.wait_for(begin / tile_width);
    add_key_gradients(mine, panel, begin, end);
    ticket.leave(begin / tile_width);
  }

  /// Panel p gets the sum for all prefixes that contain block p.
  void weigh(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
             const Memory& mine, const Panel& panel, Index begin, Index end) const {
    const Index width = end - begin;
    for (Index p = prefixes_ - 1; p >= 0; --p) {
      const auto weight = static_cast<S>(weights[at(p)]);
      S* const moments = mine.moments + p * moments_stride() + begin;
      for (Index r = 0; r < panel.rows; ++r) {
        const Index i = panel.first + r;
        S* const s = mine.panels[p].at(r, begin);
        S* const g = mine.buffers;
        terms[at(p)]->gradient(i, number_ + begin, width, s, g);
        queries_.moments(p)[i] += prefix_loops<S>().weights(
            width, weight * queries_.factors(p)[i], keys_.factors(p) + begin, g, s, moments);
        if (p + 1 < prefixes_) row_loops<S>().add(width, mine.panels[p + 1].at(r, begin), s);
        std::fill_n(s + width, round_up(width, panel_rows) - width, S(0));
      }
    }
  }

  void add_query_gradients(const Memory& mine, const Panel& panel, Index begin, Index end) const {
    const RowGradients<S>& to = queries_.gradients();
    if (!to.wanted()) return;
    const Index m = keys_.count();
    for (Index b = 0; b < prefixes_; ++b) {
      each_column_block(b, [&](const Columns& d) {
        loops_.multiply_rows(
            mine.panels[b].at(0, begin), ScorePanel<S>::stride, tasks_of(panel.rows, panel_rows),
            end - begin, copied_ + d.first * m + begin * d.count, d.count, m - begin, d.count,
            to.data + panel.first * columns_.stride() + d.first, columns_.stride());
      });
    }
  }

  void add_key_gradients(const Memory& mine, const Panel& panel, Index begin, Index end) const {
    const RowGradients<S>& to = keys_.gradients();
    if (!to.wanted()) return;
    for (Index b = 0; b < prefixes_; ++b) {
      loops_.multiply_transposed(
          mine.panels[b].at(0, begin), ScorePanel<S>::stride, tasks_of(end - begin, panel_rows),
          panel.rows, queries_.row(panel.first) + columns_[b].first, columns_.stride(),
          columns_[b].count, to.data + begin * columns_.stride() + columns_[b].first,
          columns_.stride());
      const S* const moments = mine.moments + b * moments_stride() + begin;
      row_loops<S>().add_in_double(end - begin, moments, keys_.moments(b) + begin);
    }
  }

  const ProductLoops<S>& loops_ = product_loops<S>();
  Scratch& scratch_;
  int threads_;
  const PrefixColumns<S>& columns_;
  Index prefixes_;
  Index number_;
  PrefixRows<S>& queries_;
  PrefixRows<S>& keys_;
  S* panels_ = nullptr;  ///< column panels of keys, block by block
  S* copied_ = nullptr;  ///< blocks of columns of keys
};

}  // namespace nearfar::detail
