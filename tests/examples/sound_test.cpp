#include "common/sound.hpp"

#include "sound_files.hpp"

namespace example_test {
namespace {

TEST(Sound, ReadsSamplesAndRate) {
  const Folder folder;
  write_wav(folder / "a.wav", {0, 0.5, -0.25, 1}, 22050);
  const example::Sound sound = example::read_sound(folder / "a.wav");
  EXPECT_EQ(sound.rate, 22050);
  ASSERT_EQ(sound.samples.size(), 4u);
  const double step = 1.0 / 32767;  // of 16 bits
  EXPECT_NEAR(sound.samples[1], 0.5, step);
  EXPECT_NEAR(sound.samples[2], -0.25, step);
  EXPECT_NEAR(sound.samples[3], 1, step);
}

TEST(Sound, ChannelsBecomeTheirMean) {
  const Folder folder;
  // Longer than what is read at once.
  std::vector<double> samples;
  for (int i = 0; i < 40000; ++i) samples.insert(samples.end(), {0.5, i % 2 == 0 ? 0.25 : -0.5});
  write_wav(folder / "a.wav", samples, 8000, 2);
  const example::Sound sound = example::read_sound(folder / "a.wav");
  ASSERT_EQ(sound.samples.size(), 40000u);
  for (std::size_t i = 0; i < sound.samples.size(); ++i) {
    ASSERT_NEAR(sound.samples[i], i % 2 == 0 ? 0.375 : 0, 1e-4) << i;
  }
}

TEST(Sound, NamesTheFileThatItCannotRead) {
  const Folder folder;
  write_plain(folder / "text.wav", Bytes(100, 'x'));
  for (const std::string name : {"text.wav", "none.ogg"}) {
    try {
      example::read_sound(folder / name);
      FAIL() << name;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace example_test
