#pragma once

#include <array>
#include <span>
#include <string>

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

/// As the caller writes it; a number that is none as it is.
inline std::string name_of_kernel(nearfar_kernel kind) {
  constexpr std::array names = {"NEARFAR_COSINE",          "NEARFAR_INNER_PRODUCT",
                                "NEARFAR_EUCLIDEAN",       "NEARFAR_SQUARED_EUCLIDEAN",
                                "NEARFAR_COSINE_DISTANCE", "NEARFAR_MAHALANOBIS",
                                "NEARFAR_BILINEAR"};
  static_assert(names.size() == NEARFAR_BILINEAR + 1);
  if (kind < 0 || kind > NEARFAR_BILINEAR) return std::to_string(kind);
  return names[static_cast<std::size_t>(kind)];
}

constexpr bool has_matrix(nearfar_kernel kind) {
  return kind == NEARFAR_MAHALANOBIS || kind == NEARFAR_BILINEAR;
}

/// A kernel as settings name it.
struct KernelChoice {
  nearfar_kernel kind;
  nearfar_rows matrix;

  /// Throws unless there is a matrix where the kernel has one, and none where it has none.
  void check() const {
    if (has_matrix(kind) == (matrix.scalar != 0)) return;
    if (has_matrix(kind)) fail_argument("matrix", "the kernel's", "none");
    fail_argument("matrix", "none for a kernel without one", "a matrix");
  }

  /// body(kernel) with the kernel for rows of S. Throws when it is none of K.
  template <class S, class... K, class Body>
  auto with_kernel(registered::KernelList<K...> list, const Body& body) const {
    check_one_of(std::array{number_of<K>...});
    return with_one_of<S>(list, body);
  }

 private:
  void check_one_of(std::span<const nearfar_kernel> kernels) const {
    std::string wanted;
    for (const nearfar_kernel one : kernels) {
      if (one == kind) return;
      wanted += (wanted.empty() ? "" : " or ") + name_of_kernel(one);
    }
    fail_argument("kernel", wanted, name_of_kernel(kind));
  }

  template <class S, class First, class... K, class Body>
  auto with_one_of(registered::KernelList<First, K...>, const Body& body) const {
    if constexpr (sizeof...(K) > 0) {
      if (kind != number_of<First>) {
        return with_one_of<S>(registered::KernelList<K...>(), body);
      }
    }
    return body(make<S, First>());
  }

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
