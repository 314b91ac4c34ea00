#include <gtest/gtest.h>

#include <nearfar/core/determinism.hpp>
#include <nearfar/core/instruction_set.hpp>
#include <stdexcept>
#include <string>

namespace {

using nearfar::Determinism;
using nearfar::InstructionSet;

TEST(Determinism, AcrossMachinesSelectsTheBaselineUntilItIsGivenUp) {
  const InstructionSet widest = nearfar::active_instruction_set();
  const Determinism at_first = nearfar::determinism();
  try {
    nearfar::set_determinism(Determinism::across_machines);
    EXPECT_EQ(nearfar::determinism(), Determinism::across_machines);
    EXPECT_EQ(nearfar::active_instruction_set(), InstructionSet::baseline);
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(at_first, Determinism::across_threads);
    EXPECT_NE(std::string(error.what()).find("determinism: wanted the compiled library"),
              std::string::npos);
  }
  nearfar::set_determinism(Determinism::across_threads);
  EXPECT_EQ(nearfar::active_instruction_set(), widest);
  EXPECT_EQ(nearfar::determinism(), at_first);
}

}  // namespace
