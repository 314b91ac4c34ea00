#pragma once

#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of BarlowTwins.
struct BarlowTwinsOptions {
  double lambda = 0.005;  ///< >= 0: weight of the elements off the diagonal
  double epsilon = 1e-5;  ///< >= 0: added to the variance of a column

  /// Calls visit("lambda", o.lambda...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("lambda", o.lambda...);
    visit("epsilon", o.epsilon...);
  }
};

namespace detail {

template <class S>
Result evaluate(const BarlowTwinsOptions& options, const Inputs<S, 2>& inputs);

}  // namespace detail

/// Barlow Twins: the cross-correlation matrix C of two views of a batch should be the identity
/// (Zbontar et al., Barlow Twins: self-supervised learning via redundancy reduction, 2021, eq. 1
/// and 2):
///
///     L = sum_d (C_dd - 1)^2 + lambda sum_{d != e} C_de^2,   C = Z1^T Z2 / N
///
/// A view's Z has its columns less their means, divided by sqrt(variance + epsilon); the variance
/// divides by N. A column of equal elements is 0 in Z, with zero gradient. A batch of one row has
/// C = 0. The value is one number, without terms to reduce.
///
/// Extra memory O(N D + D^2); 6 N D^2 floating point operations forward and backward. An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
template <class S>
class BarlowTwins : public PairCalls<BarlowTwins<S>, S> {
 public:
  /// Throws std::invalid_argument unless lambda and epsilon are finite and >= 0.
  explicit BarlowTwins(BarlowTwinsOptions options = {}) : options_(options) {
    check_not_negative("lambda", options.lambda);
    check_not_negative("epsilon", options.epsilon);
  }

  const BarlowTwinsOptions& options() const { return options_; }

 private:
  BarlowTwinsOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/barlow_twins.hpp"
#endif
