#pragma once

#include <string>

#include "nearfar/core/inputs.hpp"

namespace nearfar {

/// Settings of SigReg.
struct SigRegOptions {
  Index knots = 17;  ///< >= 2: points of the integral over t
  double t_max = 3;  ///< > 0: upper end of the integral

  /// Calls visit("knots", o.knots...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("knots", o.knots...);
    visit("t_max", o.t_max...);
  }
};

namespace detail {

/// The second set holds the slices.
template <class S>
Result evaluate(const SigRegOptions& options, const Inputs<S, 2>& inputs);

}  // namespace detail

/// SIGReg, sketched isotropic Gaussian regularisation: projections of a batch on random directions,
/// the slices, should have a standard normal distribution (Balestriero & LeCun, LeJEPA: provable
/// and scalable self-supervised learning without the heuristics, 2025). The statistic is that of
/// Epps and Pulley, which compares characteristic functions. For N rows x_i, M slices a_m and K
/// knots,
///
///     L = 1/M sum_m N sum_k w_k phi_k ( (mean_i cos(t_k a_m.x_i) - phi_k)^2
///                                       + (mean_i sin(t_k a_m.x_i))^2 )
///
/// with t_k = k h from 0 to t_max, phi_k = exp(-t_k^2 / 2), and the weights of the trapezoidal rule
/// over both signs of t, w_k = 2h, h at both ends. Slices are constants; draw slices of length 1
/// anew for each step. Rows are not normalised. The value is the mean over slices, without terms to
/// reduce.
///
/// Extra memory is O((N + M) D + M K), without an N x M matrix of projections; 4 N M D floating
/// point operations and O(N M K) others forward and backward. An object is immutable and may be
/// shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S>
class SigReg {
 public:
  /// Throws std::invalid_argument unless there are at least two knots, and t_max is finite and > 0.
  explicit SigReg(SigRegOptions options = {}) : options_(options) {
    if (options.knots < 2) {
      fail_argument("knots", "a number >= 2", std::to_string(options.knots));
    }
    check_scale<S>("t_max", options.t_max);
  }

  const SigRegOptions& options() const { return options_; }

  /// The loss of a batch x (N x D) on slices (M x D). Without rows or slices the value is 0. Throws
  /// std::invalid_argument on shapes that do not fit, std::domain_error on an element that is not
  /// finite and on projections that overflow.
  Result forward(Rows<S> x, Rows<S> slices, CallOptions<S> call = {}) const {
    return evaluate({{x, slices}, {}, false, call});
  }

  /// Value and gradient, N x D, times `call.upstream`, one number; the gradient may be
  /// `accumulate(buffer)`. Slices have none.
  Result forward_backward(Rows<S> x, Rows<S> slices, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    return evaluate({{x, slices}, {dx, no_gradient}, true, call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 2>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  SigRegOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/sig_reg.hpp"
#endif
