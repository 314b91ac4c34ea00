#pragma once

#include "support/batch.hpp"

/// \file
/// What values and gradients are held against.

namespace bench {

/// Whether plain loops have this loss: the six that peers know, with their kernels.
bool has_plain_loops(const Batch<double>& batch);

/// The loss in plain loops over pairs and elements, which share nothing with anybody. Returns the
/// value, writes dx and dy. Takes O(N M D) steps without a vector.
double plain_loops(const Batch<double>& batch);

}  // namespace bench
