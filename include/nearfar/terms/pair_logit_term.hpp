#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/loops/pair_logits.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// The term of losses whose anchors are a function of two log-sum-exps: one over logits of their
/// positives, one over logits of their negatives.

namespace nearfar::detail {

/// Loss of an anchor and its derivatives with respect to the two log-sum-exps.
struct PairLogitLoss {
  double value = 0;
  double of_positives = 0;
  double of_negatives = 0;
};

// The loss of the log-sum-exps over positives and negatives, each -infinity where there is nothing
// to sum over.

inline PairLogitLoss loss_of(const MultiSimilarityForm& form, double positives, double negatives) {
  const Softplus<double> near(positives);
  const Softplus<double> far(negatives);
  return {near.value / form.alpha + far.value / form.beta, near.slope / form.alpha,
          far.slope / form.beta};
}

inline PairLogitLoss loss_of(const CircleForm&, double positives, double negatives) {
  // An anchor without one of the two is no term.
  if (std::isinf(positives) || std::isinf(negatives)) return {};
  const Softplus<double> both(positives + negatives);
  return {both.value, both.slope, both.slope};
}

/// Statistics of one anchor: log-sum-exps of logits, and the loss they give.
template <class S>
struct PairLogitRow {
  LogSum<S> positives;
  LogSum<S> negatives;
  PairLogitLoss loss;
};

template <class S, class Form>
class PairLogitTerm final : public LabelledTerm<S> {
 public:
  /// Arguments other than the form must outlive the term.
  PairLogitTerm(Scratch& scratch, Index rows, const Form& form, const PositiveRule<S>& rule,
                const Upstream& upstream)
      : LabelledTerm<S>(rule),
        form_(form),
        upstream_(upstream),
        rows_(scratch.take<PairLogitRow<S>>(rows)) {}

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    PairLogitRow<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const LargestLogits<S> largest = loops_.largest(n, s, positives.mask(), form_);
    row.positives.raise(largest.positive);
    row.negatives.raise(largest.negative);
    const LogitSums sums = loops_.sums(n, s, positives.mask(), form_, best(row));
    row.positives.sum += sums.positives;
    row.negatives.sum += sums.negatives;
  }

  void close(Index i) override {
    PairLogitRow<S>& row = rows_[i];
    row.loss = loss_of(form_, row.positives.value(), row.negatives.value());
  }
  double value(Index i) const override { return rows_[i].loss.value; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const PairLogitRow<S>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = row_upstream(upstream_, i);
    const LogitWeights<S> weights{best(row), weight(above * row.loss.of_positives, row.positives),
                                  weight(above * row.loss.of_negatives, row.negatives)};
    loops_.gradient(n, s, positives.mask(), form_, weights, g);
  }

 private:
  static LargestLogits<S> best(const PairLogitRow<S>& row) {
    return {row.positives.best, row.negatives.best};
  }
  static S weight(double slope, const LogSum<S>& of) {
    return of.sum > 0 ? static_cast<S>(slope / of.sum) : S(0);
  }

  Form form_;
  const PairLogitFormLoops<S, Form>& loops_ = pair_logit_loops<S>().of(form_);
  const Upstream& upstream_;
  PairLogitRow<S>* rows_;
};

/// Runs a loss of this form in the frame of one process or of many, its anchors counted; anchors
/// with counts(i) are terms.
template <class S, class Form, class Frame, class Counts>
void run_pair_logits(Frame& call, const Form& form, const Counts& counts, Result& result) {
  Diagnostics& d = result.diagnostics;
  auto term = call.template make<PairLogitTerm<S, Form>>(form, call.rule(), call.upstream());
  call.run(term, d);
  for (Index i = 0; i < call.anchors(); ++i) {
    d.terms += counts(i) ? 1 : 0;
    d.active_terms += term.value(i) > 0 ? 1 : 0;
  }
  call.combine(d);
  call.reduce([&](Index i) { return term.value(i); }, result);
  call.scatter(call.scale(d));
}

}  // namespace nearfar::detail
