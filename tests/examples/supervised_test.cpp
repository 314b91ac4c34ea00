#include "run_program.hpp"

namespace example_test {
namespace {

class Supervised : public testing::Test {
 protected:
  Supervised() { write_noisy_dataset(folder_ / "data"); }

  Outcome run(const std::vector<std::string>& more) const {
    return run_program(
        folder_, "supervised",
        with({"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
              "--classes", "4", "--per-class", "8", "--dim", "16", "--steps", "120"},
             more));
  }

  Folder folder_;
};

TEST_F(Supervised, EveryLossBeatsTheUntrainedEncoder) {
  const Outcome outcome = run({});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const std::vector<double> untrained = table_row(outcome.out, "untrained encoder", 3);
  for (const std::string name :
       {"triplet, all", "triplet, semi-hard", "triplet, easy, soft", "triplet, batch-hard",
        "triplet, batch-hard, soft", "triplet, distance-weighted", "SupCon", "multi-similarity",
        "circle"}) {
    const std::vector<double> row = table_row(outcome.out, name, 4);
    // With four classes, chance is 0.25. Batch-hard triplets start slowly.
    const double margin = name.starts_with("triplet, batch-hard") ? 0.05 : 0.2;
    EXPECT_GT(row[0], untrained[0] + margin) << name << outcome.out;
    EXPECT_GT(row[1], untrained[1] + margin) << name;
    EXPECT_GT(row[3], 0) << name;
  }
}

TEST_F(Supervised, GivesTheSameFiguresWithAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::string threads : {"1", "2", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--steps", "10"}).code, 0);
    tables.push_back(contents(folder_ / "out/supervised.csv"));
  }
  EXPECT_GT(tables[0].size(), 300u);
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_EQ(tables[0], tables[2]);
}

TEST_F(Supervised, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--steps", "0"}, "--steps"},
      {{"--per-class", "1"}, "--per-class"},
      {{"--classes", "5"}, "at least 5 classes"},
      {{"--data", (folder_ / "none").string()}, "none"},
      {{"--learning-rate", "nan"}, "--learning-rate"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "supervised", reason);
  }
}

}  // namespace
}  // namespace example_test
