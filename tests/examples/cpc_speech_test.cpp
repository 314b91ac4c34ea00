#include "run_program.hpp"
#include "sound_files.hpp"

namespace example_test {
namespace {

/// Four languages of eight tones, a twentieth of a second each, under noise: in one language a tone
/// is mostly followed by the next higher one, in others by that three, five or seven higher, round
/// again; one tone in four is followed by any other. All tones are as frequent in all languages;
/// only who predicts tones to come has to know the language. A hiss in front makes a syllable begin
/// with "b" and not "d".
void write_tones(const fs::path& folder) {
  constexpr double rate = 16000;
  example::Random random(1);
  for (int i = 0; i < 320; ++i) {
    const int language = i % 4;
    std::vector<double> samples(8000);
    std::uint64_t pitch = random.below(8);
    for (std::size_t begin = 0; begin < samples.size(); begin += 800) {
      add_tone(samples, begin, begin + 800, 300 * std::pow(1.45, static_cast<double>(pitch)), rate,
               0.3);
      pitch = random.below(4) == 0 ? random.below(8)
                                   : (pitch + static_cast<std::uint64_t>(1 + 2 * language)) % 8;
    }
    const bool hiss = random.below(2) == 0;
    for (std::size_t s = 0; s < samples.size(); ++s) {
      samples[s] += (hiss && s < 2000 ? 0.4 : 0.12) * random.normal();
    }
    write_wav(folder / ("language" + std::to_string(language)) / std::to_string(i) /
                  (hiss ? "ba.wav" : "da.wav"),
              samples, 16000);
  }
}

class CpcSpeech : public testing::Test {
 protected:
  CpcSpeech() { write_tones(folder_ / "data"); }

  std::vector<std::string> arguments(const std::string& out, const std::string& epochs) const {
    return {"--data",   (folder_ / "data").string(),
            "--out",    (folder_ / out).string(),
            "--epochs", epochs,
            "--batch",  "16",
            "--length", "24"};
  }
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_program(folder_, "cpc_speech", arguments);
  }

  Folder folder_;
};

TEST_F(CpcSpeech, LearnsTheOrderOfTones) {
  const Outcome outcome = run(with(arguments("out", "40"), {"--seeds", "1", "--threads", "1"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto language = [&](const std::string& name) { return table_row(outcome.out, name, 1)[0]; };
  // Four languages: chance is 0.25.
  EXPECT_LT(language("mean log-mel"), 0.4) << outcome.out;
  for (const std::string name :
       {"CPC, same and other recordings", "CPC, same recording", "CPC, other recordings"}) {
    EXPECT_GT(language(name), language("untrained, mean context") + 0.08) << name << outcome.out;
    EXPECT_GT(language(name), language("mean log-mel") + 0.5) << name << outcome.out;
  }
  for (const std::string name :
       {"quality.csv", "bounds.csv", "bounds.gp", "embedding.csv", "embedding.gp"}) {
    EXPECT_TRUE(fs::exists(folder_ / ("out/" + name))) << name;
  }
  // One step ahead, 16 x 23 frames are candidates; the bound is far from 0 and below their
  // logarithm.
  const std::vector<double> ahead = table_row(outcome.out, "12.5", 4);
  EXPECT_NEAR(ahead[0], std::log(16.0 * 23), 1e-3);
  EXPECT_GT(ahead[1], 1);
  EXPECT_LT(ahead[1], ahead[0]);
}

TEST_F(CpcSpeech, GivesTheSameFiguresWithAnyNumberOfThreads) {
  for (const std::string threads : {"1", "2", "3"}) {
    const Outcome outcome =
        run(with(arguments("out" + threads, "1"), {"--threads", threads, "--seeds", "2"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  for (const std::string name : {"quality.csv", "bounds.csv", "embedding.csv"}) {
    const std::string one = contents(folder_ / ("out1/" + name));
    EXPECT_GT(one.size(), 60u);
    EXPECT_TRUE(one == contents(folder_ / ("out2/" + name))) << name;
    EXPECT_TRUE(one == contents(folder_ / ("out3/" + name))) << name;
  }
}

TEST_F(CpcSpeech, RefusesBadInputInOneLine) {
  fs::create_directories(folder_ / "empty");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--steps", "24"}, "steps = 24"},
      {{"--temperature", "nan"}, "--temperature"},
      {{"--seed", "-1"}, "--seed"},
      {{"--data", (folder_ / "none").string()}, "none"},
      {{"--data", (folder_ / "empty").string()}, "empty"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(with(arguments("out", "1"), more)), "cpc_speech", reason);
  }
}

}  // namespace
}  // namespace example_test
