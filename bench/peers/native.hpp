#pragma once

#include "support/batch.hpp"

/// \file
/// InfoNCE as a program has it that takes the headers alone and compiles them for this machine:
/// what the library, whose callers need no flags, is to be as fast as. Compiled with names of its
/// own.

namespace bench {

/// Null for other losses and kernels.
Peer<float>* native(const Batch<float>& batch);

}  // namespace bench
