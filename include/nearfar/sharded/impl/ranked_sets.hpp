#pragma once

#include <utility>
#include <vector>

#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/ranked_inputs.hpp"

/// \file
/// The sets of rows of a sharded call of a metric over ranked keys.

namespace nearfar::detail {

/// Queries and keys; one set if rows are compared with each other, unless the kernel maps the two
/// sides differently. mark(set, targets) gives a set its targets.
template <class S, class Mark>
std::vector<ShardedSet<S>> ranked_sets(const KernelValue<S>& kernel,
                                       const ShardedRankedInputs<S>& inputs, const char* keys_name,
                                       const Mark& mark) {
  const auto& rows = inputs.sets.sets_of_rows;
  std::vector<ShardedSet<S>> sets;
  sets.emplace_back(inputs.same_rows ? "x" : "queries", rows[0]);
  mark(sets[0], inputs.query_targets);
  if (!inputs.same_rows) {
    sets.emplace_back(keys_name, rows[1]);
    mark(sets[1], inputs.key_targets);
  } else if (!kernel.is_symmetric()) {
    ShardedSet<S> keys = sets[0];
    keys.same_rows = true;
    sets.push_back(std::move(keys));
  }
  return sets;
}

/// Throws if a call wants the gradient of a kernel's matrix.
template <class S>
void refuse_d_parameter(const CallOptions<S>& options) {
  if (options.d_parameter.wanted()) {
    fail_argument("d_parameter", "none, as metrics have no gradient", "a buffer");
  }
}

}  // namespace nearfar::detail
