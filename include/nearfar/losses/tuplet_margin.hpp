#pragma once

#include <type_traits>

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of TupletMargin.
struct TupletMarginOptions {
  double temperature = 1.0 / 64;  ///< tau > 0: the inverse of the paper's scale s
  double margin = 0.1;            ///< beta, an angle in radians, from 0 to pi/2
  /// Terms are pairs of an anchor and one of its positives.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const TupletMarginOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs);

}  // namespace detail

/// Tuplet margin loss (Yu and Tao, Deep metric learning with tuplet margin loss, 2019): each
/// positive p of an anchor i against all negatives of the anchor, with a slack margin on the
/// positive's angle theta_ip:
///
///     L_ip = log(1 + sum_{n in N(i)} exp((cos theta_in - cos(theta_ip - beta)) / tau))
///
/// Every positive counts; the paper has tuples of one positive and k - 1 negatives, each of a
/// different class. Without the margin it is Sincere with SincereTerms::positive_pairs. The
/// gradient of cos(theta - beta) jumps at theta = 0; it is 0 there.
///
/// Terms are pairs (i, p); with Reduction::none a value is the sum over an anchor's pairs. An
/// anchor without a positive has no terms. A pair whose anchor has no negative has the value 0 and
/// is a term. Extra memory O((N + M) D). An object is immutable and may be shared by threads, each
/// with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class TupletMargin : public LabelCalls<TupletMargin<S, K>, S, TemperatureResult> {
  static_assert(std::is_same_v<K, Cosine>, "nearfar: TupletMargin needs cosines of angles");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0 and the margin is an
  /// angle from 0 to pi/2.
  explicit TupletMargin(TupletMarginOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
    constexpr double right_angle = 1.5707963267948966;
    if (!(options.margin >= 0 && options.margin <= right_angle)) {
      fail_argument("margin", "an angle from 0 to pi/2", detail::number_text(options.margin));
    }
  }

  const TupletMarginOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  TupletMarginOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/tuplet_margin.hpp"
#endif
