#include "golden/golden_files.hpp"
#include "golden/golden_runners.hpp"

/// Runs every reference case through the public API, in double and in float.

namespace {

class Golden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Golden, MatchesInDouble) { golden::run(GetParam(), golden::runners<double>()); }
TEST_P(Golden, MatchesInFloat) { golden::run(GetParam(), golden::runners<float>()); }

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(golden::files()), golden::name_of);

TEST(GoldenFolder, HoldsCases) {
  EXPECT_FALSE(golden::files().empty()) << golden::folder() << " has no cases";
}

}  // namespace
