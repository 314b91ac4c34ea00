#pragma once

#include <algorithm>

#include "nearfar/core/mutual_information_bound.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/loops/critic.hpp"
#include "nearfar/loops/scores.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// Bounds on mutual information, from a critic's scores of joint pairs (the diagonal) and of all
/// others.

namespace nearfar::detail {

/// Statistics of one row of the critic's scores. Nearness: the score, or minus the distance.
template <class S>
struct CriticRow {
  double joint = 0;        ///< critic of the row's joint pair
  LogSum<S> others;        ///< over the other pairs, of nearness / tau
  double sum = 0;          ///< of their nearness
  double temperature = 0;  ///< sum of g_j s_j
};

template <class S>
class CriticTerm final : public RowTerm<S> {
 public:
  /// For `rows` rows of `all` joint pairs; `sign` is that of nearness.
  CriticTerm(Scratch& scratch, Index rows, Index all, int sign, MutualInformationBound bound,
             double temperature)
      : bound_(bound),
        sign_(sign),
        inverse_(1 / temperature),
        rate_(static_cast<S>(sign * inverse_)),
        size_(rows),
        count_(static_cast<double>(all)),
        rows_(scratch.take<CriticRow<S>>(rows)) {}

  /// Computes the sum over the pairs that are not joint, of the rows of all processes, after all
  /// rows are closed. nwj's and donsker_varadhan's values need it, and the gradients of the latter.
  template <class Frame>
  void sum_others(Frame& call) {
    call.sum_over_rows(
        &all_others_, 1, [&] { add_others(all_others_); },
        [](LogSum<double>* sum, const LogSum<double>* more) { sum->merge(*more); });
  }

  /// For club, whose gradients are constants.
  bool gradient_is_local() const override { return bound_ == MutualInformationBound::club; }

  void start(Index i) override { rows_[i] = {}; }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    CriticRow<S>& row = rows_[i];
    const Index at = i - first;
    if (at < 0 || at >= n) {
      accumulate_others(row, n, s);
      return;
    }
    row.joint = static_cast<double>(s[at] * rate_);
    accumulate_others(row, at, s);
    accumulate_others(row, n - at - 1, s + at + 1);
  }

  void close(Index) override {}

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    CriticRow<S>& row = rows_[i];
    const Index at = i - first;
    if (at < 0 || at >= n) {
      gradient_of_others(row, n, s, g);
      return;
    }
    gradient_of_others(row, at, s, g);
    const double joint = sign_ * of_joint(row) * inverse_;
    row.temperature += joint * static_cast<double>(s[at]);
    g[at] = static_cast<S>(joint);
    gradient_of_others(row, n - at - 1, s + at + 1, g + at + 1);
  }

  /// The bound, after all rows are closed and their others are summed, over the rows of all
  /// processes.
  template <class Frame>
  double estimate(const Frame& call) const {
    if (!(count_ > 0)) return 0;
    const auto sum = [&](const auto& number_of) {
      return call.sum(size_, [&](Index i) { return number_of(rows_[i]); });
    };
    const double joint = sum([&](const CriticRow<S>& row) { return row.joint / count_; });
    switch (bound_) {
      case MutualInformationBound::info_nce:
        return portable::log(count_) -
               sum([&](const CriticRow<S>& row) { return below_joint(row); }) / count_;
      case MutualInformationBound::nwj:
        return joint - portable::exp(std::min(log_mean_others() - 1, 700.0));
      case MutualInformationBound::donsker_varadhan:
        return joint - log_mean_others();
      case MutualInformationBound::club:
        break;
    }
    return joint - sum([&](const CriticRow<S>& row) { return row.sum * inverse_ + row.joint; }) /
                       (count_ * count_);
  }

  /// d(value)/dtau = -1/tau sum_ij d(value)/ds_ij s_ij.
  template <class Frame>
  double temperature_gradient(const Frame& call) const {
    return -call.sum(size_, [&](Index i) { return rows_[i].temperature; }) * inverse_;
  }

 private:
  /// Adds exp(critic) of own rows' pairs that are not joint.
  void add_others(LogSum<double>& all) const {
    for (Index i = 0; i < size_; ++i) {
      const double best = static_cast<double>(rows_[i].others.best);
      all.raise(best);
      all.sum += rows_[i].others.sum * portable::exp(best - all.best);
    }
  }

  /// log of their mean over all rows.
  double log_mean_others() const {
    return all_others_.value() - portable::log(count_ * (count_ - 1));
  }

  /// The log-sum-exp of the other pairs minus the critic of the joint pair. The difference of the
  /// best comes first, because it is exact for large numbers.
  double ahead(const CriticRow<S>& row) const {
    return (static_cast<double>(row.others.best) - row.joint) + portable::log(row.others.sum);
  }

  /// -log softmax of the joint pair in its row.
  double below_joint(const CriticRow<S>& row) const { return Softplus<double>(ahead(row)).value; }

  /// d(value)/d(critic of a joint pair).
  double of_joint(const CriticRow<S>& row) const {
    switch (bound_) {
      case MutualInformationBound::info_nce:
        // 1 - softmax, without cancellation.
        return 1 / (1 + portable::exp(-ahead(row))) / count_;
      case MutualInformationBound::club:
        return (1 - 1 / count_) / count_;
      case MutualInformationBound::nwj:
      case MutualInformationBound::donsker_varadhan:
        break;
    }
    return 1 / count_;
  }

  void accumulate_others(CriticRow<S>& row, Index n, const S* s) const {
    if (n <= 0) return;
    const Range<S> range = score_loops<S>().range(n, s);
    const S nearest = sign_ > 0 ? range.largest : -range.smallest;
    row.others.raise(nearest * static_cast<S>(inverse_));
    const CriticSums sums = loops_.sums(n, s, rate_, row.others.best);
    row.others.sum += sums.exponentials;
    row.sum += sign_ * sums.scores;
  }

  /// d(value)/d(critic) = -exp(critic - shift), or a constant for club.
  void gradient_of_others(CriticRow<S>& row, Index n, const S* s, S* g) const {
    if (n <= 0) return;
    if (bound_ == MutualInformationBound::club) {
      const double each = -inverse_ / (count_ * count_);
      double sum = 0;
      for (Index j = 0; j < n; ++j) sum += sign_ * static_cast<double>(s[j]);
      row.temperature += each * sum;
      std::fill_n(g, n, static_cast<S>(sign_ * each));
      return;
    }
    const double factor = -sign_ * inverse_ * weight_of_best(row);
    row.temperature += loops_.gradient(n, s, rate_, row.others.best, static_cast<S>(factor), g);
  }

  /// -d(value)/d(critic) for a pair at the row's nearest score; for others it is exp(critic - best)
  /// times that.
  double weight_of_best(const CriticRow<S>& row) const {
    constexpr double most = sizeof(S) == sizeof(float) ? 80 : 700;
    const double best = static_cast<double>(row.others.best);
    switch (bound_) {
      case MutualInformationBound::info_nce:
        // A row's gradients sum to zero.
        return of_joint(row) / row.others.sum;
      case MutualInformationBound::nwj:
        return portable::exp(std::min(best - 1, most)) / (count_ * (count_ - 1));
      case MutualInformationBound::donsker_varadhan:
      case MutualInformationBound::club:
        break;
    }
    return portable::exp(best - all_others_.best) / all_others_.sum;
  }

  const CriticLoops<S>& loops_ = critic_loops<S>();
  MutualInformationBound bound_;
  int sign_;
  double inverse_;
  S rate_;
  Index size_;    ///< own rows
  double count_;  ///< rows of all processes
  CriticRow<S>* rows_;
  LogSum<double> all_others_;
};

}  // namespace nearfar::detail
