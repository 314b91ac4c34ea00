#include "common/log_mel.hpp"

#include "sound_files.hpp"

namespace example_test {
namespace {

using Eigen::Index;
using example::log_mel;
using example::LogMelOptions;
using example::Pixels;
using example::Sound;

/// A tone with silence around it.
Sound tone(double hertz, double rate, double level, double seconds = 0.5) {
  const auto part = static_cast<std::size_t>(seconds * rate);
  std::vector<double> samples(3 * part);
  add_tone(samples, part, 2 * part, hertz, rate, level);
  return {std::vector<float>(samples.begin(), samples.end()), rate};
}

TEST(LogMel, ToneIsInTheBandOfItsFrequency) {
  const LogMelOptions options;
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(options.highest) - mel(options.lowest)) / 41;
  for (const Index band : {1, 10, 25, 39}) {
    const double centre = mel(options.lowest) + step * static_cast<double>(band + 1);
    const double hertz = 700 * (std::pow(10, centre / 2595) - 1);
    const Pixels rows = log_mel(tone(hertz, 22050, 0.3));
    Index loudest = 0;
    rows.row(rows.rows() / 2).maxCoeff(&loudest);
    EXPECT_EQ(loudest, band) << hertz;
  }
}

TEST(LogMel, VolumeAndRateChangeNothing) {
  const Pixels rows = log_mel(tone(700, 16000, 0.5));
  const Pixels soft = log_mel(tone(700, 16000, 0.01));
  const Pixels fine = log_mel(tone(700, 48000, 0.5));
  ASSERT_EQ(rows.rows(), soft.rows());
  ASSERT_EQ(rows.rows(), fine.rows());
  EXPECT_LT((rows - soft).cwiseAbs().maxCoeff(), 1e-3);
  // In the middle: the tone begins and ends at other phases.
  const Index middle = rows.rows() / 2;
  Index loudest = 0;
  rows.row(middle).maxCoeff(&loudest);
  EXPECT_NEAR(rows(middle, loudest), fine(middle, loudest), 0.01);
}

TEST(LogMel, SilenceAtTheEndsIsCutOff) {
  const LogMelOptions options;
  const Pixels rows = log_mel(tone(700, 16000, 0.5));
  // Half a second of tone, the margins, and frames that reach over an end.
  const double frames = 0.5 / options.hop + 2 * static_cast<double>(options.margin);
  EXPECT_NEAR(static_cast<double>(rows.rows()), frames, 4);
  EXPECT_EQ(rows.row(0).maxCoeff(), 0);
  EXPECT_FLOAT_EQ(rows.maxCoeff(), static_cast<float>(options.range));
  EXPECT_GE(rows.minCoeff(), 0);
}

TEST(LogMel, NothingToHear) {
  EXPECT_EQ(log_mel({{}, 16000}), Pixels::Zero(1, 40));
  EXPECT_EQ(log_mel({std::vector<float>(9000, 0.0f), 16000}), Pixels::Zero(1, 40));
  // Shorter than a frame.
  const Pixels rows = log_mel({{0.5f, -0.5f, 0.5f}, 16000});
  EXPECT_EQ(rows.rows(), 1);
  EXPECT_TRUE(rows.allFinite());
}

}  // namespace
}  // namespace example_test
