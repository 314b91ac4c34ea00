#include <cmath>

#include "run_program.hpp"

namespace example_test {
namespace {

/// Images of 12 x 12 pixels in four classes, under noise: stripes across or down, wide or narrow,
/// at any position. Random views keep the class; a random projection loses it.
void write_stripes(const fs::path& folder, const std::string& part, std::uint32_t count,
                   std::uint64_t seed) {
  example::Random random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = i % 4;
    const double period = label % 2 == 0 ? 3 : 6;
    const double phase = random.uniform();
    labels.push_back(static_cast<std::uint8_t>(label));
    for (std::uint32_t p = 0; p < 144; ++p) {
      const double at = label < 2 ? p / 12 : p % 12;
      const double wave = std::sin(2 * 3.14159265 * (at / period + phase));
      const double level = 120 + 80 * wave + 25 * random.normal();
      pixels.push_back(static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, level))));
    }
  }
  write_gz(folder / (part + "-images-idx3-ubyte.gz"), idx({2051, count, 12, 12}, pixels));
  write_plain(folder / (part + "-labels-idx1-ubyte"), idx({2049, count}, labels));
}

/// A program that learns from images without labels, and the name of its row in the table.
struct Program {
  std::string name;
  std::string row;
  std::vector<std::string> more = {};
};

/// For the names of tests.
void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }

const std::vector<Program> programs = {
    {"simclr", "SimCLR, no labels"},
    {"moco", "MoCo, queue of 512", {"--queues", "0,512", "--seeds", "1"}},
    {"instdisc", "instance discrimination", {"--noise", "256"}},
};

class SelfSupervised : public testing::TestWithParam<Program> {
 protected:
  SelfSupervised() {
    fs::create_directories(folder_ / "data");
    write_stripes(folder_ / "data", "train", 640, 1);
    write_stripes(folder_ / "data", "t10k", 200, 2);
  }

  std::vector<std::string> arguments(const std::string& out,
                                     const std::string& epochs = "12") const {
    return with({"--data", (folder_ / "data").string(), "--out", (folder_ / out).string(),
                 "--epochs", epochs, "--batch", "64"},
                GetParam().more);
  }

  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program(folder_, GetParam().name, arguments);
  }

  Folder folder_;
};

TEST_P(SelfSupervised, BeatsAnUntrainedEncoder) {
  const Outcome outcome = run(arguments("out"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const std::vector<double> untrained = table_row(outcome.out, "untrained encoder", 2);
  const std::vector<double> trained = table_row(outcome.out, GetParam().row, 2);
  // Untrained, stripes of one phase are near each other; a linear classifier needs an encoder that
  // ignores the phase. With four classes, chance is 0.25.
  EXPECT_GT(trained[0], 0.8) << outcome.out;
  EXPECT_GT(trained[1], untrained[1] + 0.05) << outcome.out;
  const std::string table = contents(folder_ / "out/quality.csv");
  EXPECT_NE(table.find(GetParam().row.substr(0, 4)), std::string::npos);
}

TEST_P(SelfSupervised, GivesTheSameFiguresWithAnyNumberOfThreads) {
  for (const std::string threads : {"1", "2", "3"}) {
    const Outcome outcome = run(with(arguments("out" + threads, "1"), {"--threads", threads}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  for (const std::string name : {"quality.csv", "loss.csv", "embedding.csv"}) {
    const std::string one = contents(folder_ / ("out1/" + name));
    EXPECT_GT(one.size(), 60u);
    EXPECT_TRUE(one == contents(folder_ / ("out2/" + name))) << name;
    EXPECT_TRUE(one == contents(folder_ / ("out3/" + name))) << name;
  }
}

TEST_P(SelfSupervised, RefusesBadInputInOneLine) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--images", "-5"}, "--images"},
      {{"--temperature", "nan"}, "--temperature"},
      {{"--seed", "-1"}, "--seed"},
      {{"--threads", "0"}, "--threads"},
      {{"--data", (folder_ / "none").string()}, "none"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(with(arguments("out"), more)), GetParam().name, reason);
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, SelfSupervised, testing::ValuesIn(programs),
                         [](const auto& program) { return program.param.name; });

}  // namespace
}  // namespace example_test
