#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/terms/hard_negative_term.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many. Its one set has both views.
template <class S, class Frame>
TemperatureResult hard_negative(const HardNegativeOptions& options, Frame& call) {
  const Index* partner = nullptr;
  call.agree([&] { partner = view_partners(call.scratch(), call.own_rows(0) / 2); });
  auto term = call.template make<HardNegativeTerm<S>>(
      0,
      HardNegativeSettings{.temperature = options.temperature,
                           .prior = options.positive_prior,
                           .concentration = options.concentration,
                           .positives = partner},
      call.upstream());
  call.keep_positives(partner);
  TemperatureResult result;
  call.run_among_themselves(term, result.diagnostics);
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

template <class S>
TemperatureResult evaluate(const HardNegativeOptions& options, const Inputs<S, 2>& inputs,
                           const Targets& targets) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.take_bfloat16_products();
  call.check(2 * n);
  check_ids_alone({"targets", targets}, n);
  if (targets.has_ids()) {
    const Labels ids = ids_of_views(call.scratch(), targets.ids());
    call.leave_out(ids, ids);
  }
  call.pack();
  return hard_negative<S>(options, call);
}

}  // namespace nearfar::detail
