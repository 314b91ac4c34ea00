#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/loops/logistic.hpp"

/// \file
/// The term of losses in which each pair is a match or none by itself: sums of logistic losses.

namespace nearfar::detail {

/// The logit of a score, and the pairs that match.
template <class S>
struct LogisticSettings {
  double scale;
  double bias;
  const S* key_bias = nullptr;  ///< added to every logit of a key, if not null
  bool positives_on_diagonal = false;
  const PositiveRule<S>* rule = nullptr;  ///< for any number of matches a row, if not null
};

/// Sums over one row.
struct LogisticRow {
  double value;
  double d_scale;  ///< derivative with respect to the scale
  double d_bias;   ///< derivative with respect to the bias
  Index positives;
  Index negatives;
};

/// sum_j softplus(-y z), z = scale * s + bias, y = 1 for a match and -1 else.
template <class S>
class LogisticTerm final : public RowTerm<S> {
 public:
  /// For `rows` rows. The upstream, the keys' biases and the rule must outlive the term.
  LogisticTerm(Scratch& scratch, Index rows, const LogisticSettings<S>& settings,
               const Upstream& upstream)
      : scale_(static_cast<S>(settings.scale)),
        bias_(static_cast<S>(settings.bias)),
        key_bias_(settings.key_bias),
        diagonal_(settings.positives_on_diagonal),
        rule_(settings.rule),
        upstream_(upstream),
        rows_(scratch.take<LogisticRow>(rows)) {}

  /// Another rule, for the next block of keys.
  void set_rule(const PositiveRule<S>& rule) { rule_ = &rule; }

  const LogisticRow& operator[](Index i) const { return rows_[i]; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    LogisticRow& row = rows_[i];
    Index positives = 0;
    if (rule_ != nullptr) {
      const RowPositives<S> matches(*rule_, i, first, n);
      const LogisticSums sums = loops_.sum_with_positives(n, s, logits(first), matches.mask());
      row.value += sums.value;
      positives = static_cast<Index>(sums.positives);
    } else {
      const Index at = match(i, first, n);
      row.value += loops_.sum(n, s, logits(first), at);
      positives = at < 0 ? 0 : 1;
    }
    row.positives += positives;
    row.negatives += n - positives;
  }

  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const S factor = static_cast<S>(row_upstream(upstream_, i));
    const LogisticSlopes slopes = this->slopes(i, first, n, s, factor, g);
    rows_[i].d_bias += slopes.bias;
    rows_[i].d_scale += slopes.scale;
  }

  bool gradient_is_local() const override { return true; }

 private:
  LogisticSlopes slopes(Index i, Index first, Index n, const S* s, S factor, S* g) const {
    if (rule_ == nullptr) {
      return loops_.gradient(n, s, logits(first), match(i, first, n), factor, g);
    }
    const RowPositives<S> matches(*rule_, i, first, n);
    return loops_.gradient_with_positives(n, s, logits(first), matches.mask(), factor, g);
  }

  Logits<S> logits(Index first) const {
    return {scale_, bias_, key_bias_ != nullptr ? key_bias_ + first : nullptr};
  }

  /// The position of row i's match among keys first .. first + n - 1; -1 for none.
  Index match(Index i, Index first, Index n) const {
    return diagonal_ && i >= first && i < first + n ? i - first : -1;
  }

  const LogisticLoops<S>& loops_ = logistic_loops<S>();
  S scale_;
  S bias_;
  const S* key_bias_;
  bool diagonal_;
  const PositiveRule<S>* rule_;
  const Upstream& upstream_;
  LogisticRow* rows_;
};

}  // namespace nearfar::detail
