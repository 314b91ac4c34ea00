#pragma once

#include <limits>

#include "nearfar/engine/row_term.hpp"
#include "nearfar/loops/softmax.hpp"

/// \file
/// Terms that are a log-sum-exp of a row, and the shortcuts of passes for them: exponentials that
/// replace the scores, and exponentials that serve both sides of a score.

namespace nearfar::detail {

/// A row whose scores were replaced by exponentials.
template <class S>
struct InPlaceRow {
  S factor;    ///< dL/ds_ij is this times the number in place of s_ij
  S positive;  ///< the number for the positive's place
};

/// A closed row, relative to `best`, its largest nearness.
template <class S>
struct SoftmaxNumbers {
  double best;
  double total;   ///< sum of exp((nearness - best) / tau)
  double factor;  ///< dL/ds_ij is this times exp((nearness_ij - best) / tau)
  S reference;    ///< the score that d_temperature's moments are relative to
  S share;        ///< subtracted from the gradient of each positive; by codes only
};

/// No column of a pass. (If keys come in blocks, columns may be negative.)
inline constexpr Index no_column = std::numeric_limits<Index>::min();

/// A RowTerm whose gradients are exponentials of its scores times a factor of the row, less a share
/// for positives: for one positive a row, given by its column, or for all keys with the row's class
/// code. A term may have rows of both kinds: a row whose positive is given by a column has, as a
/// query, a code that no key has.
template <class S>
class SoftmaxTerm : public RowTerm<S> {
 public:
  SoftmaxTerm<S>* softmax() final { return this; }

  /// The column of row i's one positive; no_column if codes define its positives or they are
  /// outside of the pass.
  virtual Index positive_of(Index i) const = 0;

  // Exponentials in place, if `in_place()`; without them a term needs none of these. `begin`
  // replaces `start` and gets the largest of the row's scores, or of all but the positive's, and
  // the positive's. `exponentiate` replaces `accumulate`: it adds scores and turns each, except the
  // positive's, into its exponential. `finalise` replaces `close`.

  virtual bool in_place() const { return false; }
  virtual void begin(Index, S /*largest*/, S /*positive*/) {}
  virtual void exponentiate(Index, Index /*first*/, Index /*n*/, S* /*s*/) {}
  virtual InPlaceRow<S> finalise(Index) { return {}; }

  // Exponentials of tiles, for both sides of a score, if `shares_exponentials()`.

  virtual bool shares_exponentials() const = 0;
  virtual S rate() const = 0;  ///< log2(e) / tau
  /// Class codes of queries and keys; null if columns define all positives.
  virtual const S* query_codes() const { return nullptr; }
  virtual const S* key_codes() const { return nullptr; }
  /// Sets the score of row i's positive, which `fold` counts but does not add.
  virtual void set_positive(Index i, S score) = 0;
  /// Leaves out one of the pairs that `fold` counts for row i. (Not by codes: a tile's sums of
  /// positives' scores cannot omit it.)
  virtual void leave_out(Index i) = 0;
  /// Adds to each row first + k the sum sums[k] of n exponentials relative to `reference`.
  virtual void fold(Index first, Index count, S reference, const S* sums, Index n) = 0;
  /// Adds scores[k], a sum of positives' scores, to each row first + k; by codes only.
  virtual void fold_positives(Index /*first*/, Index /*count*/, const S* /*scores*/) {}
  virtual SoftmaxNumbers<S> numbers(Index i) const = 0;
  /// dL/ds of row i's one positive.
  virtual S positive_gradient(Index i) const = 0;
  /// Adds to row i's sum of g_j (s_j - reference), from which d_temperature is computed.
  virtual void add_moment(Index i, double moment) = 0;

 protected:
  SoftmaxTerm() = default;
  SoftmaxTerm(const SoftmaxTerm&) = default;
  SoftmaxTerm& operator=(const SoftmaxTerm&) = default;
  ~SoftmaxTerm() = default;
};

}  // namespace nearfar::detail
