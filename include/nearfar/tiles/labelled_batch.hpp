#pragma once

#include <optional>
#include <string>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// What every call of a loss over labels does around its terms, once: a set of rows compared with
/// itself, or queries compared with references that have labels of their own.

namespace nearfar::detail {

/// Labels of rows, under the name the caller knows them by.
struct NamedLabels {
  const char* name;
  const Labels& labels;
};

/// One call: checks, the walk, and the gradients' way back. `sets` is 1 for rows compared with each
/// other, 2 for queries against references.
template <class S, Kernel K, int sets>
class LabelledBatch {
  static_assert(maps_queries<K>() == maps_keys<K>(),
                "nearfar: a loss over labels needs a kernel that treats both rows alike");

 public:
  using Sets = std::array<NamedRows<S>, static_cast<std::size_t>(sets)>;
  using SetLabels = std::array<NamedLabels, static_cast<std::size_t>(sets)>;
  using Gradients = std::array<GradientRows<S>*, static_cast<std::size_t>(sets)>;

  /// Checks everything; throws before any output is touched. Without `upstream` there will be no
  /// gradients. Arguments must outlive the object.
  LabelledBatch(const K& kernel, Reduction reduction, const Upstream* upstream, const Sets& rows,
                const SetLabels& labels, const Gradients& gradients, CallOptions<S>& call)
      : scratch_(call.workspace),
        threads_(available_threads(scratch_.threads())),
        kernel_(kernel),
        reduction_(reduction),
        upstream_(upstream),
        gradients_(gradients),
        call_(call) {
    if constexpr (sets == 1) {
      check_rows<S>(kernel, threads_, {rows[0]});
    } else {
      check_rows<S>(kernel, threads_, {rows[0], rows[1]});
    }
    for (std::size_t k = 0; k < rows.size(); ++k) {
      check_label_count(labels[k].name, labels[k].labels, rows[k].rows.rows());
    }
    if (upstream != nullptr) {
      check_upstream(*upstream, reduction, rows[0].rows.rows());
      for (std::size_t k = 0; k < rows.size(); ++k) {
        const std::string name = (sets == 1 ? "d" : "d_") + std::string(rows[k].name);
        gradients[k]->check_shape(name.c_str(), rows[k].rows.rows(), rows[k].rows.cols());
      }
      check_parameter_gradient<S>(kernel, call);
    }
    S* key_codes = nullptr;
    classes_ = classify<S>(scratch_, labels[0].labels, labels.back().labels, key_codes);
    codes_ = {classes_.code, key_codes};
    batch_.emplace(scratch_, threads_, kernel_, rows);
    walk_.emplace(scratch_, threads_, kernel_, batch_->rows(0), batch_->rows(sets - 1),
                  sets == 1 ? Pairing::others : Pairing::all);
  }

  Index anchors() const { return batch_->rows(0).rows; }
  const ClassCodes<S>& codes() const { return codes_; }
  /// dL/d(value) as weights need it: 1 when there is none.
  const Upstream& upstream() const { return upstream_ != nullptr ? *upstream_ : one_; }
  bool wants_gradients() const { return upstream_ != nullptr; }
  Scratch& scratch() { return scratch_; }

  Index positives(Index i) const { return classes_.members[i] - (sets == 1 ? 1 : 0); }
  Index negatives(Index i) const { return batch_->rows(sets - 1).rows - classes_.members[i]; }

  /// Number of anchors for which is_one(has a positive, has a negative).
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

  /// Statistics of all anchors, without gradients.
  template <class P>
  typename P::Row* look(const P& loss, Diagnostics& d) {
    return walk_->forward(loss, d);
  }

  /// Statistics of all anchors, with gradients when the call wants any.
  template <class P>
  typename P::Row* run(const P& loss, Diagnostics& d) {
    if (upstream_ == nullptr) return walk_->forward(loss, d);
    RowGradients<S>& of_queries = batch_->want(0, *gradients_[0], call_);
    RowGradients<S>& of_keys =
        sets == 1 ? of_queries : batch_->want(sets - 1, *gradients_.back(), call_);
    return walk_->forward_backward(loss, of_queries, of_keys, d);
  }

  /// What gradients are multiplied by, once the terms are counted.
  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream()); }

  /// Gradients times `scale` into the caller's buffers, when the call wants any.
  void hand_back(double scale) {
    if (upstream_ != nullptr) batch_->hand_back(scale, gradients_, call_);
  }

 private:
  Scratch scratch_;
  int threads_;
  const K& kernel_;
  Reduction reduction_;
  const Upstream* upstream_;
  Upstream one_{1.0};
  Gradients gradients_;
  CallOptions<S>& call_;
  Classes<S> classes_;
  ClassCodes<S> codes_{};
  std::optional<Batch<S, K, sets>> batch_;
  std::optional<Walk<S, K>> walk_;
};

}  // namespace nearfar::detail
