#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/kernels/kernels.hpp"
#include "nearfar/metrics/ranked_inputs.hpp"

namespace nearfar {

/// Settings of Retrieval.
struct RetrievalOptions {
  /// Where recall@k and precision@k are taken, each k >= 1, in any order; may be empty.
  std::vector<Index> ks = {1, 2, 4, 8};
  bool per_query = false;  ///< whether the result has every query's own numbers, too
};

/// The measures of one query. A query without a positive has zeros.
struct RetrievedQuery {
  Index positives = 0;       ///< R: references of its label
  Index first_positive = 0;  ///< rank of the nearest of them, from 1; recall@k is whether <= k
  double average_precision_at_r = 0;
  double r_precision = 0;
};

/// The result of Retrieval: means over queries that have a positive, 0 when there is none.
struct RetrievalResult {
  std::vector<double> recall;     ///< recall@k for each of ks: the share of queries with a hit
  std::vector<double> precision;  ///< precision@k for each of ks
  double map_at_r = 0;
  double r_precision = 0;
  double mean_reciprocal_rank = 0;
  std::int64_t queries = 0;                   ///< all of them
  std::int64_t queries_without_positive = 0;  ///< of these, left out of every mean
  std::vector<RetrievedQuery> per_query;      ///< one a query, with RetrievalOptions::per_query
  /// queries x ks, row after row, with RetrievalOptions::per_query
  std::vector<double> precision_per_query;
};

namespace detail {

template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const RankedInputs<S>& inputs);

}  // namespace detail

/// Retrieval metrics: whether the nearest references of a query are of its label.
///
/// A query's candidates are M references (in a batch compared with itself: all other rows), ranked
/// by the score of kernel K, nearest first, ties to the lowest index. With p_1 the one at rank 1,
/// rel(r) = 1 when p_r is of the query's label (a positive) and 0 otherwise, R the number of
/// positives, and h(k) = sum_{r <= k} rel(r) the hits among the k nearest:
///
///     recall@k     1 when h(k) > 0, else 0
///     precision@k  h(k) / min(k, M)
///     R-precision  h(R) / R
///     AP@R         1/R sum_{r <= R} rel(r) h(r) / r
///     RR           1 / the smallest r with rel(r) = 1
///
/// A metric is the mean over queries with R > 0; the others are counted and left out. Recall@k is
/// that of metric learning (Jégou, Douze & Schmid, Product quantization for nearest neighbor
/// search, 2011, section V.B; Oh Song et al. 2016, section 6), a hit rate: the share of positives
/// found is h(k) / R. A k beyond M counts as M: hence the min. MAP@R and R-precision are those of
/// Musgrave, Belongie & Lim, A metric learning reality check, 2020, section 3.2; the mean of RR is
/// the mean reciprocal rank of Voorhees, The TREC-8 question answering track report, 1999.
///
/// Ranks are those of the scores as computed in S: equal rows tie; distances of different rows that
/// are equal in exact arithmetic may differ by a rounding. Beside 2 N M D floating point operations
/// for the scores, a query takes O(M + B log B) comparisons, B = max(R, largest k). Scores are
/// never held as N x M: O((N + M) D) memory, at most 192 rows of scores, and O(M) a thread.
/// Immutable; shared by threads each with its own Workspace; the same bits at any number of
/// threads.
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

  /// Of a batch x (N x D) with one label a row: each row a query, all others its candidates.
  /// Without rows everything is 0. Throws std::invalid_argument on shapes that do not fit,
  /// std::domain_error on an element that is not finite and on inner products that overflow S.
  RetrievalResult evaluate(Rows<S> x, Labels labels, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, labels, labels});
  }

  /// Of queries (N x D) among references (M x D), each with one label a row. A set without rows
  /// may come without columns. Throws as the other does.
  RetrievalResult evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                           Labels reference_labels, CallOptions<S> call = {}) const {
    return run({{queries, references, "references", false, call}, query_labels, reference_labels});
  }

 private:
  RetrievalResult run(const detail::RankedInputs<S>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  RetrievalOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/retrieval.hpp"
#endif
