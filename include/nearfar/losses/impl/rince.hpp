#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/rince.hpp"
#include "nearfar/terms/rince_term.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

// The losses in the frame of one process or of many. The one set of views has both of them.

template <class S, class Frame>
TemperatureResult rince(const RinceOptions& options, Frame& call) {
  auto term = call.template make<RinceTerm<S>>(
      0, RinceSettings{call.kernel().sign(), options.temperature, options.lambda, options.q},
      call.upstream());
  TemperatureResult result;
  call.run(term, 0, 1, result.diagnostics);
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

template <class S, class Frame>
TemperatureResult rince(const RinceViewsOptions& options, Frame& call) {
  const Index* partner = nullptr;
  call.agree([&] { partner = view_partners(call.scratch(), call.own_rows(0) / 2); });
  auto term = call.template make<RinceTerm<S>>(
      0,
      RinceSettings{call.kernel().sign(), options.temperature, options.lambda, options.q, partner},
      call.upstream());
  TemperatureResult result;
  call.run_among_themselves(term, result.diagnostics);
  finish_rows(call, options.unusable_anchors, options.temperature, term, result);
  return result;
}

template <class S>
TemperatureResult evaluate(const RinceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "queries", "keys");
  call.take_bfloat16_products();
  call.check(n);
  call.pack();
  return rince<S>(options, call);
}

template <class S>
TemperatureResult evaluate(const RinceViewsOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, options.reduction, inputs);
  call.add_views(inputs);
  call.take_bfloat16_products();
  call.check(2 * n);
  call.pack();
  return rince<S>(options, call);
}

}  // namespace nearfar::detail
