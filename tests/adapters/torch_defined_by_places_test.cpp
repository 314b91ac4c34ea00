#include "adapters/through_torch.hpp"
#include "support/definition_cases.hpp"

/// Losses of rows without labels against their definitions, through LibTorch's functions, each with
/// its own kernel.

namespace {

#define NEARFAR_TEST(name)                                                                  \
  TEST(LibTorchDefinedByPlaces, name) {                                                     \
    support::expect_definition_by_places<nearfar::registered::name, adapters::ThroughTorch, \
                                         false>();                                          \
  }
NEARFAR_DEFINED_BY_PLACES(NEARFAR_TEST)
#undef NEARFAR_TEST

}  // namespace
