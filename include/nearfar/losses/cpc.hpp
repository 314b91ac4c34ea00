#pragma once

#include <string>
#include <vector>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/sequence_negatives.hpp"

namespace nearfar {

/// Settings of Cpc.
struct CpcOptions {
  Index length = 0;        ///< T > steps: positions of a sequence
  Index steps = 1;         ///< K >= 1: predictions reach up to K positions ahead
  double temperature = 1;  ///< tau > 0: logits are scores / tau
  SequenceNegatives negatives = SequenceNegatives::all;
  Reduction reduction = Reduction::mean;  ///< terms are contexts, at each step
  /// A context is unusable at a step at which it has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("length", o.length...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("length", o.length...);
    visit("steps", o.steps...);
    visit("temperature", o.temperature...);
    visit("negatives", o.negatives...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// One prediction step.
struct CpcStep {
  double loss = 0;  ///< of the step's terms, after reduction
  /// log(number of candidates) - mean of the step's terms, in nats: see Cpc.
  double bound = 0;
};

/// The result of Cpc. `value` is the mean of the steps' losses. `values`, with Reduction::none, are
/// B T numbers that add up to it. Counts are sums over all steps.
struct CpcResult : TemperatureResult {
  std::vector<CpcStep> steps;  ///< k = 1 .. K
};

namespace detail {

/// The sets are contexts, targets and weights.
template <class S>
CpcResult evaluate(const CpcOptions& options, const Inputs<S, 3>& inputs);

}  // namespace detail

/// Contrastive predictive coding: the context of a sequence at time t should score its own target
/// at time t + k above other targets (van den Oord et al., Representation learning with contrastive
/// predictive coding, 2018, eq. 3 and 4). For B sequences of T positions, contexts c (B T x Dc) and
/// targets z (B T x Dz), position t of sequence b in row b T + t, and a matrix W_k (Dz x Dc) a
/// step,
///
///     f_k(z_j, c_i) = z_j^T W_k c_i / tau
///     L_k(b, t) = -log( exp f_k(z_(b, t+k), c_(b, t)) / sum_j exp f_k(z_j, c_(b, t)) )
///     L = 1/K sum_k (mean of L_k(b, t) over b and t < T - k)
///
/// The candidates j are the positive and its negatives (SequenceNegatives), all at times k ..
/// T - 1. The contexts of a step share all candidates, or some of the contexts share a few: a step
/// is one InfoNCE or several.
///
/// W_1 .. W_K are one matrix, K Dz x Dc, with W_k in rows (k - 1) Dz .. k Dz - 1, so that an
/// optimiser has one parameter.
///
/// A step's bound, log(candidates) - mean L_k, is in expectation at most the mutual information of
/// c_t and z_(t+k), averaged over t, if negatives are independent of the context (section 2.3):
/// sequences drawn at random, SequenceNegatives::same_time. Other targets of the same sequence are
/// not independent of it; the number is then no bound, and only measures the step's predictions.
///
/// A step's terms are its B (T - k) contexts. Reduction applies to each step; the mean over steps
/// comes after it. With Reduction::none a context's value is 1/K times the sum of its L_k, and 0
/// for a last position, which has no target.
///
/// Extra memory O(B T (Dc + Dz)), for any K. Floating point operations of a step, with
/// N = B (T - k) contexts and C candidates each: 2 N Dc Dz for W_k c and 2 N C Dz for the scores;
/// forward and backward three times that. S is float or double. An object is immutable and may be
/// shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S>
class Cpc {
 public:
  /// Throws std::invalid_argument unless 1 <= steps < length and the temperature is finite and > 0.
  explicit Cpc(CpcOptions options) : options_(options) {
    if (options.steps < 1) fail_argument("steps", "a number > 0", std::to_string(options.steps));
    if (options.length <= options.steps) {
      fail_argument("length", "more positions than steps = " + std::to_string(options.steps),
                    std::to_string(options.length));
    }
    check_scale<S>("temperature", options.temperature);
  }

  const CpcOptions& options() const { return options_; }

  /// The loss of contexts (B T x Dc), targets (B T x Dz) and weights (K Dz x Dc). Without sequences
  /// the value is 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on
  /// an element that is not finite.
  CpcResult forward(Rows<S> contexts, Rows<S> targets, Rows<S> weights,
                    CallOptions<S> call = {}) const {
    return evaluate({{contexts, targets, weights}, {}, false, call});
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or B T
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  CpcResult forward_backward(Rows<S> contexts, Rows<S> targets, Rows<S> weights,
                             GradientRows<S> d_contexts, GradientRows<S> d_targets,
                             GradientRows<S> d_weights, CallOptions<S> call = {}) const {
    return evaluate({{contexts, targets, weights}, {d_contexts, d_targets, d_weights}, true, call});
  }

 private:
  CpcResult evaluate(const detail::Inputs<S, 3>& inputs) const {
    return detail::evaluate(options_, inputs);
  }

  CpcOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/cpc.hpp"
#endif
