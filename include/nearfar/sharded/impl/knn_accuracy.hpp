#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "nearfar/metrics/impl/knn_accuracy.hpp"
#include "nearfar/sharded/impl/ranked_sets.hpp"
#include "nearfar/sharded/knn_accuracy.hpp"

namespace nearfar::detail {

/// A key that takes its label along: keys of other processes do not stay.
template <class S>
struct LabelledNeighbour {
  S distance;
  Index key;
  std::int64_t label = 0;

  friend bool operator<(const LabelledNeighbour& a, const LabelledNeighbour& b) {
    return Neighbour<S>{a.distance, a.key} < Neighbour<S>{b.distance, b.key};
  }
};

/// Collects the nearest keys of each query with their labels, block by block. Has no gradients.
template <class S>
class NearestLabelsTerm final : public RowTerm<S> {
 public:
  using Nearest = NearestOfQuery<S, LabelledNeighbour<S>>;

  /// `wanted` keys of each query, out of `candidates`.
  NearestLabelsTerm(Scratch& scratch, Index rows, Index wanted, Index candidates, int sign)
      : rows_(scratch.take<Nearest>(rows)) {
    const Index size = Nearest::memory(wanted, candidates);
    auto* memory = scratch.take<LabelledNeighbour<S>>(rows * size);
    for (Index i = 0; i < rows; ++i) rows_[i] = Nearest(memory + i * size, wanted, sign);
  }

  Nearest& operator[](Index i) { return rows_[i]; }

  /// The next keys are those from `number` on, with these labels.
  void set_keys(Index number, const Labels& labels) {
    number_ = number;
    labels_ = labels;
  }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    rows_[i].offer_each(s, n, [&](S distance, Index c) {
      return LabelledNeighbour<S>{distance, number_ + first + c, labels_[first + c]};
    });
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  Nearest* rows_;
  Index number_ = 0;  ///< of the first key
  Labels labels_;
};

template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const ShardedRankedInputs<S>& inputs) {
  // Labels go with the keys; they are no positives.
  std::vector<ShardedSet<S>> sets =
      ranked_sets(kernel, inputs, "references",
                  [](ShardedSet<S>& set, const Targets& targets) { set.targets = targets; });
  const int key_set = static_cast<int>(sets.size()) - 1;
  const Labels& labels = inputs.query_targets.labels();
  const auto& rows = inputs.sets.sets_of_rows;
  ShardedCall<S> call(kernel, Reduction::mean,
                      introduction("KnnAccuracy", kernel, inputs.sets, options,
                                   {{"sets of rows", inputs.same_rows ? 1.0 : 2.0},
                                    {"k", static_cast<double>(options.k)},
                                    {"temperature", options.temperature},
                                    {"vote", static_cast<double>(options.vote)},
                                    {"per_query", options.per_query ? 1.0 : 0.0}}),
                      std::move(sets), inputs.sets, 0, [&] {
                        refuse_d_parameter(inputs.sets.options);
                        const bool one = inputs.same_rows;
                        check_label_count(one ? "labels" : "query_labels", labels, rows[0].rows());
                        if (one) return;
                        check_label_count("reference_labels", inputs.key_targets.labels(),
                                          rows[1].rows());
                      });
  const Team& team = call.team();
  const Index n = call.own_rows(0);
  const Index keys = call.all_rows(key_set);
  const Index candidates = keys - (inputs.same_rows && keys > 0 ? 1 : 0);
  KnnResult out;
  out.queries = call.all_rows(0);
  if (candidates == 0) {
    team.settle();
    out.queries_without_neighbour = out.queries;
    return out;
  }
  const Index wanted = std::min(options.k, candidates);
  auto found = call.template make<NearestLabelsTerm<S>>(0, wanted, candidates, kernel.sign());
  Diagnostics seen;
  call.accumulate(
      0, key_set, KeyNumbers::of_block, found,
      [&](const PositiveRule<S>&, const KeyBlock<S>& block) {
        found.set_keys(block.first, block.targets.labels());
      },
      seen);

  std::int64_t* predictions = nullptr;
  std::optional<Votes> votes;
  team.agree([&] {
    predictions = call.scratch().template take<std::int64_t>(n);
    votes.emplace(call.scratch(), call.threads(), options, wanted);
    if (options.per_query) out.predictions.resize(static_cast<std::size_t>(n));
  });
  each_sorted(found, n, call.threads(),
              [&](Index i, int worker, const typename NearestLabelsTerm<S>::Nearest& nearest) {
                predictions[i] = (*votes)(
                    worker, nearest, [](const LabelledNeighbour<S>& one) { return one.label; });
              });
  for (Index i = 0; i < n; ++i) out.correct += predictions[i] == labels[i] ? 1 : 0;
  std::copy_n(predictions, std::ssize(out.predictions), out.predictions.begin());
  out.correct = team.total(out.correct);
  if (out.queries > 0) {
    out.accuracy = static_cast<double>(out.correct) / static_cast<double>(out.queries);
  }
  return out;
}

}  // namespace nearfar::detail
