#include "adapters/through_torch.hpp"
#include "support/definition_cases.hpp"

/// Losses over labels against their definitions, through LibTorch's functions, each with its own
/// kernel.

namespace {

namespace registered = nearfar::registered;

TEST(LibTorchDefinedOverLabels, MatchesOverDrawnBatches) {
#define NEARFAR_EXPECT(name, ...) \
  support::expect_definition_over_labels<registered::name, adapters::ThroughTorch, false>();
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_EXPECT)
  NEARFAR_EXPECT(hadsell_contrastive)
#undef NEARFAR_EXPECT
}

}  // namespace
