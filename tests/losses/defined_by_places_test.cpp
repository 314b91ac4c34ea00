#include "support/definition_cases.hpp"
#include "support/through_classes.hpp"

/// Losses of rows without labels against their definitions, through the classes with each kernel.

namespace {

#define NEARFAR_TEST(name)                                                                   \
  TEST(DefinedByPlaces, name) {                                                              \
    support::expect_definition_by_places<nearfar::registered::name, support::ThroughClasses, \
                                         true>();                                            \
  }
NEARFAR_DEFINED_BY_PLACES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
