#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"

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

/// Contrastive loss of two views, debiased and with hard negatives weighted up (Robinson et al.,
/// Contrastive learning with hard negative samples, 2021, eq. 4 and appendix; with concentration 0
/// Chuang et al., Debiased contrastive learning, 2020, eq. 8):
///
///     L_i = -log( P / (P + G) ),  P = exp(s_{i,partner(i)} / tau)
///     G   = max( (R - n tau+ P) / (1 - tau+), n exp(-1 / tau) )
///     R   = n sum_j w_j exp(s_ij / tau) / sum_j w_j,  w_j = exp(beta s_ij / tau)
///
/// over the n = 2N - 2 views j of other samples (with ids, those of other ids), with cosines s. The
/// lower limit of G is the smallest possible sum of n such exponentials. With tau+ = 0 and beta = 0
/// it is NtXent.
///
/// Terms are views; none gives view1's N values, then view2's. Extra memory O(N D). An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
template <class S>
class HardNegative {
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

  /// The loss of two views of a batch, both N x D; row i of one is the partner of row i of the
  /// other. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
  TemperatureResult forward(Rows<S> view1, Rows<S> view2, CallOptions<S> call = {}) const {
    return evaluate({{view1, view2}, {}, false, call}, Targets());
  }

  /// The same with N ids of samples: `Targets().ids(ids)`. Throws also if their number is not N,
  /// and on labels.
  TemperatureResult forward(Rows<S> view1, Rows<S> view2, const Targets& targets,
                            CallOptions<S> call = {}) const {
    return evaluate({{view1, view2}, {}, false, call}, targets);
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or 2N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  TemperatureResult forward_backward(Rows<S> view1, Rows<S> view2, GradientRows<S> d_view1,
                                     GradientRows<S> d_view2, CallOptions<S> call = {}) const {
    return evaluate({{view1, view2}, {d_view1, d_view2}, true, call}, Targets());
  }
  TemperatureResult forward_backward(Rows<S> view1, Rows<S> view2, const Targets& targets,
                                     GradientRows<S> d_view1, GradientRows<S> d_view2,
                                     CallOptions<S> call = {}) const {
    return evaluate({{view1, view2}, {d_view1, d_view2}, true, call}, targets);
  }

 private:
  TemperatureResult evaluate(const detail::Inputs<S, 2>& inputs, const Targets& targets) const {
    return detail::evaluate(options_, inputs, targets);
  }

  HardNegativeOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/hard_negative.hpp"
#endif
