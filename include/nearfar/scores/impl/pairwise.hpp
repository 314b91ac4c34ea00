#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/scores/pairwise.hpp"

namespace nearfar::detail {

/// Copies the scores of a pass to the result.
template <class S>
class ScoreCopyTerm final : public RowTerm<S> {
 public:
  explicit ScoreCopyTerm(const GradientRows<S>& out) : out_(out) {}

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    std::copy_n(s, n, out_.row(i) + first);
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

 private:
  const GradientRows<S>& out_;
};

/// A term whose dL/ds is given.
template <class S>
class GivenGradientTerm final : public RowTerm<S> {
 public:
  explicit GivenGradientTerm(const Rows<S>& gradient) : gradient_(gradient) {}

  void start(Index) override {}
  void accumulate(Index, Index, Index, const S*) override {}
  void close(Index) override {}
  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    const S* given = read_part(gradient_, i, first, n, g);
    if (given != g) std::copy_n(given, n, g);
  }

 private:
  Rows<S> gradient_;
};

/// Checks the rows of a call that is ready otherwise.
template <class S>
void check_pairwise(Call<S>& call, const Inputs<S, 2>& inputs) {
  call.add(Side::query, {"a", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::key, {"b", inputs.rows[1], inputs.gradients[1]});
  call.check(1);
}

template <class S>
void evaluate_pairwise(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                       GradientRows<S> scores) {
  Call<S> call(kernel, Reduction::sum, inputs);
  check_pairwise(call, inputs);
  if (scores.element() != Element::scalar) {
    fail_argument("scores", "a buffer of float", "one of 16-bit elements");
  }
  scores.open(inputs.rows[0].rows(), inputs.rows[1].rows());
  call.pack();
  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  ScoreCopyTerm<S> term(scores);
  Diagnostics d;
  pass.forward(term, d);
}

template <class S>
void evaluate_pairwise_backward(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                                const Rows<S>& weights) {
  Call<S> call(kernel, Reduction::sum, inputs);
  check_pairwise(call, inputs);
  const Index n = inputs.rows[0].rows();
  const Index m = inputs.rows[1].rows();
  if (weights.rows() != n || weights.cols() != m) {
    fail_shape("upstream", n, m, weights.rows(), weights.cols());
  }
  check_finite("upstream", weights, call.threads());
  call.pack();
  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  GivenGradientTerm<S> term(weights);
  Diagnostics d;
  call.run(pass, term, 0, 1, d);
  call.scatter(call.scale(d));
}

}  // namespace nearfar::detail
