#pragma once

#include <cstdint>
#include <optional>

#include "nearfar/adapters/torch/views.hpp"
#include "nearfar/core/targets.hpp"

namespace nearfar::libtorch {

/// Targets as tensors: what nearfar::Targets is for views. Made implicitly from
/// labels; `ids` and `weights` add to it:
///
///     sup_con(x, labels);
///     sup_con(x, TensorTargets(labels).ids(sample).weights(confidence));
///     sup_con(queries, TensorTargets::lists(offsets, columns), references, TensorTargets());
///
/// Holds the tensors; int64 tensors in one piece are not copied. All on the CPU and without
/// gradients. What does not fit the rows is the call's error, what is no such tensor c10::Error.
class TensorTargets {
 public:
  /// Nothing: for references whose queries list their positives.
  TensorTargets() = default;

  /// Labels, one a row (int64, N); or sets of labels, row i with label l where element (i, l) is
  /// true (bool, N x C): rows match when they share one.
  TensorTargets(const Tensor& labels) {  // NOLINT(google-explicit-constructor): as nearfar::Targets
    detail::check_dense("labels", labels);
    if (labels.scalar_type() == at::kBool) {
      pack(labels);
    } else {
      labels_ = detail::checked_integers("labels", labels);
    }
  }

  /// The positives of each anchor, listed (compressed sparse rows; see PositiveLists): offsets
  /// (int64, N + 1), columns (int64), and a weight > 0 for each column where given.
  static TensorTargets lists(const Tensor& offsets, const Tensor& columns,
                             const Tensor& weights = {}) {
    const auto copied = [](const char* name, const Tensor& x) {
      const Labels values = detail::labels_of(detail::checked_integers(name, x));
      std::vector<Index> out(static_cast<std::size_t>(values.size()));
      for (Index i = 0; i < values.size(); ++i) {
        out[static_cast<std::size_t>(i)] = static_cast<Index>(values[i]);
      }
      return out;
    };
    TensorTargets out;
    out.rule_ = Targets::Rule::lists;
    out.offsets_ = copied("offsets", offsets);
    out.columns_ = copied("columns", columns);
    if (weights.defined()) {
      out.column_weights_ = detail::checked_numbers("weights of columns", weights, at::kDouble);
    }
    return out;
  }

  /// The same with ids (int64, N): rows with the same id are neither positive nor negative for each
  /// other.
  TensorTargets ids(const Tensor& ids) const {
    TensorTargets out = *this;
    out.ids_ = detail::checked_integers("ids", ids);
    return out;
  }

  /// The same with a weight >= 0 for each anchor (N), which multiplies the anchor's loss.
  TensorTargets weights(const Tensor& weights) const {
    TensorTargets out = *this;
    out.weights_ = detail::checked_numbers("weights", weights, at::kDouble);
    return out;
  }

  /// The same, where rows whose label is `value` have none: Targets::unlabelled.
  TensorTargets unlabelled(std::int64_t value,
                           UnlabelledRows role = UnlabelledRows::left_out) const {
    TensorTargets out = *this;
    out.unlabelled_ = value;
    out.unlabelled_role_ = role;
    return out;
  }

  /// Views of all that, valid while this lives.
  Targets view() const {
    Targets out = of_rule();
    if (ids_.defined()) out = out.ids(detail::labels_of(ids_));
    if (weights_.defined()) out = out.weights({weights_.data_ptr<double>(), weights_.numel()});
    if (unlabelled_) out = out.unlabelled(*unlabelled_, unlabelled_role_);
    return out;
  }

 private:
  /// One bit a label, as MultiLabels has them.
  void pack(const Tensor& sets) {
    TORCH_CHECK(sets.dim() == 2,
                "nearfar: labels: wanted two dimensions for sets of labels (bool), got ",
                sets.dim());
    const Tensor bits = sets.contiguous();
    rule_ = Targets::Rule::multi_labels;
    rows_ = bits.size(0);
    words_ = std::max<Index>((bits.size(1) + 63) / 64, 1);
    sets_.assign(static_cast<std::size_t>(rows_ * words_), 0);
    const bool* bit = bits.data_ptr<bool>();
    for (Index i = 0; i < rows_; ++i) {
      for (Index l = 0; l < bits.size(1); ++l, ++bit) {
        if (*bit) sets_[static_cast<std::size_t>(i * words_ + l / 64)] |= 1ULL << (l % 64);
      }
    }
  }

  Targets of_rule() const {
    switch (rule_) {
      case Targets::Rule::multi_labels:
        return MultiLabels{sets_.data(), rows_, words_};
      case Targets::Rule::lists: {
        PositiveLists lists{offsets_, columns_};
        if (column_weights_.defined()) {
          lists.weights = {column_weights_.data_ptr<double>(),
                           static_cast<std::size_t>(column_weights_.numel())};
        }
        return lists;
      }
      case Targets::Rule::none:
      case Targets::Rule::labels:
        break;
    }
    return labels_.defined() ? Targets(detail::labels_of(labels_)) : Targets();
  }

  Targets::Rule rule_ = Targets::Rule::none;  ///< none: labels, where there are any
  Tensor labels_;
  std::vector<std::uint64_t> sets_;
  Index rows_ = 0;
  Index words_ = 0;
  std::vector<Index> offsets_;
  std::vector<Index> columns_;
  Tensor column_weights_;
  Tensor ids_;
  Tensor weights_;
  std::optional<std::int64_t> unlabelled_;
  UnlabelledRows unlabelled_role_ = UnlabelledRows::left_out;
};

}  // namespace nearfar::libtorch
