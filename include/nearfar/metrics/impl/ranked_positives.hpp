#pragma once

#include "nearfar/core/classes.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/metrics/impl/nearest_of_query.hpp"
#include "nearfar/metrics/impl/ranking.hpp"

/// \file
/// A query's part of the retrieval metrics: where among its candidates the positives are.

namespace nearfar::detail {

/// Measures of the ranks of a query's positives; zeros without a positive.
struct RankedPositives {
  Index positives;           ///< R
  Index first;               ///< rank of the nearest one, from 1
  Index within_r;            ///< positives of rank <= R
  double average_precision;  ///< AP@R
};

/// Mask of the candidates that are positives of a query.
template <class S>
struct SameClass {
  ClassCodes<S> codes;
  bool same_rows;  ///< queries and keys are the same rows: none is a candidate for itself

  bool counts(Index i, Index j) const { return !same_rows || i != j; }
  bool positive(Index i, Index j) const { return codes.query[i] == codes.key[j]; }
};

/// The k that hits are counted at.
struct CutOffs {
  const Index* k;
  Index count;
};

/// Measures of the positives among a query's nearest keys, and how many are within each cut-off.
class CountedRanks {
 public:
  /// For queries with so many candidates.
  CountedRanks(Scratch& scratch, const CutOffs& cut_offs, Index candidates)
      : count_(cut_offs.count), sorted_(scratch.take<CutOff>(cut_offs.count)) {
    for (Index t = 0; t < count_; ++t) sorted_[t] = {std::min(cut_offs.k[t], candidates), t};
    std::sort(sorted_, sorted_ + count_,
              [](const CutOff& a, const CutOff& b) { return a.k < b.k; });
  }

  Index cut_offs() const { return count_; }

  /// Ranks that count for a query with so many positives: R and every k.
  Index wanted(Index positives) const {
    const Index most_k = count_ > 0 ? sorted_[count_ - 1].k : 0;
    return std::max(positives, most_k);
  }

  /// Of a query with `positives` of them, whose `ranks` nearest keys are known: is_positive(rank),
  /// from 1. `first` stays 0 when none is among these. Sets hits[cut-off].
  template <class IsPositive>
  RankedPositives count(Index positives, Index ranks, const IsPositive& is_positive,
                        Index* hits) const {
    RankedPositives out{positives, 0, 0, 0};
    if (positives == 0) {
      std::fill_n(hits, count_, Index(0));
      return out;
    }
    Index found = 0;
    Index next = 0;
    for (Index rank = 1; rank <= ranks; ++rank) {
      if (is_positive(rank)) {
        ++found;
        if (found == 1) out.first = rank;
        if (rank <= positives) {
          out.within_r = found;
          out.average_precision += static_cast<double>(found) / static_cast<double>(rank);
        }
      }
      for (; next < count_ && sorted_[next].k == rank; ++next) hits[sorted_[next].place] = found;
    }
    for (; next < count_; ++next) hits[sorted_[next].place] = found;
    out.average_precision /= static_cast<double>(positives);
    return out;
  }

 private:
  struct CutOff {
    Index k;      ///< at most the number of candidates
    Index place;  ///< among the caller's
  };
  Index count_;
  CutOff* sorted_;
};

/// Ranks each query's nearest keys, as many as any metric needs, and counts the positives among the
/// k nearest into hits[i * cut-offs + t].
template <class S>
class PositivesMiner final : public RowMiner<S> {
 public:
  /// `members` is the number of keys of each query's class. All arguments must outlive the object.
  PositivesMiner(Ranking<S>& ranking, const CutOffs& cut_offs, const SameClass<S>& positives,
                 const Index* members, Index* hits)
      : sign_(ranking.sign()),
        positives_(positives),
        members_(members),
        ranks_(ranking.scratch(), cut_offs, ranking.candidates()),
        hits_(hits),
        rows_(ranking.scratch().template take<RankedPositives>(ranking.queries())) {
    Index most = 0;
    for (Index i = 0; i < ranking.queries(); ++i) {
      most = std::max(most, ranks_.wanted(positives_of(i)));
    }
    memory_size_ = NearestOfQuery<S>::memory(most, ranking.keys());
    memory_ = ranking.scratch().template take<Neighbour<S>>(ranking.threads() * memory_size_);
  }

  const RankedPositives& operator[](Index i) const { return rows_[i]; }

  void row(Index i, int worker, Index keys, const S* s, S*) override {
    const Index count = positives_of(i);
    NearestOfQuery<S> nearest(memory_ + worker * memory_size_, ranks_.wanted(count), sign_);
    if (count > 0) {
      offer_candidates(nearest, positives_.same_rows ? i : -1, keys, s);
      nearest.sort();
    }
    RankedPositives& out = rows_[i];
    out = ranks_.count(
        count, nearest.count(),
        [&](Index rank) { return positives_.positive(i, nearest[rank - 1].key); },
        hits_ + i * ranks_.cut_offs());
    if (out.positives > 0 && out.first == 0) out.first = rank_of_first(i, keys, s);
  }

 private:
  Index positives_of(Index i) const { return members_[i] - (positives_.same_rows ? 1 : 0); }

  Neighbour<S> neighbour(const S* s, Index j) const { return {static_cast<S>(-sign_) * s[j], j}; }

  /// Of the nearest positive, when it is beyond all ranks that are kept.
  Index rank_of_first(Index i, Index keys, const S* s) const {
    Neighbour<S> first{0, -1};
    for (Index j = 0; j < keys; ++j) {
      if (!positives_.counts(i, j) || !positives_.positive(i, j)) continue;
      const Neighbour<S> other = neighbour(s, j);
      if (first.key < 0 || other < first) first = other;
    }
    Index nearer = 0;
    for (Index j = 0; j < keys; ++j) {
      nearer += positives_.counts(i, j) && neighbour(s, j) < first ? 1 : 0;
    }
    return nearer + 1;
  }

  int sign_;
  const SameClass<S>& positives_;
  const Index* members_;
  CountedRanks ranks_;
  Index* hits_;
  RankedPositives* rows_;
  Index memory_size_ = 0;
  Neighbour<S>* memory_ = nullptr;
};

}  // namespace nearfar::detail
