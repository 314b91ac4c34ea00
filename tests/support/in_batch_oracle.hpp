#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nearfar/losses/in_batch_info_nce.hpp>
#include <vector>

#include "support/slopes.hpp"

/// \file
/// InBatchInfoNce as plain loops over pairs in long double.

namespace support {

/// A batch: rows of queries, of keys and of negatives one after the other, and its further inputs.
template <class S>
struct InBatchRows {
  nearfar::Index n = 0;
  nearfar::Index m = 0;
  nearfar::Matrix<S> rows;
  nearfar::Matrix<S> guide;
  std::vector<nearfar::Index>
      offsets;           ///< negatives of each query; empty if all queries share them
  std::vector<int> ids;  ///< of pairs; may be empty
  std::vector<int> negative_ids;
  std::vector<double> log_q;
  std::vector<double> log_q_negatives;

  nearfar::Matrix<S> queries() const { return rows.topRows(n); }
  nearfar::Matrix<S> keys() const { return rows.middleRows(n, n); }
  nearfar::Matrix<S> negatives() const { return rows.bottomRows(m); }
  bool owns(nearfar::Index i, nearfar::Index r) const {
    if (offsets.empty()) return false;
    return r >= offsets[std::size_t(i)] && r < offsets[std::size_t(i) + 1];
  }
};

struct InBatchWanted : ScoreSlopes {
  using ScoreSlopes::ScoreSlopes;
  std::int64_t dropped = 0;
  std::int64_t without_negative = 0;
  /// How near a score comes to the limit above which it is dropped.
  Real nearest_limit = std::numeric_limits<Real>::infinity();
};

/// The formula, pair by pair, of the scores of all rows with all rows.
template <class S>
InBatchWanted in_batch_formula(const nearfar::InBatchInfoNceOptions& options,
                               const InBatchRows<S>& of, const oracle::Matrix& s) {
  using nearfar::FalseNegatives;
  using nearfar::Hardness;
  using nearfar::Index;
  using nearfar::Partition;
  const Index n = of.n;
  oracle::Matrix cosines = oracle::exact(of.guide);
  for (Index i = 0; i < cosines.rows(); ++i) {
    const Real norm = cosines.row(i).norm();
    if (norm > 0) cosines.row(i) /= norm;
  }
  cosines = (cosines * cosines.transpose()).eval();
  const oracle::Matrix& decisive = of.guide.rows() > 0 ? cosines : s;
  const Real t = static_cast<Real>(options.temperature);
  const Real alpha = static_cast<Real>(options.hardness_strength);

  InBatchWanted want(std::size_t(n), of.rows.rows());
  struct Logit {
    Index row;
    Index column;
    Real value;
  };
  for (Index i = 0; i < n; ++i) {
    const Real own_score = decisive(i, n + i);
    const Real limit = own_score - static_cast<Real>(options.margin) *
                                       (options.false_negatives == FalseNegatives::drop_relative
                                            ? std::abs(own_score)
                                            : Real(1));
    const auto same_id = [&](Index j) {
      return !of.ids.empty() && of.ids[std::size_t(i)] == of.ids[std::size_t(j)];
    };
    // True if row b is compared with a row of sample i.
    const auto counts = [&](Index b) {
      if (b < 2 * n) return b % n != i && !same_id(b % n);
      return of.negative_ids.empty() ||
             of.ids[std::size_t(i)] != of.negative_ids[std::size_t(b - 2 * n)];
    };
    std::vector<std::vector<Logit>> sums;
    std::vector<bool> with_positive;
    bool any = false;
    const auto add_direction = [&](Index a, Index first, Index end, bool positive) {
      std::vector<Logit> sum;
      for (Index b = first; b < end; ++b) {
        if (!counts(b)) continue;
        const bool negative = b >= 2 * n;
        const bool own = negative && of.owns(i, b - 2 * n);
        if (own && a != i) continue;
        if (options.false_negatives != FalseNegatives::keep) {
          want.nearest_limit = std::min(want.nearest_limit, std::abs(decisive(a, b) - limit));
          if (decisive(a, b) > limit) {
            ++want.dropped;
            continue;
          }
        }
        any = true;
        const bool hard = a == i && b >= n &&
                          ((options.hardness == Hardness::in_batch_negatives && !own) ||
                           (options.hardness == Hardness::hard_negatives && own) ||
                           options.hardness == Hardness::all_negatives);
        Real logit = s(a, b) / t + (hard ? alpha * s(a, b) : Real(0));
        if (!of.log_q.empty() && b >= n) {
          logit -= static_cast<Real>(negative ? of.log_q_negatives[std::size_t(b - 2 * n)]
                                              : of.log_q[std::size_t(b - n)]);
        }
        sum.push_back({a, b, logit});
      }
      sums.push_back(sum);
      with_positive.push_back(positive);
    };
    add_direction(i, n, 2 * n + of.m, true);
    if (options.query_to_query) add_direction(i, 0, n, false);
    if (options.key_to_query) add_direction(n + i, 0, n, true);
    if (options.key_to_key) add_direction(n + i, n, 2 * n + of.m, false);
    want.without_negative += any ? 0 : 1;

    const Real positive =
        s(i, n + i) / t -
        (of.log_q.empty() ? Real(0) : static_cast<Real>(of.log_q[std::size_t(i)]));
    const auto add = [&](const std::vector<Logit>& sum, Real copies, Real share) {
      if (copies == 0 && sum.empty()) return;
      // Relative to the positive, so that values near zero keep their digits.
      Real others = 0;
      for (const Logit& l : sum) others += std::exp(l.value - positive);
      want.values[std::size_t(i)] +=
          share * (copies > 0 ? std::log(copies) + std::log1p(others / copies) : std::log(others));
      const Real total = copies + others;
      for (const Logit& l : sum) {
        want.slopes(l.row, l.column) += share * std::exp(l.value - positive) / total / t;
      }
      want.slopes(i, n + i) += -share * others / total / t;
    };
    if (options.partition == Partition::joint) {
      std::vector<Logit> all;
      for (const auto& sum : sums) all.insert(all.end(), sum.begin(), sum.end());
      add(all, options.key_to_query ? 2 : 1, 1);
    } else {
      for (std::size_t d = 0; d < sums.size(); ++d) {
        if (sums[d].empty()) continue;
        add(sums[d], with_positive[d] ? 1 : 0, Real(1) / static_cast<Real>(sums.size()));
      }
    }
  }
  return want;
}

/// The same with inner products.
template <class S>
InBatchWanted in_batch_formula(const nearfar::InBatchInfoNceOptions& options,
                               const InBatchRows<S>& of) {
  const oracle::Matrix x = oracle::exact(of.rows);
  return in_batch_formula(options, of, oracle::Matrix(x * x.transpose()));
}

}  // namespace support
