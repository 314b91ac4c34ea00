#include "support/definition_cases.hpp"
#include "support/through_classes.hpp"

/// Losses against proxies beside their definitions, through the classes.

namespace {

#define NEARFAR_TEST(name, ...)                                                                    \
  TEST(DefinedOverProxies, name) {                                                                 \
    support::expect_definition_over_proxies<nearfar::registered::name, support::ThroughClasses>(); \
  }
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
