#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/losses/pair_target_calls.hpp"

namespace nearfar {

/// Settings of HardNegative.
struct HardNegativeOptions {
  double temperature = 0.5;     ///< tau > 0: logits are cosines / tau
  double positive_prior = 0.1;  ///< tau+ in [0, 1): the share of positives among the negatives
  double concentration = 1;     ///< beta >= 0: concentration on near negatives; 0: debiased only
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample, and thus no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("positive_prior", o.positive_prior...);
    visit("concentration", o.concentration...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const HardNegativeOptions& options, const Inputs<S, 2>& inputs,
                           const Targets& targets);

}  // namespace detail

/// Contrastive loss of two views x and y, debiased and with hard negatives weighted up (Robinson et
/// al., Contrastive learning with hard negative samples, 2021, eq. 4 and appendix; with
/// concentration 0 Chuang et al., Debiased contrastive learning, 2020, eq. 8):
///
///     L_i = -log( P / (P + G) ),  P = exp(s_{i,partner(i)} / tau)
///     G   = max( (R - n tau+ P) / (1 - tau+), n exp(-1 / tau) )
///     R   = n sum_j w_j exp(s_ij / tau) / sum_j w_j,  w_j = exp(beta s_ij / tau)
///
/// over the n = 2N - 2 views j of other samples (with ids, those of other ids), with cosines s. The
/// lower limit of G is the smallest possible sum of n such exponentials. With tau+ = 0 and beta = 0
/// it is NtXent. Labels are refused, as there.
///
/// Terms are views; none gives the N values of x's rows, then y's. Extra memory O(N D). An object
/// is immutable and may be shared by threads, each with its own Workspace. Results have the same
/// bits at any number of threads.
template <class S>
class HardNegative : public PairTargetCalls<HardNegative<S>, S, TemperatureResult> {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0, the prior in [0, 1) and
  /// the concentration finite and >= 0.
  explicit HardNegative(HardNegativeOptions options = {}) : options_(options) {
    check_scale<S>("temperature", options.temperature);
    check_not_negative("concentration", options.concentration);
    const double prior = options.positive_prior;
    if (!detail::is_finite(prior) || !(prior >= 0 && prior < 1)) {
      fail_argument("positive_prior", "a number in [0, 1)", detail::number_text(prior));
    }
  }

  const HardNegativeOptions& options() const { return options_; }

 private:
  HardNegativeOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/hard_negative.hpp"
#endif
