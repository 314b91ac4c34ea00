#pragma once

#include "support/batch.hpp"

/// \file
/// References for values and gradients.

namespace bench {

/// True if plain loops have this loss: the six that peers have, with their kernels.
bool has_plain_loops(const Batch<double>& batch);

/// The loss in plain loops over pairs and elements, which share no code with any participant.
/// Returns the value, writes dx and dy. Takes O(N M D) steps without vectors.
double plain_loops(const Batch<double>& batch);

}  // namespace bench
