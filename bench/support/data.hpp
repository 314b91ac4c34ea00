#pragma once

#include <Eigen/Core>
#include <random>
#include <vector>

/// \file
/// The same data in every run, for everybody who computes the same loss.

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

/// Queries, and keys near them. The matrix is part of the name: files that know Eigen by other
/// names have other bodies of it.
template <class S, class M = RowMatrix<S>>
struct TwoViews {
  M x;
  M y;

  TwoViews(Eigen::Index n, Eigen::Index d)
      : x(normal_rows<S>(n, d, 1)), y(x + normal_rows<S>(n, d, 2)) {}
};

/// 32 classes in turn.
inline std::vector<int> labels(Eigen::Index n) {
  std::vector<int> out(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int>(i % 32);
  return out;
}

inline constexpr double temperature = 0.1;

/// Distances of normal rows are about sqrt(2 d): a margin of a tenth leaves triplets of each kind.
inline double triplet_margin(Eigen::Index d) {
  return std::sqrt(2.0 * static_cast<double>(d)) / 10;
}
inline double hadsell_margin(Eigen::Index d) { return std::sqrt(2.0 * static_cast<double>(d)); }

}  // namespace bench
