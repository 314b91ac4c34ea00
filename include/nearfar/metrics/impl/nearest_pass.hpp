#pragma once

#include <cmath>
#include <utility>

#include "nearfar/engine/excluded_pairs.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/metrics/impl/nearest_of_query.hpp"
#include "nearfar/metrics/impl/ranking.hpp"

/// \file
/// The nearest keys of every query, from tiles of scores. Queries come in blocks, so that the
/// memory for their keys does not grow with the number of queries.

namespace nearfar::detail {

/// The number of keys for a query, and the keys that it does not get.
template <class S>
struct NearestSettings {
  Index wanted;                                     ///< of each query, from 1 to all candidates
  S farthest = std::numeric_limits<S>::infinity();  ///< distance; keys beyond it are left out
  S nearest = std::numeric_limits<S>::infinity();   ///< scores, as similarities, are at most this
  const S* nearest_of_query = nullptr;              ///< the same for each query, if not null
  const Index* own_positive = nullptr;              ///< a key for each query, if not null
  const PositiveRule<S>* rule = nullptr;            ///< of positives, if not null
  ExcludedPairs excluded = {};
};

/// Keeps the nearest keys of a block of queries. Has no gradients.
template <class S>
class NearestKeysTerm final : public RowTerm<S> {
 public:
  /// For blocks of at most `rows` queries, of `candidates` keys each.
  NearestKeysTerm(Scratch& scratch, Index rows, Index candidates, int sign,
                  const NearestSettings<S>& settings)
      : settings_(settings),
        rule_(settings.rule),
        sign_(sign),
        memory_size_(NearestOfQuery<S>::memory(settings.wanted, candidates)),
        memory_(scratch.take<Neighbour<S>>(rows * memory_size_)),
        rows_(scratch.take<NearestOfQuery<S>>(rows)) {}

  /// Sets the number of the next block's first query.
  void set_first(Index query) { first_query_ = query; }

  /// The next keys are those from `number` on, with the positives of `rule`, if it is not null.
  void set_keys(Index number, const PositiveRule<S>* rule) {
    number_ = number;
    rule_ = rule;
  }

  NearestOfQuery<S>& operator[](Index i) { return rows_[i]; }

  void start(Index i) override {
    rows_[i] =
        NearestOfQuery<S>(memory_ + i * memory_size_, settings_.wanted, sign_, settings_.farthest);
  }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    const Index query = first_query_ + i;
    const Index* own = settings_.own_positive;
    const S* nearest = settings_.nearest_of_query;
    UnwantedKeys<S> unwanted{nearest != nullptr ? nearest[query] : settings_.nearest,
                             own != nullptr ? own[query] : -1};
    if (rule_ == nullptr) {
      rows_[i].offer(s, number_ + first, n, unwanted);
      return;
    }
    const RowPositives<S> positives(*rule_, query, first, n);
    unwanted.positives = positives.mask();
    rows_[i].offer(s, number_ + first, n, unwanted);
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  const NearestSettings<S>& settings_;
  const PositiveRule<S>* rule_;
  int sign_;
  Index memory_size_;
  Neighbour<S>* memory_;
  NearestOfQuery<S>* rows_;
  Index first_query_ = 0;
  Index number_ = 0;  ///< of the first key
};

/// The number of queries of a block, whose keys fit the memory that a pass may take.
template <class S>
Index block_of_queries(Index queries, Index memory) {
  constexpr Index plenty = Index(64) << 20;
  constexpr Index grid = 960;  // whole panels, enough that packing the keys again costs little
  const Index fitting = plenty / (memory * Index(sizeof(Neighbour<S>)));
  return std::min(queries, std::max(grid, fitting / grid * grid));
}

/// Sorts the nearest keys of the first `count` rows of a term, and calls visit(i, worker, nearest)
/// for each row. `worker`, below the number of threads, is the number of the calling thread.
template <class Term, class Visit>
void each_sorted(Term& term, Index count, int threads, const Visit& visit) {
  constexpr Index together = 16;
  parallel_tasks(tasks_of(count, together), threads, [&](Index t, int worker) {
    for (Index i = t * together; i < std::min(count, (t + 1) * together); ++i) {
      term[i].sort();
      visit(i, worker, std::as_const(term[i]));
    }
  });
}

/// Calls visit(i, worker, nearest) for every query, with its nearest keys in order. There must be
/// candidates. The keys of one block of queries are kept at a time.
template <class S, class Visit>
void each_nearest(Ranking<S>& ranking, const NearestSettings<S>& settings, const Visit& visit) {
  Scratch& scratch = ranking.scratch();
  const Index n = ranking.queries();
  const Index block =
      block_of_queries<S>(n, NearestOfQuery<S>::memory(settings.wanted, ranking.candidates()));
  NearestKeysTerm<S> term(scratch, block, ranking.candidates(), ranking.sign(), settings);
  for (Index first = 0; first < n; first += block) {
    const ScratchLoan loan(scratch);
    const Index count = std::min(block, n - first);
    const PackedRows<S> queries = part_of(ranking.query_rows(), first, count);
    OneSidedPass<S> pass(scratch, ranking.threads(), ranking.kernel(), queries, ranking.key_rows(),
                         ranking.pairing(), settings.excluded.from(first), {0, first});
    term.set_first(first);
    Diagnostics d;
    pass.forward(term, d);
    each_sorted(term, count, ranking.threads(),
                [&](Index i, int worker, const NearestOfQuery<S>& nearest) {
                  visit(first + i, worker, nearest);
                });
  }
}

}  // namespace nearfar::detail
