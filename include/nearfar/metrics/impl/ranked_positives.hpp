#pragma once

#include "nearfar/metrics/impl/counted_ranks.hpp"
#include "nearfar/metrics/impl/nearest_of_query.hpp"
#include "nearfar/metrics/impl/ranked_candidates.hpp"
#include "nearfar/metrics/impl/ranking.hpp"
#include "nearfar/mining/search_tree.hpp"

/// \file
/// The ranks of a query's positives among its candidates, from its whole row of scores.

namespace nearfar::detail {

/// Ranks each query's nearest keys, as many as the metrics need, and writes the measures of each
/// cut-off to at[i * cut-offs + t]; with `whole`, ranks all of its positives.
template <class S>
class PositivesMiner final : public RowMiner<S> {
 public:
  /// All arguments must outlive the object.
  PositivesMiner(Ranking<S>& ranking, const CutOffs& cut_offs,
                 const RankedCandidates<S>& candidates, bool whole, AtCutOff* at)
      : sign_(ranking.sign()),
        candidates_(candidates),
        ranks_(ranking.scratch(), cut_offs),
        at_(at),
        whole_(whole),
        counts_(ranking.scratch().template take<PairCounts>(ranking.queries())),
        rows_(ranking.scratch().template take<RankedPositives>(ranking.queries())) {
    Scratch& scratch = ranking.scratch();
    each_counted(ranking.queries(), ranking.threads(),
                 [&](Index i) { counts_[i] = candidates.count(i); });
    Index most = 0;
    Index most_positives = 0;
    for (Index i = 0; i < ranking.queries(); ++i) {
      most = std::max(most, wanted(i));
      most_positives = std::max(most_positives, counts_[i].positives);
    }
    memory_size_ = NearestOfQuery<S>::memory(most, ranking.keys());
    memory_ = scratch.take<Neighbour<S>>(ranking.threads() * memory_size_);
    if (whole_) {
      positives_size_ = most_positives;
      positives_ = scratch.take<Neighbour<S>>(ranking.threads() * positives_size_);
      before_ = scratch.take<Index>(ranking.threads() * (positives_size_ + 1));
      tree_size_ = search_tree_size<S>(most_positives);
      trees_ = scratch.take<S>(ranking.threads() * tree_size_);
    }
    if (candidates.rule().has_list_weights()) {
      ideal_size_ = most_positives;
      ideal_ = scratch.take<double>(ranking.threads() * ideal_size_);
    }
  }

  const RankedPositives& operator[](Index i) const { return rows_[i]; }

  void row(Index i, int worker, Index, const S* s, S*) override {
    const Index count = counts_[i].positives;
    NearestOfQuery<S> nearest(memory_ + worker * memory_size_, wanted(i), sign_);
    if (count > 0) {
      candidates_.each_part(i, [&](Index first, Index n) { nearest.offer(s + first, first, n); });
      nearest.sort();
    }
    const double* ideal = count > 0 ? ideal_gains(i, worker) : nullptr;
    RankedPositives& out = rows_[i];
    out = ranks_.count(
        count, count + counts_[i].negatives, nearest.count(),
        [&](Index rank) { return gain(i, nearest[rank - 1].key); },
        [&](Index rank) { return ideal != nullptr ? ideal[rank - 1] : 1.0; },
        at_ + i * ranks_.cut_offs());
    if (count == 0) return;
    if (out.first == 0) out.first = rank_of_first(i, s);
    if (whole_) out.average_precision = average_precision(i, worker, s);
  }

 private:
  Index wanted(Index i) const {
    const Index positives = counts_[i].positives;
    return positives > 0 ? ranks_.wanted(positives, positives + counts_[i].negatives) : 0;
  }

  Neighbour<S> neighbour(const S* s, Index j) const { return {static_cast<S>(-sign_) * s[j], j}; }

  /// The gain of key j for query i: its weight if positives have weights.
  double gain(Index i, Index j) const {
    if (!candidates_.positive(i, j)) return 0;
    return ideal_ != nullptr ? candidates_.rule().weight(i, j) : 1;
  }

  /// Gains of all positives, the largest first; null if each is 1.
  const double* ideal_gains(Index i, int worker) const {
    if (ideal_ == nullptr) return nullptr;
    double* gains = ideal_ + worker * ideal_size_;
    double* end = gains;
    candidates_.each_positive(i, [&](Index j) { *end++ = candidates_.rule().weight(i, j); });
    std::sort(gains, end, [](double a, double b) { return a > b; });
    return gains;
  }

  /// The rank of the nearest positive, if it is beyond all ranks that are kept.
  Index rank_of_first(Index i, const S* s) const {
    Neighbour<S> first{0, -1};
    candidates_.each_positive(i, [&](Index j) {
      const Neighbour<S> other = neighbour(s, j);
      if (first.key < 0 || other < first) first = other;
    });
    Index nearer = 0;
    candidates_.each_part(i, [&](Index from, Index n) {
      for (Index j = from; j < from + n; ++j) nearer += neighbour(s, j) < first ? 1 : 0;
    });
    return nearer + 1;
  }

  /// The average precision over the ranks of all positives. Candidates are counted by the number of
  /// positives that are nearer: a positive's rank is the number of candidates with at most its
  /// number.
  double average_precision(Index i, int worker, const S* s) const {
    Neighbour<S>* positives = positives_ + worker * positives_size_;
    Index count = 0;
    candidates_.each_positive(i, [&](Index j) { positives[count++] = neighbour(s, j); });
    std::sort(positives, positives + count);
    const SearchTree<S> tree = search_tree(count, trees_ + worker * tree_size_,
                                           [&](Index rank) { return positives[rank].distance; });
    Index* before = before_ + worker * (positives_size_ + 1);
    std::fill_n(before, count + 1, Index(0));
    candidates_.each_part(i, [&](Index from, Index n) {
      S distances[bounds_at_once];
      std::int32_t ranks[bounds_at_once];
      for (Index first = from; first < from + n; first += bounds_at_once) {
        const Index size = std::min(bounds_at_once, from + n - first);
        for (Index c = 0; c < size; ++c) distances[c] = neighbour(s, first + c).distance;
        std::fill(distances + size, distances + bounds_at_once, S(0));
        triplet_loops<S>().ranks(tree, distances, ranks);
        for (Index c = 0; c < size; ++c) {
          Index rank = ranks[c];
          while (rank < count && positives[rank] < Neighbour<S>{distances[c], first + c}) ++rank;
          ++before[rank];
        }
      }
    });
    double sum = 0;
    Index rank = 0;
    for (Index t = 0; t < count; ++t) {
      rank += before[t];
      sum += static_cast<double>(t + 1) / static_cast<double>(rank);
    }
    return sum / static_cast<double>(count);
  }

  int sign_;
  const RankedCandidates<S>& candidates_;
  CountedRanks ranks_;
  AtCutOff* at_;
  bool whole_;
  PairCounts* counts_;
  RankedPositives* rows_;
  // For each thread.
  Index memory_size_ = 0;
  Neighbour<S>* memory_ = nullptr;
  Index positives_size_ = 0;
  Neighbour<S>* positives_ = nullptr;
  Index* before_ = nullptr;  ///< number of candidates by the number of positives before them
  Index tree_size_ = 0;
  S* trees_ = nullptr;
  Index ideal_size_ = 0;
  double* ideal_ = nullptr;
};

}  // namespace nearfar::detail
