#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "golden/golden_runners.hpp"

/// Runs every reference case of a folder through the public API, in double and in float:
/// tests/golden, or the folder that the environment variable NEARFAR_GOLDEN_DIR names.

namespace {

std::filesystem::path folder() {
  const char* wanted = std::getenv("NEARFAR_GOLDEN_DIR");
  return wanted != nullptr && *wanted != '\0' ? wanted : NEARFAR_GOLDEN_DEFAULT_DIR;
}

std::vector<std::filesystem::path> files() {
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

template <class S>
void run(const std::filesystem::path& file) {
  golden::Case c(file);
  const auto runner = golden::runners<S>().find(c.loss());
  ASSERT_NE(runner, golden::runners<S>().end()) << "unknown loss " << c.loss();
  const golden::Computed<S> computed = runner->second(c);
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

class Golden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Golden, MatchesInDouble) { run<double>(GetParam()); }
TEST_P(Golden, MatchesInFloat) { run<float>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(files()), [](const auto& parameter) {
  std::string name = parameter.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char ch) { return std::isalnum(ch) == 0; }, '_');
  return name;
});

TEST(GoldenFolder, HoldsCases) { EXPECT_FALSE(files().empty()) << folder() << " has no cases"; }

}  // namespace
