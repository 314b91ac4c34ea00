#pragma once

#include <cmath>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/uniformity.hpp"
#include "nearfar/terms/gaussian_term.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const UniformityOptions& options, const Inputs<S, 1>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, Reduction::mean, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(n);
  call.pack();

  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(0),
                       Pairing::upper);
  double nearest = 1;
  // Gaussians this narrow may all underflow in units of a pair at distance 0: find the nearest.
  constexpr double narrow = sizeof(S) == sizeof(float) ? 60 : 500;
  if (4 * options.t > narrow && n > 1) {
    NoTerm<S> none;
    Diagnostics range;
    pass.forward(none, range);
    nearest = range.largest_score;
  }
  GaussianTerm<S> term(call.scratch(), n, 2 * options.t, nearest);
  Result result;
  Diagnostics& d = result.diagnostics;
  call.run(pass, term, 0, 0, d);
  d.anchors = n;
  d.terms = d.active_terms = n * (n - 1) / 2;
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += term[i];
  if (d.terms > 0) {
    result.value = std::log(sum / static_cast<double>(d.terms)) + 2 * options.t * (nearest - 1);
  }
  if (!call.wants_gradients()) return result;
  call.scatter(d.terms > 0 ? call.upstream().scalar() / sum : 0);
  return result;
}

}  // namespace nearfar::detail
