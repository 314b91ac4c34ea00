#pragma once

#include "nearfar/losses/impl/nt_xent.hpp"
#include "nearfar/sharded/impl/softmax.hpp"
#include "nearfar/sharded/nt_xent.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs) {
  const auto& [view1, view2] = inputs.sets_of_rows;
  const Index n = view1.rows();
  ShardedSet<S> views("view1", view1);
  views.add("view2", view2);
  ShardedCall<S> call(
      kernel,
      introduction("NtXent", kernel, inputs,
                   {{"temperature", options.temperature},
                    {"denominator", static_cast<double>(options.denominator)},
                    {"reduction", static_cast<double>(options.reduction)},
                    {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      {views}, inputs, [&] {
        check_shard_rows("view2", view2.rows(), "view1", n);
        if (inputs.wants_gradients) {
          check_upstream(inputs.options.upstream, options.reduction, 2 * n);
        }
      });
  refuse_unusable(options.unusable_anchors, call.all_rows(0) == 2 ? 2 : 0, "without a negative");
  const Index* partner = nullptr;
  call.team().agree([&] { partner = view_partners(call.scratch(), n); });

  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          kernel.sign(), options.temperature, options.denominator, {.column = partner}},
      call.upstream());
  TemperatureResult result;
  call.run(0, 0, KeyNumbers::from_own, term, &ShardedCall<S>::on_any_block, result.diagnostics);
  finish(call, options.reduction, options.temperature, term, result);
  return result;
}

}  // namespace nearfar::detail
