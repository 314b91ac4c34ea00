#pragma once

#include <cmath>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/excluded_pairs.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/engine/softmax_term.hpp"

/// \file
/// Softmax terms on both sides of a score: one exponential serves both. It is relative to a
/// reference of the tile, and converted to each row's own reference in sums (statistics) or in
/// factors (weights). That is possible if the scores of a tile are so near each other that no
/// exponential underflows. In other tiles each side computes its own.

namespace nearfar::detail {

/// The factor by which sums relative to one reference become sums relative to another. Most rows
/// have the same two references, so the last result is kept.
template <class S>
class Rebase {
 public:
  /// exp((from - to) / tau), from <= to.
  double factor(S from, S to, S rate) {
    if (from == to) return 1;
    if (from != from_ || to != to_) {
      from_ = from;
      to_ = to;
      factor_ = portable::exp2((static_cast<double>(from) - static_cast<double>(to)) *
                               static_cast<double>(rate));
    }
    return factor_;
  }

 private:
  S from_ = 0;
  S to_ = 0;
  double factor_ = 1;
};

/// Adds `sum`, relative to `reference`, to a sum relative to `best`, which rises if necessary.
template <class S>
void add_exponentials(S reference, double sum, S rate, Rebase<S>& memo, S& best, double& total) {
  if (reference > best) {
    total *= best > -std::numeric_limits<S>::infinity() ? memo.factor(best, reference, rate) : 0.0;
    best = reference;
    total += sum;
  } else {
    total += sum * memo.factor(reference, best, rate);
  }
}

/// The use of exponentials relative to a reference.
enum class ReferenceOf { sums, weights };

/// The reference of one tile's exponentials.
template <class S>
struct TileReference {
  S value;
  bool usable;  ///< true if neither exponentials nor factors of them overflow or underflow in S

  /// For scores in `range`. For sums, references are multiples of a large step, so that most tiles
  /// have the same one and sums rarely need conversion; for weights, they are as near as possible,
  /// so that little underflows. Both are multiples of a power of two near the temperature:
  /// differences between scores and references are exact unless they are larger than the scores.
  TileReference(const Range<S>& range, S rate, ReferenceOf of = ReferenceOf::sums) {
    const double step = of == ReferenceOf::sums ? 16 : 1;  // in powers of two
    constexpr double farthest = 60;  // in the range of float, together with the reciprocal of sums
    const double top = static_cast<double>(range.largest) * static_cast<double>(rate);
    const double bottom = static_cast<double>(range.smallest) * static_cast<double>(rate);
    const double rung = std::ceil(top / step) * step;
    const double unit = portable::exp2(std::floor(-portable::log2(static_cast<double>(rate))));
    const double reference = std::ceil(rung / static_cast<double>(rate) / unit) * unit;
    usable = rung - bottom < farthest && std::abs(rung) < 1e6;
    value = usable ? static_cast<S>(reference) : range.largest;
  }
};

/// Numbers of all queries or all keys that tiles of weights need.
template <class S>
struct SharedSide {
  S* top;  ///< the reference of a row's exponentials
  S* factor;
  S* reference;
  S* share;

  SharedSide(Scratch& scratch, Index count)
      : top(scratch.take<S>(count)),
        factor(scratch.take<S>(count)),
        reference(scratch.take<S>(count)),
        share(scratch.take<S>(count)) {}

  /// Returns false if a factor is too large for S, with a margin for later products.
  bool fill(const SoftmaxTerm<S>& term, Index count) {
    constexpr double largest = sizeof(S) == sizeof(float) ? 1e12 : 1e250;
    const auto rate = static_cast<double>(term.rate());
    bool fits = true;
    for (Index i = 0; i < count; ++i) {
      const SoftmaxNumbers<S> row = term.numbers(i);
      const bool empty = !(row.total > 0);
      // Relative to this the row's exponentials have a sum between one and two.
      top[i] = empty ? S(0) : static_cast<S>(row.best + std::ilogb(row.total) / rate);
      const double f =
          empty ? 0 : row.factor * portable::exp2((static_cast<double>(top[i]) - row.best) * rate);
      fits = fits && std::abs(f) < largest;
      factor[i] = static_cast<S>(f);
      reference[i] = empty ? S(0) : row.reference;
      share[i] = empty ? S(0) : row.share;
    }
    return fits;
  }

  SideNumbers<S> from(Index first, bool codes) const {
    return {top + first, factor + first, reference + first, codes ? share + first : nullptr};
  }
};

/// The memory of one thread for one tile.
template <class S>
struct SharedMemory {
  TileSums<S> sums;
  TileFactors<S> rows;
  TileFactors<S> columns;
  S* positives;  ///< scores of rows with one positive

  SharedMemory(Scratch& scratch, Index height)
      : sums{take(scratch, height), take(scratch, tile_width), take(scratch, height),
             take(scratch, tile_width), take(scratch, 2 * height * product_loops<S>().lanes)},
        rows(factors(scratch, height)),
        columns(factors(scratch, tile_width)),
        positives(take(scratch, height)) {}

 private:
  static S* take(Scratch& scratch, Index count) { return scratch.take<S>(count); }
  static TileFactors<S> factors(Scratch& scratch, Index count) {
    const Index padded = round_up(count, product_loops<S>().lanes);
    return {take(scratch, padded), take(scratch, padded), take(scratch, padded)};
  }
};

/// A tile of a row panel, its rows queries from first_row on, its columns keys [first, end), both
/// sides softmax terms. `first` is where a vector begins; key 0 is number `key_number` as the
/// queries' term counts. Rows may be compared with themselves (the
/// `own` functions): columns are then the same rows, and each pair is in the tile twice. Scores of
/// excluded pairs, the same for both sides, are lost.
template <class S>
class SharedTile {
 public:
  SharedTile(SoftmaxTerm<S>& queries, SoftmaxTerm<S>& keys, const ScorePanel<S>& panel,
             const ExcludedPairs& excluded, Index first_row, Index count, Index first, Index end,
             Index key_number, SharedMemory<S>& memory)
      : queries_(queries),
        keys_(keys),
        panel_(panel),
        excluded_(excluded),
        first_row_(first_row),
        count_(count),
        first_(first),
        end_(end),
        key_number_(key_number),
        memory_(memory) {}

  /// Adds the tile's scores to the statistics of its queries and keys. If a query has one positive,
  /// the query must be the positive of that key.
  void accumulate(S reference) {
    mask_padding();
    mask_excluded([&](Index i, Index j) {
      queries_.leave_out(i);
      keys_.leave_out(j);
    });
    each_positive([&](Index i, Index j, S& s) {
      queries_.set_positive(i, s);
      keys_.set_positive(j, s);
      memory_.positives[i - first_row_] = s;
      s = left_out<S>;
    });
    loops_.tile_sums(tile(), reference, queries_.rate(), codes(), memory_.sums);
    each_positive([&](Index i, Index, S& s) { s = memory_.positives[i - first_row_]; });
    queries_.fold(first_row_, count_, reference, memory_.sums.rows, end_ - first_);
    keys_.fold(first_, end_ - first_, reference, memory_.sums.columns, count_);
    if (!by_codes()) return;
    queries_.fold_positives(first_row_, count_, memory_.sums.row_positives);
    keys_.fold_positives(first_, end_ - first_, memory_.sums.column_positives);
  }

  /// The same for rows with themselves.
  void accumulate_own(S reference) {
    mask_padding();
    mask_excluded([&](Index i, Index j) {
      if (i != j) queries_.leave_out(i);
    });
    mask_diagonal();
    each_positive([&](Index i, Index, S& s) {
      queries_.set_positive(i, s);
      memory_.positives[i - first_row_] = s;
      s = left_out<S>;
    });
    loops_.tile_sums(tile(), reference, queries_.rate(), codes(), memory_.sums);
    each_positive([&](Index i, Index, S& s) { s = memory_.positives[i - first_row_]; });
    queries_.fold(first_row_, count_, reference, memory_.sums.rows, count_ - 1);
    if (by_codes()) queries_.fold_positives(first_row_, count_, memory_.sums.row_positives);
  }

  /// Replaces the tile's scores by weights, the sums of both sides' derivatives; returns sum g
  /// (s - reference) over both.
  double gradient(S reference, const SharedSide<S>& queries, const SharedSide<S>& keys) {
    mask_padding();
    return weigh(reference, queries, keys);
  }

  /// The same for rows with themselves.
  double gradient_own(S reference, const SharedSide<S>& side) {
    mask_padding();
    mask_diagonal();
    return weigh(reference, side, side) / 2;  // both scores of a pair are in the sum of both sides
  }

 private:
  double weigh(S reference, const SharedSide<S>& queries, const SharedSide<S>& keys) {
    mask_excluded([](Index, Index) {});
    each_positive([](Index, Index, S& s) { s = left_out<S>; });
    const Index lanes = product_loops<S>().lanes;
    const Index columns = end_ - first_;
    const S rate = queries_.rate();
    loops_.tile_factors(count_, round_up(count_, lanes), reference, rate,
                        queries.from(first_row_, by_codes()), memory_.rows);
    loops_.tile_factors(columns, round_up(columns, lanes), reference, rate,
                        keys.from(first_, by_codes()), memory_.columns);
    const double moment =
        loops_.tile_weights(tile(), reference, rate, codes(), memory_.rows, memory_.columns);
    each_positive([&](Index i, Index j, S& s) {
      s = queries_.positive_gradient(i) + keys_.positive_gradient(j);
    });
    return moment;
  }

  bool by_codes() const { return queries_.query_codes() != nullptr; }

  ScoreTile<S> tile() const {
    return {panel_.at(0, first_), ScorePanel<S>::stride, count_, end_ - first_};
  }
  TileCodes<S> codes() const {
    if (!by_codes()) return {nullptr, nullptr};
    return {queries_.query_codes() + first_row_, queries_.key_codes() + first_};
  }

  /// Calls body(i, j, s) for the pairs of the tile in which j is i's one positive, if columns
  /// define it.
  template <class Body>
  void each_positive(const Body& body) const {
    for (Index r = 0; r < count_; ++r) {
      const Index positive = queries_.positive_of(first_row_ + r);
      if (positive == no_column) continue;
      const Index j = positive - key_number_;
      if (j >= first_ && j < end_) body(first_row_ + r, j, *panel_.at(r, j));
    }
  }

  /// Masks the excluded pairs of the tile, and calls body(i, j) for each.
  template <class Body>
  void mask_excluded(const Body& body) const {
    for (Index r = 0; r < count_ && excluded_.any(); ++r) {
      excluded_.each(first_row_ + r, first_, end_, [&](Index j) {
        *panel_.at(r, j) = left_out<S>;
        body(first_row_ + r, j);
      });
    }
  }

  void mask_diagonal() const {
    for (Index r = 0; r < count_; ++r) panel_.at(r, first_)[r] = left_out<S>;
  }

  void mask_padding() const {
    const Index columns = end_ - first_;
    const Index padding = round_up(columns, product_loops<S>().lanes) - columns;
    if (padding == 0) return;
    for (Index r = 0; r < count_; ++r) {
      std::fill_n(panel_.at(r, first_) + columns, padding, left_out<S>);
    }
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  SoftmaxTerm<S>& queries_;
  SoftmaxTerm<S>& keys_;
  const ScorePanel<S>& panel_;
  const ExcludedPairs& excluded_;
  Index first_row_;
  Index count_;
  Index first_;
  Index end_;
  Index key_number_;
  SharedMemory<S>& memory_;
};

}  // namespace nearfar::detail
