#pragma once

#include <cmath>
#include <limits>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/exponential.hpp"
#include "nearfar/tiles/row_loss.hpp"
#include "nearfar/tiles/strip.hpp"

/// \file
/// Softmax losses that have a term for either side of a score: one exponential serves both. It is
/// taken relative to a reference of the tile's, which is brought to each row's own where sums are
/// added up (statistics) or in the factors (weights). That works as long as scores of a tile do not
/// lie so far apart that the exponential of one underflows; a tile where they do is left to those
/// who take each side for itself.

namespace nearfar::detail {

/// A RowLoss whose gradients are exponentials of the scores times a factor of the row, less what
/// positives are to gain: of one positive a row, known by its column (`many_positives` false), or
/// of all with the row's code, each by the same share. `shares_exponentials()` says whether it is
/// so with the options at hand. In statistics `fold(row, reference, memo, sum, n)` adds the sum of
/// n exponentials relative to `reference`, `fold_positives` scores of positives. Closed rows know
/// their `factor_of(row, i)` of exp((s - row.best) / tau), the sum `total_of(row)` of these, and
/// `reference_of(row)`, from which the loss measures scores in its gradient with respect to the
/// temperature.
template <class P, class S>
concept SharedLoss = RowLoss<P, S> && requires(const P& p, typename P::Row& row, Index i) {
  { P::many_positives } -> std::convertible_to<bool>;
  { p.shares_exponentials() } -> std::same_as<bool>;
  { p.rate() } -> std::same_as<S>;
  { p.factor_of(row, i) } -> std::same_as<double>;
  { p.total_of(row) } -> std::same_as<double>;
  { p.reference_of(row) } -> std::same_as<S>;
};

/// The factor by which sums relative to one reference become sums relative to another. Most rows
/// have the same two, so that the last answer is kept.
template <class S>
class Rebase {
 public:
  /// exp((from - to) / tau), from <= to.
  double factor(S from, S to, S rate) {
    if (from == to) return 1;
    if (from != from_ || to != to_) {
      from_ = from;
      to_ = to;
      factor_ = std::exp2((static_cast<double>(from) - static_cast<double>(to)) *
                          static_cast<double>(rate));
    }
    return factor_;
  }

 private:
  S from_ = 0;
  S to_ = 0;
  double factor_ = 1;
};

/// Adds `sum` relative to `reference` to a sum relative to `best`, which is raised if need be.
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

/// What exponentials of one tile are relative to.
template <class S>
struct TileReference {
  S value;
  bool usable;  ///< no exponential, and no factor of one, leaves S

  /// For scores in `range`. References are steps of a coarse ladder, so that most tiles have the
  /// same and sums are seldom brought from one to another.
  TileReference(const Range<S>& range, S rate) {
    constexpr double step = 16;      // of the exponents of two
    constexpr double farthest = 60;  // what float has room for, with the reciprocal of sums
    const double top = static_cast<double>(range.largest) * static_cast<double>(rate);
    const double bottom = static_cast<double>(range.smallest) * static_cast<double>(rate);
    const double rung = std::ceil(top / step) * step;
    value = std::max(static_cast<S>(rung / static_cast<double>(rate)), range.largest);
    usable = rung - bottom < farthest && std::abs(rung) < 1e6;
  }
};

/// Numbers of queries and of keys as tiles of weights need them.
template <class S>
struct SharedSide {
  S* top;        ///< what a row's exponentials are relative to
  S* factor;     ///< of its exponentials
  S* reference;  ///< from which it measures scores
  S* share;      ///< of each of its positives; many_positives only

  SharedSide(Scratch& scratch, Index count)
      : top(scratch.take<S>(count)),
        factor(scratch.take<S>(count)),
        reference(scratch.take<S>(count)),
        share(scratch.take<S>(count)) {}

  /// False where a factor is too large for S, with room for what it is multiplied by.
  template <class P>
  bool fill(const P& loss, const typename P::Row* rows, Index count) {
    constexpr double largest = sizeof(S) == sizeof(float) ? 1e12 : 1e250;
    const auto rate = static_cast<double>(loss.rate());
    bool fits = true;
    for (Index i = 0; i < count; ++i) {
      const double best = static_cast<double>(rows[i].best);
      const double total = loss.total_of(rows[i]);
      const bool empty = !(total > 0);
      // Of exponentials relative to this the row has a sum of about one.
      top[i] = empty ? S(0) : static_cast<S>(best + std::log2(total) / rate);
      const double f = empty ? 0
                             : loss.factor_of(rows[i], i) *
                                   std::exp2((static_cast<double>(top[i]) - best) * rate);
      fits = fits && std::abs(f) < largest;
      factor[i] = static_cast<S>(f);
      reference[i] = loss.reference_of(rows[i]);
      if constexpr (P::many_positives) share[i] = loss.positive_share(rows[i], i);
    }
    return fits;
  }
};

/// Memory of one thread for one tile.
template <class S>
struct SharedMemory {
  static constexpr Index lanes = Vec<S>::lanes;
  S* row_sums;       ///< a vector a row
  S* row_positives;  ///< the same
  S* column_sums;    ///< one a column
  S* column_positives;
  S* row_factors;  ///< of rows in this tile, and what else is multiplied by exponentials or shares
  S* row_moments;
  S* row_share_moments;
  S* column_factors;
  S* column_moments;
  S* column_shares;
  S* column_share_moments;

  SharedMemory(Scratch& scratch, Index height)
      : row_sums(scratch.take<S>(height * lanes)),
        row_positives(scratch.take<S>(height * lanes)),
        column_sums(scratch.take<S>(stretch)),
        column_positives(scratch.take<S>(stretch)),
        row_factors(scratch.take<S>(round_up(height, lanes))),
        row_moments(scratch.take<S>(round_up(height, lanes))),
        row_share_moments(scratch.take<S>(round_up(height, lanes))),
        column_factors(scratch.take<S>(stretch)),
        column_moments(scratch.take<S>(stretch)),
        column_shares(scratch.take<S>(stretch)),
        column_share_moments(scratch.take<S>(stretch)) {}
};

/// A score that has no part in sums or weights: its exponential is 0, and it can be multiplied.
template <class S>
inline constexpr S left_out = std::numeric_limits<S>::lowest() / 4;

/// A tile of a strip, its rows queries from first_row on, its columns keys [first, end): scores on
/// the way in. `first` is where a vector begins.
template <class S, class P>
class SharedTile {
 public:
  SharedTile(const P& loss, const Strip<S>& strip, Index first_row, Index count, Index first,
             Index end, SharedMemory<S>& memory)
      : loss_(loss),
        strip_(strip),
        first_row_(first_row),
        count_(count),
        first_(first),
        end_(end),
        memory_(memory) {}

  /// Folds the tile's scores into the statistics of its queries and keys. Scores are spoilt.
  /// A query's one positive must have the query as its own.
  void observe(S reference, typename P::Row* queries, typename P::Row* keys) {
    leave_out_padding();
    if constexpr (!P::many_positives) {
      each_positive([&](Index i, Index j, S& s) {
        loss_.set_positive(queries[i], s);
        loss_.set_positive(keys[j], s);
        s = left_out<S>;
      });
    }
    std::fill_n(memory_.row_sums, count_ * V::lanes, S(0));
    if constexpr (P::many_positives) std::fill_n(memory_.row_positives, count_ * V::lanes, S(0));
    each_group([&]<int vectors>(Index c) { sum_group<vectors>(reference, c); });
    Rebase<S> memo;
    for (Index r = 0; r < count_; ++r) {
      const S sum = V::load(memory_.row_sums + r * V::lanes).sum();
      loss_.fold(queries[first_row_ + r], reference, memo, static_cast<double>(sum), end_ - first_);
      if constexpr (P::many_positives) {
        const S scores = V::load(memory_.row_positives + r * V::lanes).sum();
        loss_.fold_positives(queries[first_row_ + r], static_cast<double>(scores));
      }
    }
    for (Index j = first_; j < end_; ++j) {
      loss_.fold(keys[j], reference, memo, static_cast<double>(memory_.column_sums[j - first_]),
                 count_);
      if constexpr (P::many_positives) {
        loss_.fold_positives(keys[j], static_cast<double>(memory_.column_positives[j - first_]));
      }
    }
  }

  /// Makes weights of the tile's scores, what they mean to their query and to their key together;
  /// returns sum g (s - reference) over both.
  double differentiate(S reference, const SharedSide<S>& queries, const SharedSide<S>& keys,
                       const typename P::Row* query_rows, const typename P::Row* key_rows) {
    leave_out_padding();
    if constexpr (!P::many_positives) {
      each_positive([](Index, Index, S& s) { s = left_out<S>; });
    }
    scale_side(reference, queries, first_row_, round_up(count_, V::lanes), count_,
               memory_.row_factors, memory_.row_moments, memory_.row_share_moments);
    scale_side(reference, keys, first_, round_up(end_ - first_, V::lanes), end_ - first_,
               memory_.column_factors, memory_.column_moments, memory_.column_share_moments);
    if constexpr (P::many_positives) {
      std::fill_n(memory_.column_shares, round_up(end_ - first_, V::lanes), S(0));
      std::copy_n(keys.share + first_, end_ - first_, memory_.column_shares);
    }
    double moment = 0;
    each_group(
        [&]<int vectors>(Index c) { moment += weigh_group<vectors>(reference, c, queries.share); });
    if constexpr (!P::many_positives) {
      each_positive([&](Index i, Index j, S& s) {
        s = loss_.positive_gradient(query_rows[i], i) + loss_.positive_gradient(key_rows[j], j);
      });
    }
    return moment;
  }

 private:
  using V = Vec<S>;

  /// Vectors of columns whose sums lie in registers together.
  static constexpr int most_vectors = vector_registers >= 32 ? 4 : 2;

  /// body.operator()<vectors>(c) for groups of columns, c from the tile's first.
  template <class Body>
  void each_group(const Body& body) const {
    const Index columns = round_up(end_ - first_, V::lanes);
    Index c = 0;
    for (; c + most_vectors * V::lanes <= columns; c += most_vectors * V::lanes) {
      body.template operator()<most_vectors>(c);
    }
    for (; c < columns; c += V::lanes) body.template operator()<1>(c);
  }

  /// body(i, j, s) for pairs of the tile of which j is i's one positive.
  template <class Body>
  void each_positive(const Body& body) const {
    for (Index r = 0; r < count_; ++r) {
      const Index j = loss_.positive_of(first_row_ + r);
      if (j >= first_ && j < end_) body(first_row_ + r, j, *strip_.at(r, j));
    }
  }

  void leave_out_padding() const {
    const Index padding = round_up(end_ - first_, V::lanes) - (end_ - first_);
    if (padding == 0) return;
    for (Index r = 0; r < count_; ++r) {
      std::fill_n(strip_.at(r, first_) + (end_ - first_), padding, left_out<S>);
    }
  }

  /// Codes of the group's keys; padding has one that no query has.
  template <int vectors>
  void load_codes(Index c, V* codes) const {
    const Index left = end_ - first_ - c;
    for (int v = 0; v < vectors; ++v) {
      if (left >= (v + 1) * V::lanes) {
        codes[v] = V::load(loss_.key_codes() + first_ + c + v * V::lanes);
      } else {
        S last[V::lanes];
        std::fill_n(last, V::lanes, class_code<S>(std::int64_t(1) << 30));
        std::copy_n(loss_.key_codes() + first_ + c + v * V::lanes, left - v * V::lanes, last);
        codes[v] = V::load(last);
      }
    }
  }

  template <int vectors>
  void sum_group(S reference, Index c) const {
    const V top = V::broadcast(reference);
    const V zero = V::zero();
    V sum[vectors];
    V positive[vectors];
    V codes[vectors];
    for (int v = 0; v < vectors; ++v) sum[v] = positive[v] = zero;
    if constexpr (P::many_positives) load_codes<vectors>(c, codes);
    for (Index r = 0; r < count_; ++r) {
      const S* s = strip_.at(r, first_) + c;
      V own_code = zero;
      if constexpr (P::many_positives) own_code = V::broadcast(loss_.query_code(first_row_ + r));
      V in_row = V::load(memory_.row_sums + r * V::lanes);
      V positive_in_row = zero;
      unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
        const V at = V::load(s + v * V::lanes);
        const V e = exp_scaled(at - top, loss_.rate());
        sum[v] = sum[v] + e;
        in_row = in_row + e;
        if constexpr (P::many_positives) {
          const V counted = select_equal(own_code, codes[v], at, zero);
          positive[v] = positive[v] + counted;
          positive_in_row = positive_in_row + counted;
        }
      });
      in_row.store(memory_.row_sums + r * V::lanes);
      if constexpr (P::many_positives) {
        S* const to = memory_.row_positives + r * V::lanes;
        (V::load(to) + positive_in_row).store(to);
      }
    }
    for (int v = 0; v < vectors; ++v) {
      sum[v].store(memory_.column_sums + c + v * V::lanes);
      if constexpr (P::many_positives) {
        positive[v].store(memory_.column_positives + c + v * V::lanes);
      }
    }
  }

  /// One side's factors as exponentials relative to the tile's reference want them, and these times
  /// the references of moments; zeros beyond `count`.
  void scale_side(S reference, const SharedSide<S>& side, Index first, Index padded, Index count,
                  S* factors, S* moments, S* share_moments) const {
    std::fill_n(factors, padded, S(0));
    std::fill_n(moments, padded, S(0));
    if constexpr (P::many_positives) std::fill_n(share_moments, padded, S(0));
    each_element<S>(count, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      const T below = spread<T>(reference) - load<T>(side.top + first + k);
      const T factor = exp_scaled(below, loss_.rate()) * load<T>(side.factor + first + k);
      const T from = load<T>(side.reference + first + k);
      store(factors + k, factor);
      store(moments + k, factor * from);
      if constexpr (P::many_positives) {
        store(share_moments + k, load<T>(side.share + first + k) * from);
      }
    });
  }

  template <int vectors>
  double weigh_group(S reference, Index c, const S* shares) const {
    const V top = V::broadcast(reference);
    const V zero = V::zero();
    V factor[vectors];
    V moment[vectors];
    V share[vectors];
    V share_moment[vectors];
    V codes[vectors];
    for (int v = 0; v < vectors; ++v) {
      factor[v] = V::load(memory_.column_factors + c + v * V::lanes);
      moment[v] = V::load(memory_.column_moments + c + v * V::lanes);
      if constexpr (P::many_positives) {
        share[v] = V::load(memory_.column_shares + c + v * V::lanes);
        share_moment[v] = V::load(memory_.column_share_moments + c + v * V::lanes);
      }
    }
    if constexpr (P::many_positives) load_codes<vectors>(c, codes);
    V sum = zero;
    for (Index r = 0; r < count_; ++r) {
      S* const s = strip_.at(r, first_) + c;
      const V row_factor = V::broadcast(memory_.row_factors[r]);
      const V row_moment = V::broadcast(memory_.row_moments[r]);
      V own_code = zero;
      V row_share = zero;
      V row_share_moment = zero;
      if constexpr (P::many_positives) {
        own_code = V::broadcast(loss_.query_code(first_row_ + r));
        row_share = V::broadcast(shares[first_row_ + r]);
        row_share_moment = V::broadcast(memory_.row_share_moments[r]);
      }
      unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
        const V at = V::load(s + v * V::lanes);
        const V e = exp_scaled(at - top, loss_.rate());
        V weight = e * (row_factor + factor[v]);
        V measured = e * (row_moment + moment[v]);
        if constexpr (P::many_positives) {
          weight = weight - select_equal(own_code, codes[v], row_share + share[v], zero);
          measured =
              measured - select_equal(own_code, codes[v], row_share_moment + share_moment[v], zero);
        }
        sum = sum + multiply_add(weight, at, zero - measured);
        weight.store(s + v * V::lanes);
      });
    }
    return static_cast<double>(sum.sum());
  }

  const P& loss_;
  const Strip<S>& strip_;
  Index first_row_;
  Index count_;
  Index first_;
  Index end_;
  SharedMemory<S>& memory_;
};

}  // namespace nearfar::detail
