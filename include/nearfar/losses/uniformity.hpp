#pragma once

#include "nearfar/core/inputs.hpp"

namespace nearfar {

/// Settings of Uniformity.
struct UniformityOptions {
  double t = 2;  ///< > 0: the inverse width of the Gaussian

  /// Calls visit("t", o.t...), and so on for each option.
  static void fields(const auto& visit, auto&... o) { visit("t", o.t...); }
};

namespace detail {

template <class S>
Result evaluate(const UniformityOptions& options, const Inputs<S, 1>& inputs);

}  // namespace detail

/// Uniformity: how evenly rows cover the unit sphere (Wang & Isola, Understanding contrastive
/// representation learning through alignment and uniformity on the hypersphere, 2020,
/// section 4.2), the logarithm of a mean Gaussian potential over pairs:
///
///     L = log( 2 / (N (N - 1)) sum_{i < j} exp(-t |x_i / |x_i| - x_j / |x_j||^2) )
///
/// The value is at most 0, which it is if all rows have the same direction. The loss normalises the
/// rows; a zero row has cosine 0 with all others and zero gradient. The value is one logarithm,
/// without terms to reduce. For fewer than two rows it is 0.
///
/// Extra memory O(N D); 3 N^2 D floating point operations forward and backward. An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
template <class S>
class Uniformity {
 public:
  /// Throws std::invalid_argument unless t is finite and > 0.
  explicit Uniformity(UniformityOptions options = {}) : options_(options) {
    check_scale<S>("t", options.t);
  }

  const UniformityOptions& options() const { return options_; }

  /// The loss of a batch x (N x D). Throws std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, CallOptions<S> call = {}) const {
    return evaluate({{x}, {}, false, call});
  }

  /// Value and gradient, N x D, times `call.upstream`, one number; the gradient may be
  /// `accumulate(buffer)`.
  Result forward_backward(Rows<S> x, GradientRows<S> dx, CallOptions<S> call = {}) const {
    return evaluate({{x}, {dx}, true, call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 1>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  UniformityOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/uniformity.hpp"
#endif
