#include <cmath>
#include <map>

#include "run_program.hpp"

namespace example_test {
namespace {

/// The numbers of a table, by the name in the first column.
std::map<std::string, std::vector<double>> table(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::map<std::string, std::vector<double>> rows;
  while (std::getline(in, line)) {
    std::istringstream cells(line);
    std::string name;
    std::getline(cells, name, ',');
    for (std::string cell; std::getline(cells, cell, ',');) rows[name].push_back(std::stod(cell));
  }
  return rows;
}

enum Column { log_n, info_nce, nwj, donsker_varadhan, club, truth };

class MutualInformation : public testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& more = {}) const {
    return run_program(folder_, "mutual_information",
                       with({"--out", (folder_ / "out").string(), "--dimensions", "3", "--truths",
                             "1,6", "--batches", "16,512", "--batch", "64", "--steps", "400"},
                            more));
  }

  Folder folder_;
};

TEST_F(MutualInformation, BoundsHaveTheirKnownShape) {
  const Outcome outcome = run();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  auto trained = table(folder_ / "out/trained_3.csv");
  ASSERT_EQ(trained.size(), 2u);
  // If the information is small, critics approach it from below; nwj is slow.
  for (const Column bound : {info_nce, nwj, donsker_varadhan}) {
    EXPECT_GT(trained["1"][bound], bound == nwj ? 0.4 : 0.75) << bound;
    EXPECT_LT(trained["1"][bound], 1.1) << bound;
  }
  // InfoNCE is at most log N, here below the truth.
  EXPECT_LT(trained["6"][info_nce], std::log(64));
  EXPECT_GT(trained["6"][info_nce], 3);
  // CLUB is above the truth with the true conditional density.
  for (const std::string information : {"1", "6"}) {
    EXPECT_GT(trained[information][club], trained[information][truth]);
  }

  auto batches = table(folder_ / "out/batches.csv");
  ASSERT_EQ(batches.size(), 2u);
  // The larger of the truths 1 and 6, above log 16.
  EXPECT_EQ(batches["16"][truth], 6);
  EXPECT_LT(batches["16"][info_nce], std::log(16));
  EXPECT_GT(batches["512"][info_nce], batches["16"][info_nce] + 2);
  EXPECT_LT(batches["512"][info_nce], 6);
}

TEST_F(MutualInformation, GivesTheSameFiguresWithAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::string threads : {"1", "2", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--steps", "20", "--batch", "200"}).code, 0);
    tables.push_back(contents(folder_ / "out/trained_3.csv") +
                     contents(folder_ / "out/batches.csv"));
  }
  EXPECT_GT(tables[0].size(), 200u);
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_EQ(tables[0], tables[2]);
}

TEST_F(MutualInformation, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--truths", "0"}, "--truths"},
      {{"--dimensions", "0"}, "--dimensions"},
      {{"--batch", "1"}, "--batch"},
      {{"--data", "here"}, "--data"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "mutual_information", reason);
  }
}

}  // namespace
}  // namespace example_test
