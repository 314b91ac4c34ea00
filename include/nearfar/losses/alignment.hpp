#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/losses/pair_calls.hpp"

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
/// The loss normalises the rows; a zero row stays zero, with zero gradient. Where two rows coincide
/// and alpha <= 1 the gradient is 0. Terms are the N pairs. Time and memory are O(N D). An object
/// is immutable and may be shared by threads, each with its own Workspace. Results have the same
/// bits at any number of threads.
template <class S>
class Alignment : public PairCalls<Alignment<S>, S> {
 public:
  /// Throws std::invalid_argument unless alpha is finite and > 0.
  explicit Alignment(AlignmentOptions options = {}) : options_(options) {
    check_positive("alpha", options.alpha);
  }

  const AlignmentOptions& options() const { return options_; }

 private:
  AlignmentOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/alignment.hpp"
#endif
