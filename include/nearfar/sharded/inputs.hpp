#pragma once

#include <array>

#include "nearfar/core/proxies.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/targets.hpp"
#include "nearfar/sharded/chunks.hpp"
#include "nearfar/sharded/sharding.hpp"

/// \file
/// The arguments of a sharded call, in the form in which the public class passes them on.

namespace nearfar::detail {

/// One process's rows of each set.
template <class S, int sets>
struct ShardedInputs {
  const Sharding& where;
  std::array<Chunks<S>, static_cast<std::size_t>(sets)> sets_of_rows;
  bool wants_gradients = false;
  CallOptions<S> options;
};

/// One process's rows, each with its label.
template <class S>
struct ShardedLabelledInputs {
  ShardedInputs<S, 1> rows;
  const Targets& targets;
};

/// One process's rows, each with its label, and the proxies of all classes.
template <class S>
struct ShardedProxyInputs {
  const Sharding& where;
  ProxyInputs<S> own;
};

}  // namespace nearfar::detail
