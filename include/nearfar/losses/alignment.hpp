#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"

namespace nearfar {

/// Settings of Alignment.
struct AlignmentOptions {
  double alpha = 2;                       ///< > 0: power of the distance
  Reduction reduction = Reduction::mean;  ///< terms are pairs

  /// Calls visit("alpha", o.alpha...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("alpha", o.alpha...);
    visit("reduction", o.reduction...);
  }
};

namespace detail {

template <class S>
Result evaluate(const AlignmentOptions& options, const Inputs<S, 2>& inputs);

}  // namespace detail

/// Alignment: the distance of the two rows of a positive pair on the unit sphere, to a power (Wang
/// & Isola, Understanding contrastive representation learning through alignment and uniformity on
/// the hypersphere, 2020, section 4.2):
///
///     L_i = |x_i / |x_i| - y_i / |y_i||^alpha
///
/// The loss normalises the rows; a zero row stays zero, with zero gradient. Time and memory are
/// O(N D). An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S>
class Alignment {
 public:
  /// Throws std::invalid_argument unless alpha is finite and > 0.
  explicit Alignment(AlignmentOptions options = {}) : options_(options) {
    check_positive("alpha", options.alpha);
  }

  const AlignmentOptions& options() const { return options_; }

  /// The loss of row i of x with row i of y, both N x D. Throws std::invalid_argument on shapes
  /// that do not fit, std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return evaluate({{x, y}, {}, false, call});
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`. Where two rows
  /// coincide and alpha <= 1 the gradient is 0.
  Result forward_backward(Rows<S> x, Rows<S> y, GradientRows<S> dx, GradientRows<S> dy,
                          CallOptions<S> call = {}) const {
    return evaluate({{x, y}, {dx, dy}, true, call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 2>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  AlignmentOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/alignment.hpp"
#endif
