#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <random>
#include <vector>

/// \file
/// The same data in every run, for all participants of a loss.

namespace bench {

template <class S>
using RowMatrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows of independent normal numbers.
template <class S>
RowMatrix<S> normal_rows(Eigen::Index rows, Eigen::Index cols, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  return RowMatrix<S>::NullaryExpr(rows, cols, [&] { return static_cast<S>(normal(generator)); });
}

/// The number of classes of n rows: 32, or fewer for few rows, so that each has two rows.
inline Eigen::Index classes_of(Eigen::Index n) { return std::clamp<Eigen::Index>(n / 4, 2, 32); }

/// Classes in turn.
inline std::vector<int> labels(Eigen::Index n) {
  const Eigen::Index classes = classes_of(n);
  std::vector<int> out;
  for (Eigen::Index i = 0; i < n; ++i) out.push_back(static_cast<int>(i % classes));
  return out;
}

}  // namespace bench
