#include <cmath>

#include "run_program.hpp"

namespace example_test {
namespace {

/// The rows of a table of numbers.
std::vector<std::vector<double>> table(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::vector<std::vector<double>> rows;
  while (std::getline(in, line)) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(std::stod(cell));
  }
  return rows;
}

enum Column { noise, reference, narrow, wide };

class NoiseSamples : public testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& more = {}) const {
    return run_program(folder_, "noise_samples",
                       with({"--threads", "1", "--out", (folder_ / "out").string(), "--dimensions",
                             "3", "--samples", "400", "--repetitions", "16", "--noise", "1,8,64"},
                            more));
  }

  Folder folder_;
};

TEST_F(NoiseSamples, MoreOfThemComeNearerToMaximumLikelihood) {
  const Outcome outcome = run();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const std::string part : {"precision", "log_z"}) {
    SCOPED_TRACE(part);
    const auto distance = table(folder_ / ("out/" + part + "_from_likelihood.csv"));
    const auto error = table(folder_ / ("out/" + part + "_from_truth.csv"));
    ASSERT_EQ(distance.size(), 3u);
    ASSERT_EQ(error.size(), 3u);
    for (const Column width : {narrow, wide}) {
      EXPECT_GT(distance[0][width], distance[1][width]);
      EXPECT_GT(distance[1][width], distance[2][width]);
      EXPECT_GT(error[0][width], error[2][width]);
      EXPECT_LT(error[2][width], 1.5 * error[2][reference]);
    }
    // With 64 times as many it falls to an eighth, by and large.
    EXPECT_GT(distance[0][narrow], 4 * distance[2][narrow]);
    EXPECT_LT(distance[0][narrow], 16 * distance[2][narrow]);
    // The wide noise is the worse one, and the difference goes.
    EXPECT_GT(error[0][wide], 1.1 * error[0][narrow]);
    EXPECT_LT(error[2][wide], 1.3 * error[2][narrow]);
  }
}

TEST_F(NoiseSamples, GivesTheSameFiguresWithAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::string threads : {"1", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--repetitions", "2", "--noise", "1,8"}).code, 0);
    tables.push_back(contents(folder_ / "out/precision_from_truth.csv"));
  }
  EXPECT_GT(tables[0].size(), 100u);
  EXPECT_EQ(tables[0], tables[1]);
}

TEST_F(NoiseSamples, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--noise", "0"}, "--noise"},
      {{"--widths", "-1"}, "--widths"},
      {{"--samples", "5"}, "--samples"},
      {{"--data", "x"}, "--data"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "noise_samples", reason);
  }
}

}  // namespace
}  // namespace example_test
