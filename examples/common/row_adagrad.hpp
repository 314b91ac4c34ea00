#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <numeric>
#include <vector>

/// \file
/// The optimizer of tables of which a step changes few rows.

namespace example {

/// Adagrad (Duchi et al. 2011): a number's step is learning_rate x gradient / sqrt(a + sum of the
/// squares of all its gradients), a = 1. Rows without a gradient cost nothing.
template <class S>
class RowAdagrad {
 public:
  using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  RowAdagrad(Eigen::Index rows, Eigen::Index cols) : squares_(Matrix::Ones(rows, cols)) {}

  /// One step of gradient descent: row k of `gradients` belongs to row which[k] of the table. The
  /// gradients of a repeated row are added up first, in order. Columns of the table at the right
  /// without a gradient do not change.
  void step(Matrix& table, const std::vector<Eigen::Index>& which, const Matrix& gradients,
            double learning_rate) {
    order_.resize(which.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return which[a] < which[b]; });
    for (std::size_t k = 0; k < order_.size();) {
      const Eigen::Index row = which[order_[k]];
      sum_ = gradients.row(static_cast<Eigen::Index>(order_[k]));
      for (++k; k < order_.size() && which[order_[k]] == row; ++k) {
        sum_ += gradients.row(static_cast<Eigen::Index>(order_[k]));
      }
      auto squares = squares_.row(row).head(sum_.size()).array();
      squares += sum_.array().square();
      table.row(row).head(sum_.size()).array() -=
          static_cast<S>(learning_rate) * sum_.array() / squares.sqrt();
    }
  }

 private:
  Matrix squares_;
  std::vector<std::size_t> order_;
  Eigen::Matrix<S, 1, Eigen::Dynamic> sum_;
};

}  // namespace example
