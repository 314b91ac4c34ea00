#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/targets.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_rows.hpp"

/// \file
/// The positive mask of a call: which keys are positives of which queries, as a rule that is
/// evaluated for a part of one row at a time.

namespace nearfar::detail {

/// The rule of one call. Targets must have passed check_targets.
template <class S>
class PositiveRule {
 public:
  PositiveRule() = default;

  /// Where keys come in blocks, lists number all of them: the first of these is `first_key`.
  PositiveRule(Scratch& scratch, const Targets& queries, const Targets& keys, Index first_key = 0)
      : rule_(queries.rule()), first_key_(first_key) {
    if (rule_ == Targets::Rule::labels) {
      S* key_code = nullptr;
      const Classes<S> classes = classify<S>(scratch, queries.labels(), keys.labels(), key_code);
      codes_ = {classes.code, key_code};
      members_ = classes.members;
    }
    query_labels_ = queries.multi_labels();
    key_labels_ = keys.multi_labels();
    lists_ = queries.lists();
  }

  /// The same rule as `queries` and `keys` of the other side see it.
  PositiveRule reversed(Scratch& scratch, Index queries, Index keys) const {
    PositiveRule out;
    out.rule_ = rule_;
    out.codes_ = {codes_.key, codes_.query};
    out.query_labels_ = key_labels_;
    out.key_labels_ = query_labels_;
    if (rule_ == Targets::Rule::lists) out.lists_ = transposed(scratch, queries, keys);
    return out;
  }

  bool by_labels() const { return rule_ == Targets::Rule::labels; }
  bool weighted() const { return !lists_.weights.empty(); }
  const ClassCodes<S>& codes() const { return codes_; }
  /// Keys with query i's label (by_labels only, and not reversed).
  Index members(Index i) const { return members_[i]; }

  /// out[k] = 1 when key first + k is a positive of query i, else 0, k < n. Where `weights` is not
  /// null it gets the positives' weights, 0 for others.
  void match(Index i, Index first, Index n, S* out, S* weights = nullptr) const {
    switch (rule_) {
      case Targets::Rule::labels:
        score_loops<S>().match(n, codes_.query[i], codes_.key + first, out);
        break;
      case Targets::Rule::multi_labels:
        for (Index k = 0; k < n; ++k) out[k] = share_a_label(i, first + k) ? S(1) : S(0);
        break;
      default:
        match_lists(i, first, n, out, weights);
    }
  }

 private:
  bool share_a_label(Index i, Index j) const {
    const Index words = query_labels_.words;
    const std::uint64_t* a = query_labels_.bits + i * words;
    const std::uint64_t* b = key_labels_.bits + j * words;
    std::uint64_t shared = 0;
    for (Index w = 0; w < words; ++w) shared |= a[w] & b[w];
    return shared != 0;
  }

  /// For each key the queries that list it.
  PositiveLists transposed(Scratch& scratch, Index queries, Index keys) const {
    const auto size = static_cast<Index>(lists_.columns.size());
    Index* offsets = scratch.take<Index>(keys + 1);
    Index* columns = scratch.take<Index>(size);
    std::fill_n(offsets, keys + 1, Index(0));
    for (const Index j : lists_.columns) ++offsets[j + 1];
    std::partial_sum(offsets, offsets + keys + 1, offsets);
    // Each list is filled from its offset on, which leaves that at the next list's.
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

  void match_lists(Index i, Index first, Index n, S* out, S* weights) const {
    std::fill_n(out, n, S(0));
    if (weights != nullptr) std::fill_n(weights, n, S(0));
    const auto at = static_cast<std::size_t>(i);
    const Index* columns = lists_.columns.data();
    const Index* end = columns + lists_.offsets[at + 1];
    first += first_key_;
    for (const Index* j = std::lower_bound(columns + lists_.offsets[at], end, first);
         j != end && *j < first + n; ++j) {
      out[*j - first] = S(1);
      if (weights != nullptr) {
        weights[*j - first] = static_cast<S>(lists_.weights[static_cast<std::size_t>(j - columns)]);
      }
    }
  }

  Targets::Rule rule_ = Targets::Rule::none;
  Index first_key_ = 0;
  ClassCodes<S> codes_{};
  const Index* members_ = nullptr;
  MultiLabels query_labels_;
  MultiLabels key_labels_;
  PositiveLists lists_;
};

/// The positives of one query among n keys from `first` on, n <= tile_width. Labels are compared
/// where they lie; other rules are evaluated into a buffer.
template <class S>
class RowPositives {
 public:
  RowPositives(const PositiveRule<S>& rule, Index i, Index first, Index n) {
    if (rule.by_labels()) {
      mask_ = {rule.codes().query[i], rule.codes().key + first, nullptr};
      return;
    }
    S* weights = rule.weighted() ? weights_ : nullptr;
    rule.match(i, first, n, matches_, weights);
    mask_ = {S(1), matches_, weights};
  }
  RowPositives(const RowPositives&) = delete;
  RowPositives& operator=(const RowPositives&) = delete;

  /// As vector code takes them.
  const PositiveMask<S>& mask() const { return mask_; }

  /// Whether key first + k is a positive.
  bool operator[](Index k) const { return mask_.key[k] == mask_.own; }

 private:
  PositiveMask<S> mask_;
  S matches_[tile_width];
  S weights_[tile_width];
};

/// A term over labels: its positive rule may change between parts of the keys.
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
