#pragma once

#include <concepts>
#include <type_traits>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Terms whose rows are compared on other processes, too. There, a term of the same settings has
/// the visiting rows; their statistics go back and are merged with those of the process that has
/// the rows. For the gradients the statistics of closed rows visit with the rows.

namespace nearfar::detail {

/// The ClosedRow of terms whose gradients need nothing of it, or that have none.
struct NoClosedRow {};

/// The part of a VisitingTerm whose rows take no numbers along.
struct NoNumbersAlong {
  static Index numbers_along() { return 0; }
  static void give_numbers(Index, double*) {}
  static void take_numbers(Index, const double*) {}
};

/// A term of rows that may visit. `Term::OpenRow` is what a row has accumulated, `Term::ClosedRow`
/// what its gradients need; both are plain memory. A term whose gradients add to rows has
/// `add_moments(other, rows)`, which takes over what they have added to those of a term of
/// visitors.
template <class Term>
concept VisitingTerm = requires(Term& term, const Term& own, Scratch& scratch, Index i,
                                const typename Term::OpenRow& open, double* to,
                                const double* from) {
  // A term of `rows` rows of other processes.
  { own.of_visitors(scratch, i) } -> std::same_as<Term>;
  // Numbers that each row takes along, and row i's: to a process, and as it arrives there.
  { own.numbers_along() } -> std::same_as<Index>;
  own.give_numbers(i, to);
  term.take_numbers(i, from);
  // What row i has accumulated, and more of it from elsewhere.
  { own.open_row(i) } -> std::same_as<typename Term::OpenRow>;
  term.merge(i, open);
  requires std::is_empty_v<typename Term::ClosedRow> ||
      requires(const typename Term::ClosedRow& closed) {
    // Row i, closed.
    { own.closed_row(i) } -> std::same_as<typename Term::ClosedRow>;
    term.set_closed(i, closed);
  };
};

/// The factors that come from above, one a row, of own rows or of visitors.
class VisitingUpstream {
 public:
  explicit VisitingUpstream(const Upstream& upstream) : upstream_(upstream) {}

  double operator[](Index i) const { return row_upstream(upstream_, i); }

  VisitingUpstream of_visitors(Scratch& scratch, Index rows) const {
    if (numbers() == 0) return *this;
    double* factors = scratch.take<double>(rows);
    VisitingUpstream out{Upstream(factors, rows)};
    out.factors_ = factors;
    return out;
  }
  /// 1 where rows have factors of their own.
  Index numbers() const { return upstream_.is_scalar() && !upstream_.has_weights() ? 0 : 1; }
  void give(Index i, double* to) const {
    if (numbers() > 0) *to = (*this)[i];
  }
  void take(Index i, const double* from) {
    if (numbers() > 0) factors_[i] = *from;
  }

 private:
  Upstream upstream_;
  double* factors_ = nullptr;  ///< of visitors
};

}  // namespace nearfar::detail
