#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "golden/runners.hpp"

/// \file
/// The reference cases of a folder, and their comparison with what a runner computes: tests/golden,
/// or the folder that the environment variable NEARFAR_GOLDEN_DIR names.

namespace golden {

inline std::filesystem::path folder() {
  const char* wanted = std::getenv("NEARFAR_GOLDEN_DIR");
  return wanted != nullptr && *wanted != '\0' ? wanted : NEARFAR_GOLDEN_DEFAULT_DIR;
}

/// All cases.
inline std::vector<std::filesystem::path> files() {
  std::vector<std::filesystem::path> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder(), error)) {
    if (entry.path().extension() == ".json") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct Tolerance {
  double loss;      ///< relative to the expected loss; absolute where that is 0
  double gradient;  ///< relative to the largest entry of the expected gradient
};
template <class S>
constexpr Tolerance tolerance = sizeof(S) == sizeof(double) ? Tolerance{1e-10, 1e-9}
                                                            : Tolerance{1e-5, 2e-4};

/// Runs a case by the runner of its loss.
template <class S>
void run(const std::filesystem::path& file, const std::map<std::string, Runner<S>>& runners) {
  Case c(file);
  const auto runner = runners.find(c.loss());
  ASSERT_NE(runner, runners.end()) << "unknown loss " << c.loss();
  const support::Outcome<S> computed = runner->second(c);
  for (const std::string& name : c.unused()) ADD_FAILURE() << "unknown option or input " << name;

  EXPECT_NEAR(computed.loss, c.expected_loss(),
              tolerance<S>.loss * (c.expected_loss() != 0 ? std::abs(c.expected_loss()) : 1));
  const auto expected = c.expected_gradients();
  EXPECT_FALSE(expected.empty());
  for (const auto& [name, gradient] : expected) {
    const auto found = computed.gradients.find(name);
    ASSERT_NE(found, computed.gradients.end()) << "no gradient of " << name;
    const nearfar::Matrix<double> ours = found->second.template cast<double>();
    ASSERT_EQ(ours.rows(), gradient.rows()) << name;
    ASSERT_EQ(ours.cols(), gradient.cols()) << name;
    const double largest = gradient.cwiseAbs().maxCoeff();
    const double error = (ours - gradient).cwiseAbs().maxCoeff();
    EXPECT_LE(error, tolerance<S>.gradient * (largest > 0 ? largest : 1)) << name;
  }
}

/// The name of a case as part of a test's name.
inline std::string name_of(const testing::TestParamInfo<std::filesystem::path>& parameter) {
  std::string name = parameter.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char ch) { return std::isalnum(ch) == 0; }, '_');
  return name;
}

}  // namespace golden

/// A suite of all cases, each in double and in float, through an interface to the losses.
#define NEARFAR_TEST_CASES(Suite, Through)                               \
  class Suite : public testing::TestWithParam<std::filesystem::path> {}; \
  TEST_P(Suite, MatchesInDouble) {                                       \
    static const auto runners = golden::runners<double, Through>();      \
    golden::run(GetParam(), runners);                                    \
  }                                                                      \
  TEST_P(Suite, MatchesInFloat) {                                        \
    static const auto runners = golden::runners<float, Through>();       \
    golden::run(GetParam(), runners);                                    \
  }                                                                      \
  INSTANTIATE_TEST_SUITE_P(Cases, Suite, testing::ValuesIn(golden::files()), golden::name_of);
