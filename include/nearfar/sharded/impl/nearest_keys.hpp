#pragma once

#include <utility>
#include <vector>

#include "nearfar/metrics/impl/nearest_keys.hpp"
#include "nearfar/sharded/impl/ranked_sets.hpp"
#include "nearfar/sharded/nearest_keys.hpp"

namespace nearfar::detail {

/// The numbers of own queries' own positives among the keys of all processes, or null.
template <class S>
const Index* own_positives(ShardedCall<S>& call, int key_set, const PositiveKeys& own) {
  if (!own.any()) return nullptr;
  const Index n = call.own_rows(0);
  const Index* out = nullptr;
  call.agree([&] {
    if (!own.are_aligned()) {
      out = checked_indices(call.scratch(), "own", own.indices(), n, call.all_rows(key_set));
      return;
    }
    auto* numbers = call.scratch().template take<Index>(n);
    for (Index i = 0; i < n; ++i) numbers[i] = call.first_row(key_set) + i;
    out = numbers;
  });
  return out;
}

/// Sets the scores of own queries and those of their own positives that are keys of a block.
template <class S>
void score_positives(ShardedCall<S>& call, const Index* own, const KeyBlock<S>& block,
                     const PackedRows<S>& keys, S* scores) {
  Scratch& scratch = call.scratch();
  const Index n = call.own_rows(0);
  auto* queries = scratch.take<Index>(n);
  auto* columns = scratch.take<Index>(n);
  Index count = 0;
  for (Index i = 0; i < n; ++i) {
    const Index column = own[i] - block.first;
    if (column < 0 || column >= block.rows.rows()) continue;
    queries[count] = i;
    columns[count++] = column;
  }
  const PairedScores<S> found(scratch, count);
  paired_scores(call.threads(), call.kernel(), call.rows(0), keys,
                PairNumbers{count, queries, columns}, found);
  for (Index k = 0; k < count; ++k) scores[queries[k]] = found.s[k];
}

/// The largest score, as a similarity, that margins allow for the keys of each own query; null
/// without margins. Positives on other processes are scored when their keys come by.
template <class S>
const S* limits_by_margins(ShardedCall<S>& call, int key_set, const NearestOptions& options,
                           const PositiveKeys& kind, const Index* own, S nearest) {
  if (!has_margins(options)) return nullptr;
  const Index n = call.own_rows(0);
  S* limits = nullptr;
  call.agree([&] {
    limits = call.scratch().template take<S>(n);
    if (!kind.are_aligned()) return;
    const ScratchLoan loan(call.scratch());
    const PairedScores<S> found(call.scratch(), n);
    paired_scores(call.threads(), call.kernel(), call.rows(0), call.rows(key_set), found);
    std::copy_n(found.s, n, limits);
  });
  if (!kind.are_aligned()) {
    call.each_block(key_set,
                    [&](const KeyBlock<S>& block, const PackedRows<S>& keys, RowGradients<S>&) {
                      score_positives(call, own, block, keys, limits);
                    });
  }
  for (Index i = 0; i < n; ++i) {
    limits[i] =
        limit_by_margins(options, call.kernel().sign() * static_cast<double>(limits[i]), nearest);
  }
  return limits;
}

template <class S>
NearestResult<S> evaluate(const NearestOptions& options, const KernelValue<S>& kernel,
                          const ShardedNearestInputs<S>& inputs) {
  const ShardedRankedInputs<S>& ranked = inputs.ranked;
  const KnownPositives& known = inputs.known;
  const bool one = ranked.same_rows;
  std::vector<ShardedSet<S>> sets =
      ranked_sets(kernel, ranked, "keys",
                  [](ShardedSet<S>& set, const Targets& targets) { set.with_pairs(targets); });
  sets.front().targets_name = "targets";
  sets.back().targets_name = one ? "targets" : "key_targets";
  const int key_set = static_cast<int>(sets.size()) - 1;
  const auto number = [](const std::optional<double>& margin) { return margin ? *margin : 0.0; };
  const double kind_of_own = known.own.are_aligned() ? 2.0 : known.own.any() ? 1.0 : 0.0;
  const Targets& key_targets = one ? known.targets : known.key_targets;
  ShardedCall<S> call(
      kernel, Reduction::mean,
      introduction("NearestKeys", kernel, ranked.sets, options,
                   {{"sets of rows", one ? 1.0 : 2.0},
                    {"k", static_cast<double>(options.k)},
                    {"skip", static_cast<double>(options.skip)},
                    {"smallest_score", options.smallest_score},
                    {"largest_score", options.largest_score},
                    {"margin (whether there is one)", options.margin ? 1.0 : 0.0},
                    {"margin", number(options.margin)},
                    {"relative_margin (whether)", options.relative_margin ? 1.0 : 0.0},
                    {"relative_margin", number(options.relative_margin)},
                    {"own positives (kind)", kind_of_own},
                    {"rule of targets", static_cast<double>(known.targets.rule())},
                    {"ids of targets", known.targets.has_ids() ? 1.0 : 0.0},
                    {"ids of key_targets", key_targets.has_ids() ? 1.0 : 0.0}}),
      std::move(sets), ranked.sets, 0, [&] {
        refuse_d_parameter(ranked.sets.options);
        check_kinds(options, known, one);
        const Index n = ranked.sets.sets_of_rows[0].rows();
        const Index m = one ? n : ranked.sets.sets_of_rows[1].rows();
        check_ids({"targets", known.targets}, n, {"key_targets", key_targets}, m, one);
        check_aligned(known.own, n, m);
      });
  const Team& team = call.team();
  const Index n = call.own_rows(0);
  const int sign = kernel.sign();
  NearestResult<S> out;
  const Index* own = own_positives(call, key_set, known.own);
  team.agree([&] { out = no_keys<S>(n, options.k, sign); });
  const Index keys = call.all_rows(key_set);
  const Index candidates = keys - (one && keys > 0 ? 1 : 0);
  const Index skip = std::min(options.skip, candidates);
  if (skip == candidates) {
    team.settle();
    return out;
  }
  NearestSettings<S> settings = settings_of<S>(options, skip, candidates, sign);
  settings.own_positive = own;
  settings.nearest_of_query =
      limits_by_margins(call, key_set, options, known.own, own, settings.nearest);
  auto found = call.template make<NearestKeysTerm<S>>(0, candidates, sign, settings);
  for (Index i = 0; i < n; ++i) found.start(i);
  const bool by_rule = known.targets.rule() != Targets::Rule::none;
  Diagnostics seen;
  call.accumulate(
      0, key_set, KeyNumbers::of_block, found,
      [&](const PositiveRule<S>& rule, const KeyBlock<S>& block) {
        found.set_keys(block.first, by_rule ? &rule : nullptr);
      },
      seen);
  each_sorted(found, n, call.threads(), [&](Index i, int, const NearestOfQuery<S>& nearest) {
    put_nearest(nearest, skip, sign, i, out);
  });
  team.settle();
  return out;
}

}  // namespace nearfar::detail
