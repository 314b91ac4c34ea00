#include "adapters/through_torch.hpp"
#include "support/definition_cases.hpp"

/// Losses that are neither over labels nor against proxies against their definitions, through
/// LibTorch's functions, each with its own kernel.

namespace {

#define NEARFAR_TEST(name, ...)                                                             \
  TEST(LibTorchDefinedByPlaces, name) {                                                     \
    support::expect_definition<nearfar::registered::name, adapters::ThroughTorch, false>(); \
  }
NEARFAR_OTHER_LOSSES(NEARFAR_TEST)
#undef NEARFAR_TEST

TEST(LibTorchDefinedByPlaces, matryoshka_info_nce) {
  support::expect_definition_by_places<support::MatryoshkaLine, adapters::ThroughTorch, false>();
}

}  // namespace
