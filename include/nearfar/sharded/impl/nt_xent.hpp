#pragma once

#include <cstdint>
#include <vector>

#include "nearfar/losses/impl/nt_xent.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/nt_xent.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const ShardedInputs<S, 2>& inputs, const Targets& targets) {
  const Chunks<S>& view1 = inputs.sets_of_rows[0];
  const Chunks<S>& view2 = inputs.sets_of_rows[1];
  ShardedSet<S> views("view1", view1);
  views.add("view2", view2);
  std::vector<std::int64_t> ids;  // of both views
  if (targets.has_ids()) {
    const Index n = targets.ids().size();
    for (Index i = 0; i < 2 * n; ++i) ids.push_back(targets.ids()[i < n ? i : i - n]);
    Targets of_views = Targets().ids(ids);
    if (targets.has_unlabelled()) of_views = of_views.unlabelled(targets.unlabelled_value());
    views.with_pairs(of_views);
  }
  ShardedCall<S> call(kernel, options.reduction,
                      introduction("NtXent", kernel, inputs, options,
                                   {{"temperature", options.temperature},
                                    {"denominator", static_cast<double>(options.denominator)},
                                    {"ids", targets.has_ids() ? 1.0 : 0.0}}),
                      {views}, inputs, 2 * view1.rows(), [&] {
                        check_same_rows("view1", "view2", inputs);
                        check_ids_alone({"targets", targets}, view1.rows());
                      });
  return nt_xent<S>(options, call);
}

}  // namespace nearfar::detail
