#pragma once

#include "support/batch.hpp"

/// \file
/// Losses through LibTorch's operators; null for other losses.

namespace bench {

/// The dense form, with gradients by autograd.
template <class S>
Peer<S>* libtorch(const Batch<S>& batch);

/// InfoNCE of inner products in chunks, like PyTorch's linear_cross_entropy.
template <class S>
Peer<S>* libtorch_chunked(const Batch<S>& batch);

}  // namespace bench
