#pragma once

#include "support/batch.hpp"

/// \file
/// Losses through LibTorch's operators; null for those that are not written here.

namespace bench {

/// The dense form, gradients by autograd.
template <class S>
Peer<S>* libtorch(const Batch<S>& batch);

/// InfoNCE of inner products in chunks, as PyTorch's linear_cross_entropy has it.
template <class S>
Peer<S>* libtorch_chunked(const Batch<S>& batch);

}  // namespace bench
