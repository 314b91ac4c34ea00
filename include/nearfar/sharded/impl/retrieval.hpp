#pragma once

#include <vector>

#include "nearfar/metrics/impl/nearest_of_query.hpp"
#include "nearfar/metrics/impl/retrieval.hpp"
#include "nearfar/sharded/impl/ranked_sets.hpp"
#include "nearfar/sharded/retrieval.hpp"

namespace nearfar::detail {

/// A query's nearest keys so far. Their numbers are twice the keys', and one more for positives:
/// so labels need not be kept, and the order is the keys'.
template <class S>
struct NearestSoFar {
  NearestOfQuery<S> nearest;
  Neighbour<S> first_positive;
};

/// Collects the nearest keys of each query, block by block. Has no gradients.
template <class S>
class NearestOfQueryTerm final : public LabelledTerm<S> {
 public:
  /// wanted_of(i) keys of query i, out of `candidates`.
  template <class WantedOf>
  NearestOfQueryTerm(Scratch& scratch, Index rows, int sign, Index candidates,
                     const WantedOf& wanted_of, const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule), sign_(sign), rows_(scratch.take<NearestSoFar<S>>(rows)) {
    constexpr Neighbour<S> none{std::numeric_limits<S>::infinity(),
                                std::numeric_limits<Index>::max()};
    for (Index i = 0; i < rows; ++i) {
      const Index wanted = wanted_of(i);
      auto* memory = scratch.take<Neighbour<S>>(NearestOfQuery<S>::memory(wanted, candidates));
      rows_[i] = {NearestOfQuery<S>(memory, wanted, sign), none};
    }
  }

  NearestSoFar<S>& operator[](Index i) { return rows_[i]; }

  /// The number of the next block's first key.
  void set_number(Index number) { number_ = number; }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    NearestSoFar<S>& row = rows_[i];
    if (row.nearest.wanted() == 0) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    const auto key = [&](Index c) { return 2 * (number_ + first + c) + (positives[c] ? 1 : 0); };
    row.nearest.offer_each(s, n, [&](S distance, Index c) {
      return Neighbour<S>{distance, key(c)};
    });
    for (Index c = 0; c < n; ++c) {
      if (!positives[c]) continue;
      const Neighbour<S> one{static_cast<S>(-sign_) * s[c], key(c)};
      if (one < row.first_positive) row.first_positive = one;
    }
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  int sign_;
  Index number_ = 0;
  NearestSoFar<S>* rows_;
};

/// Counts keys that are nearer than a query's first positive. Has no gradients.
template <class S>
class NearerTerm final : public RowTerm<S> {
 public:
  struct Row {
    Neighbour<S> bound;  ///< numbered as NearestOfQueryTerm does
    Index nearer;
  };

  NearerTerm(Scratch& scratch, Index rows, int sign)
      : sign_(sign), rows_(scratch.take<Row>(rows)) {}

  Row& operator[](Index i) { return rows_[i]; }
  void set_number(Index number) { number_ = number; }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    for (Index c = 0; c < n; ++c) {
      // Numbered as positives are, so that the bound is not nearer than itself.
      const Neighbour<S> one{static_cast<S>(-sign_) * s[c], 2 * (number_ + first + c) + 1};
      rows_[i].nearer += one < rows_[i].bound ? 1 : 0;
    }
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  int sign_;
  Index number_ = 0;
  Row* rows_;
};

/// Throws on what whole rows of scores are needed for, and on what keys do not carry along.
inline void check_sharded(const RetrievalOptions& options, const Targets& targets) {
  if (options.average_precision) {
    fail_argument("average_precision", "false where references are split over processes", "true");
  }
  if (options.unlabelled) {
    fail_argument("unlabelled", "nothing where references are split over processes", "a label");
  }
  if (targets.has_unlabelled()) {
    fail_argument("labels", "no unlabelled rows where references are split over processes",
                  "a label");
  }
  if (targets.has_weights() || !targets.lists().weights.empty()) {
    fail_argument("labels", "no weights where references are split over processes", "weights");
  }
}

template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const ShardedRankedInputs<S>& inputs) {
  std::vector<ShardedSet<S>> sets =
      ranked_sets(kernel, inputs, "references",
                  [](ShardedSet<S>& set, const Targets& targets) { set.with(targets); });
  sets.front().targets_name = inputs.same_rows ? "labels" : "query_labels";
  sets.back().targets_name = inputs.same_rows ? "labels" : "reference_labels";
  const int key_set = static_cast<int>(sets.size()) - 1;
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("Retrieval", kernel, inputs.sets, options,
                                   {{"sets of rows", inputs.same_rows ? 1.0 : 2.0},
                                    {"per_query", options.per_query ? 1.0 : 0.0},
                                    {"number of ks", static_cast<double>(options.ks.size())}}),
                      std::move(sets), inputs.sets, 0, [&] {
                        refuse_d_parameter(inputs.sets.options);
                        check_sharded(options, inputs.query_targets);
                      });
  const Team& team = call.team();
  for (std::size_t t = 0; t < options.ks.size(); ++t) {
    const std::vector<Index> all = team.everyone(options.ks[t]);
    team.agree([&] {
      if (all.front() == options.ks[t]) return;
      fail_argument("ks",
                    std::to_string(all.front()) + " at " + std::to_string(t) + " as on rank 0",
                    std::to_string(options.ks[t]));
    });
  }
  const Index n = call.own_rows(0);
  const Index keys = call.all_rows(key_set);
  const auto size = static_cast<Index>(options.ks.size());

  Index* positives = nullptr;
  Index* negatives = nullptr;
  std::optional<CountedRanks> ranks;
  team.agree([&] {
    positives = call.scratch().template take<Index>(n);
    negatives = call.scratch().template take<Index>(n);
    ranks.emplace(call.scratch(), CutOffs{options.ks.data(), size});
  });
  call.count_pairs(0, key_set, positives, negatives);

  const PositiveRule<S> none;
  const auto wanted_of = [&](Index i) {
    return positives[i] > 0 ? ranks->wanted(positives[i], positives[i] + negatives[i]) : 0;
  };
  auto found = call.template make<NearestOfQueryTerm<S>>(0, kernel.sign(), keys, wanted_of, none);
  auto beyond = call.template make<NearerTerm<S>>(0, kernel.sign());
  AtCutOff* measured = nullptr;
  RankedPositives* counted = nullptr;
  std::optional<RetrievalSums> sums;
  team.agree([&] {
    measured = call.scratch().template take<AtCutOff>(n * size);
    counted = call.scratch().template take<RankedPositives>(n);
    sums.emplace(options, n);
  });
  Diagnostics seen;
  call.accumulate(
      0, key_set, KeyNumbers::of_block, found,
      [&](const PositiveRule<S>& rule, const KeyBlock<S>& block) {
        found.set_rule(rule);
        found.set_number(block.first);
      },
      seen);

  bool any_beyond = false;
  for (Index i = 0; i < n; ++i) {
    found[i].nearest.sort();
    counted[i] = ranks->count(
        positives[i], positives[i] + negatives[i], found[i].nearest.count(),
        [&](Index rank) { return found[i].nearest[rank - 1].key % 2 == 1 ? 1.0 : 0.0; },
        [](Index) { return 1.0; }, measured + i * size);
    beyond[i] = {found[i].first_positive, 0};
    any_beyond = any_beyond || (counted[i].positives > 0 && counted[i].first == 0);
  }
  const std::vector<char> all = team.everyone(static_cast<char>(any_beyond));
  if (std::count(all.begin(), all.end(), 1) > 0) {
    call.accumulate(
        0, key_set, KeyNumbers::of_block, beyond,
        [&](const PositiveRule<S>&, const KeyBlock<S>& block) { beyond.set_number(block.first); },
        seen);
    for (Index i = 0; i < n; ++i) {
      if (counted[i].positives > 0 && counted[i].first == 0) {
        counted[i].first = beyond[i].nearer + 1;
      }
    }
  }

  std::vector<double> passing;
  team.agree([&] { passing.resize(RetrievalSums::count(options.ks.size())); });
  team.sum_in_order(passing.data(), static_cast<Index>(passing.size()), [&] {
    std::size_t at = 0;
    sums->each([&](double& sum) { sum = passing[at++]; });
    for (Index i = 0; i < n; ++i) sums->add(i, counted[i], measured + i * size);
    at = 0;
    sums->each([&](double& sum) { passing[at++] = sum; });
  });
  std::size_t at = 0;
  sums->each([&](double& sum) { sum = passing[at++]; });
  sums->counted() = team.total(sums->counted());
  return sums->means(call.all_rows(0));
}

}  // namespace nearfar::detail
