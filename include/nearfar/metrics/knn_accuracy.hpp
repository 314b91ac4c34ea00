#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/metrics/nearest_keys.hpp"
#include "nearfar/metrics/ranking.hpp"

namespace nearfar {

/// What a neighbour's vote weighs.
enum class KnnVote {
  weighted,  ///< exp(s / tau), s its score (minus the distance for distances)
  majority   ///< 1
};

/// Settings of KnnAccuracy.
struct KnnOptions {
  Index k = 200;                     ///< >= 1: neighbours that vote; at most all there are
  double temperature = 0.07;         ///< tau > 0, for KnnVote::weighted
  KnnVote vote = KnnVote::weighted;  ///< what a vote weighs
  bool per_query = false;            ///< whether the result has every query's prediction, too
};

/// What KnnAccuracy returns.
struct KnnResult {
  double accuracy = 0;                         ///< correct / queries, 0 without a query
  std::int64_t queries = 0;                    ///< all of them
  std::int64_t correct = 0;                    ///< of these, predicted as labelled
  std::int64_t queries_without_neighbour = 0;  ///< with nobody to vote: not correct
  /// One a query, with KnnOptions::per_query; empty when nobody has a neighbour.
  std::vector<std::int64_t> predictions;
};

namespace detail {

/// One vote.
struct Ballot {
  std::int64_t label;
  Index rank;  ///< of the neighbour, 0 the nearest
  double weight;
};

/// The label that a query's nearest keys vote for.
template <class S, int sign>
class VoteRows {
 public:
  struct Row {
    std::int64_t prediction;
  };

  /// `labels` are the keys'; `k` at most the number of candidates and at least 1. The arrays must
  /// outlive the object.
  VoteRows(Scratch& scratch, int threads, const KnnOptions& options, Index k, Index keys,
           bool same_rows, const std::int64_t* labels)
      : vote_(options.vote),
        temperature_(options.temperature),
        k_(k),
        same_rows_(same_rows),
        labels_(labels),
        memory_size_(NearestKeys<S, sign>::memory(k, keys)),
        memory_(scratch.take<Neighbour<S>>(threads * memory_size_)),
        ballots_(scratch.take<Ballot>(threads * k)) {}

  Row row(Index i, int worker, Index keys, const S* s, S*) const {
    NearestKeys<S, sign> nearest(memory_ + worker * memory_size_, k_);
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
    return {winner(ballots, nearest.count())};
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
  bool same_rows_;
  const std::int64_t* labels_;
  Index memory_size_;
  Neighbour<S>* memory_;
  Ballot* ballots_;
};

}  // namespace detail

/// Accuracy of predicting a query's label from its k nearest references.
///
/// With N_k the k candidates nearest by the score s of kernel K (ties to the lowest index) and s
/// minus the distance for distances, a label c has
///
///     w_c = sum_{j in N_k, c_j = c} exp(s_j / tau)
///
/// (Wu et al., Unsupervised feature learning via non-parametric instance discrimination, 2018,
/// section 3.4; k = 200, tau = 0.07 and cosine similarity there and by default), or with
/// KnnVote::majority their number. The label of the largest w_c is predicted, of equal ones that of
/// the lowest value. Every query counts, those whose label no reference has, too.
///
/// Beside 2 N M D floating point operations for the scores, a query takes O(M + k log k)
/// comparisons. Scores are never held as N x M: O((N + M) D) memory, at most 192 rows of scores,
/// and O(M) a thread. Immutable; shared by threads each with its own Workspace; the same bits at
/// any number of threads.
template <class S, Kernel K = Cosine>
class KnnAccuracy {
 public:
  /// Throws std::invalid_argument unless k >= 1 and the temperature is finite and > 0.
  explicit KnnAccuracy(KnnOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    if (options.k < 1) fail_argument("k", "a number >= 1", std::to_string(options.k));
    check_positive("temperature", options.temperature);
  }

  const KnnOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// Of a batch x (N x D) with one label a row: each row by its nearest others (leave one out).
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite and on inner products that overflow S.
  KnnResult evaluate(Rows<S> x, Labels labels, CallOptions<S> call = {}) const;

  /// Of queries (N x D) by references (M x D), each with one label a row. A set without rows may
  /// come without columns. Throws as the other does.
  KnnResult evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                     Labels reference_labels, CallOptions<S> call = {}) const;

 private:
  KnnResult run(const detail::RankedSets<S>& sets, const CallOptions<S>& call) const;

  KnnOptions options_;
  K kernel_;
};

template <class S, Kernel K>
KnnResult KnnAccuracy<S, K>::evaluate(Rows<S> x, Labels labels, CallOptions<S> call) const {
  return run(detail::RankedSets<S>::one(x, labels), call);
}

template <class S, Kernel K>
KnnResult KnnAccuracy<S, K>::evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                                      Labels reference_labels, CallOptions<S> call) const {
  return run(detail::RankedSets<S>::two(queries, query_labels, references, reference_labels), call);
}

template <class S, Kernel K>
KnnResult KnnAccuracy<S, K>::run(const detail::RankedSets<S>& sets,
                                 const CallOptions<S>& call) const {
  using Votes = detail::VoteRows<S, detail::nearness_sign<K>>;
  detail::Ranking<S, K> ranking(kernel_, sets, call);
  KnnResult out;
  out.queries = ranking.queries();
  if (ranking.queries() == 0) return out;
  if (ranking.candidates() == 0) {
    out.queries_without_neighbour = out.queries;
    return out;
  }
  detail::Scratch& scratch = ranking.scratch();
  auto* labels = scratch.template take<std::int64_t>(ranking.keys());
  for (Index j = 0; j < ranking.keys(); ++j) labels[j] = ranking.reference_labels()[j];
  const Votes votes(scratch, ranking.threads(), options_,
                    std::min(options_.k, ranking.candidates()), ranking.keys(), ranking.same_rows(),
                    labels);
  const typename Votes::Row* rows = ranking.look(votes);
  if (options_.per_query) out.predictions.resize(static_cast<std::size_t>(out.queries));
  for (Index i = 0; i < ranking.queries(); ++i) {
    out.correct += rows[i].prediction == ranking.query_labels()[i] ? 1 : 0;
    if (options_.per_query) out.predictions[static_cast<std::size_t>(i)] = rows[i].prediction;
  }
  out.accuracy = static_cast<double>(out.correct) / static_cast<double>(out.queries);
  return out;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, KnnAccuracy)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, KnnAccuracy)
#endif

}  // namespace nearfar
