#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "nearfar/core/matrix.hpp"

/// \file
/// The kernel concept. A kernel turns two rows into a score in two steps. The geometry, which the
/// library computes for whole tiles, gives one number u for a pair of rows. The kernel's own
/// function turns u into the score s and gives ds/du.

namespace nearfar {

/// The geometry value u of two rows x and y. A kernel is a function of it.
enum class Geometry {
  inner_product,    ///< u = x . y
  cosine,           ///< u = x . y / (|x| |y|), 0 when a row is zero
  squared_distance  ///< u = |x - y|^2 >= 0
};

/// Whether near rows have a large score or a small one.
enum class Orientation { similarity, distance };

/// A kernel: a score that is a function of one number a pair of rows. A kernel of your own is a
/// type with
/// - `static constexpr Geometry geometry` and `static constexpr Orientation orientation`,
/// - `score(u)`: the score s for u, and `slope(u, s)`: ds/du, both const, for float and double,
///   finite for every u of the geometry (at a kink a subgradient, usually 0), and without
///   exceptions.
///
/// A loop over many pairs calls both; it is compiled in the file that names the kernel. All else
/// runs in the library's engine, with the processor's widest vectors.
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

/// A kernel with a matrix parameter, which maps rows (x -> P x) before the geometry is computed.
/// `maps_queries` and `maps_keys` select the sides; `parameter()` is the matrix, outputs x inputs.
/// Its gradient is dL/dP = sum_i g_i x_i^T over the mapped rows, g_i = dL/d(P x_i).
template <class K>
concept ParametricKernel = Kernel<K> && requires(const K& k) {
  { K::maps_queries } -> std::convertible_to<bool>;
  { K::maps_keys } -> std::convertible_to<bool>;
  typename K::Scalar;
  { k.parameter() } -> std::same_as<Rows<typename K::Scalar>>;
};

/// True if a kernel treats both rows of a pair alike. Losses over one set of rows need it.
template <Kernel K>
constexpr bool is_symmetric() {
  if constexpr (ParametricKernel<K>) {
    return K::maps_queries == K::maps_keys;
  } else {
    return true;
  }
}

namespace detail {

/// The functions of u with vector code in the engine, and `custom` for all others.
enum class ScoreFunction {
  identity,     ///< s = u
  square_root,  ///< s = sqrt(u)
  one_minus,    ///< s = 1 - u
  custom
};

/// A kernel of the library names its function, and its own class as the one whose `score` and
/// `slope` have that meaning. A derived kernel with a `score`, `slope` or geometry of its own is
/// thus custom.
template <Kernel K>
constexpr ScoreFunction score_function() {
  if constexpr (requires { typename K::FunctionOf; }) {
    using Of = typename K::FunctionOf;
    if constexpr (K::geometry == Of::geometry && requires {
                    requires std::is_same_v<decltype(&K::template score<float>),
                                            float (Of::*)(float) const>;
                    requires std::is_same_v<decltype(&K::template slope<float>),
                                            float (Of::*)(float, float) const>;
                  }) {
      return K::function;
    }
  }
  return ScoreFunction::custom;
}

/// Bounds of scores, both included.
struct ScoreBounds {
  double least;
  double most;
};

/// The bounds of a kernel of the library; infinite for a function of the user's own.
template <Kernel K>
constexpr ScoreBounds score_bounds() {
  constexpr double most = std::numeric_limits<double>::max();
  constexpr ScoreFunction function = score_function<K>();
  if (function == ScoreFunction::custom) return {-most, most};
  if (K::geometry == Geometry::squared_distance) return {0, most};
  if (K::geometry == Geometry::inner_product) return {-most, most};
  return function == ScoreFunction::one_minus ? ScoreBounds{0, 2} : ScoreBounds{-1, 1};
}

/// Throws std::invalid_argument unless an option is a finite number in the bounds of K's scores.
template <class S, Kernel K>
void check_score_option(std::string_view option, double value) {
  check_offset<S>(option, value);
  constexpr ScoreBounds bounds = score_bounds<K>();
  if (value >= bounds.least && value <= bounds.most) return;
  const std::string least = number_text(bounds.least);
  fail_argument(option,
                "a score that this kernel can have, " +
                    (bounds.most < std::numeric_limits<double>::max()
                         ? "from " + least + " to " + number_text(bounds.most)
                         : least + " or more"),
                number_text(value));
}

/// A kernel in the form of the engine. Refers to the kernel it is made from.
template <class S>
struct KernelValue {
  Geometry geometry = Geometry::inner_product;
  Orientation orientation = Orientation::similarity;
  ScoreFunction function = ScoreFunction::identity;
  bool maps_queries = false;
  bool maps_keys = false;
  /// Whether the mean of a row's elements is subtracted first. Only for squared distances and
  /// functions of them: the gradient then has no component along the vector of ones.
  bool centres_rows = false;
  Rows<S> parameter;             ///< empty for a kernel without a matrix
  const void* kernel = nullptr;  ///< the first argument of the two functions below
  /// s = score(u) for n geometry values; null unless the function is custom.
  void (*scores)(const void* kernel, Index n, const S* u, S* s) = nullptr;
  /// g *= slope(u, s) for n derivatives g = dL/ds, which become dL/du; null likewise.
  void (*chain)(const void* kernel, Index n, const S* u, const S* s, S* g) = nullptr;

  bool is_parametric() const { return maps_queries || maps_keys; }
  bool is_symmetric() const { return maps_queries == maps_keys; }
  /// 1 if a larger score is nearer, -1 if a smaller one is.
  int sign() const { return orientation == Orientation::similarity ? 1 : -1; }
  bool is_distance() const { return geometry == Geometry::squared_distance; }
  /// Whether a score is an inner product of packed rows, at most clamped.
  bool scores_are_products() const {
    return !is_distance() && function == ScoreFunction::identity &&
           orientation == Orientation::similarity;
  }
};

template <class S, Kernel K>
KernelValue<S> kernel_value(const K& kernel) {
  KernelValue<S> out;
  out.geometry = K::geometry;
  out.orientation = K::orientation;
  out.function = score_function<K>();
  if constexpr (ParametricKernel<K>) {
    static_assert(std::is_same_v<typename K::Scalar, S>,
                  "nearfar: a kernel's matrix and the rows must have the same scalar type");
    out.maps_queries = K::maps_queries;
    out.maps_keys = K::maps_keys;
    out.parameter = kernel.parameter();
    if (out.parameter.element() != Element::scalar) {
      fail_argument("kernel parameter", "elements of the loss's scalar type", "16-bit elements");
    }
  }
  if constexpr (score_function<K>() == ScoreFunction::custom) {
    out.kernel = &kernel;
    out.scores = [](const void* k, Index n, const S* u, S* s) {
      const K& own = *static_cast<const K*>(k);
      for (Index j = 0; j < n; ++j) s[j] = own.score(u[j]);
    };
    out.chain = [](const void* k, Index n, const S* u, const S* s, S* g) {
      const K& own = *static_cast<const K*>(k);
      for (Index j = 0; j < n; ++j) g[j] *= own.slope(u[j], s[j]);
    };
  }
  return out;
}

}  // namespace detail
}  // namespace nearfar
