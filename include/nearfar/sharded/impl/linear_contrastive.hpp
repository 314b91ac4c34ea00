#pragma once

#include "nearfar/losses/impl/linear_contrastive.hpp"
#include "nearfar/sharded/impl/sharded_labelled_call.hpp"
#include "nearfar/sharded/linear_contrastive.hpp"

namespace nearfar::detail {

template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs) {
  ShardedLabelledCall<S> call(kernel, options.reduction, PairWeights::refused,
                              introduction("LinearContrastive", kernel, inputs.rows, options,
                                           {{"positive_margin", *options.positive_margin},
                                            {"negative_margin", *options.negative_margin}}),
                              inputs);
  return linear_contrastive<S>(options, call);
}

template <class S>
LinearContrastiveResult evaluate(const SnrContrastiveOptions& options, const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs) {
  const KernelValue<S> of_centred = of_centred_rows(kernel);
  ShardedLabelledCall<S> call(of_centred, options.reduction, PairWeights::refused,
                              introduction("SnrContrastive", of_centred, inputs.rows, options,
                                           {{"positive_margin", options.positive_margin},
                                            {"negative_margin", options.negative_margin}}),
                              inputs);
  return snr_contrastive<S>(options, call);
}

}  // namespace nearfar::detail
