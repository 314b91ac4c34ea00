#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/terms/logistic.hpp"
#include "nearfar/terms/pair_logit_rows.hpp"

namespace nearfar {

/// What Circle's gradient takes its self-paced weights for.
enum class CircleWeights {
  constant,       ///< numbers that happen to be there, as the paper and its implementations do
  differentiated  ///< functions of the scores: the gradient is the derivative of the value
};

/// Settings of Circle.
struct CircleOptions {
  double m = 0.4;     ///< relaxation: positives should exceed 1 - m, negatives stay below m
  double gamma = 80;  ///< > 0: scale of the logits
  CircleWeights weights = CircleWeights::constant;
  /// Terms are anchors that have both a positive and a negative.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

namespace detail {

/// Logits -gamma a_p (s - (1 - m)) with a_p = max(0, 1 + m - s), and gamma a_n (s - m) with
/// a_n = max(0, s + m).
struct CircleForm {
  double m;
  double gamma;
  bool differentiates_weights;

  template <class T>
  NEARFAR_ALWAYS_INLINE T positive(T s) const {
    return positive_weight(s) * (constant<T>(1 - m) - s) * constant<T>(gamma);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative(T s) const {
    return negative_weight(s) * (s - constant<T>(m)) * constant<T>(gamma);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T positive_slope(T s) const {
    const T weight = positive_weight(s);
    // Where the weight is 0 it does not change.
    const T with_weight = weight + weight - constant<T>(2 * m);
    return select_equal(weight, constant<T>(0), weight,
                        differentiates_weights ? with_weight : weight) *
           constant<T>(-gamma);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative_slope(T s) const {
    const T weight = negative_weight(s);
    const T with_weight = weight + weight - constant<T>(2 * m);
    return select_equal(weight, constant<T>(0), weight,
                        differentiates_weights ? with_weight : weight) *
           constant<T>(gamma);
  }

  PairLogitLoss loss(double positives, double negatives) const {
    // An anchor without one of the two is no term.
    if (std::isinf(positives) || std::isinf(negatives)) return {};
    const Softplus<double> both(positives + negatives);
    return {both.value, both.slope, both.slope};
  }

 private:
  template <class T>
  NEARFAR_ALWAYS_INLINE T positive_weight(T s) const {
    return max(constant<T>(1 + m) - s, constant<T>(0));
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative_weight(T s) const {
    return max(s + constant<T>(m), constant<T>(0));
  }
};

}  // namespace detail

/// Circle loss of a labelled batch (Sun et al., Circle loss: a unified perspective of pair
/// similarity optimization, 2020, eq. 8):
///
///     L_i = log(1 + sum_{n in N(i)} exp(gamma a_n (s_in - m))
///                 * sum_{p in P(i)} exp(-gamma a_p (s_ip - (1 - m))))
///     a_p = max(0, 1 + m - s_ip),  a_n = max(0, s_in + m)
///
/// with similarities s of kernel K, made for cosines. As published, a_p and a_n count as constants
/// when the gradient is taken: it is then not the derivative of the value, alone among the losses
/// here; CircleWeights::differentiated is.
///
/// Terms are anchors that have both a positive and a negative. Extra memory O((N + M) D).
/// Immutable; shared by threads each with its own Workspace; the same bits at any number of
/// threads.
template <class S, Kernel K = Cosine>
class Circle : public LabelCalls<Circle<S, K>, S, K, Result> {
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: Circle needs a kernel that is a similarity");

 public:
  using Outcome = Result;

  /// Throws std::invalid_argument unless gamma is finite and > 0 and m is finite.
  explicit Circle(CircleOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("gamma", options.gamma);
    check_finite_option("m", options.m);
  }

  const CircleOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<Circle, S, K, Result>;

  template <int sets>
  Result run(detail::LabelledBatch<S, K, sets>& batch) const;

  CircleOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
Result Circle<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  Result result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive || !negative; }),
      "without a positive or a negative");
  const detail::CircleForm form{options_.m, options_.gamma,
                                options_.weights == CircleWeights::differentiated};
  const detail::PairLogitRows<S, detail::CircleForm> loss(form, batch.relation(), batch.upstream());
  const auto* rows = batch.run(loss, d);
  detail::reduce_pair_logit_rows(
      batch, rows, [&](Index i) { return batch.positives(i) > 0 && batch.negatives(i) > 0; },
      result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, Circle)
#endif

}  // namespace nearfar
