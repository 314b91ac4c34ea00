#pragma once

#include "nearfar/core/inputs.hpp"

namespace nearfar {

/// Settings of Gor.
struct GorOptions {
  double mean_weight = 1;           ///< >= 0: weight of the squared mean
  double second_moment_weight = 1;  ///< >= 0: weight of the hinge of the second moment

  /// Calls visit("mean_weight", o.mean_weight...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("mean_weight", o.mean_weight...);
    visit("second_moment_weight", o.second_moment_weight...);
  }
};

namespace detail {

template <class S>
Result evaluate(const GorOptions& options, const Inputs<S, 1>& inputs);

}  // namespace detail

/// Global orthogonal regularisation: cosines of rows that are no positives of each other should
/// have the mean and the second moment of random directions (Zhang et al., Learning spread-out
/// local feature descriptors, 2017):
///
///     L = mean_weight M1^2 + second_moment_weight max(0, M2 - 1/D)
///
/// with M1 and M2 the means of s_ij and of s_ij^2 over the N (N - 1) ordered pairs i != j, s the
/// cosine. The loss normalises the rows; a zero row has cosine 0 with all others and zero gradient.
/// The value is one number, without terms to reduce. For fewer than two rows it is 0.
///
/// Extra memory O(N D); 3 N D min(N, D) floating point operations forward and backward. An object
/// is immutable and may be shared by threads, each with its own Workspace. Results have the same
/// bits at any number of threads.
template <class S>
class Gor {
 public:
  /// Throws std::invalid_argument unless the weights are finite and >= 0.
  explicit Gor(GorOptions options = {}) : options_(options) {
    check_not_negative("mean_weight", options.mean_weight);
    check_not_negative("second_moment_weight", options.second_moment_weight);
  }

  const GorOptions& options() const { return options_; }

  /// The loss of a batch x (N x D). Throws std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, CallOptions<S> call = {}) const {
    return evaluate({{x}, {}, false, call});
  }

  /// Value and gradient, N x D, times `call.upstream`, one number; the gradient may be
  /// `accumulate(buffer)`. At M2 = 1/D the hinge has gradient 0.
  Result forward_backward(Rows<S> x, GradientRows<S> dx, CallOptions<S> call = {}) const {
    return evaluate({{x}, {dx}, true, call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 1>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  GorOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/gor.hpp"
#endif
