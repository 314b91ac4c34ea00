#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nearfar/losses/impl/in_batch_info_nce.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/in_batch_info_nce.hpp"

namespace nearfar::detail {

/// One block of InBatchTerm as the term of a pass.
template <class S>
class InBatchBlockTerm final : public RowTerm<S> {
 public:
  InBatchBlockTerm(InBatchTerm<S>& all, Index block) : all_(all), block_(block) {}

  // Rows are started and closed once for all blocks.
  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    all_.accumulate(block_, i, first, n, s, nullptr);
  }
  void close(Index) override {}
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    all_.gradient(block_, i, first, n, s, nullptr, g);
  }

 private:
  InBatchTerm<S>& all_;
  Index block_;
};

/// One process's part in a call. Sets of rows: queries, keys, negatives.
template <class S>
class ShardedInBatch {
 public:
  ShardedInBatch(const InBatchInfoNceOptions& options, ShardedCall<S>& call, Schedule schedule,
                 const InBatchExtras<S>& extras)
      : options_(options), call_(call), apart_(schedule == Schedule::ordered) {
    if (options.query_to_query) call.check_products_of(0, 0);
    if (options.key_to_key) call.check_products_of(1, 1);
    if (options.key_to_key && has_negatives()) call.check_products_of(1, 2);
    if (!extras.negatives.shared()) owned_ = own_columns(extras.negatives, call.own_rows(0));
    call.agree([&] {
      check_log_q("log_q", extras.log_q, 1);
      check_log_q("log_q_negatives", extras.log_q_negatives, 2);
      const auto shifts = [&](const char* name, const Numbers<double>& log_q) {
        return score_shifts<S>(call.scratch(), options, call.kernel().sign(), name, log_q);
      };
      shifts_[1] = shifts("log_q", extras.log_q);
      shifts_[2] = shifts("log_q_negatives", extras.log_q_negatives);
      make_blocks();
    });
    for (const int set : {1, 2}) send_shifts(set);
  }

  TemperatureResult run() {
    TemperatureResult result;
    Diagnostics& d = result.diagnostics;
    const KernelValue<S>& kernel = call_.kernel();
    const Index n = call_.own_rows(0);
    std::optional<PairedScores<S>> positives;
    S* thresholds = nullptr;
    call_.agree([&] {
      positives.emplace(call_.scratch(), n);
      paired_scores(call_.threads(), kernel, call_.rows(0), call_.rows(1), *positives);
      if (options_.false_negatives == FalseNegatives::keep) return;
      thresholds = call_.scratch().template take<S>(n);
      find_thresholds(options_, kernel.sign(), n, positives->s, thresholds);
    });
    fold_scores(kernel, n, positives->s, d);
    auto term = call_.template make<InBatchTerm<S>>(
        0, in_batch_settings(options_, kernel.sign(), positives->s, shifts_[1], thresholds),
        std::span<const InBatchBlock<S>>(blocks_), call_.upstream());
    std::vector<InBatchBlockTerm<S>> terms;
    call_.agree([&] {
      for (std::size_t b = 0; b < blocks_.size(); ++b) terms.emplace_back(term, Index(b));
      for (std::size_t b = 0; b < blocks_.size(); ++b) comparisons_[b].term = &terms[b];
    });

    each_sweep(
        [&](int keys, std::span<Comparison<S>> of, const auto&) { call_.keep_scores(of, keys); });
    for (Index i = 0; i < n; ++i) term.start(i);
    each_sweep([&](int keys, std::span<Comparison<S>> of, const auto& on_block) {
      call_.accumulate(of, keys, KeyNumbers::of_block, on_block, d);
    });
    for (Index i = 0; i < n; ++i) {
      term.close(i);
      d.false_negatives += term[i].dropped;
    }
    if (call_.wants_gradients()) {
      each_sweep([&](int keys, std::span<Comparison<S>> of, const auto& on_block) {
        call_.gradient(of, keys, KeyNumbers::of_block, on_block);
      });
      for (Index i = 0; i < n; ++i) positives->g[i] = static_cast<S>(term[i].slope);
      add_paired_gradients(call_.threads(), kernel, call_.rows(0), call_.rows(1), *positives,
                           call_.gradients(0), call_.gradients(1));
    }
    finish_rows(call_, options_.unusable_anchors, options_.temperature, term, result);
    return result;
  }

 private:
  bool has_negatives() const { return call_.all_rows(2) > 0; }

  /// Throws if other processes have probabilities of a set and this one has none.
  void check_log_q(const char* name, const Numbers<double>& log_q, int set) const {
    const Index rows = call_.own_rows(set);
    if (call_.numbers(set) > 0 && log_q.size() != rows) check_numbers(name, log_q, rows);
    if (has_negatives() && call_.all_rows(1) > 0 && call_.numbers(1) != call_.numbers(2)) {
      fail_argument("log_q", "probabilities of keys and of negatives, or none",
                    "those of one of them");
    }
  }

  /// Blocks of one set of keys lie together, in the order of `sweeps_`.
  void make_blocks() {
    using enum Direction;
    const auto add = [&](int queries, int keys, const InBatchBlock<S>& block) {
      blocks_.push_back(block);
      comparisons_.push_back({queries, nullptr});
      if (apart_ || sweeps_.empty() || sweeps_.back().keys != keys) sweeps_.push_back({keys, 0});
      ++sweeps_.back().blocks;
    };
    add(0, 1, {query_to_key, hard_among_keys(options_.hardness), {}, nullptr});
    if (options_.key_to_key) add(1, 1, {key_to_key, HardScores::none, {}, nullptr});
    if (options_.query_to_query) add(0, 0, {query_to_query, HardScores::none, {}, nullptr});
    if (options_.key_to_query) add(1, 0, {key_to_query, HardScores::none, {}, nullptr});
    if (!has_negatives()) return;
    add(0, 2, {query_to_key, hard_among_negatives(options_.hardness, owned_.any()), {}, nullptr});
    if (options_.key_to_key) {
      add(1, 2, {key_to_key, HardScores::none, {}, nullptr});
      comparisons_.back().without = owned_;
    }
  }

  void send_shifts(int set) {
    if (call_.numbers(set) == 0) return;
    double* numbers = nullptr;
    const Index n = call_.own_rows(set);
    call_.agree([&] { numbers = call_.scratch().template take<double>(n); });
    for (Index j = 0; j < n; ++j) {
      numbers[j] = static_cast<double>(shifts_[static_cast<std::size_t>(set)][j]);
    }
    call_.set_numbers(set, numbers);
  }

  /// sweep(keys, comparisons, on_block) for each set of keys, or for each block.
  template <class Sweep>
  void each_sweep(const Sweep& sweep) {
    std::size_t first = 0;
    for (const auto& [keys, count] : sweeps_) {
      const std::span<InBatchBlock<S>> blocks(blocks_.data() + first, count);
      sweep(keys, std::span<Comparison<S>>(comparisons_.data() + first, count),
            [&, set = keys](const PositiveRule<S>&, const KeyBlock<S>& block) {
              arrive(set, block, blocks);
            });
      first += count;
    }
  }

  /// Tells blocks of the term which keys are there.
  void arrive(int set, const KeyBlock<S>& keys, std::span<InBatchBlock<S>> blocks) {
    S* shifts = nullptr;
    if (call_.numbers(set) > 0) {
      const Index n = keys.rows.rows();
      shifts = call_.scratch().template take<S>(n);
      for (Index j = 0; j < n; ++j) shifts[j] = static_cast<S>(keys.numbers[j]);
    }
    for (InBatchBlock<S>& block : blocks) {
      block.shift = shifts;
      block.own = {};
      if (set != 2 || !keys.has_own) continue;
      block.own = owned_;
      block.own.shift += keys.own;
    }
  }

  struct Sweep {
    int keys;
    std::size_t blocks;
  };

  const InBatchInfoNceOptions& options_;
  ShardedCall<S>& call_;
  /// A sweep for each block: sums over queries and sums over keys in the order of all rows.
  bool apart_;
  OwnColumns owned_;  ///< negatives of own queries, from the first own one
  std::array<const S*, 3> shifts_ = {};
  std::vector<InBatchBlock<S>> blocks_;
  std::vector<Comparison<S>> comparisons_;
  std::vector<Sweep> sweeps_;
};

template <class S>
TemperatureResult evaluate(const InBatchInfoNceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 3>& inputs, const InBatchExtras<S>& extras) {
  const Chunks<S>& queries = inputs.sets_of_rows[0];
  const Chunks<S>& keys = inputs.sets_of_rows[1];
  const Negatives<S>& negatives = extras.negatives;
  const Index n = queries.rows();
  const auto paired = [&](const char* name, const Chunks<S>& rows, bool among_themselves) {
    ShardedSet<S> set(name, rows);
    if (extras.targets.has_ids()) set.targets = Targets().ids(extras.targets.ids());
    set.paired = true;
    set.among_themselves = among_themselves;
    return set;
  };
  ShardedSet<S> of_negatives("negatives", inputs.sets_of_rows[2]);
  if (negatives.has_ids()) {
    of_negatives.targets = Targets().ids(negatives.ids());
    of_negatives.query_ids = negatives.query_ids();
  }
  std::vector<ShardedSet<S>> sets = {paired("queries", queries, options.query_to_query),
                                     paired("keys", keys, options.key_to_key), of_negatives};
  sets[1].numbers = extras.log_q.size() > 0 ? 1 : 0;
  sets[2].numbers = extras.log_q_negatives.size() > 0 ? 1 : 0;
  const auto number = [](auto choice) { return static_cast<double>(choice); };
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("InBatchInfoNce", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"query_to_query", number(options.query_to_query)},
                                    {"key_to_query", number(options.key_to_query)},
                                    {"key_to_key", number(options.key_to_key)},
                                    {"partition", number(options.partition)},
                                    {"hardness", number(options.hardness)},
                                    {"hardness_strength", options.hardness_strength},
                                    {"false_negatives", number(options.false_negatives)},
                                    {"margin", options.margin},
                                    {"ids", number(extras.targets.has_ids())},
                                    {"negatives of own queries", number(!negatives.shared())},
                                    {"ids of negatives", number(negatives.has_ids())}}),
                      std::move(sets), inputs, n, [&] {
                        if (keys.rows() != n) {
                          fail_argument("keys",
                                        "one key for each of " + std::to_string(n) + " queries",
                                        std::to_string(keys.rows()) + " keys");
                        }
                        check_extras(options, extras, n);
                        if (extras.guide_queries.rows() > 0 || extras.guide_keys.rows() > 0 ||
                            extras.guide_negatives.rows() > 0) {
                          fail_argument("guide_queries", "none, on shards", "a guide");
                        }
                      });
  return ShardedInBatch<S>(options, call, inputs.where.schedule, extras).run();
}

}  // namespace nearfar::detail
