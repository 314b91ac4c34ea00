#pragma once

#include <gtest/gtest.h>

#include <nearfar/check/gradient_check.hpp>

/// \file
/// Conditions on the report of the gradient checker.

namespace support {

/// The check passed and compared every element: inputs are chosen away from kinks.
inline void expect_right(const nearfar::GradientCheckReport& report, nearfar::Index elements) {
  EXPECT_TRUE(report.passed) << report;
  EXPECT_EQ(report.kinks, 0) << report;
  EXPECT_EQ(report.checked, elements) << report;
}

}  // namespace support
