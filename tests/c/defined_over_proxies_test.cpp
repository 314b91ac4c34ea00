#include "c/through_c.hpp"
#include "support/definition_cases.hpp"

/// Losses against proxies beside their definitions, through the C interface.

namespace {

#define NEARFAR_TEST(name, ...)                                                              \
  TEST(CDefinedOverProxies, name) {                                                          \
    support::expect_definition_over_proxies<nearfar::registered::name, support::ThroughC>(); \
  }
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
