#pragma once

#include <cmath>

#include "nearfar/metrics/impl/nearest_keys.hpp"
#include "nearfar/metrics/impl/ranking.hpp"
#include "nearfar/metrics/knn_accuracy.hpp"

namespace nearfar::detail {

/// One vote.
struct Ballot {
  std::int64_t label;
  Index rank;  ///< of the neighbour, 0 the nearest
  double weight;
};

/// The label that a query's nearest keys vote for.
template <class S>
class VoteMiner final : public RowMiner<S> {
 public:
  /// `labels` are the keys'. All arguments must outlive the object; there must be candidates.
  VoteMiner(Ranking<S>& ranking, const KnnOptions& options, const std::int64_t* labels)
      : vote_(options.vote),
        temperature_(options.temperature),
        k_(std::min(options.k, ranking.candidates())),
        sign_(ranking.sign()),
        same_rows_(ranking.same_rows()),
        labels_(labels),
        memory_size_(NearestKeys<S>::memory(k_, ranking.keys())),
        memory_(ranking.scratch().template take<Neighbour<S>>(ranking.threads() * memory_size_)),
        ballots_(ranking.scratch().template take<Ballot>(ranking.threads() * k_)),
        predictions_(ranking.scratch().template take<std::int64_t>(ranking.queries())) {}

  std::int64_t operator[](Index i) const { return predictions_[i]; }

  void row(Index i, int worker, Index keys, const S* s, S*) override {
    NearestKeys<S> nearest(memory_ + worker * memory_size_, k_, sign_);
    offer_candidates(nearest, same_rows_ ? i : -1, keys, s);
    nearest.sort();
    Ballot* ballots = ballots_ + worker * k_;
    for (Index rank = 0; rank < nearest.count(); ++rank) {
      // Relative to the nearest one, whose weight is then 1: nothing overflows, and not all of
      // them underflow. Which label has most does not change.
      const double behind =
          static_cast<double>(nearest[rank].distance) - static_cast<double>(nearest[0].distance);
      ballots[rank] = {labels_[nearest[rank].key], rank,
                       vote_ == KnnVote::weighted ? std::exp(-behind / temperature_) : 1};
    }
    predictions_[i] = winner(ballots, nearest.count());
  }

 private:
  static std::int64_t winner(Ballot* ballots, Index count) {
    // A label's votes are added nearest first, so that equal votes have equal sums.
    std::sort(ballots, ballots + count, [](const Ballot& a, const Ballot& b) {
      return a.label != b.label ? a.label < b.label : a.rank < b.rank;
    });
    std::int64_t best = 0;
    double most = 0;
    for (Index j = 0; j < count;) {
      const std::int64_t label = ballots[j].label;
      double sum = 0;
      for (; j < count && ballots[j].label == label; ++j) sum += ballots[j].weight;
      if (sum > most) {
        most = sum;
        best = label;
      }
    }
    return best;
  }

  KnnVote vote_;
  double temperature_;
  Index k_;
  int sign_;
  bool same_rows_;
  const std::int64_t* labels_;
  Index memory_size_;
  Neighbour<S>* memory_;
  Ballot* ballots_;
  std::int64_t* predictions_;
};

template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const RankedInputs<S>& inputs) {
  Ranking<S> ranking(kernel, inputs);
  KnnResult out;
  out.queries = ranking.queries();
  if (ranking.queries() == 0) return out;
  if (ranking.candidates() == 0) {
    out.queries_without_neighbour = out.queries;
    return out;
  }
  auto* labels = ranking.scratch().template take<std::int64_t>(ranking.keys());
  for (Index j = 0; j < ranking.keys(); ++j) labels[j] = ranking.reference_labels()[j];
  VoteMiner<S> votes(ranking, options, labels);
  ranking.run(votes);
  if (options.per_query) out.predictions.resize(static_cast<std::size_t>(out.queries));
  for (Index i = 0; i < ranking.queries(); ++i) {
    out.correct += votes[i] == ranking.query_labels()[i] ? 1 : 0;
    if (options.per_query) out.predictions[static_cast<std::size_t>(i)] = votes[i];
  }
  out.accuracy = static_cast<double>(out.correct) / static_cast<double>(out.queries);
  return out;
}

}  // namespace nearfar::detail
