#pragma once

#include <algorithm>
#include <numeric>

#include "nearfar/core/classes.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// The means of the rows of each class, and the gradients of rows from those of means.

namespace nearfar::detail {

template <class S>
class Centroids {
 public:
  /// The means of the classes of x, in order of labels. Each is summed in double in the order of
  /// rows.
  Centroids(Scratch& scratch, int threads, const Rows<S>& x, const Labels& labels)
      : threads_(threads),
        cols_(x.cols()),
        class_(scratch.take<Index>(x.rows())),
        begin_(scratch.take<Index>(x.rows() + 1)) {
    const Index n = x.rows();
    Index* order = scratch.take<Index>(n);
    std::iota(order, order + n, Index(0));
    std::sort(order, order + n, [&](Index a, Index b) {
      return labels[a] != labels[b] ? labels[a] < labels[b] : a < b;
    });
    for (Index k = 0; k < n; ++k) {
      if (k == 0 || labels[order[k]] != labels[order[k - 1]]) begin_[count_++] = k;
      class_[order[k]] = count_ - 1;
    }
    begin_[count_] = n;
    S* means = scratch.take<S>(count_ * cols_);
    means_ = means;
    double* sums = scratch.take<double>(std::max(1, threads) * cols_);
    parallel_tasks(count_, threads, [&](Index c, int worker) {
      double* sum = sums + worker * cols_;
      std::fill_n(sum, cols_, 0.0);
      for (Index k = begin_[c]; k < begin_[c + 1]; ++k) {
        each_part(x, order[k], [&](Index first, Index size, const S* part) {
          row_loops<S>().add_in_double(size, part, sum + first);
        });
      }
      const auto size = static_cast<double>(members(c));
      for (Index k = 0; k < cols_; ++k) means[c * cols_ + k] = saturated<S>(sum[k] / size);
    });
  }

  /// The number of classes.
  Index count() const { return count_; }
  Rows<S> rows() const { return {means_, count_, cols_}; }
  /// The class of each row.
  const Index* classes() const { return class_; }
  /// The number of rows of class c.
  Index members(Index c) const { return begin_[c + 1] - begin_[c]; }
  /// The number of rows of the class of row i.
  Index size_of(Index i) const { return members(class_[i]); }

  /// Adds the gradients of the means to those of their rows, both packed for a squared distance
  /// without a matrix. Overwrites those of the means.
  void add_to_rows(const PackedRows<S>& means, RowGradients<S>& d_means, const PackedRows<S>& x,
                   RowGradients<S>& dx) const {
    each_row(count_, threads_, [&](Index c) {
      S* const g = d_means.data + c * means.stride;
      combine(1 / static_cast<double>(members(c)), d_means.weight[c], cols_, means.row(c), g, g);
      d_means.weight[c] = 0;
    });
    each_row(x.rows, threads_, [&](Index i) {
      row_loops<S>().add(cols_, d_means.data + class_[i] * means.stride, dx.data + i * x.stride);
    });
  }

 private:
  int threads_;
  Index cols_;
  Index* class_;
  Index* begin_;  ///< of each class, in the list of rows by label
  Index count_ = 0;
  const S* means_ = nullptr;
};

}  // namespace nearfar::detail
