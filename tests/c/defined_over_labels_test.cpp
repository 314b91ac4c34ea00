#include "c/through_c.hpp"
#include "support/definition_cases.hpp"

/// Losses over labels against their definitions, through the C interface, each with its own kernel.

namespace {

namespace registered = nearfar::registered;

TEST(CDefinedOverLabels, MatchesOverDrawnBatches) {
#define NEARFAR_EXPECT(name, ...) \
  support::expect_definition_over_labels<registered::name, support::ThroughC, false>();
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_EXPECT)
  NEARFAR_EXPECT(hadsell_contrastive)
#undef NEARFAR_EXPECT
}

}  // namespace
