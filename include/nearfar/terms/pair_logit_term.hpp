#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/lifted.hpp"
#include "nearfar/loops/pair_logits.hpp"
#include "nearfar/loops/softmax.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// The term of losses that are a function of two log-sum-exps of each anchor: one over the logits
/// of its positives, one over the logits of its negatives.

namespace nearfar::detail {

/// The margin of a hinge over both log-sum-exps of distances.
struct DistanceHinge {
  DistanceForm form;
  double margin;
};

/// The bounds that mined pairs of an anchor meet.
struct MinedScores {
  double positives_below;
  double negatives_above;
};

/// The multi-similarity form over mined pairs: one for each anchor.
struct MinedSimilarity {
  MultiSimilarityForm form;
  const MinedScores* rows;
};

// The form of an anchor's logits.

template <class Form>
const Form& form_of(const Form& form, Index) {
  return form;
}
inline const DistanceForm& form_of(const DistanceHinge& hinge, Index) { return hinge.form; }
inline MinedSimilarityForm form_of(const MinedSimilarity& mined, Index i) {
  return {mined.form, mined.rows[i].positives_below, mined.rows[i].negatives_above};
}

/// Loss of an anchor and its derivatives with respect to the two log-sum-exps.
struct PairLogitLoss {
  double value = 0;
  double of_positives = 0;
  double of_negatives = 0;
};

// The loss from the log-sum-exps over positives and negatives; each is -infinity if its sum is
// empty.

inline PairLogitLoss loss_of(const MultiSimilarityForm& form, double positives, double negatives) {
  const Softplus<double> near(positives);
  const Softplus<double> far(negatives);
  return {near.value / form.alpha + far.value / form.beta, near.slope / form.alpha,
          far.slope / form.beta};
}

inline PairLogitLoss loss_of(const MinedSimilarity& mined, double positives, double negatives) {
  return loss_of(mined.form, positives, negatives);
}

inline PairLogitLoss loss_of(const DistanceHinge& hinge, double positives, double negatives) {
  // An anchor without positives or without negatives is no term.
  if (std::isinf(positives) || std::isinf(negatives)) return {};
  const double value = hinge.margin + positives + negatives;
  return value > 0 ? PairLogitLoss{value, 1, 1} : PairLogitLoss{};
}

inline PairLogitLoss loss_of(const CircleForm&, double positives, double negatives) {
  // An anchor without positives or without negatives is no term.
  if (std::isinf(positives) || std::isinf(negatives)) return {};
  const Softplus<double> both(positives + negatives);
  return {both.value, both.slope, both.slope};
}

/// The multi-similarity form of base 0 with `offset` added to both logits, and a factor for each of
/// positives and negatives.
struct ProxyAnchorForm : MultiSimilarityForm {
  double offset;
  double of_positives;
  double of_negatives;
};

inline PairLogitLoss loss_of(const ProxyAnchorForm& form, double positives, double negatives) {
  const Softplus<double> near(positives + form.offset);
  const Softplus<double> far(negatives + form.offset);
  return {form.of_positives * near.value + form.of_negatives * far.value,
          form.of_positives * near.slope, form.of_negatives * far.slope};
}

/// Statistics of one anchor: log-sum-exps of logits, and the loss from them.
template <class S>
struct PairLogitRow {
  LogSum<S> positives;
  LogSum<S> negatives;
  PairLogitLoss loss;
};

/// First pass of mining: the bounds of mined pairs. A positive counts unless its score is at least
/// `epsilon` above the highest negative's, a negative unless its score is at least `epsilon` below
/// the lowest positive's. An anchor without positives or without negatives has no pairs.
template <class S>
class MinedScoresTerm final : public LabelledTerm<S>, public NoNumbersAlong {
 public:
  MinedScoresTerm(Scratch& scratch, Index rows, double epsilon, const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule), epsilon_(epsilon), rows_(scratch.take<MinedScores>(rows)) {}

  /// The bounds of each row, after all are closed.
  const MinedScores* rows() const { return rows_; }

  void start(Index i) override { rows_[i] = {-infinite, infinite}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const S negative = lifted_loops<S>().largest_negative(n, s, 1, positives.mask());
    const S positive = softmax_loops<S>().largest_positive(n, s, -1, positives.mask());
    MinedScores& row = rows_[i];
    row.positives_below = std::max(row.positives_below, static_cast<double>(negative));
    if (positive > std::numeric_limits<S>::lowest()) {
      row.negatives_above = std::min(row.negatives_above, -static_cast<double>(positive));
    }
  }

  void close(Index i) override {
    rows_[i].positives_below += epsilon_;
    rows_[i].negatives_above -= epsilon_;
  }

  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

  // As VisitingTerm has them.

  using OpenRow = MinedScores;
  using ClosedRow = NoClosedRow;

  MinedScoresTerm of_visitors(Scratch& scratch, Index rows) const {
    MinedScoresTerm out = *this;
    out.rows_ = scratch.take<MinedScores>(rows);
    return out;
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    MinedScores& row = rows_[i];
    row.positives_below = std::max(row.positives_below, more.positives_below);
    row.negatives_above = std::min(row.negatives_above, more.negatives_above);
  }

 private:
  static constexpr double infinite = std::numeric_limits<double>::infinity();

  double epsilon_;
  MinedScores* rows_;
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
    const auto& form = form_of(form_, i);
    const LargestLogits<S> largest = loops_.largest(n, s, positives.mask(), form);
    row.positives.raise(largest.positive);
    row.negatives.raise(largest.negative);
    const LogitSums sums = loops_.sums(n, s, positives.mask(), form, best(row));
    row.positives.sum += sums.positives;
    row.negatives.sum += sums.negatives;
  }

  void close(Index i) override {
    PairLogitRow<S>& row = rows_[i];
    row.loss = loss_of(form_, row.positives.value(), row.negatives.value());
  }
  double value(Index i) const override { return rows_[i].loss.value; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    loops_.gradient(n, s, positives.mask(), form_of(form_, i), weights(i), g);
  }

  // As VisitingTerm has them.

  struct OpenRow {
    LogSum<S> positives;
    LogSum<S> negatives;
  };
  using ClosedRow = LogitWeights<S>;

  PairLogitTerm of_visitors(Scratch& scratch, Index rows) const {
    PairLogitTerm out = *this;
    out.rows_ = scratch.take<PairLogitRow<S>>(rows);
    out.closed_ = scratch.take<LogitWeights<S>>(rows);
    if constexpr (is_mined) {
      out.mined_ = scratch.take<MinedScores>(rows);
      out.form_.rows = out.mined_;
    }
    return out;
  }
  Index numbers_along() const { return is_mined ? 2 : 0; }
  void give_numbers([[maybe_unused]] Index i, [[maybe_unused]] double* to) const {
    if constexpr (is_mined) {
      to[0] = form_.rows[i].positives_below;
      to[1] = form_.rows[i].negatives_above;
    }
  }
  void take_numbers([[maybe_unused]] Index i, [[maybe_unused]] const double* from) {
    if constexpr (is_mined) mined_[i] = {from[0], from[1]};
  }
  OpenRow open_row(Index i) const { return {rows_[i].positives, rows_[i].negatives}; }
  void merge(Index i, const OpenRow& more) {
    rows_[i].positives.merge(more.positives);
    rows_[i].negatives.merge(more.negatives);
  }
  ClosedRow closed_row(Index i) const { return weights(i); }
  void set_closed(Index i, const ClosedRow& row) { closed_[i] = row; }

 private:
  static constexpr bool is_mined = std::is_same_v<Form, MinedSimilarity>;

  LogitWeights<S> weights(Index i) const {
    if (closed_ != nullptr) return closed_[i];
    const PairLogitRow<S>& row = rows_[i];
    const double above = row_upstream(upstream_, i);
    return {best(row), weight(above * row.loss.of_positives, row.positives),
            weight(above * row.loss.of_negatives, row.negatives)};
  }

  static LargestLogits<S> best(const PairLogitRow<S>& row) {
    return {row.positives.best, row.negatives.best};
  }
  static S weight(double slope, const LogSum<S>& of) {
    return of.sum > 0 ? static_cast<S>(slope / of.sum) : S(0);
  }

  Form form_;
  using RowForm = std::remove_cvref_t<decltype(form_of(std::declval<const Form&>(), Index()))>;
  decltype(pair_logit_loops<S>().of(std::declval<RowForm>())) loops_ =
      pair_logit_loops<S>().of(RowForm());
  const Upstream& upstream_;
  PairLogitRow<S>* rows_;
  LogitWeights<S>* closed_ = nullptr;  ///< of visitors
  MinedScores* mined_ = nullptr;       ///< likewise
};

/// Runs a loss of this form in the frame of one process or of many. It counts the anchors; those
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
