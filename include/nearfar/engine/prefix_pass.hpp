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

/// Blocks of columns between the ends of prefixes, each padded with zeros to whole vectors of every
/// instruction set.
template <class S>
struct PrefixRows {
  const PackedRows<S>* packed = nullptr;
  S* data = nullptr;
  Index stride = 0;
  RowGradients<S> gradients;  ///< of these rows

  const S* row(Index i) const { return data + i * stride; }
};

template <class S>
class PrefixPass {
 public:
  /// `ends`: the lengths of the prefixes, ascending; the last is that of the rows. All arguments
  /// must outlive the pass.
  PrefixPass(Scratch& scratch, int threads, Geometry geometry, const PackedRows<S>& queries,
             const PackedRows<S>& keys, std::span<const Index> ends)
      : scratch_(scratch),
        threads_(std::max(1, threads)),
        cosine_(geometry == Geometry::cosine),
        ends_(ends),
        prefixes_(static_cast<Index>(ends.size())),
        blocks_(scratch.take<Columns>(prefixes_)) {
    Index first = 0;
    for (Index b = 0; b < prefixes_; ++b) {
      blocks_[b] = {first, round_up(length(b), block_grid)};
      first += blocks_[b].count;
    }
    stride_ = padded_stride<S>(first);
    queries_ = laid_out(queries);
    keys_ = laid_out(keys);
    query_factors_ = factors(queries_);
    key_factors_ = factors(keys_);
    pack_keys();
  }

  /// Closes every row of the terms, one a prefix. Adds the range of all scores to `diagnostics`.
  void forward(std::span<RowTerm<S>* const> terms, Diagnostics& diagnostics) {
    run(terms, {}, nullptr, nullptr, diagnostics);
  }

  /// Like forward; also adds the gradients of sum_p weights[p] L_p with respect to the packed rows
  /// to `dx` and `dy`, each if wanted.
  void forward_backward(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
                        RowGradients<S>& dx, RowGradients<S>& dy, Diagnostics& diagnostics) {
    if (dx.wanted()) queries_.gradients = take(queries_);
    if (dy.wanted()) keys_.gradients = take(keys_);
    if (dx.wanted()) copy_columns();
    double* query_moments = scratch_.take<double>(prefixes_ * queries_.packed->rows);
    double* key_moments = scratch_.take<double>(prefixes_ * keys_.packed->rows);
    std::fill_n(query_moments, prefixes_ * queries_.packed->rows, 0.0);
    std::fill_n(key_moments, prefixes_ * keys_.packed->rows, 0.0);
    run(terms, weights, query_moments, key_moments, diagnostics);
    if (dx.wanted()) add_to(dx, queries_, query_factors_, query_moments, weights);
    if (dy.wanted()) add_to(dy, keys_, key_factors_, key_moments, weights);
  }

 private:
  static constexpr Index height = 48;
  static constexpr Index block_grid = 64 / Index(sizeof(float));

  /// The memory of one thread.
  struct Memory {
    ScorePanel<S>* panels;  ///< one a prefix
    S* buffers;             ///< two tile widths
    S* moments;             ///< of keys, one row a prefix
  };

  Index length(Index b) const { return ends_[at(b)] - (b > 0 ? ends_[at(b - 1)] : 0); }
  static std::size_t at(Index k) { return static_cast<std::size_t>(k); }

  PrefixRows<S> laid_out(const PackedRows<S>& x) {
    PrefixRows<S> out;
    out.packed = &x;
    out.stride = stride_;
    const Index rows = round_up(x.rows, panel_rows);
    out.data = scratch_.take<S>(rows * stride_);
    each_row(rows, threads_, [&](Index i) {
      S* const to = out.data + i * stride_;
      std::fill_n(to, stride_, S(0));
      if (i >= x.rows) return;
      for (Index b = 0; b < prefixes_; ++b) {
        const Index begin = ends_[at(b)] - length(b);
        std::copy_n(x.row(i) + begin, length(b), to + blocks_[b].first);
      }
    });
    return out;
  }

  /// 1 / length of each prefix of each row, 0 for zeros; 1 for an inner product.
  S* factors(const PrefixRows<S>& x) {
    const Index rows = x.packed->rows;
    S* out = scratch_.take<S>(prefixes_ * rows);
    std::fill_n(out, prefixes_ * rows, S(1));
    if (!cosine_) return out;
    each_row(rows, threads_, [&](Index i) {
      double square = 0;
      for (Index p = 0; p < prefixes_; ++p) {
        const S* const block = x.row(i) + blocks_[p].first;
        square += row_loops<S>().dot_in_double(blocks_[p].count, block, block);
        out[p * rows + i] = square > 0 ? saturated<S>(1 / std::sqrt(square)) : S(0);
      }
    });
    return out;
  }

  RowGradients<S> take(const PrefixRows<S>& x) {
    RowGradients<S> g;
    const Index size = round_up(x.packed->rows, panel_rows) * stride_;
    g.data = scratch_.take<S>(size);
    std::fill_n(g.data, size, S(0));
    return g;
  }

  /// Packs column panels of each block's keys, for the scores.
  void pack_keys() {
    const Index rows = keys_.packed->rows;
    const Index panels = tasks_of(rows, loops_.panel_cols);
    panels_ = scratch_.take<S>(panels * loops_.panel_cols * stride_);
    parallel_tasks(panels, threads_, [&](Index q, int) {
      const Index first = q * loops_.panel_cols;
      const Index count = std::min(loops_.panel_cols, rows - first);
      for (Index b = 0; b < prefixes_; ++b) {
        loops_.pack_col_panels(keys_.row(first) + blocks_[b].first, stride_, count,
                               blocks_[b].count, panels_of(b) + first * blocks_[b].count);
      }
    });
  }
  S* panels_of(Index b) const {
    const Index rows = round_up(keys_.packed->rows, loops_.panel_cols);
    return panels_ + rows * blocks_[b].first;
  }

  /// Copies keys in blocks of columns, for the gradient of the queries.
  void copy_columns() {
    const Index rows = keys_.packed->rows;
    columns_ = scratch_.take<S>(rows * stride_);
    each_row(rows, threads_, [&](Index j) {
      each_column_block([&](const Columns& d) {
        std::copy_n(keys_.row(j) + d.first, d.count, columns_ + d.first * rows + j * d.count);
      });
    });
  }

  /// Calls body(columns) for the pieces of each block that one product takes.
  template <class Body>
  void each_column_block(const Body& body) const {
    for (Index b = 0; b < prefixes_; ++b) each_column_block(b, body);
  }
  template <class Body>
  void each_column_block(Index b, const Body& body) const {
    for (Index t = 0; t < column_blocks(loops_, blocks_[b].count); ++t) {
      const Columns d = column_block(loops_, t, blocks_[b].count);
      body(Columns{blocks_[b].first + d.first, d.count});
    }
  }

  Memory* take_memory(int count) {
    auto* all = scratch_.take<Memory>(count);
    for (int k = 0; k < count; ++k) {
      auto* panels = scratch_.take<ScorePanel<S>>(prefixes_);
      for (Index p = 0; p < prefixes_; ++p) {
        S* const data = scratch_.take<S>(ScorePanel<S>::size(height, keys_.packed->rows));
        new (panels + p) ScorePanel<S>{data, height};
      }
      new (all + k) Memory{panels, scratch_.take<S>(2 * tile_width),
                           scratch_.take<S>(prefixes_ * round_up(keys_.packed->rows, tile_width))};
    }
    return all;
  }

  void run(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
           double* query_moments, double* key_moments, Diagnostics& diagnostics) {
    const Index n = queries_.packed->rows;
    const Index m = keys_.packed->rows;
    auto* ranges = take_ranges<S>(scratch_, n);
    const Index panels = tasks_of(n, height);
    const Index bytes = prefixes_ * ScorePanel<S>::size(height, m) * Index(sizeof(S));
    const int count = panels_at_once(*queries_.packed, *keys_.packed, std::max<Index>(bytes, 1),
                                     std::min<Index>(threads_, panels));
    Memory* memory = take_memory(count);
    parallel_pipeline(panels, count, scratch_.take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        const Memory& mine = memory[worker];
                        const Index first = t * height;
                        const Index rows = std::min(height, n - first);
                        accumulate(terms, mine, first, rows, ranges);
                        if (weights.empty()) return;
                        std::fill_n(mine.moments, prefixes_ * round_up(m, tile_width), S(0));
                        each_tile(0, m, [&](Index begin, Index end) {
                          weigh(terms, weights, mine, first, rows, begin, end, query_moments);
                          add_query_gradients(mine, first, rows, begin, end);
                          ticket.wait_for(begin / tile_width);
                          add_key_gradients(mine, first, rows, begin, end, key_moments);
                          ticket.leave(begin / tile_width);
                        });
                      });
    for (Index i = 0; i < n; ++i) ranges[i].add_to(diagnostics);
  }

  /// Adds the scores of a panel's rows to the statistics, and closes the rows.
  void accumulate(std::span<RowTerm<S>* const> terms, const Memory& mine, Index first, Index rows,
                  ScoreRange<S>* ranges) const {
    const Index n = queries_.packed->rows;
    const Index m = keys_.packed->rows;
    const S most = cosine_ ? S(1) : std::numeric_limits<S>::max();
    for (RowTerm<S>* term : terms) {
      for (Index i = first; i < first + rows; ++i) term->start(i);
    }
    each_tile(0, m, [&](Index begin, Index end) {
      multiply(mine, first, rows, begin, end);
      for (Index p = 0; p < prefixes_; ++p) {
        for (Index r = 0; r < rows; ++r) {
          const Index i = first + r;
          S* const s = mine.panels[p].at(r, begin);
          prefix_loops<S>().scores(end - begin, query_factors_[p * n + i],
                                   key_factors_ + p * m + begin, most, s);
          ranges[i].fold(false, end - begin, s);
          terms[at(p)]->accumulate(i, begin, end - begin, s);
        }
      }
    });
    for (RowTerm<S>* term : terms) {
      for (Index i = first; i < first + rows; ++i) term->close(i);
    }
  }

  /// Computes inner products of all prefixes with keys [begin, end) of one tile.
  void multiply(const Memory& mine, Index first, Index rows, Index begin, Index end) const {
    const Index panels = tasks_of(keys_.packed->rows, loops_.panel_cols);
    for (Index p = 0; p < prefixes_; ++p) {
      S* const to = mine.panels[p].at(0, begin);
      if (p > 0) {
        const S* const from = mine.panels[p - 1].at(0, begin);
        for (Index r = 0; r < round_up(rows, panel_rows); ++r) {
          std::copy_n(from + r * ScorePanel<S>::stride, round_up(end - begin, loops_.lanes),
                      to + r * ScorePanel<S>::stride);
        }
      }
      loops_.multiply_panels(queries_.row(first) + blocks_[p].first, stride_, panels_of(p),
                             blocks_[p].count, tasks_of(rows, panel_rows), begin, end, panels, to,
                             ScorePanel<S>::stride, p > 0);
    }
  }

  /// Turns scores of a tile into weights: panel p gets the sum for all prefixes that contain block
  /// p.
  void weigh(std::span<RowTerm<S>* const> terms, std::span<const double> weights,
             const Memory& mine, Index first, Index rows, Index begin, Index end,
             double* query_moments) const {
    const Index n = queries_.packed->rows;
    const Index m = keys_.packed->rows;
    const Index width = end - begin;
    for (Index p = prefixes_ - 1; p >= 0; --p) {
      const auto weight = static_cast<S>(weights[at(p)]);
      S* const moments = mine.moments + p * round_up(m, tile_width) + begin;
      for (Index r = 0; r < rows; ++r) {
        const Index i = first + r;
        S* const s = mine.panels[p].at(r, begin);
        S* const g = mine.buffers;
        terms[at(p)]->gradient(i, begin, width, s, g);
        query_moments[p * n + i] += prefix_loops<S>().weights(
            width, weight * query_factors_[p * n + i], key_factors_ + p * m + begin, g, s, moments);
        if (p + 1 < prefixes_) row_loops<S>().add(width, mine.panels[p + 1].at(r, begin), s);
        std::fill_n(s + width, round_up(width, panel_rows) - width, S(0));
      }
    }
  }

  void add_query_gradients(const Memory& mine, Index first, Index rows, Index begin,
                           Index end) const {
    if (!queries_.gradients.wanted()) return;
    const Index m = keys_.packed->rows;
    for (Index b = 0; b < prefixes_; ++b) {
      each_column_block(b, [&](const Columns& d) {
        loops_.multiply_rows(mine.panels[b].at(0, begin), ScorePanel<S>::stride,
                             tasks_of(rows, panel_rows), end - begin,
                             columns_ + d.first * m + begin * d.count, d.count, m - begin, d.count,
                             queries_.gradients.data + first * stride_ + d.first, stride_);
      });
    }
  }

  void add_key_gradients(const Memory& mine, Index first, Index rows, Index begin, Index end,
                         double* key_moments) const {
    if (!keys_.gradients.wanted()) return;
    const Index m = keys_.packed->rows;
    for (Index b = 0; b < prefixes_; ++b) {
      loops_.multiply_transposed(
          mine.panels[b].at(0, begin), ScorePanel<S>::stride, tasks_of(end - begin, panel_rows),
          rows, queries_.row(first) + blocks_[b].first, stride_, blocks_[b].count,
          keys_.gradients.data + begin * stride_ + blocks_[b].first, stride_);
      const S* const moments = mine.moments + b * round_up(m, tile_width) + begin;
      row_loops<S>().add_in_double(end - begin, moments, key_moments + b * m + begin);
    }
  }

  /// Adds the gradients of padded rows to those of packed ones. A normalised prefix has no gradient
  /// along itself: moment / length^2 times the prefix is subtracted.
  void add_to(RowGradients<S>& out, const PrefixRows<S>& x, const S* factors, const double* moments,
              std::span<const double> weights) const {
    const Index rows = x.packed->rows;
    each_row(rows, threads_, [&](Index i) {
      double along = 0;
      for (Index b = prefixes_ - 1; b >= 0; --b) {
        if (cosine_) {
          const auto factor = static_cast<double>(factors[b * rows + i]);
          along += weights[at(b)] * moments[b * rows + i] * factor * factor;
        }
        S* const g = x.gradients.data + i * stride_ + blocks_[b].first;
        row_loops<S>().add_scaled(blocks_[b].count, saturated<S>(-along),
                                  x.row(i) + blocks_[b].first, g);
        row_loops<S>().add(length(b), g,
                           out.data + i * x.packed->stride + (ends_[at(b)] - length(b)));
      }
    });
  }

  const ProductLoops<S>& loops_ = product_loops<S>();
  Scratch& scratch_;
  int threads_;
  bool cosine_;
  std::span<const Index> ends_;
  Index prefixes_;
  Columns* blocks_;  ///< of padded columns
  Index stride_ = 0;
  PrefixRows<S> queries_;
  PrefixRows<S> keys_;
  S* query_factors_ = nullptr;  ///< one row a prefix
  S* key_factors_ = nullptr;
  S* panels_ = nullptr;   ///< column panels of keys, block by block
  S* columns_ = nullptr;  ///< blocks of columns of keys
};

}  // namespace nearfar::detail
