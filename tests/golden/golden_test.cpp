#include "golden/golden_files.hpp"
#include "support/through_classes.hpp"

/// Runs every reference case through the classes, in double and in float.

namespace {

NEARFAR_TEST_CASES(Golden, support::ThroughClasses)

TEST(GoldenFolder, HoldsCases) {
  EXPECT_FALSE(golden::files().empty()) << golden::folder() << " has no cases";
}

}  // namespace
