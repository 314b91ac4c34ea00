#pragma once

#include <concepts>
#include <type_traits>

#include "nearfar/core/matrix.hpp"

/// \file
/// What a kernel is. A kernel turns two rows into a score in two steps: a geometry, computed by
/// the library for whole tiles at once, gives one number u for a pair of rows; the kernel's own
/// function turns u into the score s and says how s changes with u.

namespace nearfar {

/// The number u that a kernel is a function of, for rows x and y.
enum class Geometry {
  inner_product,    ///< u = x . y
  cosine,           ///< u = x . y / (|x| |y|), 0 when a row is zero
  squared_distance  ///< u = |x - y|^2 >= 0
};

/// Whether near means a large score or a small one.
enum class Orientation { similarity, distance };

/// A kernel: a score that is a function of one number a pair of rows. To write one, give a type
/// - `static constexpr Geometry geometry` and `static constexpr Orientation orientation`,
/// - `score(u)`: the score s for u, and `slope(u, s)`: ds/du, both const, for float and double,
///   finite for every u the geometry can produce (at a kink: a subgradient, by custom 0).
///
/// A kernel that also accepts the library's vectors (see euclidean.hpp) says so by
/// `static constexpr bool vectorised = true`, and is then computed several scores at a time.
///
/// Example, a Gaussian similarity s = exp(-|x - y|^2 / 2):
/// ```cpp
/// struct Gaussian {
///   static constexpr auto geometry = nearfar::Geometry::squared_distance;
///   static constexpr auto orientation = nearfar::Orientation::similarity;
///   template <class S> S score(S u) const { return std::exp(-u / 2); }
///   template <class S> S slope(S, S s) const { return -s / 2; }
/// };
/// ```
template <class K>
concept Kernel = requires(const K& k, float f, double d) {
  { K::geometry } -> std::convertible_to<Geometry>;
  { K::orientation } -> std::convertible_to<Orientation>;
  { k.score(f) } -> std::same_as<float>;
  { k.score(d) } -> std::same_as<double>;
  { k.slope(f, f) } -> std::same_as<float>;
  { k.slope(d, d) } -> std::same_as<double>;
};

/// A kernel with a matrix parameter: rows are mapped by it (x -> P x) before the geometry sees
/// them. `maps_queries` and `maps_keys` say which side; `parameter()` is the matrix, outputs x
/// inputs. Its gradient is dL/dP = sum_i g_i x_i^T over the mapped rows, g_i = dL/d(P x_i).
template <class K>
concept ParametricKernel = Kernel<K> && requires(const K& k) {
  { K::maps_queries } -> std::convertible_to<bool>;
  { K::maps_keys } -> std::convertible_to<bool>;
  typename K::Scalar;
  { k.parameter() } -> std::same_as<Rows<typename K::Scalar>>;
};

namespace detail {

template <class K>
constexpr bool is_vectorised() {
  if constexpr (requires { K::vectorised; }) {
    return K::vectorised;
  } else {
    return false;
  }
}

/// Whether s = u, so that there is nothing to compute.
template <class K>
constexpr bool is_identity() {
  if constexpr (requires { K::identity; }) {
    return K::identity;
  } else {
    return false;
  }
}

template <class K>
constexpr bool maps_queries() {
  if constexpr (ParametricKernel<K>) {
    return K::maps_queries;
  } else {
    return false;
  }
}

template <class K>
constexpr bool maps_keys() {
  if constexpr (ParametricKernel<K>) {
    return K::maps_keys;
  } else {
    return false;
  }
}

/// The kernel's matrix, or an empty view.
template <class S, Kernel K>
Rows<S> parameter_of(const K& k) {
  if constexpr (ParametricKernel<K>) {
    static_assert(std::is_same_v<typename K::Scalar, S>,
                  "nearfar: a kernel's matrix and the rows must have the same scalar type");
    return k.parameter();
  } else {
    static_cast<void>(k);
    return {};
  }
}

/// +1 when a larger score is nearer, -1 when a smaller one is.
template <Kernel K>
constexpr int nearness_sign = K::orientation == Orientation::similarity ? 1 : -1;

}  // namespace detail
}  // namespace nearfar
