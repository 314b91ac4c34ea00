#pragma once

#include "nearfar/metrics/impl/counted_ranks.hpp"
#include "nearfar/metrics/retrieval.hpp"

namespace nearfar::detail {

/// Sums over queries, from which the means are computed.
class RetrievalSums {
 public:
  RetrievalSums(const RetrievalOptions& options, Index queries) : options_(options) {
    const std::size_t size = options.ks.size();
    out_.recall.assign(size, 0);
    out_.precision.assign(size, 0);
    out_.ndcg.assign(size, 0);
    if (!options.per_query) return;
    const auto rows = static_cast<std::size_t>(queries);
    out_.per_query.resize(rows);
    out_.precision_per_query.assign(rows * size, 0);
    out_.ndcg_per_query.assign(rows * size, 0);
  }

  /// Adds query i, with its measures at each cut-off.
  void add(Index i, const RankedPositives& row, const AtCutOff* at) {
    if (row.positives == 0) return;
    ++counted_;
    const double r_precision =
        static_cast<double>(row.within_r) / static_cast<double>(row.positives);
    out_.map_at_r += row.average_precision_at_r;
    out_.mean_average_precision += row.average_precision;
    out_.r_precision += r_precision;
    out_.mean_reciprocal_rank += 1 / static_cast<double>(row.first);
    const std::size_t size = options_.ks.size();
    for (std::size_t t = 0; t < size; ++t) {
      const double precision = static_cast<double>(at[t].hits) /
                               static_cast<double>(std::min(options_.ks[t], row.candidates));
      out_.recall[t] += row.first <= options_.ks[t] ? 1 : 0;
      out_.precision[t] += precision;
      out_.ndcg[t] += at[t].ndcg;
      if (options_.per_query) {
        const std::size_t place = static_cast<std::size_t>(i) * size + t;
        out_.precision_per_query[place] = precision;
        out_.ndcg_per_query[place] = at[t].ndcg;
      }
    }
    if (options_.per_query) {
      out_.per_query[static_cast<std::size_t>(i)] = {
          row.positives, row.first, row.average_precision_at_r, r_precision, row.average_precision};
    }
  }

  /// Calls body(sum) for each of the sums so far, always in the same order.
  template <class Body>
  void each(const Body& body) {
    for (double* sum : {&out_.map_at_r, &out_.r_precision, &out_.mean_reciprocal_rank,
                        &out_.mean_average_precision}) {
      body(*sum);
    }
    for (std::vector<double>* sums : {&out_.recall, &out_.precision, &out_.ndcg}) {
      for (double& sum : *sums) body(sum);
    }
  }
  /// The number of sums for so many cut-offs.
  static std::size_t count(std::size_t cut_offs) { return 4 + 3 * cut_offs; }

  /// The number of queries with a positive.
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
  Index counted_ = 0;
  RetrievalResult out_;
};

}  // namespace nearfar::detail
