#include <gtest/gtest.h>
#include <nearfar/nearfar.h>

#include <string>

namespace {

TEST(CDeterminism, AcrossMachinesSelectsTheBaselineUntilItIsGivenUp) {
  const std::string widest = nearfar_instruction_set_name();
  const nearfar_status status = nearfar_set_determinism(NEARFAR_ACROSS_MACHINES);
  if (status == NEARFAR_OK) {
    EXPECT_STREQ(nearfar_instruction_set_name(), "baseline");
  } else {
    EXPECT_EQ(status, NEARFAR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(nearfar_last_error()).find("across_machines"), std::string::npos);
  }
  EXPECT_EQ(nearfar_set_determinism(NEARFAR_ACROSS_THREADS), NEARFAR_OK);
  EXPECT_EQ(nearfar_instruction_set_name(), widest);
}

TEST(CDeterminism, RefusesANumberThatMeansNothing) {
  EXPECT_EQ(nearfar_set_determinism(2), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: determinism: wanted NEARFAR_ACROSS_THREADS or NEARFAR_ACROSS_MACHINES, "
               "got 2");
}

}  // namespace
