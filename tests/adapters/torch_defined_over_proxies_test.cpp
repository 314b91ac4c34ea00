#include "adapters/through_torch.hpp"
#include "support/definition_cases.hpp"

/// Losses against proxies beside their definitions, through LibTorch's functions.

namespace {

#define NEARFAR_TEST(name, ...)                                                                   \
  TEST(LibTorchDefinedOverProxies, name) {                                                        \
    support::expect_definition_over_proxies<nearfar::registered::name, adapters::ThroughTorch>(); \
  }
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
