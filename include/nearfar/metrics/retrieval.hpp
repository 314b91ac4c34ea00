#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/metrics/ranked_positives.hpp"
#include "nearfar/metrics/ranking.hpp"

namespace nearfar {

/// Settings of Retrieval.
struct RetrievalOptions {
  /// Where recall@k and precision@k are taken, each k >= 1, in any order; may be empty.
  std::vector<Index> ks = {1, 2, 4, 8};
  bool per_query = false;  ///< whether the result has every query's own numbers, too
};

/// What came of one query. A query without a positive has zeros.
struct RetrievedQuery {
  Index positives = 0;       ///< R: references of its label
  Index first_positive = 0;  ///< rank of the nearest of them, from 1; recall@k is whether <= k
  double average_precision_at_r = 0;
  double r_precision = 0;
};

/// What Retrieval returns: means over queries that have a positive, 0 when there is none.
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

/// Sums over queries, on the way to their means.
class RetrievalSums {
 public:
  RetrievalSums(const RetrievalOptions& options, Index queries, Index candidates)
      : options_(options), candidates_(candidates) {
    const std::size_t size = options.ks.size();
    out_.recall.assign(size, 0);
    out_.precision.assign(size, 0);
    if (!options.per_query) return;
    out_.per_query.resize(static_cast<std::size_t>(queries));
    out_.precision_per_query.assign(static_cast<std::size_t>(queries) * size, 0);
  }

  /// Query i, with its hits at each cut-off.
  void add(Index i, const RankedPositives& row, const Index* hits) {
    if (row.positives == 0) return;
    ++counted_;
    const double r_precision =
        static_cast<double>(row.within_r) / static_cast<double>(row.positives);
    out_.map_at_r += row.average_precision;
    out_.r_precision += r_precision;
    out_.mean_reciprocal_rank += 1 / static_cast<double>(row.first);
    const std::size_t size = options_.ks.size();
    for (std::size_t t = 0; t < size; ++t) {
      const double precision =
          static_cast<double>(hits[t]) / static_cast<double>(std::min(options_.ks[t], candidates_));
      out_.recall[t] += row.first <= options_.ks[t] ? 1 : 0;
      out_.precision[t] += precision;
      if (options_.per_query) {
        out_.precision_per_query[static_cast<std::size_t>(i) * size + t] = precision;
      }
    }
    if (options_.per_query) {
      out_.per_query[static_cast<std::size_t>(i)] = {row.positives, row.first,
                                                     row.average_precision, r_precision};
    }
  }

  /// body(sum) for each of the sums so far, always in the same order.
  template <class Body>
  void each(const Body& body) {
    for (double* sum : {&out_.map_at_r, &out_.r_precision, &out_.mean_reciprocal_rank}) body(*sum);
    for (std::vector<double>* sums : {&out_.recall, &out_.precision}) {
      for (double& sum : *sums) body(sum);
    }
  }

  /// Queries with a positive.
  Index& counted() { return counted_; }

  RetrievalResult means(Index queries) {
    out_.queries = queries;
    out_.queries_without_positive = queries - counted_;
    const double divisor = static_cast<double>(std::max<Index>(counted_, 1));
    each([divisor](double& sum) { sum /= divisor; });
    return std::move(out_);
  }

 private:
  const RetrievalOptions& options_;
  Index candidates_;
  Index counted_ = 0;
  RetrievalResult out_;
};

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
  RetrievalResult evaluate(Rows<S> x, Labels labels, CallOptions<S> call = {}) const;

  /// Of queries (N x D) among references (M x D), each with one label a row. A set without rows
  /// may come without columns. Throws as the other does.
  RetrievalResult evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                           Labels reference_labels, CallOptions<S> call = {}) const;

 private:
  RetrievalResult run(const detail::RankedSets<S>& sets, const CallOptions<S>& call) const;
  RetrievalResult averaged(Index queries, Index candidates, const detail::RankedPositives* rows,
                           const Index* hits) const;

  RetrievalOptions options_;
  K kernel_;
};

template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::evaluate(Rows<S> x, Labels labels, CallOptions<S> call) const {
  return run(detail::RankedSets<S>::one(x, labels), call);
}

template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                                          Labels reference_labels, CallOptions<S> call) const {
  return run(detail::RankedSets<S>::two(queries, query_labels, references, reference_labels), call);
}

template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::run(const detail::RankedSets<S>& sets,
                                     const CallOptions<S>& call) const {
  detail::Ranking<S, K> ranking(kernel_, sets, call);
  if (ranking.queries() == 0 || ranking.candidates() == 0) {
    return averaged(ranking.queries(), 0, nullptr, nullptr);
  }
  detail::Scratch& scratch = ranking.scratch();
  S* reference_codes = nullptr;
  const detail::Classes<S> classes = detail::classify<S>(
      scratch, ranking.query_labels(), ranking.reference_labels(), reference_codes);
  const detail::SameClass<S> relation{{classes.code, reference_codes}, ranking.same_rows()};
  const auto size = static_cast<Index>(options_.ks.size());
  Index* hits = scratch.template take<Index>(ranking.queries() * size);
  const detail::RankPositives<S, detail::nearness_sign<K>> rank(
      scratch, ranking.threads(), {options_.ks.data(), size}, relation, classes.members,
      ranking.queries(), ranking.keys(), hits);
  return averaged(ranking.queries(), ranking.candidates(), ranking.look(rank), hits);
}

/// Without `rows`, no query has a candidate.
template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::averaged(Index queries, Index candidates,
                                          const detail::RankedPositives* rows,
                                          const Index* hits) const {
  const auto size = static_cast<Index>(options_.ks.size());
  detail::RetrievalSums sums(options_, queries, candidates);
  for (Index i = 0; rows != nullptr && i < queries; ++i) sums.add(i, rows[i], hits + i * size);
  return sums.means(queries);
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, Retrieval)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, Retrieval)
#endif

}  // namespace nearfar
