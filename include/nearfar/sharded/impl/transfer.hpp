#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "nearfar/core/targets.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/sharded/exchange.hpp"

/// \file
/// Messages between processes: rows and gradients of rows.

namespace nearfar::detail {

/// Arrays that are under way together.
class Transfer {
 public:
  Transfer(Exchange& exchange, int channel) : exchange_(exchange), channel_(channel) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  template <class T>
  void send(int to, const T* data, Index count) {
    if (data == nullptr || count == 0) return;
    tickets_[pending_++] = exchange_.start_send(to, channel_, data, count * Index(sizeof(T)));
  }
  template <class T>
  void receive(int from, T* data, Index count) {
    if (data == nullptr || count == 0) return;
    tickets_[pending_++] = exchange_.start_receive(from, channel_, data, count * Index(sizeof(T)));
  }
  void wait() {
    while (pending_ > 0) exchange_.wait(tickets_[--pending_]);
  }

 private:
  Exchange& exchange_;
  int channel_;
  Exchange::Ticket tickets_[5] = {};
  int pending_ = 0;
};

/// What each row of a set takes along.
struct RowLayout {
  Index cols = 0;
  Index gradient_cols = 0;  ///< of packed rows
  bool labels = false;
  Index label_words = 0;  ///< of a set of labels; 0 where rows have none
  bool ids = false;
  Index numbers = 0;  ///< of a loss's own
  Index words = 0;    ///< of 8 bytes, of a term's closed row

  /// What keys must have with them that are compared with rows of these targets. (Lists stay with
  /// their anchors.)
  void add(const Targets& targets) {
    labels = targets.rule() == Targets::Rule::labels;
    label_words =
        targets.rule() == Targets::Rule::multi_labels ? targets.multi_labels().words : Index(0);
    ids = targets.has_ids();
  }
};

/// Memory for rows and what they take along.
template <class S>
struct RowMemory {
  RowLayout layout;
  S* rows = nullptr;
  std::int64_t* labels = nullptr;  ///< null where there are none
  std::uint64_t* label_sets = nullptr;
  std::int64_t* ids = nullptr;
  double* numbers = nullptr;
  std::uint64_t* closed = nullptr;  ///< closed rows of a term

  RowMemory() = default;
  RowMemory(Scratch& scratch, Index count, const RowLayout& of)
      : layout(of),
        rows(scratch.take<S>(count * of.cols)),
        labels(of.labels ? scratch.take<std::int64_t>(count) : nullptr),
        label_sets(of.label_words > 0 ? scratch.take<std::uint64_t>(count * of.label_words)
                                      : nullptr),
        ids(of.ids ? scratch.take<std::int64_t>(count) : nullptr),
        numbers(of.numbers > 0 ? scratch.take<double>(count * of.numbers) : nullptr),
        closed(of.words > 0 ? scratch.take<std::uint64_t>(count * of.words) : nullptr) {
    if (numbers != nullptr) std::fill_n(numbers, count * of.numbers, 0.0);
  }

  RowMemory from(Index first) const {
    RowMemory out = *this;
    if (rows != nullptr) out.rows += first * layout.cols;
    if (labels != nullptr) out.labels += first;
    if (label_sets != nullptr) out.label_sets += first * layout.label_words;
    if (ids != nullptr) out.ids += first;
    if (numbers != nullptr) out.numbers += first * layout.numbers;
    if (closed != nullptr) out.closed += first * layout.words;
    return out;
  }

  /// The loss's own numbers and nothing else.
  RowMemory numbers_alone() const {
    RowMemory out;
    out.layout.numbers = layout.numbers;
    out.numbers = numbers;
    return out;
  }

  /// All but closed rows.
  RowMemory while_open() const {
    RowMemory out = *this;
    out.closed = nullptr;
    return out;
  }

  /// Copies `some` rows and their targets to the first places.
  void fill(const Rows<S>& some, const Targets& targets) const {
    for (Index i = 0; i < some.rows(); ++i) {
      copy_row(some, i, rows + i * layout.cols);
      if (labels != nullptr) labels[i] = targets.labels()[i];
      if (label_sets != nullptr) {
        std::copy_n(targets.multi_labels().bits + i * layout.label_words, layout.label_words,
                    label_sets + i * layout.label_words);
      }
      if (ids != nullptr) ids[i] = targets.ids()[i];
    }
  }

  /// Targets of the first `count` rows.
  Targets targets(Index count) const {
    Targets out;
    if (labels != nullptr) out = Targets(Labels(labels, count));
    if (label_sets != nullptr) out = Targets(MultiLabels{label_sets, count, layout.label_words});
    return ids != nullptr ? out.ids(Labels(ids, count)) : out;
  }

  void send(Transfer& out, int to, Index count) const {
    out.send(to, labels, count);
    out.send(to, label_sets, count * layout.label_words);
    out.send(to, ids, count);
    out.send(to, numbers, count * layout.numbers);
    out.send(to, closed, count * layout.words);
    out.send(to, rows, count * layout.cols);
  }
  void receive(Transfer& in, int from, Index count) const {
    in.receive(from, labels, count);
    in.receive(from, label_sets, count * layout.label_words);
    in.receive(from, ids, count);
    in.receive(from, numbers, count * layout.numbers);
    in.receive(from, closed, count * layout.words);
    in.receive(from, rows, count * layout.cols);
  }
};

/// Gradients of packed rows as they travel: without padding.
template <class S>
struct GradientMemory {
  S* rows = nullptr;
  Index cols = 0;
  double* weights = nullptr;  ///< null for geometries without

  GradientMemory() = default;
  GradientMemory(Scratch& scratch, Index count, Index elements, bool weighted)
      : rows(scratch.take<S>(count * elements)),
        cols(elements),
        weights(weighted ? scratch.take<double>(count) : nullptr) {}

  /// Of rows first .. first + count - 1, `stride` apart.
  void pack(const RowGradients<S>& g, Index stride, Index first, Index count) const {
    for (Index i = 0; i < count; ++i) {
      std::copy_n(g.data + (first + i) * stride, cols, rows + i * cols);
    }
    if (weights != nullptr) std::copy_n(g.weight + first, count, weights);
  }

  /// Adds them to the first `count` rows of g.
  void add_to(const RowGradients<S>& g, Index stride, Index count) const {
    for (Index i = 0; i < count; ++i) {
      row_loops<S>().add(cols, rows + i * cols, g.data + i * stride);
    }
    for (Index i = 0; weights != nullptr && i < count; ++i) g.weight[i] += weights[i];
  }

  void send(Transfer& out, int to, Index count) const {
    out.send(to, weights, count);
    out.send(to, rows, count * cols);
  }
  void receive(Transfer& in, int from, Index count) const {
    in.receive(from, weights, count);
    in.receive(from, rows, count * cols);
  }
};

}  // namespace nearfar::detail
