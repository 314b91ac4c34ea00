#pragma once

#include <string>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/terms/critic_term.hpp"

namespace nearfar::detail {

/// The bound in the frame of one process or of many.
template <class S, class Frame>
MutualInformationResult mutual_information(const MutualInformationOptions& options, Frame& call) {
  using enum MutualInformationBound;
  const Index n = call.all_rows(0);
  const MutualInformationBound bound = options.bound;
  const bool sums_others = bound == donsker_varadhan || bound == nwj;
  if (n == 1 && sums_others) {
    fail_argument("x", "at least two rows, so that some pairs are not joint", "one row");
  }
  auto term =
      call.template make<CriticTerm<S>>(0, n, call.kernel().sign(), bound, options.temperature);
  MutualInformationResult result;
  Diagnostics& d = result.diagnostics;
  if (bound == donsker_varadhan) {
    call.run_in_two_sweeps(term, 0, 1, d, [&] { term.sum_others(call); });
  } else {
    call.run(term, 0, 1, d);
    if (sums_others) term.sum_others(call);
  }
  d.anchors = d.terms = d.active_terms = call.own_rows(0);
  call.combine(d);
  d.anchors_without_negative = n == 1 ? 1 : 0;
  result.value = term.estimate(call);
  if (!is_finite(result.value)) fail_value_overflow(result.value);
  if (bound == info_nce && n > 0) result.ceiling = portable::log(static_cast<double>(n));
  if (!call.wants_gradients()) return result;
  const double scale = call.upstream().scalar();
  result.d_temperature =
      checked_derivative("d_temperature", scale * term.temperature_gradient(call));
  call.scatter(scale);
  return result;
}

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
  call.pack();
  return mutual_information<S>(options, call);
}

}  // namespace nearfar::detail
