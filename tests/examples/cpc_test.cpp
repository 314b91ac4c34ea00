#include <cmath>

#include "run_program.hpp"

namespace example_test {
namespace {

/// Images of 12 x 12 pixels in four classes, under noise: bands across, of different periods, at
/// any position. A mean over rows loses the period; a prediction of later rows needs it.
void write_bands(const fs::path& folder, const std::string& part, std::uint32_t count,
                 std::uint64_t seed) {
  constexpr double periods[] = {3, 4, 6, 12};
  example::Random random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = i % 4;
    const double phase = random.uniform();
    labels.push_back(static_cast<std::uint8_t>(label));
    for (std::uint32_t p = 0; p < 144; ++p) {
      const double wave = std::sin(2 * 3.14159265 * (p / 12 / periods[label] + phase));
      const double level = 120 + 60 * wave + 40 * random.normal();
      pixels.push_back(static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, level))));
    }
  }
  write_gz(folder / (part + "-images-idx3-ubyte.gz"), idx({2051, count, 12, 12}, pixels));
  write_plain(folder / (part + "-labels-idx1-ubyte"), idx({2049, count}, labels));
}

class CpcProgram : public testing::Test {
 protected:
  CpcProgram() {
    fs::create_directories(folder_ / "data");
    write_bands(folder_ / "data", "train", 640, 1);
    write_bands(folder_ / "data", "t10k", 200, 2);
  }

  std::vector<std::string> arguments(const std::string& out,
                                     const std::string& epochs = "20") const {
    return {"--data",   (folder_ / "data").string(),
            "--out",    (folder_ / out).string(),
            "--epochs", epochs,
            "--batch",  "64",
            "--steps",  "3"};
  }
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program(folder_, "cpc", arguments);
  }

  Folder folder_;
};

TEST_F(CpcProgram, LearnsWhatRowsToComeDependOn) {
  const Outcome outcome = run(arguments("out"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  // By 20 nearest neighbours, because so few images do not train a linear probe. With four classes,
  // chance is 0.25.
  const std::vector<double> mean_row = table_row(outcome.out, "mean row of pixels", 1);
  const std::vector<double> untrained = table_row(outcome.out, "untrained, mean context", 1);
  const std::vector<double> trained = table_row(outcome.out, "CPC, mean context", 1);
  EXPECT_GT(trained[0], untrained[0] + 0.3) << outcome.out;
  EXPECT_GT(trained[0], mean_row[0] + 0.5) << outcome.out;
  // Loss, bound and the upper limit of the bound.
  for (const int ahead : {1, 2, 3}) {
    const std::vector<double> step = table_row(outcome.out, std::to_string(ahead), 3);
    EXPECT_GT(step[1], 0.2) << outcome.out;
    EXPECT_LT(step[1], step[2]);
    EXPECT_NEAR(step[2], std::log(64.0 * (12 - ahead)), 1e-3);
    EXPECT_NEAR(step[0] + step[1], step[2], 2e-4);
  }
  for (const std::string name :
       {"quality.csv", "steps.csv", "bounds.csv", "bounds.gp", "embedding.csv", "loss.csv"}) {
    EXPECT_TRUE(fs::exists(folder_ / ("out/" + name))) << name;
  }
}

TEST_F(CpcProgram, GivesTheSameFiguresWithAnyNumberOfThreads) {
  for (const std::string negatives : {"same_time", "same_sequence", "all"}) {
    for (const std::string threads : {"1", "2", "3"}) {
      const Outcome outcome = run(with(arguments(negatives + threads, "1"),
                                       {"--threads", threads, "--negatives", negatives}));
      ASSERT_EQ(outcome.code, 0) << outcome.err;
    }
    for (const std::string name :
         {"quality.csv", "steps.csv", "bounds.csv", "loss.csv", "embedding.csv"}) {
      const std::string one = contents(folder_ / (negatives + "1/" + name));
      EXPECT_GT(one.size(), 60u);
      EXPECT_TRUE(one == contents(folder_ / (negatives + "2/" + name))) << negatives << name;
      EXPECT_TRUE(one == contents(folder_ / (negatives + "3/" + name))) << negatives << name;
    }
  }
}

TEST_F(CpcProgram, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--negatives", "some"}, "--negatives"},
      {{"--steps", "0"}, "--steps"},
      {{"--steps", "12"}, "steps = 12"},
      {{"--temperature", "nan"}, "--temperature"},
      {{"--seed", "-1"}, "--seed"},
      {{"--threads", "0"}, "--threads"},
      {{"--data", (folder_ / "none").string()}, "none"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(with(arguments("out"), more)), "cpc", reason);
  }
}

}  // namespace
}  // namespace example_test
