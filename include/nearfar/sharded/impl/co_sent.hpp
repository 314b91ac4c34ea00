#pragma once

#include "nearfar/losses/impl/co_sent.hpp"
#include "nearfar/sharded/co_sent.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

namespace nearfar::detail {

template <class S>
CoSentResult evaluate(const CoSentOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Numbers<S>& scores) {
  const auto& sets = inputs.sets_of_rows;
  ShardedCall<S> call(kernel, Reduction::sum,
                      introduction("CoSent", kernel, inputs, options, {{"scale", options.scale}}),
                      {ShardedSet<S>("a", sets[0]), ShardedSet<S>("b", sets[1])}, inputs,
                      sets[0].rows(), [&] {
                        check_same_rows("a", "b", inputs);
                        check_numbers("scores", scores, sets[0].rows());
                      });
  return co_sent<S>(options, call, scores);
}

template <class S>
CoSentResult evaluate(const AngleOptions& options, const ShardedInputs<S, 2>& inputs,
                      const Numbers<S>& scores) {
  const auto& sets = inputs.sets_of_rows;
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedCall<S> call(kernel, Reduction::sum,
                      introduction("Angle", kernel, inputs, options, {{"scale", options.scale}}),
                      {ShardedSet<S>("a", sets[0]), ShardedSet<S>("b", sets[1])}, inputs,
                      sets[0].rows(), [&] {
                        check_same_rows("a", "b", inputs);
                        check_numbers("scores", scores, sets[0].rows());
                      });
  return angle<S>(options, call, scores);
}

}  // namespace nearfar::detail
