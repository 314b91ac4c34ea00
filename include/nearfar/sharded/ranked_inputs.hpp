#pragma once

#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// One process's queries and the keys ranked for them, each with its targets; the second set is
/// empty if there is one set.
template <class S>
struct ShardedRankedInputs {
  ShardedInputs<S, 2> sets;
  const Targets& query_targets;
  const Targets& key_targets;
  bool same_rows;
};

}  // namespace nearfar::detail
