#include "support/definition_cases.hpp"
#include "support/through_classes.hpp"

/// Losses over labels against their definitions, through the classes with each kernel.

namespace {

namespace registered = nearfar::registered;

template <class Line>
class DefinedOverLabels : public testing::Test {};

#define NEARFAR_LINE(name, ...) registered::name,
using Lines = testing::Types<NEARFAR_LOSSES_OVER_LABELS(NEARFAR_LINE)  //
                             registered::hadsell_contrastive>;
#undef NEARFAR_LINE
TYPED_TEST_SUITE(DefinedOverLabels, Lines);

TYPED_TEST(DefinedOverLabels, MatchesOverDrawnBatches) {
  support::expect_definition_over_labels<TypeParam, support::ThroughClasses, true>();
}

}  // namespace
