#pragma once

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/ranked_list.hpp"
#include "nearfar/losses/ranked_list.hpp"

namespace nearfar::detail {

/// The mean of one kind of an anchor's hinges. Weights are relative to that of the largest hinge.
template <class S>
struct RankedHinges {
  S largest = 0;
  WeightedHinges sums = {};

  void raise(S candidate, double rate) {
    if (!(candidate > largest)) return;
    const double below = static_cast<double>(largest) - static_cast<double>(candidate);
    const double factor = portable::exp(rate * below);
    sums.weights *= factor;
    sums.hinges *= factor;
    largest = candidate;
  }
  void add(const WeightedHinges& more) {
    sums.weights += more.weights;
    sums.hinges += more.hinges;
  }
  void merge(const RankedHinges& more, double rate) {
    raise(more.largest, rate);
    const double below = static_cast<double>(largest) - static_cast<double>(more.largest);
    const double factor = portable::exp(-rate * below);
    add({factor * more.sums.weights, factor * more.sums.hinges});
  }
  double mean() const { return sums.weights > 0 ? sums.hinges / sums.weights : 0; }
};

template <class S>
class RankedListTerm final : public LabelledTerm<S>, public NoNumbersAlong {
 public:
  /// Arguments other than the options must outlive the term.
  RankedListTerm(Scratch& scratch, Index rows, const RankedListOptions& options,
                 const PositiveRule<S>& rule, const Upstream& upstream)
      : LabelledTerm<S>(rule),
        form_{options.alpha - options.margin, options.alpha, {options.t_p, options.t_n}},
        shares_{1 - options.imbalance, options.imbalance},
        upstream_(upstream),
        rows_(scratch.take<ByKind<RankedHinges<S>>>(rows)) {}

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    ByKind<RankedHinges<S>>& row = rows_[i];
    const RowPositives<S> positives(this->rule(), i, first, n);
    const ByKind<S> largest = loops_.largest(n, s, positives.mask(), form_);
    row.positive.raise(largest.positive, form_.rates.positive);
    row.negative.raise(largest.negative, form_.rates.negative);
    const auto sums = loops_.sums(n, s, positives.mask(), form_, best(row));
    row.positive.add(sums.positive);
    row.negative.add(sums.negative);
  }

  void close(Index) override {}

  double value(Index i) const override {
    const ByKind<RankedHinges<S>>& row = rows_[i];
    return shares_.positive * row.positive.mean() + shares_.negative * row.negative.mean();
  }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const ClosedRow row = closed_row(i);
    loops_.gradient(n, s, positives.mask(), form_, row.best, row.slopes, g);
  }

  // As VisitingTerm has them.

  using OpenRow = ByKind<RankedHinges<S>>;
  struct ClosedRow {
    ByKind<S> best;
    ByKind<S> slopes;
  };

  RankedListTerm of_visitors(Scratch& scratch, Index rows) const {
    RankedListTerm out = *this;
    out.rows_ = scratch.take<ByKind<RankedHinges<S>>>(rows);
    out.closed_ = scratch.take<ClosedRow>(rows);
    return out;
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    rows_[i].positive.merge(more.positive, form_.rates.positive);
    rows_[i].negative.merge(more.negative, form_.rates.negative);
  }
  ClosedRow closed_row(Index i) const {
    if (closed_ != nullptr) return closed_[i];
    const ByKind<RankedHinges<S>>& row = rows_[i];
    const double above = row_upstream(upstream_, i);
    return {best(row),
            {slope(above * shares_.positive, row.positive),
             slope(-above * shares_.negative, row.negative)}};
  }
  void set_closed(Index i, const ClosedRow& row) { closed_[i] = row; }

 private:
  static ByKind<S> best(const ByKind<RankedHinges<S>>& row) {
    return {row.positive.largest, row.negative.largest};
  }
  static S slope(double of_mean, const RankedHinges<S>& of) {
    return of.sums.weights > 0 ? static_cast<S>(of_mean / of.sums.weights) : S(0);
  }

  const RankedListLoops<S>& loops_ = ranked_list_loops<S>();
  RankedListForm form_;
  ByKind<double> shares_;
  const Upstream& upstream_;
  ByKind<RankedHinges<S>>* rows_;
  ClosedRow* closed_ = nullptr;  ///< of visitors
};

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result ranked_list(const RankedListOptions& options, Frame& call) {
  Result result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool negative) { return !positive && !negative; },
      "without any other row");
  auto term = call.template make<RankedListTerm<S>>(options, call.rule(), call.upstream());
  call.run(term, d);
  d.terms = call.anchors();
  for (Index i = 0; i < call.anchors(); ++i) d.active_terms += term.value(i) > 0 ? 1 : 0;
  call.combine(d);
  call.reduce([&](Index i) { return term.value(i); }, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const RankedListOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  return ranked_list<S>(options, call);
}

}  // namespace nearfar::detail
