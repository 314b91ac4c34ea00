#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many, whose one set has both views.
template <class S, class Frame>
TemperatureResult nt_xent(const NtXentOptions& options, Frame& call) {
  const Index* partner = nullptr;
  call.agree([&] { partner = view_partners(call.scratch(), call.own_rows(0) / 2); });
  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          call.kernel().sign(), options.temperature, options.denominator, {.column = partner}},
      call.upstream());
  call.keep_positives(partner);
  TemperatureResult result;
  call.run_among_themselves(term, result.diagnostics);
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const Targets& targets) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.check(2 * n);
  check_ids_alone({"targets", targets}, n);
  if (targets.has_ids()) {
    const Labels ids = ids_of_views(call.scratch(), targets.ids());
    call.leave_out(ids, ids);
  }
  call.pack();
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
