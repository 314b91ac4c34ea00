#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"

namespace nearfar {

/// Settings of KoLeo.
struct KoLeoOptions {
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("reduction", o.reduction...).
  static void fields(const auto& visit, auto&... o) { visit("reduction", o.reduction...); }
};

namespace detail {

template <class S>
Result evaluate(const KoLeoOptions& options, const Inputs<S, 1>& inputs);

}  // namespace detail

/// KoLeo, after the Kozachenko-Leonenko estimator of entropy: each row is pushed away from its
/// nearest other row on the unit sphere (Sablayrolles et al., Spreading vectors for similarity
/// search, 2019):
///
///     L_i = -log min_{j != i} |u_i - u_j|,   u = x / |x|
///
/// The gradient goes to both rows of a nearest pair. Of several equally near rows the first counts.
/// The loss normalises the rows; a zero row stays zero, with zero gradient. There is no epsilon:
/// directions nearer than 2^-50, the rounding error of a double, count as 2^-50 apart, with zero
/// gradient, so that L_i is at most 34.7. A single row has loss 0.
///
/// Extra memory O(N D); 2 N^2 D floating point operations. An object is immutable and may be shared
/// by threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S>
class KoLeo {
 public:
  explicit KoLeo(KoLeoOptions options = {}) : options_(options) {}

  const KoLeoOptions& options() const { return options_; }

  /// The loss of a batch x (N x D). An empty batch has value 0. Throws std::invalid_argument on
  /// shapes that do not fit, std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, CallOptions<S> call = {}) const {
    return evaluate({{x}, {}, false, call});
  }

  /// Value and gradient, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; the gradient may be `accumulate(buffer)`.
  Result forward_backward(Rows<S> x, GradientRows<S> dx, CallOptions<S> call = {}) const {
    return evaluate({{x}, {dx}, true, call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 1>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  KoLeoOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/ko_leo.hpp"
#endif
