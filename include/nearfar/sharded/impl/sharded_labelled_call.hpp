#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/core/compiled_once.hpp"
#include "nearfar/core/targets.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

/// \file
/// The frame of a sharded call of a loss over labels. It has the interface of LabelledCall, so that
/// one body of a loss serves one process and many.

namespace nearfar::detail {

/// Own rows and labels of one call, compared with those of all processes.
template <class S>
class ShardedLabelledCall {
 public:
  /// As ShardedCall; and counts each row's positives and negatives. `numbers` are what send_along
  /// gives each row; `takes_lists` is false where a row must know whether others list it.
  NEARFAR_COMPILED_ONCE ShardedLabelledCall(const KernelValue<S>& kernel, Reduction reduction,
                                            PairWeights pair_weights,
                                            const Introduction& introduction,
                                            const ShardedLabelledInputs<S>& inputs,
                                            Index numbers = 0, bool takes_lists = true)
      : call_(kernel, reduction, introduction, {set_of(inputs, numbers)}, inputs.rows,
              inputs.rows.sets_of_rows[0].rows(),
              [&] {
                check_pair_weights({"labels", inputs.targets}, pair_weights);
                if (!takes_lists && inputs.targets.rule() == Targets::Rule::lists) {
                  fail_argument("labels", "labels or sets of labels here, on shards",
                                "lists of positives");
                }
              }),
        reduction_(reduction),
        numbers_(numbers) {
    const Targets& targets = call_.targets(0);
    if (wants_gradients()) upstream_ = call_.upstream();
    if (targets.has_weights()) {
      upstream_ = upstream_.weighted(targets.weights().data(), anchors());
      // One unit of all: processes add to each other's gradients.
      upstream_ = upstream_.in_units_of(team().largest(upstream_.largest(anchors())));
    }
    PositiveWeights* weights = nullptr;
    team().agree([&] {
      positives_ = scratch().template take<Index>(anchors());
      negatives_ = scratch().template take<Index>(anchors());
      if (targets.lists().weights.empty()) return;
      weights = scratch().template take<PositiveWeights>(anchors());
      std::fill_n(weights, anchors(), PositiveWeights());
    });
    call_.count_pairs(0, 0, positives_, negatives_, weights);
    // Terms of no block yet must see whether positives have weights.
    if (weights != nullptr) rule_.set_weights(weights);
  }

  ShardedCall<S>& frame() { return call_; }
  const Team& team() const { return call_.team(); }
  Scratch& scratch() { return call_.scratch(); }
  int threads() const { return call_.threads(); }
  const KernelValue<S>& kernel() const { return call_.kernel(); }
  bool wants_gradients() const { return call_.wants_gradients(); }
  bool same_rows() const { return true; }
  /// Own rows, packed, and their gradients; wanted if any process wants some.
  const PackedRows<S>& queries() const { return call_.rows(0); }
  RowGradients<S>& d_queries() { return call_.gradients(0); }
  double row_unit() const { return call_.row_unit(); }
  Index anchors() const { return call_.own_rows(0); }
  /// The caller's rows that are anchors.
  const KeptRows& anchor_rows() const { return call_.terms(); }
  Index positives(Index i) const { return positives_[i]; }
  Index negatives(Index i) const { return negatives_[i]; }
  const Index* positive_counts() const { return positives_; }
  /// The rule of no block: terms get that of each block.
  const PositiveRule<S>& rule() const { return rule_; }
  /// dL/d(value) as terms need it, anchors' weights included; 1 when there is none.
  const Upstream& upstream() const { return upstream_; }
  /// Pairs come with both of their rows, which may be on two processes.
  bool pairs_are_mutual() const { return false; }

  /// Counts own anchors, and those without a positive or a negative.
  void count_anchors(Diagnostics& d) const {
    d.anchors = anchors();
    for (Index i = 0; i < anchors(); ++i) {
      d.anchors_without_positive += positives(i) == 0 ? 1 : 0;
      d.anchors_without_negative += negatives(i) == 0 ? 1 : 0;
    }
  }

  /// Refuses, on all processes, own anchors that cannot learn, when the policy says so.
  template <class IsUnusable>
  void refuse(UnusableAnchor policy, const IsUnusable& is_unusable, const char* why) const {
    team().agree([&] {
      std::int64_t count = 0;
      for (Index i = 0; i < anchors(); ++i) {
        count += is_unusable(positives(i) > 0, negatives(i) > 0) ? 1 : 0;
      }
      refuse_unusable(policy, count, why);
    });
  }

  /// Rows elsewhere do not tell which rows they list; LabelledCall has both for one process.
  std::int64_t positives_listed_once() const { return 0; }
  const PositiveRule<S>* rule_of_other_side() const { return nullptr; }

  template <class Body>
  void agree(const Body& body) const {
    team().agree(body);
  }

  /// The rule of no block has no keys.
  Index keys_of_rule() const { return 0; }
  /// A row's scores are on several processes.
  bool may_keep_positives(std::int64_t) const { return false; }

  /// A Term of the anchors, made on all processes or on none.
  template <class Term, class... Args>
  Term make(const Args&... args) {
    return call_.template make<Term>(0, args...);
  }

  /// Numbers of each anchor that terms are to see of it as a key: fill(i, numbers).
  template <class Fill>
  void send_along(const Fill& fill) {
    if (call_.pairs_may_meet_once()) return;  // rows that visit take along what their term gives
    double* numbers = nullptr;
    team().agree([&] { numbers = scratch().template take<double>(anchors() * numbers_); });
    for (Index i = 0; i < anchors(); ++i) fill(i, numbers + i * numbers_);
    call_.set_numbers(0, numbers);
  }

  /// Closes all anchors, without gradients. Before each block of keys Term has `set_rule` called
  /// with its rule, `set_number` with the number of its first key among all and `set_keys` with
  /// what was sent along with its keys, where it has these.
  template <class Term>
  void forward(Term& term, Diagnostics& d) {
    if (call_.accumulate_pairs(term, d)) {
      term.set_rule(rule_);
      return;
    }
    for (Index i = 0; i < anchors(); ++i) term.start(i);
    call_.accumulate(0, 0, KeyNumbers::of_block, term, tells(term), d);
    term.set_rule(rule_);
    for (Index i = 0; i < anchors(); ++i) term.close(i);
  }

  /// The same, with gradients when the call wants any.
  template <class Term>
  void run(Term& term, Diagnostics& d) {
    if (!call_.run_pairs(term, term, 0, 0, d)) {
      call_.run_blocks(0, 0, KeyNumbers::of_block, term, tells(term), d);
    }
    term.set_rule(rule_);
  }

  /// Adds the gradients of closed anchors.
  template <class Term>
  void add_gradients(Term& term) {
    call_.gradient(0, 0, KeyNumbers::of_block, term, tells(term));
  }

  /// Never called: pairs are not mutual.
  template <class Term>
  void run_once(Term& term, Diagnostics& d) {
    run(term, d);
  }

  /// Counts of own anchors to those of all processes.
  void combine(Diagnostics& d) const { team().combine(d); }

  /// A count of the anchors of all processes, added up.
  template <class CountOf>
  std::int64_t total(const CountOf& count_of) const {
    std::int64_t own = 0;
    for (Index i = 0; i < anchors(); ++i) own += count_of(i);
    return team().total(own);
  }

  /// A number of own anchors summed over all anchors of all processes.
  template <class NumberOf>
  double sum(const NumberOf& number_of) const {
    return call_.sum(anchors(), number_of);
  }

  /// As ShardedCall has it.
  template <class T, class Add>
  void sum_over_rows(T* sums, Index count, const Add& add) {
    call_.sum_over_rows(sums, count, add);
  }

  template <class ValueOf>
  void reduce(Reduction reduction, const ValueOf& value_of, Result& result) const {
    call_.reduce(
        reduction, anchors(), [&](Index i) { return upstream_.weight(i) * value_of(i); }, result);
  }
  template <class ValueOf>
  void reduce(const ValueOf& value_of, Result& result) const {
    reduce(reduction_, value_of, result);
  }
  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream_); }
  /// As ShardedCall has it.
  void open_with_gradients(GradientRows<S>& output, Index rows, Index cols) {
    call_.open_with_gradients(output, rows, cols);
  }
  void scatter(double scale) { call_.scatter(scale); }

 private:
  template <class Term>
  static auto tells(Term& term) {
    return [&term](const PositiveRule<S>& rule, const KeyBlock<S>& block) {
      if constexpr (requires { term.set_rule(rule); }) term.set_rule(rule);
      if constexpr (requires { term.set_number(block.first); }) term.set_number(block.first);
      if constexpr (requires { term.set_keys(block.numbers); }) term.set_keys(block.numbers);
    };
  }

  static ShardedSet<S> set_of(const ShardedLabelledInputs<S>& inputs, Index numbers) {
    ShardedSet<S> set("x", inputs.rows.sets_of_rows[0]);
    set.with(inputs.targets).numbers = numbers;
    return set;
  }

  ShardedCall<S> call_;
  Reduction reduction_;
  Index numbers_;
  PositiveRule<S> rule_;
  Upstream upstream_;
  Index* positives_ = nullptr;
  Index* negatives_ = nullptr;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class ShardedLabelledCall<float>;
extern template class ShardedLabelledCall<double>;
#endif

}  // namespace nearfar::detail
