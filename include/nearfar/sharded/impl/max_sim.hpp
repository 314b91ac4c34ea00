#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <vector>

#include "nearfar/losses/impl/max_sim.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/max_sim.hpp"

namespace nearfar::detail {

/// The passes of own queries over the documents of all processes. A token takes along the number of
/// its document among those of all.
template <class S>
class ShardedMaxSim {
 public:
  ShardedMaxSim(const MaxSimInfoNceOptions& options, ShardedCall<S>& call, const TokenSets& queries,
                const TokenSets& documents)
      : options_(options), call_(call) {
    const std::vector<Index> counts = call.team().everyone(documents.count());
    const auto own = counts.begin() + call.team().rank();
    const Index first = std::accumulate(counts.begin(), own, Index(0));
    const Index all = std::accumulate(own, counts.end(), first);
    double* numbers = nullptr;
    call.agree([&] {
      Scratch& scratch = call.scratch();
      rows_.emplace(scratch, queries.count(), first, all, call.order_grid(), options.temperature,
                    call.upstream());
      panels_.emplace(scratch, call.threads(), call.rows(0), queries);
      numbers = scratch.template take<double>(call.own_rows(1));
    });
    for (Index k = 0; k < documents.count(); ++k) {
      std::fill_n(numbers + documents.first(k), documents.size(k), static_cast<double>(first + k));
    }
    call.set_numbers(1, numbers);
  }
  ShardedMaxSim(const ShardedMaxSim&) = delete;
  ShardedMaxSim& operator=(const ShardedMaxSim&) = delete;

  TemperatureResult run() {
    if (call_.wants_gradients() && call_.where().schedule == Schedule::all_gather) {
      each_pass([](MaxSimPass<S>& pass, auto& dq, auto& dd) { pass.forward_backward(dq, dd); });
    } else {
      for (Index i = 0; i < rows_->count(); ++i) rows_->start(i);
      call_.each_block_of_rows(1, [&](const KeyBlock<S>& block, const PackedRows<S>& tokens) {
        with_pass(block, tokens, [](MaxSimPass<S>& pass) { pass.accumulate(); });
      });
      for (Index i = 0; i < rows_->count(); ++i) rows_->close(i);
      if (call_.wants_gradients()) {
        each_pass([](MaxSimPass<S>& pass, auto& dq, auto& dd) { pass.gradient(dq, dd); });
      }
    }
    return max_sim(options_, call_, *rows_);
  }

 private:
  /// body(pass, gradients of queries, of documents) for all blocks of documents.
  template <class Body>
  void each_pass(const Body& body) {
    call_.each_block(1, [&](const KeyBlock<S>& block, const PackedRows<S>& tokens,
                            RowGradients<S>& to) {
      with_pass(block, tokens, [&](MaxSimPass<S>& pass) { body(pass, call_.gradients(0), to); });
    });
  }

  /// body(pass) unless there are no pairs.
  template <class Body>
  void with_pass(const KeyBlock<S>& block, const PackedRows<S>& tokens, const Body& body) {
    if (rows_->count() == 0 || tokens.rows == 0) return;
    const auto number = [&](Index j) { return static_cast<Index>(block.numbers[j]); };
    const Index first = number(0);
    const Index count = number(tokens.rows - 1) + 1 - first;
    auto* offsets = call_.scratch().template take<Index>(count + 1);
    for (Index j = tokens.rows; j-- > 0;) offsets[number(j) - first] = j;
    offsets[count] = tokens.rows;
    const TokenSets documents({offsets, static_cast<std::size_t>(count) + 1});
    MaxSimPass<S> pass(call_.scratch(), call_.threads(), *rows_, *panels_, tokens, documents,
                       first);
    body(pass);
  }

  const MaxSimInfoNceOptions& options_;
  ShardedCall<S>& call_;
  std::optional<MaxSimRows> rows_;
  std::optional<QueryPanels<S>> panels_;
};

template <class S>
TemperatureResult evaluate(const MaxSimInfoNceOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const TokenOffsets& offsets) {
  const Chunks<S>& query_tokens = inputs.sets_of_rows[0];
  const Chunks<S>& document_tokens = inputs.sets_of_rows[1];
  const TokenSets queries(offsets.queries);
  const TokenSets documents(offsets.documents);
  ShardedSet<S> of_documents("documents", document_tokens);
  of_documents.numbers = 1;
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("MaxSimInfoNce", kernel, inputs, options,
                   {{"temperature", options.temperature}}),
      {ShardedSet<S>("queries", query_tokens), of_documents}, inputs, queries.count(),
      [&] { check_tokens(queries, query_tokens.rows(), documents, document_tokens.rows()); });
  return ShardedMaxSim<S>(options, call, queries, documents).run();
}

}  // namespace nearfar::detail
