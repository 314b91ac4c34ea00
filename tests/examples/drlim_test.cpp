#include "run_program.hpp"

namespace example_test {
namespace {

/// Images of 16 x 16 pixels in two classes, under noise: a bright bar, vertical or horizontal, in
/// the middle, displaced by at most a pixel. Shifted by 4 pixels they are far from the originals.
void write_bars(const fs::path& folder, const std::string& part, std::uint32_t count,
                std::uint64_t seed) {
  example::Random random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = i % 2;
    labels.push_back(static_cast<std::uint8_t>(label));
    const int down = static_cast<int>(random.below(3)) - 1;
    for (int p = 0; p < 256; ++p) {
      const int y = p / 16 - 7 - down;
      const int x = p % 16 - 7;
      const bool bright =
          label == 0 ? std::abs(x) <= 1 && std::abs(y) <= 4 : std::abs(y) <= 1 && std::abs(x) <= 4;
      const double level = (bright ? 170 : 20) + 40 * random.normal();
      pixels.push_back(static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, level))));
    }
  }
  write_gz(folder / (part + "-images-idx3-ubyte.gz"), idx({2051, count, 16, 16}, pixels));
  write_plain(folder / (part + "-labels-idx1-ubyte"), idx({2049, count}, labels));
}

class DrLim : public testing::Test {
 protected:
  DrLim() {
    fs::create_directories(folder_ / "data");
    write_bars(folder_ / "data", "train", 160, 1);
    write_bars(folder_ / "data", "t10k", 100, 2);
  }

  Outcome run(const std::vector<std::string>& more = {}) const {
    return run_program(
        folder_, "drlim",
        with({"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
              "--classes", "0,1", "--shifts=-4,4", "--batch", "32", "--steps", "150"},
             more));
  }

  Folder folder_;
};

TEST_F(DrLim, LearnsClassesFromNeighboursAndToIgnoreShifts) {
  const Outcome outcome = run();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const double untrained = table_row(outcome.out, "untrained encoder", 1)[0];
  const double neighbours = table_row(outcome.out, "neighbours", 1)[0];
  EXPECT_GT(neighbours, 0.95) << outcome.out;
  EXPECT_GT(neighbours, untrained + 0.02) << outcome.out;
  const std::vector<double> fresh = table_row(outcome.out, "untrained encoder, shifted", 2);
  const std::vector<double> distance = table_row(outcome.out, "neighbours, shifted", 2);
  const std::vector<double> copies = table_row(outcome.out, "neighbours and copies, shifted", 2);
  // Three shifts: chance is 0.33.
  EXPECT_GT(distance[1], fresh[1] + 0.05) << outcome.out;
  EXPECT_GT(distance[1], 0.9) << outcome.out;
  EXPECT_LT(copies[1], 0.6) << outcome.out;
  EXPECT_GT(copies[0], fresh[0] + 0.1) << outcome.out;
  EXPECT_GT(copies[0], 0.9) << outcome.out;
  for (const std::string name : {"classes", "distance", "copies"}) {
    EXPECT_TRUE(fs::exists(folder_ / ("out/" + name + ".gp"))) << name;
  }
}

TEST_F(DrLim, GivesTheSameFiguresWithAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::string threads : {"1", "2", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--steps", "4", "--batch", "100"}).code, 0);
    std::string all;
    for (const std::string name : {"drlim", "classes", "distance", "copies"}) {
      all += contents(folder_ / ("out/" + name + ".csv"));
    }
    tables.push_back(all);
  }
  EXPECT_GT(tables[0].size(), 1000u);
  EXPECT_TRUE(tables[0] == tables[1]);
  EXPECT_TRUE(tables[0] == tables[2]);
}

TEST_F(DrLim, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--classes", "0,7"}, "no class 7"},
      {{"--classes", "0"}, "--classes"},
      {{"--shifts=3,3"}, "--shifts"},
      {{"--shifts=0"}, "--shifts"},
      {{"--shifts=16"}, "less than 16"},
      {{"--neighbours", "0"}, "--neighbours"},
      {{"--margin", "nan"}, "--margin"},
      {{"--steps", "0"}, "--steps"},
      {{"--data", (folder_ / "none").string()}, "none"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "drlim", reason);
  }
}

}  // namespace
}  // namespace example_test
