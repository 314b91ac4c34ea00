#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/targets.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_rows.hpp"

/// \file
/// The positive mask of a call. A rule defines the positives of each query, and is evaluated for a
/// part of one row at a time.

namespace nearfar::detail {

/// The weights of an anchor's positives, in units of the largest. Only their ratios count, so that
/// any scale of the weights is in range.
struct PositiveWeights {
  Index heaviest = -1;  ///< the key; the first of equal ones
  double largest = 0;   ///< its weight, as given
  double rest = 0;      ///< sum of the other weights, in units of the largest

  void add(Index key, double weight) {
    if (weight > largest) {
      rest = (heaviest >= 0 ? rest + 1 : 0) * (largest / weight);
      largest = weight;
      heaviest = key;
    } else if (weight > 0) {
      rest += weight / largest;
      if (weight == largest && key < heaviest) heaviest = key;
    }
  }
};

/// The rule of one call. Targets must have passed check_targets.
template <class S>
class PositiveRule {
 public:
  PositiveRule() = default;

  /// Pass the same object twice for a set compared with itself. If keys come in blocks, lists
  /// number all of them, and the block begins with `first_key`.
  PositiveRule(Scratch& scratch, const Targets& queries, const Targets& keys, Index first_key = 0)
      : rule_(queries.rule()), first_key_(first_key), one_set_(&queries == &keys) {
    if (rule_ == Targets::Rule::labels) {
      S* key_code = nullptr;
      const Classes<S> classes = classify<S>(scratch, queries.labels(), keys.labels(), key_code);
      codes_ = {classes.code, key_code};
      members_ = classes.members;
    }
    query_labels_ = queries.multi_labels();
    key_labels_ = keys.multi_labels();
    lists_ = queries.lists();
    mutual_ = rule_ != Targets::Rule::lists || !one_set_ || all_list_each_other();
  }

  /// Adds the weights of query i's positives among n keys from `first` on.
  void add_weights(Index i, Index first, Index n, PositiveWeights& all) const {
    for (const Index& j : listed(i, first, n)) all.add(j, weight_at(&j));
  }
  /// Weights of each query's positives among all keys.
  void set_weights(const PositiveWeights* weights) { weights_ = weights; }

  /// The same rule with keys as anchors, for `queries` and `keys` of the other side.
  PositiveRule reversed(Scratch& scratch, Index queries, Index keys) const {
    PositiveRule out;
    out.rule_ = rule_;
    out.codes_ = {codes_.key, codes_.query};
    out.query_labels_ = key_labels_;
    out.key_labels_ = query_labels_;
    if (rule_ == Targets::Rule::lists) out.lists_ = transposed(scratch, queries, keys);
    return out;
  }

  /// Declares that query i and key i are a pair, with the same labels.
  void set_of_pairs() { of_pairs_ = true; }

  bool by_labels() const { return rule_ == Targets::Rule::labels; }
  /// True for a set compared with itself.
  bool is_of_one_set() const { return one_set_; }
  /// True if query i and key i are a pair, with the same labels.
  bool is_of_pairs() const { return of_pairs_; }
  /// True if the rule is symmetric for a set compared with itself; lists may not be.
  bool is_mutual() const { return mutual_; }
  bool weighted() const { return weights_ != nullptr; }
  /// True if positives are listed with weights.
  bool has_list_weights() const { return !lists_.weights.empty(); }
  const PositiveWeights& weights(Index i) const { return weights_[i]; }
  const ClassCodes<S>& codes() const { return codes_; }
  /// The number of keys with query i's label (by_labels only, and not reversed).
  Index members(Index i) const { return members_[i]; }

  // For lists only.

  /// The keys that query i lists, and those among n keys from `first` on, as numbers among all
  /// keys.
  std::span<const Index> listed(Index i) const {
    const auto at = static_cast<std::size_t>(i);
    return {lists_.columns.data() + lists_.offsets[at],
            lists_.columns.data() + lists_.offsets[at + 1]};
  }
  std::span<const Index> listed(Index i, Index first, Index n) const {
    const std::span<const Index> all = listed(i);
    const auto begin = std::lower_bound(all.begin(), all.end(), first_key_ + first);
    return {begin, std::lower_bound(begin, all.end(), first_key_ + first + n)};
  }
  /// True if query i lists key j.
  bool lists(Index i, Index j) const {
    const std::span<const Index> all = listed(i);
    return std::binary_search(all.begin(), all.end(), j);
  }
  /// The weight of key j that query i lists, as given; 1 without weights.
  double weight(Index i, Index j) const {
    if (lists_.weights.empty()) return 1;
    const std::span<const Index> all = listed(i);
    return weight_at(&*std::lower_bound(all.begin(), all.end(), j));
  }
  /// Calls body(k, weight, heaviest) for every key first + k that query i lists, k < n, with its
  /// weight in units of the largest, and whether it has the largest; weighted() only.
  template <class Body>
  void each_weighted(Index i, Index first, Index n, const Body& body) const {
    const PositiveWeights& all = weights_[i];
    for (const Index& j : listed(i, first, n)) {
      body(j - first_key_ - first, weight_at(&j) / all.largest, j == all.heaviest);
    }
  }

  /// Sets out[k] to 1 if key first + k is a positive of query i, else to 0, k < n.
  void match(Index i, Index first, Index n, S* out) const {
    switch (rule_) {
      case Targets::Rule::labels:
        score_loops<S>().match(n, codes_.query[i], codes_.key + first, out);
        break;
      case Targets::Rule::multi_labels:
        for (Index k = 0; k < n; ++k) out[k] = share_a_label(i, first + k) ? S(1) : S(0);
        break;
      default:
        match_lists(i, first, n, out);
    }
  }

 private:
  double weight_at(const Index* column) const {
    return lists_.weights[static_cast<std::size_t>(column - lists_.columns.data())];
  }

  bool all_list_each_other() const {
    const Index rows = static_cast<Index>(lists_.offsets.size()) - 1;
    for (Index i = 0; i < rows; ++i) {
      for (const Index j : listed(i)) {
        if (!lists(j, i)) return false;
      }
    }
    return true;
  }

  bool share_a_label(Index i, Index j) const {
    const Index words = query_labels_.words;
    const std::uint64_t* a = query_labels_.bits + i * words;
    const std::uint64_t* b = key_labels_.bits + j * words;
    std::uint64_t shared = 0;
    for (Index w = 0; w < words; ++w) shared |= a[w] & b[w];
    return shared != 0;
  }

  /// The queries that list each key.
  PositiveLists transposed(Scratch& scratch, Index queries, Index keys) const {
    const auto size = static_cast<Index>(lists_.columns.size());
    Index* offsets = scratch.take<Index>(keys + 1);
    Index* columns = scratch.take<Index>(size);
    std::fill_n(offsets, keys + 1, Index(0));
    for (const Index j : lists_.columns) ++offsets[j + 1];
    std::partial_sum(offsets, offsets + keys + 1, offsets);
    // Filling a list advances its offset to that of the next list.
    for (Index i = 0; i < queries; ++i) {
      const auto at = static_cast<std::size_t>(i);
      for (Index k = lists_.offsets[at]; k < lists_.offsets[at + 1]; ++k) {
        columns[offsets[lists_.columns[static_cast<std::size_t>(k)]]++] = i;
      }
    }
    std::copy_backward(offsets, offsets + keys, offsets + keys + 1);
    offsets[0] = 0;
    return {{offsets, static_cast<std::size_t>(keys + 1)},
            {columns, static_cast<std::size_t>(size)}};
  }

  void match_lists(Index i, Index first, Index n, S* out) const {
    std::fill_n(out, n, S(0));
    for (const Index j : listed(i, first, n)) out[j - first_key_ - first] = S(1);
  }

  Targets::Rule rule_ = Targets::Rule::none;
  Index first_key_ = 0;
  bool one_set_ = false;
  bool of_pairs_ = false;
  bool mutual_ = true;
  ClassCodes<S> codes_{};
  const Index* members_ = nullptr;
  MultiLabels query_labels_;
  MultiLabels key_labels_;
  PositiveLists lists_;
  const PositiveWeights* weights_ = nullptr;
};

/// The positives of one query among n keys from `first` on, n <= tile_width. Labels are compared in
/// place; other rules are evaluated into a buffer.
template <class S>
class RowPositives {
 public:
  RowPositives(const PositiveRule<S>& rule, Index i, Index first, Index n) {
    if (rule.by_labels()) {
      mask_ = {rule.codes().query[i], rule.codes().key + first};
      return;
    }
    rule.match(i, first, n, matches_);
    mask_ = {S(1), matches_};
  }
  RowPositives(const RowPositives&) = delete;
  RowPositives& operator=(const RowPositives&) = delete;

  /// The mask in the form of the vector code.
  const PositiveMask<S>& mask() const { return mask_; }

  /// True if key first + k is a positive.
  bool operator[](Index k) const { return mask_.key[k] == mask_.own; }

 private:
  PositiveMask<S> mask_;
  S matches_[tile_width];
};

/// A term over labels. Its positive rule may change between blocks of keys.
template <class S>
class LabelledTerm : public RowTerm<S> {
 public:
  void set_rule(const PositiveRule<S>& rule) { rule_ = &rule; }

 protected:
  explicit LabelledTerm(const PositiveRule<S>& rule) : rule_(&rule) {}
  ~LabelledTerm() = default;

  const PositiveRule<S>& rule() const { return *rule_; }

 private:
  const PositiveRule<S>* rule_;
};

}  // namespace nearfar::detail
