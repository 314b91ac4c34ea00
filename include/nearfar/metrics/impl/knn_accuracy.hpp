#pragma once

#include "nearfar/core/portable_math.hpp"
#include "nearfar/metrics/impl/nearest_pass.hpp"
#include "nearfar/metrics/knn_accuracy.hpp"

namespace nearfar::detail {

/// One vote.
struct Ballot {
  std::int64_t label;
  Index rank;  ///< of the neighbour, 0 the nearest
  double weight;
};

/// The votes of queries' nearest keys for labels.
class Votes {
 public:
  /// The options must outlive the object.
  Votes(Scratch& scratch, int threads, const KnnOptions& options, Index most)
      : options_(options), most_(most), ballots_(scratch.take<Ballot>(threads * most)) {}

  /// The label with the largest vote among at most `most` nearest keys, in order. label_of(one) is
  /// the label of one of them.
  template <class Nearest, class LabelOf>
  std::int64_t operator()(int worker, const Nearest& nearest, const LabelOf& label_of) const {
    Ballot* ballots = ballots_ + worker * most_;
    for (Index rank = 0; rank < nearest.count(); ++rank) {
      // Relative to the nearest one, whose weight is then 1: nothing overflows, and not all weights
      // underflow. The order of the labels does not change.
      const double behind =
          static_cast<double>(nearest[rank].distance) - static_cast<double>(nearest[0].distance);
      const bool weighted = options_.vote == KnnVote::weighted;
      ballots[rank] = {label_of(nearest[rank]), rank,
                       weighted ? portable::exp(-behind / options_.temperature) : 1};
    }
    return winner(ballots, nearest.count());
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

  const KnnOptions& options_;
  Index most_;
  Ballot* ballots_;
};

template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const RankedInputs<S>& inputs) {
  Ranking<S> ranking(kernel, inputs.sets);
  ranking.check_labels(inputs);
  KnnResult out;
  out.queries = ranking.queries();
  if (ranking.queries() == 0) return out;
  if (ranking.candidates() == 0) {
    out.queries_without_neighbour = out.queries;
    return out;
  }
  Scratch& scratch = ranking.scratch();
  auto* labels = scratch.template take<std::int64_t>(ranking.keys());
  for (Index j = 0; j < ranking.keys(); ++j) labels[j] = inputs.key_labels[j];
  auto* predictions = scratch.template take<std::int64_t>(ranking.queries());
  const NearestSettings<S> settings{std::min(options.k, ranking.candidates())};
  const Votes votes(scratch, ranking.threads(), options, settings.wanted);
  ranking.pack();
  each_nearest(ranking, settings, [&](Index i, int worker, const NearestOfQuery<S>& nearest) {
    predictions[i] =
        votes(worker, nearest, [&](const Neighbour<S>& one) { return labels[one.key]; });
  });
  if (options.per_query) out.predictions.assign(predictions, predictions + ranking.queries());
  for (Index i = 0; i < ranking.queries(); ++i) {
    out.correct += predictions[i] == inputs.query_labels[i] ? 1 : 0;
  }
  out.accuracy = static_cast<double>(out.correct) / static_cast<double>(out.queries);
  return out;
}

}  // namespace nearfar::detail
