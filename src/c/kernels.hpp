#pragma once

#include "arguments.hpp"
#include "nearfar/c/losses.h"
#include "nearfar/losses/register.hpp"

/// \file
/// From a number and a matrix to a kernel's type.

namespace nearfar::detail::c {

/// The number of a kernel.
template <class K>
inline constexpr nearfar_kernel number_of = -1;
template <>
inline constexpr nearfar_kernel number_of<Cosine> = NEARFAR_COSINE;
template <>
inline constexpr nearfar_kernel number_of<InnerProduct> = NEARFAR_INNER_PRODUCT;
template <>
inline constexpr nearfar_kernel number_of<Euclidean> = NEARFAR_EUCLIDEAN;
template <>
inline constexpr nearfar_kernel number_of<SquaredEuclidean> = NEARFAR_SQUARED_EUCLIDEAN;
template <>
inline constexpr nearfar_kernel number_of<CosineDistance> = NEARFAR_COSINE_DISTANCE;
template <class S>
inline constexpr nearfar_kernel number_of<Mahalanobis<S>> = NEARFAR_MAHALANOBIS;
template <class S>
inline constexpr nearfar_kernel number_of<Bilinear<S>> = NEARFAR_BILINEAR;

constexpr bool has_matrix(nearfar_kernel kind) {
  return kind == NEARFAR_MAHALANOBIS || kind == NEARFAR_BILINEAR;
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

  /// Calls body(kernel) with the kernel for rows of S. Throws when it is none of K.
  template <class S, class... K, class Body>
  void with_kernel(registered::KernelList<K...>, const Body& body) const {
    const bool found = ((kind == number_of<K> && (body(make<S, K>()), true)) || ... || false);
    if (found) return;
    std::string wanted;
    ((wanted += (wanted.empty() ? "" : ", ") + std::to_string(number_of<K>)), ...);
    fail_argument("kernel", "one that the loss has, of nearfar_kernel " + wanted,
                  std::to_string(kind));
  }

 private:
  template <class S, class K>
  K make() const {
    static_assert(number_of<K> >= 0);
    if constexpr (ParametricKernel<K>) {
      return K(rows_of<S>("matrix", matrix));
    } else {
      return K();
    }
  }
};

}  // namespace nearfar::detail::c
