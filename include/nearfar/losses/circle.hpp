#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// How Circle's gradient treats the self-paced weights.
enum class CircleWeights {
  constant,       ///< constants, as in the paper and its implementations
  differentiated  ///< functions of the scores: the gradient is the derivative of the value
};

/// Settings of Circle.
struct CircleOptions {
  double m = 0.4;     ///< relaxation: positives should exceed 1 - m, negatives should stay below m
  double gamma = 80;  ///< > 0: scale of the logits
  CircleWeights weights = CircleWeights::constant;
  /// Terms are anchors that have both a positive and a negative.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("m", o.m...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("m", o.m...);
    visit("gamma", o.gamma...);
    visit("weights", o.weights...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const CircleOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Circle loss of a labelled batch (Sun et al., Circle loss: a unified perspective of pair
/// similarity optimization, 2020, eq. 8):
///
///     L_i = log(1 + sum_{n in N(i)} exp(gamma a_n (s_in - m))
///                 * sum_{p in P(i)} exp(-gamma a_p (s_ip - (1 - m))))
///     a_p = max(0, 1 + m - s_ip),  a_n = max(0, s_in + m)
///
/// with similarities s of kernel K, made for cosines. By default the gradient treats a_p and a_n as
/// constants, as published. It is then not the derivative of the value; with
/// CircleWeights::differentiated it is.
///
/// Terms are anchors that have both a positive and a negative. Extra memory O((N + M) D). An object
/// is immutable and may be shared by threads, each with its own Workspace. Results have the same
/// bits at any number of threads.
template <class S, Kernel K = Cosine>
class Circle : public LabelCalls<Circle<S, K>, S, Result> {
  static_assert(is_symmetric<K>(), "nearfar: Circle needs a kernel that treats both rows alike");
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: Circle needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless gamma is finite and > 0 and m is finite.
  explicit Circle(CircleOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("gamma", options.gamma);
    check_offset<S>("m", options.m);
  }

  const CircleOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  CircleOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/circle.hpp"
#endif
