#pragma once

#include <algorithm>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/sequence_blocks.hpp"
#include "nearfar/losses/cpc.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

/// One call: its steps run one after another, in the same memory.
template <class S>
class CpcCall {
 public:
  CpcCall(const CpcOptions& options, const Inputs<S, 3>& inputs)
      : options_(options),
        inputs_(inputs),
        scratch_(inputs.options.workspace),
        threads_(available_threads(scratch_.threads())) {}

  CpcResult run() {
    check();
    StepSum<S> d_contexts(scratch_, contexts(), inputs_.gradients[0]);
    StepSum<S> d_targets(scratch_, targets(), inputs_.gradients[1]);
    StepSum<S> d_weights(scratch_, weights(), inputs_.gradients[2]);
    const Sums sums{d_contexts, d_targets, d_weights};
    const Index n = contexts().rows();
    CpcResult result;
    result.steps.resize(static_cast<std::size_t>(options_.steps));
    if (options_.reduction == Reduction::none) result.values.resize(static_cast<std::size_t>(n));
    for (Index step = 1; step <= options_.steps && n > 0; ++step) run_step(step, sums, result);

    // No output has changed so far.
    checked_derivative("d_temperature", result.d_temperature);
    d_contexts.refuse_overflow("contexts");
    d_targets.refuse_overflow("targets");
    d_weights.refuse_overflow("weights");
    open_all({d_contexts.output(), d_targets.output(), d_weights.output()});
    d_contexts.scatter(threads_);
    d_targets.scatter(threads_);
    d_weights.scatter(threads_);
    return result;
  }

 private:
  /// Gradients, summed over steps.
  struct Sums {
    const StepSum<S>& contexts;
    const StepSum<S>& targets;
    const StepSum<S>& weights;
  };

  /// The sides of a step's scores and the gradients with respect to them.
  struct Step {
    KernelValue<S> kernel;
    PackedRows<S> contexts;
    PackedRows<S> targets;
    RowGradients<S> d_contexts;
    RowGradients<S> d_targets;
  };

  const Rows<S>& contexts() const { return inputs_.rows[0]; }
  const Rows<S>& targets() const { return inputs_.rows[1]; }
  const Rows<S>& weights() const { return inputs_.rows[2]; }
  bool wants_gradients() const { return inputs_.wants_gradients; }
  const Upstream& upstream() const { return inputs_.options.upstream; }

  void check() const {
    refuse_bfloat16(inputs_.options.products);
    const Index n = contexts().rows();
    if (n % options_.length != 0) {
      fail_argument("contexts", "whole sequences of length " + std::to_string(options_.length),
                    std::to_string(n) + " rows");
    }
    if (targets().rows() != n) {
      fail_shape("targets", n, targets().cols(), targets().rows(), targets().cols());
    }
    if (n > 0 && (contexts().cols() == 0 || targets().cols() == 0)) {
      fail_argument(contexts().cols() == 0 ? "contexts" : "targets", "rows of at least one element",
                    "0 columns");
    }
    const Index outputs = options_.steps * targets().cols();
    if (weights().rows() != outputs || weights().cols() != contexts().cols()) {
      fail_shape("weights", outputs, contexts().cols(), weights().rows(), weights().cols());
    }
    check_finite("contexts", contexts(), threads_);
    check_finite("targets", targets(), threads_);
    check_finite("weights", weights(), threads_);
    for (Index step = 1; step <= options_.steps; ++step) {
      const SequenceBlocks blocks(options_.negatives, n, options_.length, step);
      refuse_unusable(options_.unusable_anchors, blocks.size() == 1 ? blocks.terms() : 0,
                      "without a negative");
    }
    if (!wants_gradients()) return;
    check_upstream(upstream(), options_.reduction, n);
    constexpr const char* names[] = {"d_contexts", "d_targets", "d_weights"};
    for (std::size_t k = 0; k < 3; ++k) {
      inputs_.gradients[k].check_shape(names[k], inputs_.rows[k].rows(), inputs_.rows[k].cols());
    }
    if (inputs_.options.d_parameter.wanted()) {
      fail_argument("d_parameter", "a kernel with a matrix (Mahalanobis, Bilinear)",
                    "a kernel without one");
    }
  }

  void run_step(Index number, const Sums& sums, CpcResult& result) {
    const ScratchLoan loan(scratch_);
    const SequenceBlocks blocks(options_.negatives, contexts().rows(), options_.length, number);
    Step step = packed(number, blocks, sums);
    const Upstream of_rows = upstream().in_units_of(
        upstream().is_scalar() ? 1.0 : upstream().largest(contexts().rows()));
    double* upstream_of_terms = nullptr;  // with Reduction::none, if the caller gave it
    if (wants_gradients() && !upstream().is_scalar()) {
      upstream_of_terms = scratch_.template take<double>(blocks.terms());
      for (Index i = 0; i < blocks.terms(); ++i) {
        upstream_of_terms[i] = row_upstream(of_rows, blocks.context(i));
      }
    }

    auto* rows = scratch_.template take<SoftmaxRow<S>>(blocks.terms());
    Result own;
    Diagnostics& d = own.diagnostics;
    double d_temperature = 0;
    for (Index block = 0; block < blocks.count(); ++block) {
      d_temperature += run_block(step, blocks, block, upstream_of_terms, rows, d);
    }
    count_terms(
        blocks.terms(), [&](Index i) { return rows[i].value; },
        [&](Index i) { return rows[i].negatives; }, d);

    const double share = 1 / static_cast<double>(options_.steps);
    const bool each = options_.reduction == Reduction::none;
    reduce_rows(
        each ? Reduction::sum : options_.reduction, blocks.terms(),
        [&](Index i) { return rows[i].value; }, own);
    double sum = 0;
    for (Index i = 0; i < blocks.terms(); ++i) {
      sum += rows[i].value;
      if (each) result.values[static_cast<std::size_t>(blocks.context(i))] += share * rows[i].value;
    }
    const double mean = sum / static_cast<double>(blocks.terms());
    result.steps[static_cast<std::size_t>(number - 1)] = {
        own.value, portable::log(static_cast<double>(blocks.size())) - mean};
    result.value += share * own.value;
    if (wants_gradients()) {
      const double scale = share * gradient_scale(options_.reduction, d, of_rows);
      result.d_temperature += scale * d_temperature;
      add_gradients(number, step, blocks, scale, sums);
    }
    Diagnostics& all = result.diagnostics;
    all.anchors += d.anchors;
    all.anchors_without_negative += d.anchors_without_negative;
    all.terms += d.terms;
    all.active_terms += d.active_terms;
    all.smallest_score = std::min(all.smallest_score, d.smallest_score);
    all.largest_score = std::max(all.largest_score, d.largest_score);
  }

  /// The rows of a step, block after block; the step's matrix maps the contexts.
  Step packed(Index number, const SequenceBlocks& blocks, const Sums& sums) {
    Step step;
    const Index outputs = targets().cols();
    step.kernel.maps_queries = true;
    step.kernel.parameter =
        as_scalars(scratch_, threads_, weights().block((number - 1) * outputs, outputs));
    const S* no_centre = nullptr;
    step.contexts = pack(scratch_, threads_, step.kernel,
                         gather(scratch_, threads_, contexts(), blocks, 0), true, no_centre);
    step.targets = pack(scratch_, threads_, step.kernel,
                        gather(scratch_, threads_, targets(), blocks, number), false, no_centre);
    if (!step.contexts.finite) fail_overflow("contexts", "weights");
    check_products<S>("contexts", step.contexts.largest_norm, "targets", step.targets.largest_norm);
    if (sums.contexts.wanted() || sums.weights.wanted()) {
      step.d_contexts = take_gradients(scratch_, step.contexts);
    }
    if (sums.targets.wanted()) step.d_targets = take_gradients(scratch_, step.targets);
    return step;
  }

  /// The terms of one block. Returns dL/dtau, not scaled.
  double run_block(Step& step, const SequenceBlocks& blocks, Index block,
                   const double* upstream_of_terms, SoftmaxRow<S>* rows, Diagnostics& d) {
    const ScratchLoan loan(scratch_);
    const Index size = blocks.size();
    const Index first = block * blocks.stride();
    const PackedRows<S> queries = part_of(step.contexts, first, size);
    const PackedRows<S> keys = part_of(step.targets, first, size);
    OneSidedPass<S> pass(scratch_, threads_, step.kernel, queries, keys);
    const Upstream upstream =
        upstream_of_terms != nullptr ? Upstream(upstream_of_terms + block * size, size) : 1.0;
    OnePositiveSoftmax<S> term(scratch_, size, {step.kernel.sign(), options_.temperature},
                               upstream);
    if (wants_gradients()) {
      RowGradients<S> dx = part_of(step.d_contexts, step.contexts, first);
      RowGradients<S> dy = part_of(step.d_targets, step.targets, first);
      pass.forward_backward(term, dx, dy, d);
    } else {
      pass.forward(term, d);
    }
    for (Index i = 0; i < size; ++i) rows[block * size + i] = term[i];
    return wants_gradients() ? term.temperature_gradient(1) : 0;
  }

  /// Adds the gradients of a step to the sums: the chain rule, times `scale`.
  void add_gradients(Index number, Step& step, const SequenceBlocks& blocks, double scale,
                     const Sums& sums) {
    const auto chain = [&](const PackedRows<S>& x, RowGradients<S>& g, const char* name) {
      if (!g.wanted()) return;
      if (!finish_sums(threads_, step.kernel.geometry, x, g)) fail_gradient_overflow(name);
      chain_through_geometry(threads_, step.kernel.geometry, x, g, scale);
    };
    chain(step.contexts, step.d_contexts, "contexts");
    chain(step.targets, step.d_targets, "targets");
    const Rows<S>& p = step.kernel.parameter;
    if (sums.weights.wanted()) {
      const Index stride = padded_stride<S>(p.cols());
      const Index size = round_up(p.rows(), panel_rows) * stride;
      S* parameter = scratch_.template take<S>(size);
      std::fill_n(parameter, size, S(0));
      add_parameter_gradient(threads_, p, step.contexts, step.d_contexts, parameter);
      if (!row_loops<S>().all_finite(p.rows() * stride, parameter)) {
        fail_gradient_overflow("kernel parameter");
      }
      sums.weights.set((number - 1) * p.rows(), p.rows(), {parameter, stride});
    }
    if (sums.contexts.wanted()) {
      const InputGradients<S> share =
          chain_through_parameter(scratch_, threads_, p, step.contexts, true, step.d_contexts);
      sums.contexts.add(threads_, share, blocks, 0);
    }
    if (sums.targets.wanted()) {
      sums.targets.add(threads_, {step.d_targets.data, step.targets.stride}, blocks, number);
    }
  }

  const CpcOptions& options_;
  const Inputs<S, 3>& inputs_;
  Scratch scratch_;
  int threads_;
};

template <class S>
CpcResult evaluate(const CpcOptions& options, const Inputs<S, 3>& inputs) {
  return CpcCall<S>(options, inputs).run();
}

}  // namespace nearfar::detail
