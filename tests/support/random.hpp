#pragma once

#include <cmath>
#include <cstdint>
#include <nearfar/core/matrix.hpp>
#include <utility>
#include <vector>

/// \file
/// Numbers that are the same on every machine, so that a failing test fails everywhere.

namespace support {

using nearfar::Index;
using nearfar::Matrix;

/// SplitMix64 (Steele, Lea & Flood, Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// A number in [-1, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-52 - 1; }

  /// An integer in 0 .. n-1.
  Index below(Index n) { return static_cast<Index>(bits() % static_cast<std::uint64_t>(n)); }

 private:
  std::uint64_t state_;
};

/// A matrix of elements in [-1, 1).
template <class S>
Matrix<S> uniform_matrix(Index rows, Index cols, std::uint64_t seed) {
  Random random(seed);
  Matrix<S> out(rows, cols);
  for (Index i = 0; i < rows; ++i) {
    for (Index k = 0; k < cols; ++k) out(i, k) = static_cast<S>(random.uniform());
  }
  return out;
}

/// Rows of length about one, for any number of elements: inner products and distances then fit the
/// usual temperatures and margins.
template <class S>
Matrix<S> random_rows(Index rows, Index cols, std::uint64_t seed) {
  const double scale = std::sqrt(3.0 / static_cast<double>(cols > 0 ? cols : 1));
  return uniform_matrix<S>(rows, cols, seed) * static_cast<S>(scale);
}

/// Labels in 0 .. classes-1.
inline std::vector<int> random_labels(Index count, int classes, std::uint64_t seed) {
  Random random(seed);
  std::vector<int> out(static_cast<std::size_t>(count));
  for (int& label : out) label = static_cast<int>(random.below(classes));
  return out;
}

/// Numbers in [0.5, 1.5), for use as upstream.
inline std::vector<double> random_upstream(Index count, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> out(static_cast<std::size_t>(count));
  for (double& u : out) u = 1 + random.uniform() / 2;
  return out;
}

/// 0 .. n-1 in another order.
inline std::vector<Index> random_order(Index n, std::uint64_t seed) {
  Random random(seed);
  std::vector<Index> order(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
  for (Index i = n; i > 1; --i) {
    std::swap(order[static_cast<std::size_t>(i - 1)],
              order[static_cast<std::size_t>(random.below(i))]);
  }
  return order;
}

/// The rows of x in the given order.
template <class S>
Matrix<S> reordered(const Matrix<S>& x, const std::vector<Index>& order) {
  Matrix<S> out(static_cast<Index>(order.size()), x.cols());
  for (Index i = 0; i < out.rows(); ++i) out.row(i) = x.row(order[static_cast<std::size_t>(i)]);
  return out;
}

/// An orthogonal d x d matrix: a product of reflections.
inline Matrix<double> random_rotation(Index d, std::uint64_t seed) {
  Matrix<double> q = Matrix<double>::Identity(d, d);
  for (std::uint64_t k = 0; k < 4; ++k) {
    const Matrix<double> v = uniform_matrix<double>(1, d, seed + k);
    q -= (2 / v.squaredNorm()) * (q * v.transpose()) * v;
  }
  return q;
}

}  // namespace support
