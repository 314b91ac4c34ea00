#pragma once

#include <string>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/terms/critic_term.hpp"

namespace nearfar::detail {

template <class S>
MutualInformationResult evaluate(const MutualInformationOptions& options,
                                 const KernelValue<S>& kernel, const Inputs<S, 2>& inputs) {
  const auto& [x, y] = inputs.rows;
  const Index n = x.rows();
  if (y.rows() != n) {
    fail_argument("y", "one row for each of " + std::to_string(n) + " rows of x",
                  std::to_string(y.rows()) + " rows");
  }
  Call<S> call(kernel, Reduction::mean, inputs);
  call.add(Side::query, {"x", x, inputs.gradients[0]});
  call.add(Side::key, {"y", y, inputs.gradients[1]});
  call.check(n);
  const bool two_passes = options.bound == MutualInformationBound::donsker_varadhan;
  if (n == 1 && (two_passes || options.bound == MutualInformationBound::nwj)) {
    fail_argument("x", "at least two rows, so that some pairs are not joint", "one row");
  }
  call.pack();

  OneSidedPass<S> pass(call.scratch(), call.threads(), kernel, call.rows(0), call.rows(1));
  CriticTerm<S> term(call.scratch(), n, kernel.sign(), options.bound, options.temperature);
  MutualInformationResult result;
  Diagnostics& d = result.diagnostics;
  if (two_passes && call.wants_gradients()) {
    Diagnostics of_first_pass;
    pass.forward(term, of_first_pass);
    term.sum_others();
  }
  call.run(pass, term, 0, 1, d);
  d.anchors = d.terms = d.active_terms = n;
  d.anchors_without_negative = n == 1 ? 1 : 0;
  result.value = term.estimate();
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  if (options.bound == MutualInformationBound::info_nce && n > 0) {
    result.ceiling = portable::log(static_cast<double>(n));
  }
  if (!call.wants_gradients()) return result;
  result.d_temperature =
      checked_derivative("d_temperature", call.upstream().scalar() * term.temperature_gradient());
  call.scatter(call.upstream().scalar());
  return result;
}

}  // namespace nearfar::detail
