#pragma once

#include "arguments.hpp"
#include "nearfar/c/losses.h"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"

/// \file
/// From a number and a matrix to a kernel's type.

namespace nearfar::detail::c {

/// The kernels that a loss has.
template <nearfar_kernel... kinds>
struct Kernels {};

using SymmetricSimilarities = Kernels<NEARFAR_COSINE, NEARFAR_INNER_PRODUCT>;
using Similarities = Kernels<NEARFAR_COSINE, NEARFAR_INNER_PRODUCT, NEARFAR_BILINEAR>;
using Distances = Kernels<NEARFAR_EUCLIDEAN, NEARFAR_SQUARED_EUCLIDEAN, NEARFAR_COSINE_DISTANCE,
                          NEARFAR_MAHALANOBIS>;
using SymmetricKernels =
    Kernels<NEARFAR_COSINE, NEARFAR_INNER_PRODUCT, NEARFAR_EUCLIDEAN, NEARFAR_SQUARED_EUCLIDEAN,
            NEARFAR_COSINE_DISTANCE, NEARFAR_MAHALANOBIS>;
using AllKernels =
    Kernels<NEARFAR_COSINE, NEARFAR_INNER_PRODUCT, NEARFAR_EUCLIDEAN, NEARFAR_SQUARED_EUCLIDEAN,
            NEARFAR_COSINE_DISTANCE, NEARFAR_MAHALANOBIS, NEARFAR_BILINEAR>;

constexpr bool has_matrix(nearfar_kernel kind) {
  return kind == NEARFAR_MAHALANOBIS || kind == NEARFAR_BILINEAR;
}

/// Kernel `kind` for rows of S.
template <class S, nearfar_kernel kind>
auto kernel_of(const nearfar_rows& matrix) {
  if constexpr (kind == NEARFAR_COSINE) {
    return Cosine();
  } else if constexpr (kind == NEARFAR_INNER_PRODUCT) {
    return InnerProduct();
  } else if constexpr (kind == NEARFAR_EUCLIDEAN) {
    return Euclidean();
  } else if constexpr (kind == NEARFAR_SQUARED_EUCLIDEAN) {
    return SquaredEuclidean();
  } else if constexpr (kind == NEARFAR_COSINE_DISTANCE) {
    return CosineDistance();
  } else if constexpr (kind == NEARFAR_MAHALANOBIS) {
    return Mahalanobis<S>(rows_of<S>("matrix", matrix));
  } else {
    static_assert(kind == NEARFAR_BILINEAR);
    return Bilinear<S>(rows_of<S>("matrix", matrix));
  }
}

/// A kernel as a loss's settings name it.
struct KernelChoice {
  nearfar_kernel kind;
  nearfar_rows matrix;

  /// Throws unless there is a matrix where the kernel has one, and none where it has none.
  void check() const {
    if (has_matrix(kind) == (matrix.scalar != 0)) return;
    if (has_matrix(kind)) fail_argument("matrix", "the kernel's", "none");
    fail_argument("matrix", "none for a kernel without one", "a matrix");
  }

  /// Calls body(kernel) with the kernel for rows of S. Throws when it is none of `kinds`.
  template <class S, nearfar_kernel... kinds, class Body>
  void with_kernel(Kernels<kinds...>, const Body& body) const {
    const bool found =
        ((kind == kinds && (body(kernel_of<S, kinds>(matrix)), true)) || ... || false);
    if (found) return;
    std::string wanted;
    ((wanted += (wanted.empty() ? "" : ", ") + std::to_string(kinds)), ...);
    fail_argument("kernel", "one that the loss has, of nearfar_kernel " + wanted,
                  std::to_string(kind));
  }
};

}  // namespace nearfar::detail::c
