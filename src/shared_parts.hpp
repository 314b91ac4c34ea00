#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/tiles/labelled_batch.hpp"

/// \file
/// What the files of the compiled library have in common: parts that every loss is made of,
/// compiled in shared_parts.cpp and nowhere else.

#define NEARFAR_PARTS(prefix, S, ...)              \
  prefix template class Batch<S, __VA_ARGS__, 1>;  \
  prefix template class Batch<S, __VA_ARGS__, 2>;  \
  prefix template class ScoreRows<S, __VA_ARGS__>; \
  prefix template class Walk<S, __VA_ARGS__>;      \
  prefix template class MutualWalk<S, __VA_ARGS__>;

#define NEARFAR_PARTS_OVER_LABELS(prefix, S, ...)         \
  prefix template class LabelledBatch<S, __VA_ARGS__, 1>; \
  prefix template class LabelledBatch<S, __VA_ARGS__, 2>;

#define NEARFAR_ALL_PARTS(prefix)                                          \
  NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_PARTS, prefix)                       \
  NEARFAR_FOR_EACH_DISTANCE(NEARFAR_PARTS, prefix)                         \
  NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_PARTS_OVER_LABELS, prefix) \
  NEARFAR_FOR_EACH_DISTANCE(NEARFAR_PARTS_OVER_LABELS, prefix)             \
  prefix template class StripProducts<float>;                              \
  prefix template class StripProducts<double>;

#ifndef NEARFAR_PARTS_ARE_HERE
namespace nearfar::detail {
NEARFAR_ALL_PARTS(extern)
}
#endif
