#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/numbers.hpp"

/// \file
/// Targets of a set of rows: which rows are positives of which, which pairs are left out, and how
/// much an anchor counts.

namespace nearfar {

/// Sets of labels, one set a row: row i has label l when bit l % 64 of word l / 64 of its `words`
/// words is set. Two rows match when they share a label. A view: the words must outlive the call.
struct MultiLabels {
  const std::uint64_t* bits = nullptr;  ///< rows x words, row after row
  Index rows = 0;
  Index words = 0;
};

/// The positives of each anchor, listed (compressed sparse rows): those of anchor i are the keys
/// columns[offsets[i]] .. columns[offsets[i + 1] - 1], in ascending order, all other keys are its
/// negatives. In a set compared with itself row i may list row j and j not list i: each row's loss
/// is that of its own list. `weights`, where given, are one number > 0 a column: how much a
/// positive counts among an anchor's positives (SupCon takes them, and Retrieval as gains; other
/// losses refuse them).
/// Views: all three must outlive the call.
struct PositiveLists {
  std::span<const Index> offsets;  ///< one more than anchors, from 0 to the number of columns
  std::span<const Index> columns;
  std::span<const double> weights = {};
};

/// How rows without a label take part in a loss; see Targets::unlabelled.
enum class UnlabelledRows {
  left_out,  ///< not at all: the loss is that of the other rows
  negatives  ///< each as the one row of a class of its own: a negative of all others
};

/// The targets of a set of rows, made implicitly from labels in any form Labels takes, from
/// MultiLabels or from PositiveLists; `ids` and `weights` add to it:
///
///     loss.forward(x, labels);
///     loss.forward(x, Targets(labels).ids(sample).weights(confidence));
///     loss.forward(queries, PositiveLists{offsets, columns}, references, Targets());
///
/// Labels decide by equality; a group's number or a sample's index is a label like any other.
/// Views: what they are made of must outlive the call.
class Targets {
 public:
  enum class Rule { none, labels, multi_labels, lists };

  /// Nothing: for references whose queries list their positives, and for losses whose pairs are
  /// positives by themselves.
  Targets() = default;

  template <class T>
  requires std::is_convertible_v<const T&, Labels> Targets(
      const T& labels)  // NOLINT(google-explicit-constructor): as Labels
      : rule_(Rule::labels), labels_(labels) {}
  Targets(const MultiLabels& labels)  // NOLINT(google-explicit-constructor)
      : rule_(Rule::multi_labels), multi_labels_(labels) {}
  Targets(const PositiveLists& lists)  // NOLINT(google-explicit-constructor)
      : rule_(Rule::lists), lists_(lists) {}

  /// The same with ids, one a row: two rows with the same id are neither positive nor negative for
  /// each other, whatever their labels (copies of one sample; a sample and its stale self in a
  /// memory). With references both sides need ids. Losses of pairs (InfoNce, NtXent, Clip, SigLip)
  /// keep a row's own positive: it shares the row's id as a rule.
  Targets ids(const Labels& ids) const {
    Targets out = *this;
    out.ids_ = ids;
    out.has_ids_ = true;
    return out;
  }

  /// The same with a weight >= 0 for each anchor, which multiplies the anchor's loss. Divisors of
  /// reductions stay what they are without weights (as with sample weights in Keras). References
  /// have no weights.
  Targets weights(const Numbers<double>& weights) const {
    Targets out = *this;
    out.weights_ = weights;
    out.has_weights_ = true;
    return out;
  }

  /// The same, where rows whose label is `value` (-1 by custom) have none. Such a row is left out:
  /// the loss, its counts and gradients are those of the other rows alone, its own gradient is 0,
  /// and so is its value with Reduction::none; its elements are not read. Or it is a negative of
  /// all other rows, those without a label too. Of losses; Retrieval has an option of that name.
  /// Where there are ids and nothing else (InfoNce, NtXent), `value` is one of these, and its rows
  /// are left out.
  Targets unlabelled(std::int64_t value, UnlabelledRows role = UnlabelledRows::left_out) const {
    Targets out = *this;
    out.has_unlabelled_ = true;
    out.unlabelled_ = value;
    out.unlabelled_role_ = role;
    return out;
  }

  Rule rule() const { return rule_; }
  const Labels& labels() const { return labels_; }
  const MultiLabels& multi_labels() const { return multi_labels_; }
  const PositiveLists& lists() const { return lists_; }
  bool has_ids() const { return has_ids_; }
  const Labels& ids() const { return ids_; }
  bool has_weights() const { return has_weights_; }
  const Numbers<double>& weights() const { return weights_; }
  bool has_unlabelled() const { return has_unlabelled_; }
  std::int64_t unlabelled_value() const { return unlabelled_; }
  UnlabelledRows unlabelled_role() const { return unlabelled_role_; }

 private:
  Rule rule_ = Rule::none;
  Labels labels_;
  MultiLabels multi_labels_;
  PositiveLists lists_;
  bool has_ids_ = false;
  Labels ids_;
  bool has_weights_ = false;
  Numbers<double> weights_;
  bool has_unlabelled_ = false;
  std::int64_t unlabelled_ = 0;
  UnlabelledRows unlabelled_role_ = UnlabelledRows::left_out;
};

}  // namespace nearfar
