#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// Anchors whose loss is a function of two log-sum-exps: one over logits of its positives, one over
/// logits of its negatives. A form says what the logits are and how the two make a loss.

namespace nearfar::detail {

/// Loss of an anchor and its derivatives with respect to the two log-sum-exps.
struct PairLogitLoss {
  double value = 0;
  double of_positives = 0;
  double of_negatives = 0;
};

/// Statistics of one anchor.
template <class S>
struct PairLogitRow {
  S best_positive;   ///< largest logit of a positive so far
  S best_negative;   ///< largest logit of a negative so far
  double positives;  ///< sum over positives of exp(logit - best_positive)
  double negatives;  ///< the same over negatives
  PairLogitLoss loss;
};

/// A form: `positive(s)` and `negative(s)` are logits of a score, `positive_slope(s)` and
/// `negative_slope(s)` their derivatives, for numbers and vectors; `loss(p, n)` the anchor's loss
/// of its log-sum-exps, each -infinity when there is nothing to sum over.
template <class S, class Form>
class PairLogitRows {
 public:
  using Row = PairLogitRow<S>;

  PairLogitRows(const Form& form, const Relation<S>& relation, const Upstream& upstream)
      : form_(form), relation_(relation), upstream_(upstream) {}

  Row start(Index) const { return {lowest, lowest, 0, 0, {}}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    Largest positive;
    Largest negative;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const Logits<T> logits = logits_at<T>(codes, j, s);
      positive.see(logits.if_positive(logits.positive, spread<T>(lowest)));
      negative.see(logits.if_positive(spread<T>(lowest), logits.negative));
    });
    raise(row.best_positive, row.positives, positive.value());
    raise(row.best_negative, row.negatives, negative.value());
    ElementSum<S> positives;
    ElementSum<S> negatives;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const Logits<T> logits = logits_at<T>(codes, j, s);
      const T e = share<T>(row, logits);
      positives += logits.if_positive(e, constant<T>(0));
      negatives += logits.if_positive(constant<T>(0), e);
    });
    row.positives += positives.total();
    row.negatives += negatives.total();
  }

  void close(Row& row, Index) const {
    row.loss = form_.loss(log_sum(row.best_positive, row.positives),
                          log_sum(row.best_negative, row.negatives));
  }

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    const double above = row_upstream(upstream_, i);
    const S positive = weight(above * row.loss.of_positives, row.positives);
    const S negative = weight(above * row.loss.of_negatives, row.negatives);
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T at = load<T>(s + j);
      const Logits<T> logits = logits_at<T>(codes, j, s);
      const T slope = logits.if_positive(spread<T>(positive) * form_.positive_slope(at),
                                         spread<T>(negative) * form_.negative_slope(at));
      store(g + j, share<T>(row, logits) * slope);
    });
  }

 private:
  static constexpr S lowest = std::numeric_limits<S>::lowest();

  /// Both logits of a score, and which of them holds.
  template <class T>
  struct Logits {
    T own_code;
    T other_code;
    T positive;
    T negative;

    NEARFAR_ALWAYS_INLINE T if_positive(T then, T otherwise) const {
      return select_equal(own_code, other_code, then, otherwise);
    }
  };

  template <class T>
  NEARFAR_ALWAYS_INLINE Logits<T> logits_at(const RowCodes<S>& codes, Index j, const S* s) const {
    const T at = load<T>(s + j);
    return {spread<T>(codes.own), load<T>(codes.key + j), form_.positive(at), form_.negative(at)};
  }

  /// exp(logit - best of its kind). The other kind's may overflow, which is why it is never
  /// computed.
  template <class T>
  NEARFAR_ALWAYS_INLINE T share(const Row& row, const Logits<T>& logits) const {
    using std::exp;
    return exp(logits.if_positive(logits.positive - spread<T>(row.best_positive),
                                  logits.negative - spread<T>(row.best_negative)));
  }

  /// Largest of numbers that come as vectors and one by one.
  struct Largest {
    Vec<S> lanes = Vec<S>::broadcast(lowest);
    S rest = lowest;

    NEARFAR_ALWAYS_INLINE void see(Vec<S> v) { lanes = max(lanes, v); }
    NEARFAR_ALWAYS_INLINE void see(S v) { rest = std::max(rest, v); }
    S value() const { return std::max(rest, lanes.largest()); }
  };

  static void raise(S& best, double& sum, S candidate) {
    if (!(candidate > best)) return;
    sum *= std::exp(static_cast<double>(best) - static_cast<double>(candidate));
    best = candidate;
  }

  static double log_sum(S best, double sum) {
    return sum > 0 ? static_cast<double>(best) + std::log(sum)
                   : -std::numeric_limits<double>::infinity();
  }

  static S weight(double slope, double sum) { return sum > 0 ? static_cast<S>(slope / sum) : S(0); }

  const Form& form_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

/// Values of a batch's anchors, of which those that `counts(i)` are terms.
template <class Batch, class S, class Counts>
void reduce_pair_logit_rows(const Batch& batch, const PairLogitRow<S>* rows, const Counts& counts,
                            Result& result) {
  Diagnostics& d = result.diagnostics;
  for (Index i = 0; i < d.anchors; ++i) {
    d.terms += counts(i) ? 1 : 0;
    d.active_terms += rows[i].loss.value > 0 ? 1 : 0;
  }
  batch.reduce([&](Index i) { return rows[i].loss.value; }, result);
}

}  // namespace nearfar::detail
