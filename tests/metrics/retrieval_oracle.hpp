#pragma once

#include <cmath>
#include <functional>
#include <nearfar/metrics/retrieval.hpp>

#include "metrics/ranking_oracle.hpp"

/// \file
/// Retrieval metrics from their definitions, one query at a time, from complete rankings.

namespace ranking {

/// The positives of each query, their gains, and the keys that are no candidates.
struct Relevance {
  std::function<bool(Index, Index)> positive;
  std::function<bool(Index, Index)> left_out = [](Index, Index) { return false; };
  std::function<Real(Index, Index)> gain = [](Index, Index) { return Real(1); };
};

inline nearfar::RetrievalResult expected(const Distances& distances, const Relevance& relevance,
                                         const std::vector<Index>& ks) {
  nearfar::RetrievalResult out;
  out.recall.assign(ks.size(), 0);
  out.precision.assign(ks.size(), 0);
  out.ndcg.assign(ks.size(), 0);
  out.precision_per_query.assign(static_cast<std::size_t>(distances.d.rows()) * ks.size(), 0);
  out.ndcg_per_query = out.precision_per_query;
  Real counted = 0;
  for (Index i = 0; i < distances.d.rows(); ++i) {
    std::vector<Index> order = distances.order(i);
    std::erase_if(order, [&](Index j) { return relevance.left_out(i, j); });
    const auto relevant = [&](std::size_t rank) {  // from 1
      return relevance.positive(i, order[rank - 1]);
    };
    std::vector<Index> hits = {0};
    std::vector<Real> dcg = {0};
    std::vector<Real> gains;
    for (std::size_t r = 1; r <= order.size(); ++r) {
      hits.push_back(hits.back() + (relevant(r) ? 1 : 0));
      dcg.push_back(dcg.back());
      if (!relevant(r)) continue;
      gains.push_back(relevance.gain(i, order[r - 1]));
      dcg.back() += gains.back() / std::log2(1 + Real(r));
    }
    ++out.queries;
    nearfar::RetrievedQuery& query = out.per_query.emplace_back();
    query.positives = hits.back();
    if (query.positives == 0) {
      ++out.queries_without_positive;
      continue;
    }
    counted += 1;
    while (hits[static_cast<std::size_t>(query.first_positive)] == 0) ++query.first_positive;
    const auto r = static_cast<std::size_t>(query.positives);
    query.r_precision = static_cast<double>(Real(hits[r]) / Real(r));
    Real sum = 0;
    Real whole = 0;
    for (std::size_t rank = 1; rank <= order.size(); ++rank) {
      if (!relevant(rank)) continue;
      whole += Real(hits[rank]) / Real(rank);
      if (rank <= r) sum += Real(hits[rank]) / Real(rank);
    }
    query.average_precision_at_r = static_cast<double>(sum / Real(r));
    query.average_precision = static_cast<double>(whole / Real(r));
    std::sort(gains.rbegin(), gains.rend());
    for (std::size_t t = 0; t < ks.size(); ++t) {
      const std::size_t k = std::min(static_cast<std::size_t>(ks[t]), order.size());
      Real ideal = 0;
      for (std::size_t rank = 1; rank <= std::min(k, gains.size()); ++rank) {
        ideal += gains[rank - 1] / std::log2(1 + Real(rank));
      }
      const double precision = static_cast<double>(Real(hits[k]) / Real(k));
      const double ndcg = static_cast<double>(dcg[k] / ideal);
      out.recall[t] += hits[k] > 0 ? 1 : 0;
      out.precision[t] += precision;
      out.ndcg[t] += ndcg;
      out.precision_per_query[static_cast<std::size_t>(i) * ks.size() + t] = precision;
      out.ndcg_per_query[static_cast<std::size_t>(i) * ks.size() + t] = ndcg;
    }
    out.map_at_r += query.average_precision_at_r;
    out.mean_average_precision += query.average_precision;
    out.r_precision += query.r_precision;
    out.mean_reciprocal_rank += 1 / static_cast<double>(query.first_positive);
  }
  const double divisor = counted > 0 ? static_cast<double>(counted) : 1;
  out.map_at_r /= divisor;
  out.mean_average_precision /= divisor;
  out.r_precision /= divisor;
  out.mean_reciprocal_rank /= divisor;
  for (std::vector<double>* all : {&out.recall, &out.precision, &out.ndcg}) {
    for (double& v : *all) v /= divisor;
  }
  return out;
}

/// Positives are the keys of a query's label.
inline nearfar::RetrievalResult expected(const Distances& distances, const Labels& query_labels,
                                         const Labels& reference_labels,
                                         const std::vector<Index>& ks) {
  return expected(distances,
                  {.positive =
                       [&](Index i, Index j) {
                         return query_labels[static_cast<std::size_t>(i)] ==
                                reference_labels[static_cast<std::size_t>(j)];
                       }},
                  ks);
}

/// For calls with per_query and average_precision.
inline void expect_alike(const nearfar::RetrievalResult& got,
                         const nearfar::RetrievalResult& want) {
  constexpr double close = 1e-13;
  EXPECT_EQ(got.queries, want.queries);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
  ASSERT_EQ(got.recall.size(), want.recall.size());
  ASSERT_EQ(got.precision.size(), want.precision.size());
  ASSERT_EQ(got.ndcg.size(), want.ndcg.size());
  for (std::size_t t = 0; t < want.recall.size(); ++t) {
    EXPECT_NEAR(got.recall[t], want.recall[t], close) << "recall " << t;
    EXPECT_NEAR(got.precision[t], want.precision[t], close) << "precision " << t;
    EXPECT_NEAR(got.ndcg[t], want.ndcg[t], close) << "nDCG " << t;
  }
  EXPECT_NEAR(got.map_at_r, want.map_at_r, close);
  EXPECT_NEAR(got.mean_average_precision, want.mean_average_precision, close);
  EXPECT_NEAR(got.r_precision, want.r_precision, close);
  EXPECT_NEAR(got.mean_reciprocal_rank, want.mean_reciprocal_rank, close);
  ASSERT_EQ(got.per_query.size(), want.per_query.size());
  for (std::size_t i = 0; i < want.per_query.size(); ++i) {
    const auto& a = got.per_query[i];
    const auto& b = want.per_query[i];
    ASSERT_EQ(a.positives, b.positives) << "query " << i;
    ASSERT_EQ(a.first_positive, b.first_positive) << "query " << i;
    ASSERT_NEAR(a.average_precision_at_r, b.average_precision_at_r, close) << "query " << i;
    ASSERT_NEAR(a.average_precision, b.average_precision, close) << "query " << i;
    ASSERT_NEAR(a.r_precision, b.r_precision, close) << "query " << i;
  }
  ASSERT_EQ(got.precision_per_query, want.precision_per_query);
  ASSERT_EQ(got.ndcg_per_query.size(), want.ndcg_per_query.size());
  for (std::size_t t = 0; t < want.ndcg_per_query.size(); ++t) {
    ASSERT_NEAR(got.ndcg_per_query[t], want.ndcg_per_query[t], close) << t;
  }
}

}  // namespace ranking
