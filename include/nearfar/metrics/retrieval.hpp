#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/kernels/kernels.hpp"
#include "nearfar/metrics/ranked_inputs.hpp"

namespace nearfar {

/// Settings of Retrieval.
struct RetrievalOptions {
  /// Ranks k for recall, precision and nDCG, each >= 1, in any order; may be empty.
  std::vector<Index> ks = {1, 2, 4, 8};
  bool per_query = false;  ///< whether the result has the numbers of each query, too
  /// Whether to compute the full average precision, which takes the ranks of all positives.
  bool average_precision = false;
  /// References with this label are candidates of no query (junk, usually -1); a query with it has
  /// no positive. Only if targets are labels.
  std::optional<std::int64_t> unlabelled = {};
};

/// The measures of one query. A query without a positive has zeros.
struct RetrievedQuery {
  Index positives = 0;       ///< R: positives among its candidates
  Index first_positive = 0;  ///< rank of the nearest positive, from 1; recall@k is 1 if it is <= k
  double average_precision_at_r = 0;
  double r_precision = 0;
  double average_precision = 0;  ///< 0 without RetrievalOptions::average_precision
};

/// The result of Retrieval: means over queries that have a positive, 0 if there is none.
struct RetrievalResult {
  std::vector<double> recall;     ///< recall@k for each of ks: the share of queries with a hit
  std::vector<double> precision;  ///< precision@k for each of ks
  std::vector<double> ndcg;       ///< nDCG@k for each of ks
  double map_at_r = 0;
  double r_precision = 0;
  double mean_reciprocal_rank = 0;
  double mean_average_precision = 0;          ///< 0 without RetrievalOptions::average_precision
  std::int64_t queries = 0;                   ///< number of queries
  std::int64_t queries_without_positive = 0;  ///< of these, those left out of every mean
  std::vector<RetrievedQuery> per_query;      ///< one a query, with RetrievalOptions::per_query
  /// queries x ks, row after row, with RetrievalOptions::per_query
  std::vector<double> precision_per_query;
  std::vector<double> ndcg_per_query;  ///< the same
};

namespace detail {

template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const TargetedRanks<S>& inputs);

}  // namespace detail

/// Retrieval metrics: they measure whether a query's nearest references are its positives.
///
/// Targets define the positives: references of the same label, with a shared label, or listed. A
/// query's candidates are the C references that it is compared with. In a batch they are all other
/// rows. Rows of the query's id and unlabelled ones are no candidates. Candidates are ranked by the
/// score of kernel K, nearest first, ties to the lowest index. With p_1 the candidate at rank 1,
/// rel(r) = 1 if p_r is a positive and 0 otherwise, R the number of positives, and
/// h(k) = sum_{r <= k} rel(r) the positives among the k nearest:
///
///     recall@k     1 when h(k) > 0, else 0
///     precision@k  h(k) / min(k, C)
///     R-precision  h(R) / R
///     AP@R         1/R sum_{r <= R} rel(r) h(r) / r
///     AP           1/R sum_{r <= C} rel(r) h(r) / r
///     RR           1 / the smallest r with rel(r) = 1
///     nDCG@k       DCG@k of the ranking / DCG@k of the positives in order of their gains,
///                  DCG@k = sum_{r <= k} g(r) / log2(1 + r)
///
/// The gain g(r) of a positive is its weight if lists have weights, else 1; that of others is 0.
///
/// A metric is the mean over queries with R > 0; the other queries are counted and left out.
/// Recall@k is the hit rate of metric learning (Jégou, Douze & Schmid, Product quantization for
/// nearest neighbor search, 2011, section V.B; Oh Song et al. 2016, section 6); the share of
/// positives found is h(k) / R. A k beyond C counts as C, hence the min. MAP@R and R-precision are
/// those of Musgrave, Belongie & Lim, A metric learning reality check, 2020, section 3.2; the mean
/// of RR is the mean reciprocal rank of Voorhees, The TREC-8 question answering track report, 1999.
/// nDCG is that of Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002,
/// with their gain (the weight itself, not 2 to its power) and the discount log2(1 + r) from rank 1
/// on, where theirs is log_b(r) from rank b on.
///
/// Ranks use the scores as computed in S. Equal rows tie; distances of different rows that are
/// equal in exact arithmetic may differ by a rounding. Besides 2 N M D floating point operations
/// for the scores, a query takes O(M + B log B) comparisons, B = max(R, largest k), and O(M log R)
/// for the full average precision. Memory is O((N + M) D), at most 192 rows of scores, and O(M) for
/// each thread, without an N x M matrix. An object is immutable and may be shared by threads, each
/// with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class Retrieval {
 public:
  /// Throws std::invalid_argument when one of ks is below 1.
  explicit Retrieval(RetrievalOptions options = {}, K kernel = K())
      : options_(std::move(options)), kernel_(kernel) {
    for (std::size_t t = 0; t < options_.ks.size(); ++t) {
      if (options_.ks[t] < 1) {
        fail_argument("ks", "numbers >= 1",
                      std::to_string(options_.ks[t]) + " at " + std::to_string(t));
      }
    }
  }

  const RetrievalOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The metrics of a batch x (N x D) with its targets, such as a label a row: each row is a query,
  /// all others its candidates. Without rows everything is 0. Throws std::invalid_argument on
  /// shapes and targets that do not fit and on weights of queries, std::domain_error on an element
  /// that is not finite and on inner products that overflow S.
  RetrievalResult evaluate(Rows<S> x, const Targets& labels, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, labels, labels});
  }

  /// The metrics of queries (N x D) among references (M x D), each with targets; if queries list
  /// their positives, references have none (Targets()). A set without rows may have no columns.
  /// Throws as above.
  RetrievalResult evaluate(Rows<S> queries, const Targets& query_labels, Rows<S> references,
                           const Targets& reference_labels, CallOptions<S> call = {}) const {
    return run({{queries, references, "references", false, call}, query_labels, reference_labels});
  }

 private:
  RetrievalResult run(const detail::TargetedRanks<S>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  RetrievalOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/retrieval.hpp"
#endif
