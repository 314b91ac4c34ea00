#pragma once

#include "support/batch.hpp"

/// \file
/// InfoNCE in a program that uses the headers alone and compiles them for this machine. The
/// library, whose users need no flags, should be as fast. Compiled with separate names.

namespace bench {

/// Null for other losses and kernels.
Peer<float>* native(const Batch<float>& batch);

}  // namespace bench
