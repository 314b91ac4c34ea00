#pragma once

#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/engine/score_range.hpp"

/// \file
/// The scores of row panels, tile by tile: from products to scores, from derivatives to weights,
/// and from weights to the panel's share of both gradients.

namespace nearfar::detail {

/// Queries of a panel, and the first key that any of them is compared with.
struct PanelQueries {
  Index first;
  Index count;
  Index first_key;
  Index end() const { return first + count; }
};

/// The scores of queries with keys under a kernel and a mask. Every function works on one panel,
/// which belongs to one thread.
template <class S>
class ScoreTiles {
 public:
  /// All arguments must outlive the object. Pass the same rows twice for a set compared with
  /// itself.
  ScoreTiles(Scratch& scratch, int threads, const KernelValue<S>& kernel,
             const PackedRows<S>& queries, const PackedRows<S>& keys, const PairMask& mask)
      : queries_(queries),
        keys_(keys),
        mask_(mask),
        products_(scratch, threads, queries, keys),
        score_rows_(scratch, kernel, queries, keys) {}

  const PackedRows<S>& queries() const { return queries_; }
  const PackedRows<S>& keys() const { return keys_; }
  const PairMask& mask() const { return mask_; }
  const ScoreRows<S>& score_rows() const { return score_rows_; }

  bool is_distance() const { return score_rows_.kernel().orientation == Orientation::distance; }
  bool has_row_weights() const { return score_rows_.kernel().is_distance(); }

  /// Call it before gradients are added, with those that are.
  void prepare_gradients(bool of_queries, bool of_keys) {
    products_.prepare_gradients(of_queries, of_keys);
  }

  /// Panel t of panels of `height` queries.
  PanelQueries panel(Index t, Index height) const {
    const Index first = t * height;
    return {first, std::min(height, queries_.rows - first), mask_.is_upper() ? first : 0};
  }

  /// Calls body(first, end) for the tiles of a panel.
  template <class Body>
  void each_tile_of(const PanelQueries& panel, const Body& body) const {
    each_tile(panel.first_key, keys_.rows, body);
  }

  /// The end of padded blocks of keys up to `end`.
  Index padded_end(Index end) const { return end == keys_.rows ? round_up(end, panel_rows) : end; }

  /// Computes inner products of a tile.
  void multiply(const ScorePanel<S>& scores, const PanelQueries& panel, Index first,
                Index end) const {
    products_.score(panel.first, panel.count, first, end, scores);
  }

  /// Turns inner products of a tile's pairs that count into geometry values.
  void to_geometry(const PanelMemory<S>& mine, const PanelQueries& panel, Index first,
                   Index end) const {
    for (Index r = 0; r < panel.count; ++r) {
      const Index i = panel.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        score_rows_.products_to_geometry(mine.thread, i, from, n, mine.panel.at(r, from),
                                         mine.near_of(r, from));
      });
    }
  }

  /// Turns inner products of a tile into geometry values, and calls accumulate(r, from, n, s) for
  /// the scores of the panel's row r with keys from, from + 1, ... that count.
  template <class Accumulate>
  void accumulate(const PanelMemory<S>& mine, const PanelQueries& panel, Index first, Index end,
                  ScoreRange<S>* ranges, const Accumulate& accumulate) const {
    const bool distances = is_distance();
    for (Index r = 0; r < panel.count; ++r) {
      const Index i = panel.first + r;
      mask_.each_part(i, first, end, [&](Index from, Index n) {
        S* u = mine.panel.at(r, from);
        score_rows_.products_to_geometry(mine.thread, i, from, n, u, mine.near_of(r, from));
        const S* s = score_rows_.scores(n, u, mine.buffers);
        accumulate(r, from, n, s);
        ranges[i].fold(distances, n, s);
      });
    }
  }

  /// Turns a tile's geometry values into weights, in place. gradient(r, from, n, s, g) writes dL/ds
  /// of the same scores.
  template <class Gradient>
  void weigh(PanelMemory<S>& mine, const PanelQueries& panel, Index first, Index end,
             const Gradient& gradient) const {
    for (Index r = 0; r < panel.count; ++r) {
      MaskedZeros masked(mine.panel, r, first);
      mask_.each_part(panel.first + r, first, end, [&](Index from, Index n) {
        masked.clear_until(from);
        S* u = mine.panel.at(r, from);
        const S* s = score_rows_.scores(n, u, mine.buffers);
        S* g = mine.buffers + tile_width;
        gradient(r, from, n, s, g);
        mine.weights[r] += score_rows_.weights(n, g, s, u, mine.near_of(r, from));
        masked.skip_to(from + n);
      });
      masked.clear_until(padded_end(end));
    }
  }

  /// Adds the panel's share of both gradients, tile by tile.
  void add_gradients(PanelMemory<S>& mine, const PanelQueries& panel, const Ticket& ticket,
                     const S* factors, PanelGradients<S>& gradients) const {
    if (!gradients.wants_queries() && !gradients.wants_keys()) return;
    FactoredRows<S> rows = plain_rows(panel);
    rows.factors = factors;
    if (factors != nullptr && gradients.wants_keys() && !products_.in_bfloat16()) {
      rows.rows = mine.scaled_rows(queries_, panel.first, panel.count);
    }
    const bool apart = factors != nullptr || gradients.shared();
    S* sums = nullptr;
    if (gradients.wants_queries()) sums = apart ? mine.sums : gradients.rows(panel.first);
    if (apart) std::fill_n(mine.sums, round_up(panel.count, panel_rows) * queries_.stride, S(0));
    each_tile_of(panel, [&](Index first, Index end) {
      const Index stage = first / tile_width;
      add_tile_gradients(mine, panel, rows, first, end, ticket, stage, sums, gradients.of_keys());
      if (gradients.wants_keys()) ticket.leave(stage);
    });
    if (sums == nullptr) return;
    if (apart) gradients.add_rows(panel.first, panel.count, sums, factors);
    if (has_row_weights()) gradients.take_weights(panel.first, panel.count, mine.weights);
  }

  /// The panel's queries without factors.
  FactoredRows<S> plain_rows(const PanelQueries& panel) const {
    return {panel.first, nullptr, queries_.row(panel.first)};
  }

  /// Adds a tile's share to `sums`, the gradients of the panel's queries, and to dy, each if
  /// wanted. `rows` are the panel's queries, in some calls times factors. The part for dy waits for
  /// `stage`, which the caller leaves.
  void add_tile_gradients(PanelMemory<S>& mine, const PanelQueries& panel,
                          const FactoredRows<S>& rows, Index first, Index end, const Ticket& ticket,
                          Index stage, S* sums, RowGradients<S>& dy) const {
    if (mine.any_near(panel.count, first, end)) {
      if (dy.wanted()) ticket.wait_for(stage);
      products_.add_near_gradients(mine.thread, mine.panel, mine.near, panel.first, panel.count,
                                   first, first, end, sums, dy);
    }
    if (sums != nullptr) {
      products_.add_query_gradients(mine.thread, mine.panel, panel.count, first, end, sums);
    }
    if (dy.wanted()) {
      ticket.wait_for(stage);
      products_.add_key_gradients(mine.thread, mine.panel, rows, panel.count, first, end, dy);
    }
  }

  /// Adds the rows' ranges to the diagnostics. Throws std::domain_error if a computed distance
  /// overflowed S.
  void gather(const ScoreRange<S>* ranges, Diagnostics& d) const {
    score_rows_.check_overflow();
    for (Index i = 0; i < queries_.rows; ++i) ranges[i].add_to(d);
  }

 private:
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  PairMask mask_;
  PanelProducts<S> products_;
  ScoreRows<S> score_rows_;
};

}  // namespace nearfar::detail
