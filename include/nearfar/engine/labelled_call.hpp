#pragma once

#include <optional>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/core/compiled_once.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/labelled_rows.hpp"
#include "nearfar/engine/pair_counts.hpp"

/// \file
/// The frame of a call of a loss over labels: a set of rows compared with itself, or queries
/// compared with references that have targets of their own.

namespace nearfar::detail {

template <class S>
class LabelledCall {
 public:
  /// Checks and packs everything; throws before any output has changed. Arguments must outlive the
  /// object.
  NEARFAR_COMPILED_ONCE LabelledCall(const KernelValue<S>& kernel, Reduction reduction,
                                     PairWeights pair_weights, const LabelledInputs<S>& inputs,
                                     Bfloat16Use bfloat16 = Bfloat16Use::refused)
      : call_(kernel, reduction, inputs.sets), same_rows_(!inputs.has_references) {
    const auto& rows = inputs.sets.rows;
    const auto& gradients = inputs.sets.gradients;
    const char* own_name = same_rows_ ? "labels" : "query_labels";
    const char* other_name = same_rows_ ? "labels" : "reference_labels";
    LabelledRows of_queries = labelled_rows(scratch(), {own_name, inputs.targets}, rows[0].rows());
    LabelledRows of_references;
    if (same_rows_) {
      call_.add(Side::query, {"x", rows[0], gradients[0]}, of_queries.rows);
    } else {
      of_references =
          labelled_rows(scratch(), {other_name, inputs.reference_targets}, rows[1].rows());
      call_.add(Side::query, {"queries", rows[0], gradients[0]}, of_queries.rows);
      call_.add(Side::key, {"references", rows[1], gradients[1]}, of_references.rows);
    }
    if (bfloat16 == Bfloat16Use::taken) call_.take_bfloat16_products();
    call_.check(of_queries.rows);
    // One object for both sides if rows are compared with themselves.
    LabelledRows& of_keys = same_rows_ ? of_queries : of_references;
    const NamedTargets own{own_name, of_queries.targets};
    const NamedTargets other{other_name, of_keys.targets};
    check_targets(own, of_queries.rows.count, other, of_keys.rows.count, same_rows_);
    check_pair_weights(own, pair_weights);
    give_own_classes(of_queries.targets, of_keys.targets);
    if (wants_gradients()) upstream_ = call_.upstream();
    if (own.targets.has_weights()) {
      upstream_ = upstream_.weighted(own.targets.weights().data(), of_queries.rows.count);
    }
    weighted_ = own.targets.has_weights();
    rule_ = PositiveRule<S>(scratch(), own.targets, other.targets);
    if (own.targets.has_ids() && other.targets.has_ids()) {
      query_ids_ = own.targets.ids();
      key_ids_ = other.targets.ids();
      excluded_ = ExcludedPairs(scratch(), query_ids_, key_ids_);
    }
    call_.pack();
    count_pairs(!own.targets.lists().weights.empty());
  }

  bool same_rows() const { return same_rows_; }
  Index anchors() const { return queries().rows; }
  /// The caller's rows that are anchors.
  const KeptRows& anchor_rows() const { return call_.terms(); }
  const KernelValue<S>& kernel() const { return call_.kernel(); }
  const PackedRows<S>& queries() const { return call_.rows(0); }
  const PackedRows<S>& keys() const { return call_.rows(key_set()); }
  const PositiveRule<S>& rule() const { return rule_; }
  const ExcludedPairs& excluded() const { return excluded_; }
  /// The upstream gradient for terms, with anchors' weights; 1 if there is none.
  const Upstream& upstream() const { return upstream_; }
  bool wants_gradients() const { return call_.wants_gradients(); }
  /// Gradients of the packed rows; not wanted() if the call wants none.
  RowGradients<S>& d_queries() { return call_.gradients(0); }
  RowGradients<S>& d_keys() { return call_.gradients(key_set()); }
  /// The factor of centred rows.
  double row_unit() const { return call_.row_unit(); }
  Scratch& scratch() { return call_.scratch(); }
  int threads() const { return call_.threads(); }

  const Index* positive_counts() const { return positives_; }
  Index positives(Index i) const { return positives_[i]; }
  Index negatives(Index i) const { return negatives_[i]; }

  /// The number of anchors with is_one(has a positive, has a negative).
  template <class IsOne>
  std::int64_t anchors_where(const IsOne& is_one) const {
    std::int64_t count = 0;
    for (Index i = 0; i < anchors(); ++i) {
      count += is_one(positives(i) > 0, negatives(i) > 0) ? 1 : 0;
    }
    return count;
  }

  /// Counts anchors, and those without a positive or a negative.
  void count_anchors(Diagnostics& d) const {
    d.anchors = anchors();
    d.anchors_without_positive = anchors_where([](bool positive, bool) { return !positive; });
    d.anchors_without_negative = anchors_where([](bool, bool negative) { return !negative; });
  }

  /// Throws on anchors with is_unusable(has a positive, has a negative) if the policy is `error`.
  template <class IsUnusable>
  void refuse(UnusableAnchor policy, const IsUnusable& is_unusable, const char* why) const {
    refuse_unusable(policy, anchors_where(is_unusable), why);
  }

  /// For rows with themselves: the number of positives of an anchor that do not have the anchor as
  /// a positive. Only lists can have some.
  NEARFAR_COMPILED_ONCE std::int64_t positives_listed_once() const {
    if (rule_.is_mutual()) return 0;
    return total([&](Index i) {
      std::int64_t alone = 0;
      for (const Index j : rule_.listed(i)) alone += compares(i, j) && !rule_.lists(j, i) ? 1 : 0;
      return alone;
    });
  }
  /// The rule with keys as anchors if there are such positives, else null.
  NEARFAR_COMPILED_ONCE const PositiveRule<S>* rule_of_other_side() {
    if (rule_.is_mutual()) return nullptr;
    if (!other_side_) other_side_ = rule_from_keys();
    return &*other_side_;
  }

  /// Runs code that may throw on some processes only.
  template <class Body>
  void agree(const Body& body) const {
    body();
  }

  /// Keys of the rule when a term is made: all of them.
  Index keys_of_rule() const { return keys().rows; }
  /// Whether a term may keep so many bytes for the scores of all positives.
  bool may_keep_positives(std::int64_t bytes) const {
    return bytes <= most_bytes_between(queries(), keys());
  }

  /// Makes a Term of the anchors.
  template <class Term, class... Args>
  Term make(const Args&... args) {
    return Term(scratch(), anchors(), args...);
  }

  /// The counts of one process are those of the batch.
  void combine(Diagnostics&) const {}

  /// The sum of a count over the anchors.
  template <class CountOf>
  std::int64_t total(const CountOf& count_of) const {
    std::int64_t sum = 0;
    for (Index i = 0; i < anchors(); ++i) sum += count_of(i);
    return sum;
  }

  /// The sum of a number over the anchors.
  template <class NumberOf>
  double sum(const NumberOf& number_of) const {
    double sum = 0;
    for (Index i = 0; i < anchors(); ++i) sum += number_of(i);
    return sum;
  }

  /// As Call has it.
  template <class T, class Add>
  void sum_over_rows(T* sums, Index count, const Add& add) const {
    call_.sum_over_rows(sums, count, add);
  }

  /// True if positives are the other rows of a class and negatives all rows of other classes.
  bool is_by_class() const { return same_rows_ && rule_.by_labels() && !excluded_.any(); }

  /// True if a pair is the same for both of its rows, so that it may count once.
  bool pairs_are_mutual() const { return is_by_class() && !weighted_; }

  /// Sets numbers of each anchor that terms need of it as a key, for keys on many processes.
  template <class Fill>
  void send_along(const Fill&) const {}

  /// Closes all anchors, without gradients.
  NEARFAR_COMPILED_ONCE void forward(RowTerm<S>& term, Diagnostics& d) {
    if (same_rows_) {
      two_sided().forward(term, term, d);
    } else {
      one_sided().forward(term, d);
    }
  }

  /// Closes all anchors, with gradients if the call wants any.
  NEARFAR_COMPILED_ONCE void run(RowTerm<S>& term, Diagnostics& d) {
    if (!wants_gradients()) {
      forward(term, d);
    } else if (same_rows_) {
      two_sided().forward_backward(term, term, d_queries(), d_queries(), d);
    } else {
      one_sided().forward_backward(term, d_queries(), d_keys(), d);
    }
  }

  /// Like run, with each unordered pair once, for its first row; for mutual pairs.
  NEARFAR_COMPILED_ONCE void run_once(RowTerm<S>& term, Diagnostics& d) {
    OneSidedPass<S> pass(scratch(), threads(), kernel(), queries(), keys(), Pairing::upper);
    call_.run(pass, term, 0, 0, d);
  }

  /// Like run, for rows with themselves and a term whose gradient accumulates.
  NEARFAR_COMPILED_ONCE void run_in_one_sweep(RowTerm<S>& term, Diagnostics& d) {
    // A panel fetches a term's statistics of a key once: if there are enough panels, higher ones
    // are faster.
    const Index usual = PanelProducts<S>::height(anchors());
    TwoSidedPass<S> pass(scratch(), threads(), kernel(), queries(), keys(), excluded_,
                         anchors() >= 4096 ? 2 * usual : usual);
    pass.one_sweep(term, d_queries(), d);
  }

  /// Passes whole rows to a miner, with gradients if the call wants any.
  NEARFAR_COMPILED_ONCE void run_whole_rows(RowMiner<S>& miner, Diagnostics& d) {
    one_sided().whole_rows(miner, d_queries(), d_keys(), d);
  }

  /// The rule with keys as anchors.
  NEARFAR_COMPILED_ONCE PositiveRule<S> rule_from_keys() {
    const bool same = same_rows_ && rule_.is_mutual();
    return same ? rule_ : rule_.reversed(scratch(), anchors(), keys().rows);
  }

  /// Closes all references over the queries, with gradients if `gradients` and they are wanted;
  /// only with references.
  NEARFAR_COMPILED_ONCE void run_from_keys(RowTerm<S>& term, bool gradients) {
    Diagnostics again;  // discarded: the pass repeats the same scores
    const ExcludedPairs from_keys =
        excluded_.any() ? ExcludedPairs(scratch(), key_ids_, query_ids_) : excluded_;
    OneSidedPass<S> pass(scratch(), threads(), kernel(), keys(), queries(), Pairing::all,
                         from_keys);
    if (!gradients || !wants_gradients()) {
      pass.forward(term, again);
    } else {
      pass.forward_backward(term, d_keys(), d_queries(), again);
    }
  }

  /// Sets value and values from the anchors' values value_of(i), each times its weight.
  template <class ValueOf>
  void reduce(Reduction reduction, const ValueOf& value_of, Result& result) const {
    reduce_rows(
        reduction, call_.terms(), [&](Index i) { return upstream_.weight(i) * value_of(i); },
        result);
  }
  template <class ValueOf>
  void reduce(const ValueOf& value_of, Result& result) const {
    reduce(call_.reduction(), value_of, result);
  }

  /// The factor of gradients, after the terms are counted.
  double scale(const Diagnostics& d) const {
    return gradient_scale(call_.reduction(), d, upstream());
  }

  /// Like Call::open_with_gradients.
  void open_with_gradients(GradientRows<S>& output, Index rows, Index cols) {
    call_.open_with_gradients(output, rows, cols);
  }

  /// Writes gradients times `scale` to the caller's buffers, if the call wants any.
  NEARFAR_COMPILED_ONCE void scatter(double scale) { call_.scatter(scale); }

 private:
  int key_set() const { return same_rows_ ? 0 : 1; }

  /// Puts unlabelled rows that are negatives into classes of their own.
  void give_own_classes(Targets& queries, Targets& keys) {
    if (!has_unlabelled_negatives(queries) && !has_unlabelled_negatives(keys)) return;
    FreshLabels fresh(scratch(), queries.labels(), keys.labels());
    queries = with_own_classes(scratch(), queries, fresh);
    if (!same_rows_) keys = with_own_classes(scratch(), keys, fresh);
  }

  /// True if query i is compared with key j.
  bool compares(Index i, Index j) const {
    return excluded_.any() ? query_ids_[i] != key_ids_[j] : !same_rows_ || i != j;
  }

  OneSidedPass<S>& one_sided() {
    if (!one_sided_) {
      one_sided_.emplace(scratch(), threads(), kernel(), queries(), keys(),
                         same_rows_ ? Pairing::others : Pairing::all, excluded_);
    }
    return *one_sided_;
  }

  TwoSidedPass<S>& two_sided() {
    if (!two_sided_) {
      two_sided_.emplace(scratch(), threads(), kernel(), queries(), keys(), excluded_);
    }
    return *two_sided_;
  }

  void count_pairs(bool with_weights) {
    const Index m = keys().rows;
    positives_ = scratch().template take<Index>(anchors());
    negatives_ = scratch().template take<Index>(anchors());
    if (rule_.by_labels() && !excluded_.any()) {
      for (Index i = 0; i < anchors(); ++i) {
        positives_[i] = rule_.members(i) - (same_rows_ ? 1 : 0);
        negatives_[i] = m - rule_.members(i);
      }
      return;
    }
    const PairMask mask{same_rows_ ? Pairing::others : Pairing::all, excluded_};
    auto* weights = with_weights ? scratch().template take<PositiveWeights>(anchors()) : nullptr;
    each_counted(anchors(), threads(), [&](Index i) {
      const PairCounts counts = detail::count_pairs(rule_, mask, i, m);
      positives_[i] = counts.positives;
      negatives_[i] = counts.negatives;
      if (!with_weights) return;
      weights[i] = {};
      add_weights(rule_, mask, i, m, weights[i]);
    });
    rule_.set_weights(weights);
  }

  Call<S> call_;
  bool same_rows_;
  Upstream upstream_;
  bool weighted_ = false;
  PositiveRule<S> rule_;
  ExcludedPairs excluded_;
  Labels query_ids_;
  Labels key_ids_;
  Index* positives_ = nullptr;
  Index* negatives_ = nullptr;
  std::optional<PositiveRule<S>> other_side_;
  std::optional<OneSidedPass<S>> one_sided_;
  std::optional<TwoSidedPass<S>> two_sided_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class LabelledCall<float>;
extern template class LabelledCall<double>;
#endif

}  // namespace nearfar::detail
