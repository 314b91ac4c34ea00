#pragma once

#include "nearfar/core/instantiate.hpp"

/// \file
/// Which sharded losses the compiled library holds ready: those of kernels without a matrix.

#define NEARFAR_FOR_EACH_SHARDED_SIMILARITY(apply, Loss) \
  NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(apply, Loss)

#define NEARFAR_FOR_EACH_SHARDED_DISTANCE(apply, Loss)                           \
  apply(Loss, float, Euclidean) apply(Loss, double, Euclidean)                   \
      apply(Loss, float, SquaredEuclidean) apply(Loss, double, SquaredEuclidean) \
          apply(Loss, float, CosineDistance) apply(Loss, double, CosineDistance)
