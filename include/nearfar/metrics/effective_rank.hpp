#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/core/parallel.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/tiles/prepared_rows.hpp"
#include "nearfar/tiles/products.hpp"

/// \file
/// Singular values of a set of rows, by the eigenvalues of the smaller of their two Gram matrices.

namespace nearfar::detail {

/// A square matrix of which the part right of and on the diagonal is filled.
struct UpperGram {
  const double* data;
  Index size;
  Index stride;
};

/// X^T X, or X X^T where that is smaller, of rows divided by `unit` > 0, in double. Each element's
/// sum has one order, whatever the number of threads.
template <class S>
UpperGram upper_gram(Scratch& scratch, int threads, const Rows<S>& x, double unit) {
  using Shape = BlockShape<double>;
  const bool of_columns = x.cols() <= x.rows();
  const Index size = of_columns ? x.cols() : x.rows();
  const Index depth = of_columns ? x.rows() : x.cols();
  const Index stride = padded_stride<double>(size);
  const Index panels = tasks_of(size, Shape::rows);
  double* gram = scratch.take<double>(panels * Shape::rows * stride);
  std::fill_n(gram, panels * Shape::rows * stride, 0.0);
  // A piece of W, W^T W the result: some rows of X, or some columns of it as rows.
  constexpr Index height = 192;
  double* w = scratch.take<double>(height * stride);
  for (Index first = 0; first < depth; first += height) {
    const Index count = std::min(height, depth - first);
    parallel_tasks(count, threads, [&](Index r, int) {
      double* to = w + r * stride;
      const Index t = first + r;
      for (Index j = 0; j < size; ++j) {
        to[j] = static_cast<double>(of_columns ? x.row(t)[j] : x.row(j)[t]) / unit;
      }
      std::fill(to + size, to + stride, 0.0);
    });
    parallel_tasks(panels, threads, [&](Index p, int) {
      const Index row = p * Shape::rows;
      const Index col = round_down(row, Shape::cols);
      multiply_transposed(w + row, stride, 1, count, w + col, stride, size - col,
                          gram + row * stride + col, stride);
    });
  }
  return {gram, size, stride};
}

/// exp of the entropy of the singular values divided by their sum; 0 when all are zero. Eigenvalues
/// of a Gram matrix have errors of about a rounding of the largest: those that may be nothing else
/// count as zero, which are singular values below sqrt(size epsilon) of the largest.
inline double effective_rank(const UpperGram& gram) {
  // Eigen reads the lower part, by columns: the same numbers.
  using Lower = Eigen::Map<const Eigen::MatrixXd, 0, Eigen::OuterStride<>>;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      Lower(gram.data, gram.size, gram.size, Eigen::OuterStride<>(gram.stride)),
      Eigen::EigenvaluesOnly);
  const auto& squares = solver.eigenvalues();  // in increasing order
  const double largest = squares[gram.size - 1];
  const double least =
      static_cast<double>(gram.size) * std::numeric_limits<double>::epsilon() * largest;
  const auto singular = [&](Index k) { return squares[k] > least ? std::sqrt(squares[k]) : 0; };
  double sum = 0;
  for (Index k = 0; k < gram.size; ++k) sum += singular(k);
  if (!(sum > 0)) return 0;
  double entropy = 0;
  for (Index k = 0; k < gram.size; ++k) {
    const double p = singular(k) / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

}  // namespace nearfar::detail
