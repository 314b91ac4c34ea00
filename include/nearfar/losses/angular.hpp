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

  /// Calls visit("angle", o.angle...), and so on for each option.
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

/// Angular loss (Wang et al., Deep metric learning with angular loss, 2017, its batch form): in the
/// triangle of an anchor i, a positive p and a negative n, the angle at n should stay below alpha.
/// With normalised rows and t = tan(alpha)^2, for every positive pair,
///
///     L_ip = log(1 + sum_{n in N(i)} exp(4 t (x_i + x_p) . x_n - 2 (1 + t) x_i . x_p))
///
/// The paper takes one pair a class, and its negatives of an anchor are the positives of the other
/// classes. Here pairs are all ordered pairs of an anchor and a positive, and negatives are all
/// negatives of the anchor.
///
/// Terms are pairs (i, p); with Reduction::none a value is the sum over an anchor's pairs. An
/// anchor without a positive has no terms. A pair whose anchor has no negative has the value 0 and
/// is a term. The diagnostics' scores are the cosines of positive pairs.
///
/// The sum of a pair needs scores of the row x_i + x_p, so each pair costs a row of scores. For P
/// pairs, (i, p) and (p, i) being one in a batch with labels, a call takes 6 P M D operations, 2 P
/// M D forward. It takes pairs in blocks of about N + M: extra memory is O((N + M) D). An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
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
