#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/view_partners.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many. Its one set has both views.
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

/// The kept rows of both views, one view below the other, from the kept samples.
inline KeptRows of_both_views(Scratch& scratch, const KeptRows& samples) {
  if (samples.are_all()) return 2 * samples.all;
  auto* number = scratch.take<Index>(2 * samples.count);
  for (Index i = 0; i < samples.count; ++i) {
    number[i] = samples[i];
    number[samples.count + i] = samples.all + samples[i];
  }
  return {number, 2 * samples.count, 2 * samples.all};
}

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const Targets& given) {
  Call<S> call(kernel, options.reduction, inputs);
  const LabelledRows labelled =
      labelled_rows(call.scratch(), {"targets", given}, inputs.rows[0].rows());
  call.add_views(inputs, labelled.rows);
  call.take_bfloat16_products();
  call.check(of_both_views(call.scratch(), labelled.rows));
  const Index n = labelled.rows.count;
  const Targets& targets = labelled.targets;
  check_ids_alone({"targets", targets}, n);
  if (targets.has_ids()) {
    const Labels ids = ids_of_views(call.scratch(), targets.ids());
    call.leave_out(ids, ids);
  }
  call.pack();
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
