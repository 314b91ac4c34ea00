#pragma once

#include <type_traits>

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of Angular.
struct AngularOptions {
  double angle = 0.7853981633974483;  ///< alpha, in radians, from 0.01 to 1.56; pi/4 unless given
  /// Terms are pairs of an anchor and one of its positives.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// visit("angle", o.angle...), and so for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("angle", o.angle...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const AngularOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Angular loss (Wang et al., Deep metric learning with angular loss, 2017, its batch form): in a
/// triangle of an anchor i, a positive p and a negative n the angle at n is to stay below alpha.
/// With normalised rows and t = tan(alpha)^2, for every positive pair,
///
///     L_ip = log(1 + sum_{n in N(i)} exp(4 t (x_i + x_p) . x_n - 2 (1 + t) x_i . x_p))
///
/// The paper takes one pair a class and pushes each anchor from the positives of the others; here
/// pairs are all ordered pairs of an anchor and a positive, and negatives all rows that are
/// negatives of the anchor.
///
/// Terms are pairs (i, p); with Reduction::none a value is the sum of an anchor's pairs. Anchors
/// without a positive have none; pairs of an anchor without a negative have the value 0 and count.
/// The scores of the diagnostics are the cosines of positive pairs.
///
/// A pair's sum is over scores of x_i + x_p, a row of its own, which no sum over the rows' scores
/// replaces. With P pairs, of a batch with labels each once for both orders, the operations are
/// 6 P M D, 2 P M D forward. Pairs are taken in blocks of about N + M: extra memory O((N + M) D).
/// Immutable; shared by threads each with its own Workspace; the same bits at any number of
/// threads.
template <class S, Kernel K = Cosine>
class Angular : public LabelCalls<Angular<S, K>, S, Result> {
  static_assert(std::is_same_v<K, Cosine>, "nearfar: Angular compares normalised rows");

 public:
  /// Throws std::invalid_argument unless the angle is from 0.01 to 1.56.
  explicit Angular(AngularOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    if (!(options.angle >= 0.01 && options.angle <= 1.56)) {
      fail_argument("angle", "an angle from 0.01 to 1.56", detail::number_text(options.angle));
    }
  }

  const AngularOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  AngularOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/angular.hpp"
#endif
