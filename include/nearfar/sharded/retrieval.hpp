#pragma once

#include <utility>

#include "nearfar/metrics/retrieval.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

namespace nearfar {

namespace detail {

/// A query's nearest keys so far. Their numbers are twice the keys', and one more for positives:
/// so labels need not be kept, and the order is the keys'.
template <class S, int sign>
struct NearestSoFar {
  NearestKeys<S, sign> nearest;
  Neighbour<S> first_positive;
};

/// As the walk sees it.
template <class S, int sign>
class CollectNearest {
 public:
  using Row = NearestSoFar<S, sign>;

  /// Keys of the walk have numbers from `number` on.
  CollectNearest(const Relation<S>& relation, Index number)
      : relation_(relation), number_(number) {}

  Row start(Index) const { return {{nullptr, 0}, {}}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    if (row.nearest.wanted() == 0) return;
    const RowCodes<S> codes(relation_, i, first, n);
    const auto key = [&](Index c) {
      return 2 * (number_ + first + c) + (codes.key[c] == codes.own ? 1 : 0);
    };
    row.nearest.offer_each(s, n, key);
    for (Index c = 0; c < n; ++c) {
      if (codes.key[c] != codes.own) continue;
      const Neighbour<S> one{S(-sign) * s[c], key(c)};
      if (one < row.first_positive) row.first_positive = one;
    }
  }

  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }

 private:
  const Relation<S>& relation_;
  Index number_;
};

/// As the walk sees it: counts keys that are nearer than a query's first positive.
template <class S, int sign>
class CountNearer {
 public:
  struct Row {
    Neighbour<S> bound;  ///< numbered as NearestSoFar does
    Index nearer;
  };

  explicit CountNearer(Index number) : number_(number) {}

  Row start(Index) const { return {}; }
  void observe(Row& row, Index, Index first, Index n, const S* s) const {
    for (Index c = 0; c < n; ++c) {
      // Numbered as positives are, so that the bound is not nearer than itself.
      const Neighbour<S> one{S(-sign) * s[c], 2 * (number_ + first + c) + 1};
      row.nearer += one < row.bound ? 1 : 0;
    }
  }
  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const { std::fill_n(g, n, S(0)); }

 private:
  Index number_;
};

}  // namespace detail

namespace sharded {

/// Retrieval metrics of a set that is shared out to processes: those of nearfar::Retrieval over the
/// rows of all of them, where each gives its own with their labels. Every process makes the same
/// call and gets the same means; with RetrievalOptions::per_query, the numbers of its own queries.
///
/// Keys travel once, twice when a query's first positive is beyond all ranks that are asked for.
/// Beside the shards' rows a process keeps the nearest keys of each own query: as many as it has
/// positives, or the largest k.
template <class S, Kernel K = Cosine>
class Retrieval {
 public:
  /// Throws as nearfar::Retrieval.
  explicit Retrieval(RetrievalOptions options = {}, K kernel = K())
      : metric_(std::move(options), kernel) {}

  const RetrievalOptions& options() const { return metric_.options(); }
  const K& kernel() const { return metric_.kernel(); }

  /// Of the rows of all processes: each a query, all others its candidates. Own rows x are N_r x D,
  /// N_r >= 0, with one label a row. Throws the same error on all processes, as
  /// sharded::InfoNce::forward.
  RetrievalResult evaluate(const Sharding& where, Rows<S> x, Labels labels,
                           CallOptions<S> call = {}) const;

  /// Of all processes' queries among all their references, each with one label a row.
  RetrievalResult evaluate(const Sharding& where, Rows<S> queries, Labels query_labels,
                           Rows<S> references, Labels reference_labels,
                           CallOptions<S> call = {}) const;

 private:
  static detail::ShardedSet<S> set_of(const char* name, const Rows<S>& rows, const Labels& labels) {
    return detail::ShardedSet<S>(name, {rows, no_gradient}).with_labels(labels);
  }
  template <int sets>
  RetrievalResult run(const Sharding& where, typename detail::ShardedBatch<S, K, sets>::Sets& rows,
                      CallOptions<S> call) const;

  nearfar::Retrieval<S, K> metric_;
};

template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::evaluate(const Sharding& where, Rows<S> x, Labels labels,
                                          CallOptions<S> call) const {
  typename detail::ShardedBatch<S, K, 1>::Sets sets = {set_of("x", x, labels)};
  return run<1>(where, sets, call);
}

template <class S, Kernel K>
RetrievalResult Retrieval<S, K>::evaluate(const Sharding& where, Rows<S> queries,
                                          Labels query_labels, Rows<S> references,
                                          Labels reference_labels, CallOptions<S> call) const {
  typename detail::ShardedBatch<S, K, 2>::Sets sets = {
      set_of("queries", queries, query_labels), set_of("references", references, reference_labels)};
  return run<2>(where, sets, call);
}

template <class S, Kernel K>
template <int sets>
RetrievalResult Retrieval<S, K>::run(const Sharding& where,
                                     typename detail::ShardedBatch<S, K, sets>::Sets& rows,
                                     CallOptions<S> call) const {
  constexpr int sign = detail::nearness_sign<K>;
  constexpr auto of_block = detail::KeyNumbers::of_block;
  using Nearest = detail::NearestKeys<S, sign>;
  using Nearer = detail::CountNearer<S, sign>;
  detail::Introduction introduction =
      detail::introduction<S, K>("Retrieval", where, nullptr,
                                 {{"sets of rows", static_cast<double>(sets)},
                                  {"per_query", options().per_query ? 1.0 : 0.0},
                                  {"number of ks", static_cast<double>(options().ks.size())}});
  detail::ShardedBatch<S, K, sets> batch(where, kernel(), introduction, rows, nullptr, call, [] {});
  for (std::size_t t = 0; t < options().ks.size(); ++t) {
    const std::vector<Index> all = batch.team().everyone(options().ks[t]);
    batch.team().agree([&] {
      if (all.front() == options().ks[t]) return;
      fail_argument("ks",
                    std::to_string(all.front()) + " at " + std::to_string(t) + " as on rank 0",
                    std::to_string(options().ks[t]));
    });
  }
  const Index n = batch.rows(0);
  const Index keys = batch.all_rows(sets - 1);
  const Index candidates = std::max<Index>(keys - (sets == 1 ? 1 : 0), 0);
  const auto size = static_cast<Index>(options().ks.size());

  Index* positives = nullptr;
  Index* negatives = nullptr;
  std::optional<detail::CountedRanks> ranks;
  batch.team().agree([&] {
    positives = batch.scratch().template take<Index>(n);
    negatives = batch.scratch().template take<Index>(n);
    ranks.emplace(batch.scratch(), detail::CutOffs{options().ks.data(), size}, candidates);
  });
  batch.count_pairs(positives, negatives);

  detail::NearestSoFar<S, sign>* found = nullptr;
  Index* hits = nullptr;
  typename Nearer::Row* beyond = nullptr;
  detail::RankedPositives* counted = nullptr;
  std::optional<detail::RetrievalSums> sums;
  batch.team().agree([&] {
    detail::Scratch& scratch = batch.scratch();
    found = scratch.template take<detail::NearestSoFar<S, sign>>(n);
    hits = scratch.template take<Index>(n * size);
    beyond = scratch.template take<typename Nearer::Row>(n);
    counted = scratch.template take<detail::RankedPositives>(n);
    for (Index i = 0; i < n; ++i) {
      const Index wanted = positives[i] > 0 ? ranks->wanted(positives[i]) : 0;
      auto* memory =
          scratch.template take<detail::Neighbour<S>>(Nearest::memory(wanted, candidates));
      found[i] = {Nearest(memory, wanted),
                  {std::numeric_limits<S>::infinity(), std::numeric_limits<Index>::max()}};
    }
    sums.emplace(options(), n, candidates);
  });
  Diagnostics seen;
  batch.observe(
      0, sets - 1, of_block,
      [](const auto& relation, const auto& block) {
        return detail::CollectNearest<S, sign>(relation, block.first);
      },
      found, seen);

  bool any_beyond = false;
  for (Index i = 0; i < n; ++i) {
    found[i].nearest.sort();
    counted[i] = ranks->count(
        positives[i], found[i].nearest.count(),
        [&](Index rank) { return found[i].nearest[rank - 1].key % 2 == 1; }, hits + i * size);
    beyond[i] = {found[i].first_positive, 0};
    any_beyond = any_beyond || (counted[i].positives > 0 && counted[i].first == 0);
  }
  const std::vector<char> all = batch.team().everyone(static_cast<char>(any_beyond));
  if (std::count(all.begin(), all.end(), 1) > 0) {
    batch.observe(
        0, sets - 1, of_block, [](const auto&, const auto& block) { return Nearer(block.first); },
        beyond, seen);
    for (Index i = 0; i < n; ++i) {
      if (counted[i].positives > 0 && counted[i].first == 0)
        counted[i].first = beyond[i].nearer + 1;
    }
  }

  std::vector<double> passing;
  batch.team().agree([&] { passing.resize(3 + 2 * options().ks.size()); });
  batch.team().sum_in_order(passing.data(), static_cast<Index>(passing.size()), [&] {
    std::size_t at = 0;
    sums->each([&](double& sum) { sum = passing[at++]; });
    for (Index i = 0; i < n; ++i) sums->add(i, counted[i], hits + i * size);
    at = 0;
    sums->each([&](double& sum) { passing[at++] = sum; });
  });
  std::size_t at = 0;
  sums->each([&](double& sum) { sum = passing[at++]; });
  Index with_positive = 0;
  for (const Index own : batch.team().everyone(sums->counted())) with_positive += own;
  sums->counted() = with_positive;
  return sums->means(batch.all_rows(0));
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, Retrieval)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, Retrieval)
#endif

}  // namespace sharded
}  // namespace nearfar
