#pragma once

#include "nearfar/losses/impl/sig_lip.hpp"
#include "nearfar/sharded/impl/softmax.hpp"
#include "nearfar/sharded/sig_lip.hpp"

namespace nearfar::detail {

template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs) {
  const auto& [images, texts] = inputs.sets_of_rows;
  const Index n = images.rows();
  ShardedCall<S> call(kernel,
                      introduction("SigLip", kernel, inputs,
                                   {{"logit_scale", options.logit_scale},
                                    {"logit_bias", options.logit_bias},
                                    {"reduction", static_cast<double>(options.reduction)}}),
                      {{"images", images}, {"texts", texts}}, inputs, [&] {
                        check_shard_rows("texts", texts.rows(), "images", n);
                        if (inputs.wants_gradients) {
                          check_upstream(inputs.options.upstream, options.reduction, n);
                        }
                      });

  auto term = call.template make<LogisticTerm<S>>(
      0,
      LogisticSettings<S>{
          .scale = options.logit_scale, .bias = options.logit_bias, .positives_on_diagonal = true},
      call.upstream());
  SigLipResult result;
  Diagnostics& d = result.diagnostics;
  call.run(0, 1, KeyNumbers::from_own, term, &ShardedCall<S>::on_any_block, d);
  d.anchors = d.terms = n;
  for (Index i = 0; i < n; ++i) {
    if (call.all_rows(1) == 1) ++d.anchors_without_negative;
    if (term[i].value > 0) ++d.active_terms;
  }
  call.team().combine(d);
  call.reduce(
      options.reduction, n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return result;
  const double scale = gradient_scale(options.reduction, d, call.upstream());
  result.d_logit_scale = scale * call.sum_over_all(n, [&](Index i) { return term[i].d_scale; });
  result.d_logit_bias = scale * call.sum_over_all(n, [&](Index i) { return term[i].d_bias; });
  call.scatter(scale);
  return result;
}

}  // namespace nearfar::detail
