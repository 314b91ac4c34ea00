#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/terms/softmax_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/sequence_blocks.hpp"
#include "nearfar/tiles/stack.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of Cpc.
struct CpcOptions {
  Index length = 0;        ///< T > steps: positions of a sequence
  Index steps = 1;         ///< K >= 1: how far ahead is predicted
  double temperature = 1;  ///< tau > 0: logits are scores / tau
  SequenceNegatives negatives = SequenceNegatives::all;
  Reduction reduction = Reduction::mean;  ///< terms are contexts, at each step
  /// A context is unusable at a step that has no other target to tell its own from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// One prediction step.
struct CpcStep {
  double loss = 0;  ///< of the step's terms, after reduction
  /// log(number of candidates) - mean of the step's terms, in nats: see Cpc.
  double bound = 0;
};

/// What Cpc returns. `value` is the mean of the steps' losses; `values`, with Reduction::none, are
/// B T numbers whose sum it is; counts are of all steps.
struct CpcResult : TemperatureResult {
  std::vector<CpcStep> steps;  ///< k = 1 .. K
};

/// Contrastive predictive coding: from what a sequence was up to time t, find what it is at t + k
/// among other targets (van den Oord et al., Representation learning with contrastive predictive
/// coding, 2018, eq. 3 and 4). For B sequences of T positions, contexts c (B T x Dc) and targets z
/// (B T x Dz), position t of sequence b in row b T + t, and a matrix W_k (Dz x Dc) a step,
///
///     f_k(z_j, c_i) = z_j^T W_k c_i / tau
///     L_k(b, t) = -log( exp f_k(z_(b, t+k), c_(b, t)) / sum_j exp f_k(z_j, c_(b, t)) )
///     L = 1/K sum_k (mean of L_k(b, t) over b and t < T - k)
///
/// with the positive and its negatives (SequenceNegatives) as candidates j. Of step k's targets,
/// those at times k .. T - 1, all are candidates or the same few for some contexts, so that a step
/// is one InfoNCE or several.
///
/// W_1 .. W_K are one matrix, K Dz x Dc, W_k in rows (k - 1) Dz .. k Dz - 1: one thing for an
/// optimiser to hold, and views of parts of it are free.
///
/// A step's bound, log(candidates) - mean L_k, is in expectation at most the mutual information of
/// c_t and z_(t+k), averaged over t, where negatives are independent of the context (section 2.3):
/// sequences drawn at random, SequenceNegatives::same_time. Others of the same sequence are not,
/// and the number then only says how well the step predicts.
///
/// A step's terms are its B (T - k) contexts; Reduction applies to each step, the mean over steps
/// comes after. With Reduction::none a context's value is 1/K times the sum of its L_k, and 0 for a
/// last position, which predicts nothing.
///
/// Extra memory O(B T (Dc + Dz)), whatever K is. Floating point operations of a step, N = B (T - k)
/// contexts with C candidates each: 2 N Dc Dz for W_k c and 2 N C Dz for the scores; forward and
/// backward three times that. Immutable; shared by threads each with its own Workspace; the same
/// bits at any number of threads. S is float or double.
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
    check_positive("temperature", options.temperature);
  }

  const CpcOptions& options() const { return options_; }

  /// The loss of contexts (B T x Dc), targets (B T x Dz) and weights (K Dz x Dc). No sequences have
  /// value 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an
  /// element that is not finite.
  CpcResult forward(Rows<S> contexts, Rows<S> targets, Rows<S> weights,
                    CallOptions<S> call = {}) const {
    return run(nullptr, contexts, targets, weights, no_gradient, no_gradient, no_gradient, call);
  }

  /// Value and gradients (the shapes of their inputs) in one go; each may be `no_gradient` or
  /// `accumulate(buffer)`. With Reduction::none, those of the sum.
  CpcResult forward_backward(Rows<S> contexts, Rows<S> targets, Rows<S> weights,
                             GradientRows<S> d_contexts, GradientRows<S> d_targets,
                             GradientRows<S> d_weights, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, contexts.rows());
    return run(&one, contexts, targets, weights, d_contexts, d_targets, d_weights, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or B T numbers
  /// with Reduction::none.
  CpcResult backward(const Upstream& upstream, Rows<S> contexts, Rows<S> targets, Rows<S> weights,
                     GradientRows<S> d_contexts, GradientRows<S> d_targets,
                     GradientRows<S> d_weights, CallOptions<S> call = {}) const {
    return run(&upstream, contexts, targets, weights, d_contexts, d_targets, d_weights, call);
  }

 private:
  /// What goes through all steps of a call.
  struct Call;

  CpcResult run(const Upstream* upstream, const Rows<S>& contexts, const Rows<S>& targets,
                const Rows<S>& weights, GradientRows<S> d_contexts, GradientRows<S> d_targets,
                GradientRows<S> d_weights, CallOptions<S> call) const;
  void check(const Rows<S>& contexts, const Rows<S>& targets, const Rows<S>& weights,
             int threads) const;
  void run_step(Call& call, Index step, CpcResult& result) const;

  CpcOptions options_;
};

template <class S>
struct Cpc<S>::Call {
  detail::Scratch& scratch;
  int threads;
  const Upstream* upstream;  ///< null: forward only
  const Rows<S>& contexts;
  const Rows<S>& targets;
  const Rows<S>& weights;
  detail::StepSum<S> d_contexts;
  detail::StepSum<S> d_targets;
  detail::StepSum<S> d_weights;
};

template <class S>
CpcResult Cpc<S>::run(const Upstream* upstream, const Rows<S>& contexts, const Rows<S>& targets,
                      const Rows<S>& weights, GradientRows<S> d_contexts, GradientRows<S> d_targets,
                      GradientRows<S> d_weights, CallOptions<S> call) const {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = contexts.rows();
  check(contexts, targets, weights, threads);
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_contexts.check_shape("d_contexts", n, contexts.cols());
    d_targets.check_shape("d_targets", n, targets.cols());
    d_weights.check_shape("d_weights", weights.rows(), weights.cols());
    detail::check_parameter_gradient<S>(InnerProduct(), call);
  }

  Call steps{scratch,
             threads,
             upstream,
             contexts,
             targets,
             weights,
             {scratch, contexts, d_contexts.wanted()},
             {scratch, targets, d_targets.wanted()},
             {scratch, weights, d_weights.wanted()}};
  CpcResult result;
  result.steps.resize(static_cast<std::size_t>(options_.steps));
  if (options_.reduction == Reduction::none) result.values.resize(static_cast<std::size_t>(n));
  for (Index step = 1; step <= options_.steps && n > 0; ++step) run_step(steps, step, result);

  // Nothing of the caller's has been touched so far.
  steps.d_contexts.refuse_overflow("contexts");
  steps.d_targets.refuse_overflow("targets");
  detail::open_all({steps.d_contexts.output(d_contexts), steps.d_targets.output(d_targets),
                    steps.d_weights.output(d_weights)});
  steps.d_contexts.hand_out(threads, d_contexts);
  steps.d_targets.hand_out(threads, d_targets);
  steps.d_weights.hand_out(threads, d_weights);
  return result;
}

template <class S>
void Cpc<S>::check(const Rows<S>& contexts, const Rows<S>& targets, const Rows<S>& weights,
                   int threads) const {
  const Index n = contexts.rows();
  if (n % options_.length != 0) {
    fail_argument("contexts", "whole sequences of length " + std::to_string(options_.length),
                  std::to_string(n) + " rows");
  }
  if (targets.rows() != n) {
    fail_shape("targets", n, targets.cols(), targets.rows(), targets.cols());
  }
  if (n > 0 && (contexts.cols() == 0 || targets.cols() == 0)) {
    fail_argument(contexts.cols() == 0 ? "contexts" : "targets", "rows of at least one element",
                  "0 columns");
  }
  const Index outputs = options_.steps * targets.cols();
  if (weights.rows() != outputs || weights.cols() != contexts.cols()) {
    fail_shape("weights", outputs, contexts.cols(), weights.rows(), weights.cols());
  }
  detail::check_finite("contexts", contexts, threads);
  detail::check_finite("targets", targets, threads);
  detail::check_finite("weights", weights, threads);
  for (Index step = 1; step <= options_.steps; ++step) {
    const detail::SequenceBlocks blocks(options_.negatives, n, options_.length, step);
    detail::refuse_unusable(options_.unusable_anchors, blocks.size() == 1 ? blocks.terms() : 0,
                            "without a negative");
  }
}

template <class S>
void Cpc<S>::run_step(Call& call, Index step, CpcResult& result) const {
  using detail::Side;
  using Kernel = Bilinear<S>;
  detail::Scratch& scratch = call.scratch;
  const detail::ScratchLoan loan(scratch);
  const int threads = call.threads;
  const detail::SequenceBlocks blocks(options_.negatives, call.contexts.rows(), options_.length,
                                      step);
  const Index depth = call.targets.cols();
  const Eigen::Map<const Matrix<S>, Eigen::Unaligned, Eigen::OuterStride<>> weight(
      call.weights.row((step - 1) * depth), depth, call.weights.cols(),
      Eigen::OuterStride<>(call.weights.stride()));
  const Kernel kernel(weight);

  detail::Batch<S, Kernel, 2> batch(
      scratch, threads, kernel,
      {{{"contexts", detail::gather(scratch, threads, call.contexts, blocks, 0), Side::query},
        {"targets", detail::gather(scratch, threads, call.targets, blocks, step), Side::key}}});
  GradientRows<S> d_contexts = call.d_contexts.gathered(scratch, blocks);
  GradientRows<S> d_targets = call.d_targets.gathered(scratch, blocks);
  CallOptions<S> step_call{.d_parameter = call.d_weights.part((step - 1) * depth, depth)};
  detail::RowGradients<S> dx;
  detail::RowGradients<S> dy;
  double* upstream = nullptr;  // of each term, with Reduction::none
  if (call.upstream != nullptr) {
    dx = batch.want(0, d_contexts, step_call);
    dy = batch.want(1, d_targets, step_call);
    if (!call.upstream->is_scalar()) {
      upstream = scratch.take<double>(blocks.terms());
      for (Index i = 0; i < blocks.terms(); ++i) upstream[i] = (*call.upstream)[blocks.context(i)];
    }
  }

  auto* rows = scratch.take<detail::SoftmaxRow<S>>(blocks.terms());
  Diagnostics seen;
  double d_temperature = 0;
  for (Index block = 0; block < blocks.count(); ++block) {
    const detail::ScratchLoan block_loan(scratch);
    const Index first = block * blocks.size();
    const detail::PreparedRows<S> queries = blocks.part(batch.rows(0), block);
    const detail::PreparedRows<S> keys = blocks.part(batch.rows(1), block);
    detail::Walk<S, Kernel> walk(scratch, threads, kernel, queries, keys);
    const Upstream its = upstream != nullptr ? Upstream(upstream + first, blocks.size()) : 1.0;
    const detail::SoftmaxRows<S, 1> loss(options_.temperature, Denominator::with_positive, {}, its);
    const detail::SoftmaxRow<S>* its_rows = nullptr;
    if (call.upstream == nullptr) {
      its_rows = walk.forward(loss, seen);
    } else {
      detail::RowGradients<S> its_dx = blocks.part(dx, queries, block);
      detail::RowGradients<S> its_dy = blocks.part(dy, keys, block);
      its_rows = walk.forward_backward(loss, its_dx, its_dy, seen);
      d_temperature += loss.temperature_gradient(its_rows, blocks.size(), 1);
    }
    std::copy_n(its_rows, blocks.size(), rows + first);
  }

  const double share = 1 / static_cast<double>(options_.steps);
  const bool each = options_.reduction == Reduction::none;
  Result own;
  detail::reduce_softmax_rows(each ? Reduction::sum : options_.reduction, rows, blocks.terms(),
                              seen, own);
  double sum = 0;
  for (Index i = 0; i < blocks.terms(); ++i) {
    sum += rows[i].value;
    if (each) result.values[static_cast<std::size_t>(blocks.context(i))] += share * rows[i].value;
  }
  const double mean = sum / static_cast<double>(blocks.terms());
  result.steps[static_cast<std::size_t>(step - 1)] = {
      own.value, std::log(static_cast<double>(blocks.size())) - mean};
  result.value += share * own.value;
  if (call.upstream != nullptr) {
    const double scale =
        share * detail::gradient_scale(options_.reduction, own.diagnostics, *call.upstream);
    result.d_temperature += scale * d_temperature;
    batch.hand_back(scale, {&d_contexts, &d_targets}, step_call);
    call.d_contexts.add(threads, d_contexts, blocks, 0);
    call.d_targets.add(threads, d_targets, blocks, step);
  }
  Diagnostics& d = result.diagnostics;
  d.anchors += own.diagnostics.anchors;
  d.anchors_without_negative += own.diagnostics.anchors_without_negative;
  d.terms += own.diagnostics.terms;
  d.active_terms += own.diagnostics.active_terms;
  d.smallest_score = std::min(d.smallest_score, own.diagnostics.smallest_score);
  d.largest_score = std::max(d.largest_score, own.diagnostics.largest_score);
}

#ifndef NEARFAR_HEADER_ONLY
extern template class Cpc<float>;
extern template class Cpc<double>;
#endif

}  // namespace nearfar
