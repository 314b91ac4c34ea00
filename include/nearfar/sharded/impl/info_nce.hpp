#pragma once

#include "nearfar/sharded/impl/softmax.hpp"
#include "nearfar/sharded/info_nce.hpp"

namespace nearfar::detail {

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const ShardedInputs<S, 2>& inputs, const Labels* positives) {
  const auto& [queries, keys] = inputs.sets_of_rows;
  const Index n = queries.rows();
  ShardedCall<S> call(
      kernel,
      introduction("InfoNce", kernel, inputs,
                   {{"temperature", options.temperature},
                    {"denominator", static_cast<double>(options.denominator)},
                    {"reduction", static_cast<double>(options.reduction)},
                    {"unusable_anchors", static_cast<double>(options.unusable_anchors)},
                    {"positives by number", positives != nullptr ? 1.0 : 0.0}}),
      {{"queries", queries}, {"keys", keys}}, inputs, [&] {
        if (positives == nullptr && keys.rows() < n) {
          fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                        std::to_string(keys.rows()) + " keys");
        }
        if (inputs.wants_gradients) check_upstream(inputs.options.upstream, options.reduction, n);
      });
  refuse_unusable(options.unusable_anchors, call.all_rows(1) == 1 ? call.all_rows(0) : 0,
                  "without a negative");
  Index* column = nullptr;  // keys are numbered from one's own first
  call.team().agree([&] {
    if (positives == nullptr) return;
    const Index* number =
        checked_indices(call.scratch(), "positives", *positives, n, call.all_rows(1));
    column = call.scratch().template take<Index>(n);
    for (Index i = 0; i < n; ++i) column[i] = number[i] - call.first_row(1);
  });

  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          kernel.sign(), options.temperature, options.denominator, {.column = column}},
      call.upstream());
  InfoNceResult result;
  call.run(0, 1, KeyNumbers::from_own, term, &ShardedCall<S>::on_any_block, result.diagnostics);
  finish(call, options.reduction, options.temperature, term, result);
  return result;
}

}  // namespace nearfar::detail
