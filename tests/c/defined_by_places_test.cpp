#include "c/through_c.hpp"
#include "support/definition_cases.hpp"

/// Losses of rows without labels against their definitions, through the C interface, each with its
/// own kernel.

namespace {

#define NEARFAR_TEST(name)                                                                       \
  TEST(CDefinedByPlaces, name) {                                                                 \
    support::expect_definition_by_places<nearfar::registered::name, support::ThroughC, false>(); \
  }
NEARFAR_DEFINED_BY_PLACES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
