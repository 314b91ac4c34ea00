#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// Lifted structure: a positive pair is held against all negatives of both of its rows. That takes
/// two looks at the scores: one for each row's log-sum-exp over its negatives, one for the pairs.

namespace nearfar::detail {

/// First look: log sum over negatives of exp(nearness) of each row.
template <class S, int sign>
class NegativeLogSums {
 public:
  using Row = LogSum<S>;

  explicit NegativeLogSums(const Relation<S>& relation) : relation_(relation) {}

  Row start(Index) const { return {}; }
  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    S best = -std::numeric_limits<S>::infinity();
    for (Index j = 0; j < n; ++j) {
      if (codes.key[j] != codes.own) best = std::max(best, S(sign) * s[j]);
    }
    row.raise(best);
    if (std::isinf(row.best)) return;
    ElementSum<S> sum;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      using std::exp;
      const T best_yet = spread<T>(row.best);
      const T near = sign > 0 ? load<T>(s + j) : constant<T>(0) - load<T>(s + j);
      // A positive may be nearer than every negative: it is left out before the exponential.
      const T e = exp(codes.if_positive(j, best_yet, near) - best_yet);
      sum += codes.if_positive(j, constant<T>(0), e);
    });
    row.sum += sum.total();
  }
  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }

 private:
  const Relation<S>& relation_;
};

/// Statistics of one row in the second look.
struct LiftedRow {
  double value = 0;         ///< the row's halves of its pairs' terms
  double through = 0;       ///< dL/d(the row's log-sum-exp over negatives), from its side
  std::int64_t active = 0;  ///< positive pairs, seen from this row, that do not rest
};

/// Whose rows a look goes over, and so which part of a pair (i, j) is row i's.
enum class LiftedSide {
  both,   ///< a set compared with itself: a pair is met from both rows, half of it each one's
  query,  ///< the pair's term, and what goes through the query's negatives
  key     ///< what goes through the key's negatives
};

/// Second look: J_ij = log(exp(L_i) + exp(L_j)) + m - nearness_ij for positive pairs, L_i the first
/// look's log sums; a pair's term is max(0, J)^2 / 2.
template <class S, int sign>
class LiftedRows {
 public:
  using Row = LiftedRow;

  /// Log sums of the rows looked at and of those they are compared with.
  LiftedRows(LiftedSide side, double margin, const LogSum<S>* own, const LogSum<S>* others,
             const Relation<S>& relation, const Upstream& upstream)
      : side_(side),
        margin_(margin),
        own_(own),
        others_(others),
        relation_(relation),
        upstream_(upstream) {}

  Row start(Index) const { return {}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    each_positive(codes, n, [&](Index j) {
      const Pair pair(*this, i, first + j, s[j]);
      if (!(pair.j > 0)) return;
      row.value += share() * pair.j * pair.j / 2;
      row.through += slope(pair, i, first + j) * pair.share;
      ++row.active;
    });
  }

  void close(Row&, Index) const {}

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    // Row i hands out what reaches its own log-sum-exp.
    const LogSum<S>& own = own_[i];
    const S weight = own.sum > 0 ? static_cast<S>(sign * row.through / own.sum) : S(0);
    const S best = own.sum > 0 ? own.best : S(0);
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      using std::exp;
      const T near = sign > 0 ? load<T>(s + j) : constant<T>(0) - load<T>(s + j);
      const T from_best = codes.if_positive(j, constant<T>(0), near - spread<T>(best));
      const T e = exp(min(from_best, constant<T>(0)));
      store(g + j, codes.if_positive(j, constant<T>(0), e * spread<T>(weight)));
    });
    each_positive(codes, n, [&](Index j) {
      const Pair pair(*this, i, first + j, s[j]);
      g[j] = pair.j > 0 ? static_cast<S>(-sign * share() * slope(pair, i, first + j)) : S(0);
    });
  }

 private:
  struct Pair {
    double j;      ///< J_ij
    double share;  ///< of row i's negatives in the pair's

    Pair(const LiftedRows& all, Index i, Index other, S score) {
      const double a = all.own_[i].value();
      const double b = all.others_[other].value();
      const double top = std::max(a, b);
      if (std::isinf(top)) {  // neither row has a negative
        j = 0;
        share = 0;
        return;
      }
      const double sum = std::exp(a - top) + std::exp(b - top);
      share = std::exp(a - top) / sum;
      j = top + std::log(sum) + all.margin_ - sign * static_cast<double>(score);
    }
  };

  /// The part of a pair's term that belongs to the row looked at.
  double share() const {
    switch (side_) {
      case LiftedSide::both:
        return 0.5;
      case LiftedSide::query:
        return 1;
      case LiftedSide::key:
        break;
    }
    return 0;
  }

  /// dL/dJ_ij. The two rows of a batch may be weighed differently from above.
  double slope(const Pair& pair, Index i, Index other) const {
    switch (side_) {
      case LiftedSide::both:
        return pair.j * (row_upstream(upstream_, i) + row_upstream(upstream_, other)) / 2;
      case LiftedSide::query:
        return pair.j * row_upstream(upstream_, i);
      case LiftedSide::key:
        break;
    }
    return pair.j * row_upstream(upstream_, other);
  }

  template <class Body>
  static void each_positive(const RowCodes<S>& codes, Index n, const Body& body) {
    for (Index j = 0; j < n; ++j) {
      if (codes.key[j] == codes.own) body(j);
    }
  }

  LiftedSide side_;
  double margin_;
  const LogSum<S>* own_;
  const LogSum<S>* others_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
