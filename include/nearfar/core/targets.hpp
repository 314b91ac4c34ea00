#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/numbers.hpp"

/// \file
/// Targets of a set of rows: the positives of each row, the pairs that are left out, and the
/// weights of anchors.

namespace nearfar {

/// Sets of labels, one set a row: row i has label l if bit l % 64 of word l / 64 of its `words`
/// words is set. Two rows match if they share a label. A view: the words must outlive the call.
struct MultiLabels {
  const std::uint64_t* bits = nullptr;  ///< rows x words, row after row
  Index rows = 0;
  Index words = 0;
};

/// The listed positives of each anchor (compressed sparse rows): those of anchor i are the keys
/// columns[offsets[i]] .. columns[offsets[i + 1] - 1], in ascending order; all other keys are its
/// negatives. In a set compared with itself, row i may list row j although j does not list i: each
/// row uses its own list. `weights`, if given, has a number > 0 for each column, the weight of a
/// positive among its anchor's positives. SupCon uses it, and Retrieval uses it as gains; other
/// losses refuse it. Views: all three must outlive the call.
struct PositiveLists {
  std::span<const Index> offsets;  ///< N + 1 offsets, from 0 to the number of columns
  std::span<const Index> columns;
  std::span<const double> weights = {};
};

/// The role of rows without a label; see Targets::unlabelled.
enum class UnlabelledRows {
  left_out,  ///< they take no part: the loss is that of the other rows
  negatives  ///< each is the only row of a class of its own: a negative of all others
};

/// The targets of a set of rows, made implicitly from labels in any form that Labels takes, from
/// MultiLabels or from PositiveLists. `ids` and `weights` add to them:
///
///     loss.forward(x, labels);
///     loss.forward(x, Targets(labels).ids(sample).weights(confidence));
///     loss.forward(queries, PositiveLists{offsets, columns}, references, Targets());
///
/// Only equality of labels counts; a group's number or a sample's index is a label like any other.
/// All parts are views: their memory must outlive the call.
class Targets {
 public:
  enum class Rule { none, labels, multi_labels, lists };

  /// Empty targets: of references whose queries list their positives, and of losses whose pairs are
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

  /// The same with ids, one a row. Two rows of the same id are neither positive nor negative for
  /// each other, whatever their labels (copies of one sample; a sample and its older embedding in a
  /// memory). With references both sides need ids. Losses of pairs (InfoNce, NtXent, Clip, SigLip)
  /// keep a row's own positive, which usually has the row's id.
  Targets ids(const Labels& ids) const {
    Targets out = *this;
    out.ids_ = ids;
    out.has_ids_ = true;
    return out;
  }

  /// The same with a weight >= 0 for each anchor, which multiplies the anchor's loss. The divisors
  /// of reductions do not depend on weights (as with sample weights in Keras). References have no
  /// weights.
  Targets weights(const Numbers<double>& weights) const {
    Targets out = *this;
    out.weights_ = weights;
    out.has_weights_ = true;
    return out;
  }

  /// The same, with rows of label `value` (usually -1) treated as unlabelled. In the role
  /// `left_out` the loss, its counts and gradients are those of the other rows; an unlabelled row
  /// has gradient 0, and value 0 with Reduction::none, and its elements are not read. In the role
  /// `negatives` it is a negative of all other rows, including the other unlabelled ones. For
  /// losses; Retrieval has an option `unlabelled`. If there are ids and no labels (InfoNce,
  /// NtXent), `value` is an id, and its rows are left out.
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
