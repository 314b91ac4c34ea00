#include "adapters/through_torch.hpp"
#include "golden/golden_files.hpp"

/// Runs every reference case through LibTorch's functions, in double and in float.

namespace {

NEARFAR_TEST_CASES(GoldenInTorch, adapters::ThroughTorch)

}  // namespace
