#pragma once

#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of VicReg.
struct VicRegOptions {
  double invariance = 25;  ///< >= 0: weight of the distance between the views
  double variance = 25;    ///< >= 0: weight of the hinge of columns' standard deviations
  double covariance = 1;   ///< >= 0: weight of the covariances of columns
  double epsilon = 1e-4;   ///< >= 0: added to the variance of a column

  /// Calls visit("invariance", o.invariance...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("invariance", o.invariance...);
    visit("variance", o.variance...);
    visit("covariance", o.covariance...);
    visit("epsilon", o.epsilon...);
  }
};

namespace detail {

template <class S>
Result evaluate(const VicRegOptions& options, const Inputs<S, 2>& inputs);

}  // namespace detail

/// VICReg: two views of a sample should be near each other, and columns should vary and not
/// correlate (Bardes et al., VICReg: variance-invariance-covariance regularization for
/// self-supervised learning, 2022, eq. 1 to 6), for views z and y of N rows of D elements:
///
///     L = invariance 1/(N D) sum_id (z_id - y_id)^2
///       + variance   1/2 (v(z) + v(y)),   v(z) = 1/D sum_d max(0, 1 - sqrt(var_d(z) + epsilon))
///       + covariance (c(z) + c(y)),       c(z) = 1/D sum_{d != e} cov_de(z)^2
///
/// Variances and covariances divide by N - 1. As in the authors' code the distance is divided by N
/// D and the variance term is halved; eq. 6 has neither. Rows are not normalised. The value is one
/// number, without terms to reduce. For a deviation of 1 or more, and for a column of equal
/// elements with epsilon 0, the gradient of the variance term is 0.
///
/// A batch of one row, which has no variance, is a std::invalid_argument; a value or a gradient
/// that overflows is a std::domain_error.
///
/// Extra memory O(N D + D^2); 6 N D^2 floating point operations forward and backward. An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
template <class S>
class VicReg : public PairCalls<VicReg<S>, S> {
 public:
  /// Throws std::invalid_argument unless the weights and epsilon are finite and >= 0.
  explicit VicReg(VicRegOptions options = {}) : options_(options) {
    check_not_negative("invariance", options.invariance);
    check_not_negative("variance", options.variance);
    check_not_negative("covariance", options.covariance);
    check_not_negative("epsilon", options.epsilon);
  }

  const VicRegOptions& options() const { return options_; }

 private:
  VicRegOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/vic_reg.hpp"
#endif
