#pragma once

#include <algorithm>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// The part of a query's retrieval metrics that its nearest keys determine.

namespace nearfar::detail {

/// Measures of the ranks of a query's positives; zeros without a positive.
struct RankedPositives {
  Index positives;                ///< R
  Index candidates;               ///< the number of ranked keys
  Index first;                    ///< rank of the nearest one, from 1
  Index within_r;                 ///< positives of rank <= R
  double average_precision_at_r;  ///< AP@R
  double average_precision;       ///< over all ranks; 0 if not wanted
};

/// The values of k for recall, precision and nDCG.
struct CutOffs {
  const Index* k;
  Index count;
};

/// Measures at one k.
struct AtCutOff {
  Index hits;   ///< positives within k
  double ndcg;  ///< discounted gain within k, divided by the largest possible
};

/// The sum of the gains of ranks 1, 2, ..., each divided by log2(1 + rank).
class DiscountedGain {
 public:
  void add(double gain) {
    ++rank_;
    if (gain > 0) sum_ += gain / portable::log2(1 + static_cast<double>(rank_));
  }
  double sum() const { return sum_; }

 private:
  Index rank_ = 0;
  double sum_ = 0;
};

/// Measures of the positives among a query's nearest keys.
class CountedRanks {
 public:
  CountedRanks(Scratch& scratch, const CutOffs& cut_offs)
      : count_(cut_offs.count), sorted_(scratch.take<CutOff>(cut_offs.count)) {
    for (Index t = 0; t < count_; ++t) sorted_[t] = {cut_offs.k[t], t};
    std::sort(sorted_, sorted_ + count_,
              [](const CutOff& a, const CutOff& b) { return a.k < b.k; });
  }

  Index cut_offs() const { return count_; }

  /// The number of ranks needed for a query with these numbers of positives and candidates: R and
  /// every k.
  Index wanted(Index positives, Index candidates) const {
    const Index most_k = count_ > 0 ? sorted_[count_ - 1].k : 0;
    return std::min(std::max(positives, most_k), candidates);
  }

  /// Measures a query with `positives` among its candidates, from its `ranks` nearest keys.
  /// gain(rank), from 1, is the gain of a positive, 0 of others; ideal(rank) is the rank-th largest
  /// gain of all positives, rank <= positives. `first` stays 0 if no positive is among these keys.
  /// Sets at[cut-off].
  /// at[cut-off].
  template <class Gain, class Ideal>
  RankedPositives count(Index positives, Index candidates, Index ranks, const Gain& gain,
                        const Ideal& ideal, AtCutOff* at) const {
    RankedPositives out{positives, candidates, 0, 0, 0, 0};
    if (positives == 0) {
      std::fill_n(at, count_, AtCutOff{0, 0});
      return out;
    }
    Index found = 0;
    Index next = 0;
    DiscountedGain gained;
    DiscountedGain most;
    const auto measure = [&] { at[sorted_[next].place] = {found, gained.sum() / most.sum()}; };
    for (Index rank = 1; rank <= ranks; ++rank) {
      const double own = gain(rank);
      if (next < count_) {  // else no k needs further gains
        gained.add(own);
        if (rank <= positives) most.add(ideal(rank));
      }
      if (own > 0) {
        ++found;
        if (found == 1) out.first = rank;
        if (rank <= positives) {
          out.within_r = found;
          out.average_precision_at_r += static_cast<double>(found) / static_cast<double>(rank);
        }
      }
      for (; next < count_ && sorted_[next].k == rank; ++next) measure();
    }
    for (; next < count_; ++next) measure();
    out.average_precision_at_r /= static_cast<double>(positives);
    return out;
  }

 private:
  struct CutOff {
    Index k;
    Index place;  ///< position in the caller's list
  };
  Index count_;
  CutOff* sorted_;
};

}  // namespace nearfar::detail
