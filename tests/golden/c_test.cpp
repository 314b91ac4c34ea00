#include "c/through_c.hpp"
#include "golden/golden_files.hpp"

/// Runs every reference case through the C interface, in double and in float.

namespace {

NEARFAR_TEST_CASES(GoldenInC, support::ThroughC)

}  // namespace
