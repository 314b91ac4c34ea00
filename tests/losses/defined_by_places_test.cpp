#include "support/definition_cases.hpp"
#include "support/through_classes.hpp"

/// Losses that are neither over labels nor against proxies against their definitions, through the
/// classes with each kernel.

namespace {

#define NEARFAR_TEST(name, ...)                                                             \
  TEST(DefinedByPlaces, name) {                                                             \
    support::expect_definition<nearfar::registered::name, support::ThroughClasses, true>(); \
  }
NEARFAR_OTHER_LOSSES(NEARFAR_TEST)
#undef NEARFAR_TEST

TEST(DefinedByPlaces, matryoshka_info_nce) {
  support::expect_definition_by_places<support::MatryoshkaLine, support::ThroughClasses, true>();
}

}  // namespace
