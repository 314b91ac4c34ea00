#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many, whose one set has both views.
template <class S, class Frame>
TemperatureResult nt_xent(const NtXentOptions& options, Frame& call) {
  refuse_unusable(options.unusable_anchors, call.all_rows(0) == 2 ? 2 : 0, "without a negative");
  const Index* partner = nullptr;
  call.agree([&] { partner = view_partners(call.scratch(), call.own_rows(0) / 2); });
  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          call.kernel().sign(), options.temperature, options.denominator, {.column = partner}},
      call.upstream());
  TemperatureResult result;
  call.run_among_themselves(term, result.diagnostics);
  finish_rows(call, options.temperature, term, result);
  return result;
}

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.check(2 * inputs.rows[0].rows());
  call.pack();
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
