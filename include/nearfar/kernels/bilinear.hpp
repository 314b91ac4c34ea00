#pragma once

#include <concepts>
#include <type_traits>

#include "nearfar/kernels/inner_product.hpp"

namespace nearfar {

/// Similarity s(a, b) = b^T W a for an anchor (query) a of A elements and a key b of B elements,
/// W a B x A matrix: the log-bilinear score of CPC (van den Oord et al. 2018, eq. 3).
/// ds/da = W^T b, ds/db = W a, ds/dW = b a^T. Pass `d_parameter` to get dL/dW, B x A.
///
/// The kernel holds a view: W must outlive it, and an optimiser may change W in place.
template <class S>
class Bilinear : public InnerProduct {
 public:
  using Scalar = S;
  static constexpr bool maps_queries = true;
  static constexpr bool maps_keys = false;

  /// W, B x A, row-major.
  template <class M>
  requires(detail::EigenDense<M>&& std::is_lvalue_reference_v<M&&>) explicit Bilinear(M&& weight)
      : weight_(weight) {}

  /// W, B x A, as an existing view. Without conversions, so that a view of a temporary matrix does
  /// not compile.
  template <std::same_as<Rows<S>> View>
  explicit Bilinear(const View& weight) : weight_(weight) {}

  Rows<S> parameter() const { return weight_; }

 private:
  Rows<S> weight_;
};

template <class M>
Bilinear(const M&) -> Bilinear<typename M::Scalar>;

}  // namespace nearfar
