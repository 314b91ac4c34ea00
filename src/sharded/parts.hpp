#pragma once

#include "../shared_parts.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/labelled_shards.hpp"

/// \file
/// Parts that every sharded loss is made of, compiled in sharded_parts.cpp and nowhere else.

#define NEARFAR_SHARDED_PARTS(prefix, S, ...)            \
  prefix template class ShardedBatch<S, __VA_ARGS__, 1>; \
  prefix template class ShardedBatch<S, __VA_ARGS__, 2>; \
  prefix template class LabelledShards<S, __VA_ARGS__>;

#define NEARFAR_ALL_SHARDED_PARTS(prefix)                            \
  NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_SHARDED_PARTS, prefix) \
  NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_SHARDED_PARTS, prefix)   \
  prefix template class Rounds<float>;                               \
  prefix template class Rounds<double>;

#ifndef NEARFAR_SHARDED_PARTS_ARE_HERE
namespace nearfar::detail {
NEARFAR_ALL_SHARDED_PARTS(extern)
}
#endif
