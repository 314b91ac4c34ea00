#pragma once

#include "nearfar/losses/impl/margin_loss.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/margin_loss.hpp"

namespace nearfar::detail {

template <class S>
Introduction introduction(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const ShardedLabelledInputs<S>& inputs) {
  return introduction("MarginLoss", kernel, inputs.rows, options,
                      {{"margin", options.margin}, {"beta", options.beta}, {"nu", options.nu}});
}

template <class S>
MarginLossResult evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction(options, kernel, inputs), inputs);
  return margin_loss<S>(options, call);
}

template <class S>
Result evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs, const Rows<S>& betas,
                const GradientRows<S>& d_betas) {
  Introduction own = introduction(options, kernel, inputs);
  own.add({{"betas", static_cast<double>(betas.rows())}, {"betas (digest)", digest(betas)}});
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused, own, inputs);
  return margin_loss<S>(options, call, "labels", inputs.targets, betas, d_betas);
}

}  // namespace nearfar::detail
