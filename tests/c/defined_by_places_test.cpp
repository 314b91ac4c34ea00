#include "c/through_c.hpp"
#include "support/definition_cases.hpp"

/// Losses that are neither over labels nor against proxies against their definitions, through the C
/// interface, each with its own kernel.

namespace {

#define NEARFAR_TEST(name, ...)                                                        \
  TEST(CDefinedByPlaces, name) {                                                       \
    support::expect_definition<nearfar::registered::name, support::ThroughC, false>(); \
  }
NEARFAR_OTHER_LOSSES(NEARFAR_TEST)
#undef NEARFAR_TEST

TEST(CDefinedByPlaces, matryoshka_info_nce) {
  support::expect_definition_by_places<support::MatryoshkaLine, support::ThroughC, false>();
}

}  // namespace
