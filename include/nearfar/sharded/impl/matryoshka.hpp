#pragma once

#include <optional>

#include "nearfar/losses/impl/matryoshka.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/matryoshka.hpp"

namespace nearfar::detail {

/// The passes of own queries over the blocks of all keys.
template <class S>
class ShardedPrefixes {
 public:
  ShardedPrefixes(const MatryoshkaOptions& options, ShardedCall<S>& call,
                  const PrefixTerms<S>& terms)
      : options_(options), call_(call), terms_(terms) {
    call.agree([&] {
      Scratch& scratch = call.scratch();
      columns_.emplace(scratch, options.prefixes);
      queries_.emplace(laid_out(call.rows(0)));
      ranges_ = take_ranges<S>(scratch, queries_->count());
      if (call.wants_gradients()) queries_->take_gradients(scratch, call.gradients(0).wanted());
    });
  }
  ShardedPrefixes(const ShardedPrefixes&) = delete;
  ShardedPrefixes& operator=(const ShardedPrefixes&) = delete;

  /// Closes own queries, with gradients if the call wants any.
  void run(Diagnostics& d) {
    if (call_.wants_gradients() && call_.where().schedule == Schedule::all_gather) {
      call_.each_block(
          1, [&](const KeyBlock<S>& block, const PackedRows<S>& keys, RowGradients<S>& to) {
            each_pass(block, keys, &to, [&](PrefixPass<S>& pass, PrefixRows<S>& rows) {
              pass.forward_backward(terms_.rows(), options_.weights, d);
              rows.add_gradients(options_.weights, to);
            });
          });
    } else {
      accumulate(d);
      if (call_.wants_gradients()) gradient();
    }
    if (call_.wants_gradients()) queries_->add_gradients(options_.weights, call_.gradients(0));
  }

 private:
  PrefixRows<S> laid_out(const PackedRows<S>& rows) {
    return {call_.scratch(), call_.threads(), *columns_, call_.kernel().geometry, rows};
  }

  void accumulate(Diagnostics& d) {
    const Index n = queries_->count();
    for (RowTerm<S>* term : terms_.rows()) {
      for (Index i = 0; i < n; ++i) term->start(i);
    }
    call_.each_block_of_rows(1, [&](const KeyBlock<S>& block, const PackedRows<S>& keys) {
      each_pass(block, keys, nullptr, [&](PrefixPass<S>& pass, PrefixRows<S>&) {
        pass.accumulate(terms_.rows(), ranges_);
      });
    });
    for (RowTerm<S>* term : terms_.rows()) {
      for (Index i = 0; i < n; ++i) term->close(i);
    }
    for (Index i = 0; i < n; ++i) ranges_[i].add_to(d);
  }

  void gradient() {
    const Index n = queries_->count();
    const auto add = [&](PrefixPass<S>& pass, PrefixRows<S>& rows, RowGradients<S>& to) {
      pass.prepare_gradients();
      // Sums of keys end with each grid of queries, so that their order is that of any split.
      for (Index first = 0; first < n; first += block_grid) {
        const ScratchLoan loan(call_.scratch());
        rows.clear_gradients();
        pass.gradient(terms_.rows(), options_.weights, first, std::min(block_grid, n - first));
        rows.add_gradients(options_.weights, to);
      }
    };
    call_.each_block(
        1, [&](const KeyBlock<S>& block, const PackedRows<S>& keys, RowGradients<S>& to) {
          each_pass(block, keys, &to,
                    [&](PrefixPass<S>& pass, PrefixRows<S>& rows) { add(pass, rows, to); });
        });
  }

  /// body(pass, block's keys) unless there are no pairs; `to`: not null where the keys need
  /// gradients.
  template <class Body>
  void each_pass(const KeyBlock<S>& block, const PackedRows<S>& keys, const RowGradients<S>* to,
                 const Body& body) {
    if (queries_->count() == 0 || keys.rows == 0) return;
    PrefixRows<S> rows = laid_out(keys);
    if (to != nullptr) rows.take_gradients(call_.scratch(), to->wanted());
    PrefixPass<S> pass(call_.scratch(), call_.threads(), *columns_, *queries_, rows,
                       block.first - call_.first_row(1));
    body(pass, rows);
  }

  const MatryoshkaOptions& options_;
  ShardedCall<S>& call_;
  const PrefixTerms<S>& terms_;
  std::optional<PrefixColumns<S>> columns_;
  std::optional<PrefixRows<S>> queries_;
  ScoreRange<S>* ranges_ = nullptr;
};

template <class S>
MatryoshkaResult evaluate(const MatryoshkaOptions& options, const KernelValue<S>& kernel,
                          const ShardedInputs<S, 2>& inputs) {
  const Chunks<S>& queries = inputs.sets_of_rows[0];
  const Chunks<S>& keys = inputs.sets_of_rows[1];
  Digest prefixes;
  for (const Index length : options.prefixes) prefixes.add(length);
  Digest weights;
  for (const double weight : options.weights) weights.add(weight);
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("MatryoshkaInfoNce", kernel, inputs, options,
                   {{"number of prefixes", static_cast<double>(options.prefixes.size())},
                    {"prefixes (digest)", prefixes.value()},
                    {"weights (digest)", weights.value()},
                    {"temperature", options.temperature},
                    {"denominator", static_cast<double>(options.denominator)}}),
      {ShardedSet<S>("queries", queries), ShardedSet<S>("keys", keys)}, inputs, queries.rows(),
      [&] {
        if (keys.rows() < queries.rows()) {
          fail_argument("keys", "a key for each of " + std::to_string(queries.rows()) + " queries",
                        std::to_string(keys.rows()) + " keys");
        }
        check_row_length(options, keys.rows(), ShardedSet<S>("keys", keys).cols());
      });
  return matryoshka<S>(options, call, [&](const PrefixTerms<S>& terms, Diagnostics& d) {
    ShardedPrefixes<S>(options, call, terms).run(d);
  });
}

}  // namespace nearfar::detail
