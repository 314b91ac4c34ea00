#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "nearfar/core/labels.hpp"
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
  Exchange::Ticket tickets_[4] = {};
  int pending_ = 0;
};

/// Memory for rows, their labels and ids.
template <class S>
struct RowMemory {
  S* rows = nullptr;
  Index cols = 0;
  std::int64_t* labels = nullptr;  ///< null where there are none
  std::int64_t* ids = nullptr;

  RowMemory() = default;
  RowMemory(Scratch& scratch, Index count, Index elements, bool labelled, bool has_ids)
      : rows(scratch.take<S>(count * elements)),
        cols(elements),
        labels(labelled ? scratch.take<std::int64_t>(count) : nullptr),
        ids(has_ids ? scratch.take<std::int64_t>(count) : nullptr) {}

  RowMemory from(Index first) const {
    RowMemory out = *this;
    out.rows += first * cols;
    if (labels != nullptr) out.labels += first;
    if (ids != nullptr) out.ids += first;
    return out;
  }

  void send(Transfer& out, int to, Index count) const {
    out.send(to, labels, count);
    out.send(to, ids, count);
    out.send(to, rows, count * cols);
  }
  void receive(Transfer& in, int from, Index count) const {
    in.receive(from, labels, count);
    in.receive(from, ids, count);
    in.receive(from, rows, count * cols);
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
