#include "common/speech.hpp"

#include "sound_files.hpp"

namespace example_test {
namespace {

using example::read_speech;
using example::syllable_of;

std::vector<double> beep() {
  std::vector<double> samples(4000);
  add_tone(samples, 0, 4000, 440, 8000, 0.5);
  return samples;
}

TEST(Speech, ReadsFoldersOfLanguagesInOrder) {
  const Folder folder;
  for (const std::string name : {"b/syllab/ma.wav", "b/alpha/x.wav", "a/one.wav"}) {
    write_wav(folder / name, beep(), 8000);
  }
  write_plain(folder / "a/notes.txt", {'x'});
  fs::create_directories(folder / "pictures");
  const example::Speech speech = read_speech(folder.path());
  EXPECT_EQ(speech.languages, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(speech.recordings.size(), 3u);
  EXPECT_EQ(speech.recordings[0].name, "one");
  EXPECT_EQ(speech.recordings[1].name, "x");
  EXPECT_EQ(speech.recordings[2].name, "ma");
  EXPECT_EQ(int{speech.recordings[0].language}, 0);
  EXPECT_EQ(int{speech.recordings[2].language}, 1);
  EXPECT_GT(speech.recordings[2].frames.rows(), 20);
}

TEST(Speech, RefusesWhatItCannotUse) {
  const Folder folder;
  EXPECT_THROW(read_speech(folder / "none"), std::runtime_error);
  write_wav(folder / "a/one.wav", beep(), 8000);
  EXPECT_THROW(read_speech(folder.path()), std::runtime_error);
  fs::create_directories(folder / "b");
  write_plain(folder / "b/broken.ogg", Bytes(100, 'x'));
  try {
    read_speech(folder.path());
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("broken.ogg"), std::string::npos) << error.what();
  }
}

TEST(Speech, SyllablesHaveTwoParts) {
  EXPECT_EQ(syllable_of("gue").onset, "g");
  EXPECT_EQ(syllable_of("gue").rhyme, "ue");
  EXPECT_EQ(syllable_of("nna").onset, "nn");
  for (const std::string name : {"", "a", "am", "x", "b1a", "ad-3", "BA"}) {
    EXPECT_EQ(syllable_of(name).onset, "") << name;
    EXPECT_EQ(syllable_of(name).rhyme, "") << name;
  }
}

}  // namespace
}  // namespace example_test
