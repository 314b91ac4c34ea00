#pragma once

#include <algorithm>

#include "nearfar/engine/each_pair.hpp"
#include "nearfar/losses/cosine_embedding.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const CosineEmbeddingOptions& options, const Inputs<S, 2>& inputs,
                const Labels& same) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, options.reduction, inputs);
  call.add_pairs(inputs, "a", "b");
  call.check(n);
  check_same_flags(same, n);
  call.pack();
  return each_pair(call, [&](Index i, double cosine) -> PairLoss {
    if (same[i] == 1) return {1 - cosine, -1};
    const double above = cosine - options.margin;
    return {std::max(0.0, above), above > 0 ? 1.0 : 0.0};
  });
}

}  // namespace nearfar::detail
