#include "support/left_out_gradients.hpp"

#include <gtest/gtest.h>

#include "support/public_calls.hpp"

/// Gradients that a caller does not want, in every public call.

namespace {

using namespace support;

TEST(LeftOutGradients, ChangeNothingElse) {
  for (const PublicCall<double>& call : all_public_calls<double>()) {
    expect_left_out_gradients_to_change_nothing(call);
  }
}

}  // namespace
