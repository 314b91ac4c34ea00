#pragma once

#include <algorithm>
#include <nearfar/adapters/torch.hpp>
#include <vector>

#include "support/random.hpp"

/// \file
/// Tensors to call losses with.

namespace adapters {

using at::Tensor;
using support::Index;
namespace libtorch = nearfar::libtorch;

/// n x d of double, of length about one.
inline Tensor rows(Index n, Index d, std::uint64_t seed) {
  auto matrix = support::random_rows<double>(n, d, seed);
  return at::from_blob(matrix.data(), {n, d}, at::kDouble).clone();
}

/// The same, to be differentiated by.
inline Tensor leaf(Index n, Index d, std::uint64_t seed) {
  return rows(n, d, seed).requires_grad_(true);
}

/// Rows as a tensor, to be differentiated by.
template <class S>
Tensor leaf_of(const nearfar::Matrix<S>& m) {
  Tensor out = at::empty({m.rows(), m.cols()}, c10::CppTypeToScalarType<S>::value);
  std::copy(m.data(), m.data() + m.size(), out.template data_ptr<S>());
  return out.requires_grad_(true);
}

inline Tensor number(double value) { return at::scalar_tensor(value, at::kDouble); }

inline Tensor integers(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

/// The elements, as nearfar's classes take them.
inline nearfar::Matrix<double> matrix(const Tensor& x) {
  const Tensor y = x.detach().contiguous();
  return Eigen::Map<const nearfar::Matrix<double>>(y.data_ptr<double>(), y.size(0), y.size(1));
}

inline bool same(const Tensor& x, const nearfar::Matrix<double>& y) { return matrix(x) == y; }

}  // namespace adapters
