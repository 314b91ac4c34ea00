#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/two_sided_pass.hpp"
#include "nearfar/terms/score_pass.hpp"

namespace nearfar::detail {

/// A term whose gradients are multiplied by an upstream of each row.
template <class S>
class UpstreamTerm final : public RowTerm<S> {
 public:
  UpstreamTerm(RowTerm<S>& term, const Upstream& upstream) : term_(term), upstream_(upstream) {}

  void start(Index i) override { term_.start(i); }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    term_.accumulate(i, first, n, s);
  }
  void close(Index i) override { term_.close(i); }
  double value(Index i) const override { return term_.value(i); }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    term_.gradient(i, first, n, s, g);
    if (!upstream_.is_scalar()) {
      row_loops<S>().scale(n, static_cast<S>(row_upstream(upstream_, i)), g, g);
    }
  }

 private:
  RowTerm<S>& term_;
  const Upstream& upstream_;
};

template <class S>
Result evaluate(const ScorePassOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, bool one_set, RowTerm<S>& term) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {one_set ? "x" : "queries", inputs.rows[0], inputs.gradients[0]});
  if (!one_set) call.add(Side::key, {"keys", inputs.rows[1], inputs.gradients[1]});
  call.check(n);
  call.pack();

  UpstreamTerm<S> scaled(term, call.upstream());
  Result result;
  Diagnostics& d = result.diagnostics;
  if (one_set) {
    TwoSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(0));
    call.run(pass, scaled, scaled, 0, 0, d);
  } else {
    OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
    call.run(pass, scaled, 0, 1, d);
  }
  const auto value_of = [&](Index i) { return term.value(i); };
  count_terms(n, value_of, d);
  call.reduce(n, value_of, result);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
