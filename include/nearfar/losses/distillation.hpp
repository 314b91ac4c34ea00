#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/numbers.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of MarginMse.
struct MarginMseOptions {
  Reduction reduction = Reduction::mean;  ///< terms are pairs of a query and a negative

  /// Calls visit("reduction", o.reduction...).
  static void fields(const auto& visit, auto&... o) { visit("reduction", o.reduction...); }
};

/// Settings of DistillKl.
struct DistillKlOptions {
  double temperature = 1;                 ///< tau > 0: logits are scores / tau
  Reduction reduction = Reduction::mean;  ///< terms are queries

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("reduction", o.reduction...);
  }
};

namespace detail {

/// The third set holds the rows of the negatives.
template <class S>
Result evaluate(const MarginMseOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 3>& inputs, const Numbers<S>& teacher_margins);
template <class S>
TemperatureResult evaluate(const DistillKlOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const Numbers<S>& teacher_scores);

}  // namespace detail

/// Margin-MSE: the difference of the scores of a query's positive and of each of its negatives
/// should be a teacher's difference (Hofstaetter et al., Improving efficient neural ranking models
/// with cross-architecture knowledge distillation, 2020):
///
///     L_ik = (s(q_i, p_i) - s(q_i, n_ik) - teacher_margins_ik)^2
///
/// with scores of kernel K (minus the distance for distances). Terms are the N K pairs of a query
/// and a negative: Reduction::mean divides by N K; none gives N values, the sum of each query's
/// terms. Time and extra memory O(N K D). An object is immutable and may be shared by threads, each
/// with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class MarginMse {
 public:
  explicit MarginMse(MarginMseOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {}

  const MarginMseOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries and positives (both N x D) with K negatives a query, (N K) x D: those of
  /// query i are rows i K .. i K + K - 1. teacher_margins are N K numbers in the same order.
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element or a
  /// margin that is not finite.
  Result forward(Rows<S> queries, Rows<S> positives, Rows<S> negatives, Numbers<S> teacher_margins,
                 CallOptions<S> call = {}) const {
    return evaluate({{queries, positives, negatives}, {}, false, call}, teacher_margins);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> queries, Rows<S> positives, Rows<S> negatives,
                          Numbers<S> teacher_margins, GradientRows<S> d_queries,
                          GradientRows<S> d_positives, GradientRows<S> d_negatives,
                          CallOptions<S> call = {}) const {
    return evaluate(
        {{queries, positives, negatives}, {d_queries, d_positives, d_negatives}, true, call},
        teacher_margins);
  }

 private:
  Result evaluate(const detail::Inputs<S, 3>& inputs, const Numbers<S>& teacher_margins) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, teacher_margins);
  }

  MarginMseOptions options_;
  K kernel_;
};

/// Distillation of a teacher's scores: the softmax over each query's K candidates should be the
/// teacher's (Lin et al., Distilling dense representations for ranking using tightly-coupled
/// teachers, 2020; the factor tau^2 of Hinton et al., Distilling the knowledge in a neural network,
/// 2015, section 2):
///
///     L_i = tau^2 sum_k P_ik (log P_ik - log S_ik),
///     P_i = softmax(teacher_scores_i / tau),   S_i = softmax(s(q_i, d_i.) / tau)
///
/// with scores of kernel K (minus the distance for distances). Terms are queries: Reduction::mean
/// divides by N. A query with one candidate or none has loss 0. Time and extra memory O(N K D). An
/// object is immutable and may be shared by threads, each with its own Workspace. Results have the
/// same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class DistillKl {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit DistillKl(DistillKlOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const DistillKlOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) with K candidates each, (N K) x D: those of query i are rows i K
  /// to i K + K - 1. teacher_scores are N K numbers in the same order. Throws std::invalid_argument
  /// on shapes that do not fit, std::domain_error on an element or a score that is not finite.
  TemperatureResult forward(Rows<S> queries, Rows<S> candidates, Numbers<S> teacher_scores,
                            CallOptions<S> call = {}) const {
    return evaluate({{queries, candidates}, {}, false, call}, teacher_scores);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`. The
  /// temperature's derivative includes the teacher's softmax.
  TemperatureResult forward_backward(Rows<S> queries, Rows<S> candidates, Numbers<S> teacher_scores,
                                     GradientRows<S> d_queries, GradientRows<S> d_candidates,
                                     CallOptions<S> call = {}) const {
    return evaluate({{queries, candidates}, {d_queries, d_candidates}, true, call}, teacher_scores);
  }

 private:
  TemperatureResult evaluate(const detail::Inputs<S, 2>& inputs,
                             const Numbers<S>& teacher_scores) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, teacher_scores);
  }

  DistillKlOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/distillation.hpp"
#endif
