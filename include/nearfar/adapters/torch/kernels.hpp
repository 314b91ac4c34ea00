#pragma once

#include "nearfar/adapters/torch/views.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/kernels/mahalanobis.hpp"

namespace nearfar::libtorch {

/// Bilinear's similarity s(a, b) = b^T W a with W (B x A) a tensor, of the rows' type, that gets a
/// gradient where it requires one. `info_nce(queries, keys, {}, {}, BilinearTensor{weight})`.
struct BilinearTensor {
  Tensor matrix;
};

/// Mahalanobis's distance |L (x - y)| with L (E x D) a tensor, likewise.
struct MahalanobisTensor {
  Tensor matrix;
};

namespace detail {

/// nearfar's kernel for a kernel of tensors: itself, when it has no matrix.
template <class S, class K>
struct KernelOver {
  using Type = K;
  static Type make(const K& kernel, const Rows<S>&) { return kernel; }
};

template <class S, template <class> class OverMatrix>
struct KernelOverMatrix {
  using Type = OverMatrix<S>;
  /// The kernel holds a view of the matrix.
  static Type make(const auto&, const Rows<S>& matrix) {
    const Eigen::Map<const Matrix<S>, Eigen::Unaligned, Eigen::OuterStride<>> map(
        matrix.data(), matrix.rows(), matrix.cols(), Eigen::OuterStride<>(matrix.stride()));
    return Type(map);
  }
};
template <class S>
struct KernelOver<S, BilinearTensor> : KernelOverMatrix<S, Bilinear> {};
template <class S>
struct KernelOver<S, MahalanobisTensor> : KernelOverMatrix<S, Mahalanobis> {};

}  // namespace detail
}  // namespace nearfar::libtorch
