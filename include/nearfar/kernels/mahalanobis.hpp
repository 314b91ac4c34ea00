#pragma once

#include <concepts>
#include <type_traits>

#include "nearfar/kernels/euclidean.hpp"

namespace nearfar {

/// Distance d(x, y) = |L (x - y)|, L an E x D matrix, so that d^2 = (x - y)^T L^T L (x - y) with
/// the positive semi-definite L^T L (E < D: of low rank). L is given, for example the inverse root
/// of a covariance, or learnt: pass `d_parameter` to get dL/dL, E x D (Weinberger & Saul, Distance
/// metric learning for large margin nearest neighbor classification, JMLR 2009, section 2). With
/// v = L (x - y): dd/dx = L^T v / d, dd/dL = v (x - y)^T / d; at d = 0 the subgradient is 0.
///
/// The kernel holds a view: L must outlive it, and an optimiser may change L in place.
template <class S>
class Mahalanobis : public Euclidean {
 public:
  using Scalar = S;
  static constexpr bool maps_queries = true;
  static constexpr bool maps_keys = true;

  /// L, E x D, row-major.
  template <class M>
  requires(detail::EigenDense<M>&& std::is_lvalue_reference_v<M&&>) explicit Mahalanobis(
      M&& transform)
      : transform_(transform) {}

  /// L, E x D, as an existing view. Without conversions, so that a view of a temporary matrix does
  /// not compile.
  template <std::same_as<Rows<S>> View>
  explicit Mahalanobis(const View& transform) : transform_(transform) {}

  Rows<S> parameter() const { return transform_; }

 private:
  Rows<S> transform_;
};

template <class M>
Mahalanobis(const M&) -> Mahalanobis<typename M::Scalar>;

}  // namespace nearfar
