#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/loops/linear_contrastive.hpp"

/// \file
/// The term of squared hinges about the mean scores of positive and of negative pairs.

namespace nearfar::detail {

/// Squared hinges of one kind, and the sum of the hinges, for the mean's derivative.
struct SquaredHinges {
  double sum = 0;
  double squares = 0;
  Index active = 0;
};

/// There are three passes: one sums scores, which gives the means; one sums hinges with bounds from
/// the means; one computes gradients from the sums of all hinges.
template <class S>
class IntraPairVarianceTerm final : public LabelledTerm<S> {
 public:
  IntraPairVarianceTerm(Scratch& scratch, Index rows, const PositiveRule<S>& rule,
                        const Upstream& upstream)
      : LabelledTerm<S>(rule),
        upstream_(upstream),
        sums_(scratch.take<ByKind<double>>(rows)),
        rows_(scratch.take<ByKind<SquaredHinges>>(rows)) {}

  /// Begins the pass of hinges: positives below one bound and negatives above the other.
  void begin_hinges(const ByKind<double>& bounds) {
    stage_ = Stage::hinges;
    bounds_ = bounds;
  }
  /// Begins the pass of gradients. A hinge's own derivative is multiplied by the factor of its
  /// kind; `through_mean` is added to the derivative of each score of a kind.
  void begin_gradients(const ByKind<double>& factors, const ByKind<double>& through_mean) {
    stage_ = Stage::gradients;
    factors_ = factors;
    through_mean_ = through_mean;
  }

  const ByKind<double>& sums(Index i) const { return sums_[i]; }
  const ByKind<SquaredHinges>& operator[](Index i) const { return rows_[i]; }

  void start(Index i) override {
    if (stage_ == Stage::sums) sums_[i] = {};
    if (stage_ == Stage::hinges) rows_[i] = {};
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (stage_ == Stage::gradients) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    if (stage_ == Stage::sums) {
      ByKind<double>& own = sums_[i];
      for (Index k = 0; k < n; ++k) {
        (positives[k] ? own.positive : own.negative) += static_cast<double>(s[k]);
      }
      return;
    }
    ByKind<SquaredHinges>& own = rows_[i];
    for (Index k = 0; k < n; ++k) {
      const double hinge = this->hinge(positives[k], s[k]);
      SquaredHinges& kind = positives[k] ? own.positive : own.negative;
      kind.sum += hinge;
      kind.squares += hinge * hinge;
      kind.active += hinge > 0 ? 1 : 0;
    }
  }

  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double above = 2 * row_upstream(upstream_, i);
    const ByKind<double> slopes = {-above * factors_.positive, above * factors_.negative};
    for (Index k = 0; k < n; ++k) {
      const bool positive = positives[k];
      const double slope = positive ? slopes.positive : slopes.negative;
      const double mean = positive ? through_mean_.positive : through_mean_.negative;
      g[k] = static_cast<S>(slope * hinge(positive, s[k]) + mean);
    }
  }

 private:
  enum class Stage { sums, hinges, gradients };

  double hinge(bool positive, S s) const {
    const double score = static_cast<double>(s);
    return std::max(positive ? bounds_.positive - score : score - bounds_.negative, 0.0);
  }

  const Upstream& upstream_;
  Stage stage_ = Stage::sums;
  ByKind<double> bounds_{0, 0};
  ByKind<double> factors_{0, 0};
  ByKind<double> through_mean_{0, 0};
  ByKind<double>* sums_;
  ByKind<SquaredHinges>* rows_;
};

}  // namespace nearfar::detail
