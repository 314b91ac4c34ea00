#pragma once

#include "nearfar/tiles/prepared_rows.hpp"

/// \file
/// Two sets of rows as one: what losses over two views of a batch compare with itself.

namespace nearfar::detail {

/// Rows of x above rows of y (of equal cols), copied.
template <class S>
Rows<S> stack(Scratch& scratch, int threads, const Rows<S>& x, const Rows<S>& y) {
  const Index cols = x.cols();
  S* data = scratch.take<S>((x.rows() + y.rows()) * cols);
  copy_padded(x, static_cast<const S*>(nullptr), threads, data, cols, x.rows());
  copy_padded(y, static_cast<const S*>(nullptr), threads, data + x.rows() * cols, cols, y.rows());
  return {data, x.rows() + y.rows(), cols};
}

/// Where the other view of each row of a stack of two views of `samples` is.
inline const Index* partners(Scratch& scratch, Index samples) {
  Index* partner = scratch.take<Index>(2 * samples);
  for (Index i = 0; i < 2 * samples; ++i) partner[i] = i < samples ? i + samples : i - samples;
  return partner;
}

/// Hands rows [first, first + count) of `from` to a caller's buffer, which is open.
template <class S>
void hand_out(const Rows<S>& from, Index first, Index count, int threads,
              const GradientRows<S>& out) {
  if (!out.wanted()) return;
  parallel_tasks(tasks_of(count, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(count, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      const S* g = from.row(first + i);
      S* to = out.row(i);
      for (Index k = 0; k < from.cols(); ++k) to[k] = out.accumulates() ? to[k] + g[k] : g[k];
    }
  });
}

/// The gradient of a stack, which its two parts share.
template <class S>
class StackGradient {
 public:
  StackGradient(Scratch& scratch, const Rows<S>& stacked, bool wanted)
      : rows_(stacked.rows()),
        cols_(stacked.cols()),
        data_(wanted ? scratch.take<S>(rows_ * cols_) : nullptr) {}

  GradientRows<S> rows() const {
    if (data_ == nullptr) return no_gradient;
    return GradientRows<S>(data_, rows_, cols_);
  }

  /// To buffers that are open.
  void hand_out(Index upper_rows, int threads, const GradientRows<S>& upper,
                const GradientRows<S>& lower) const {
    if (data_ == nullptr) return;
    const Rows<S> all(data_, rows_, cols_);
    detail::hand_out(all, 0, upper_rows, threads, upper);
    detail::hand_out(all, upper_rows, rows_ - upper_rows, threads, lower);
  }

 private:
  Index rows_;
  Index cols_;
  S* data_;
};

}  // namespace nearfar::detail
