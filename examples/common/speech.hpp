#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/dataset.hpp"
#include "common/log_mel.hpp"

/// \file
/// Recordings of letters and syllables in several languages.

namespace example {

struct Recording {
  std::string name;       ///< the file's, without its ending
  std::uint8_t language;  ///< index of Speech::languages
  Pixels frames;          ///< log-mel
};

struct Speech {
  std::vector<std::string> languages;  ///< names of folders, in rising order
  std::vector<Recording> recordings;   ///< language by language, by path
};

/// Reads a folder with a folder for each language; all files in it, at any depth, that end in .ogg,
/// .wav or .flac. Throws std::runtime_error when there are fewer than two languages or more than
/// 256, and as read_sound() does.
Speech read_speech(const std::filesystem::path& folder, const LogMelOptions& options = {});

/// A syllable as its name spells it: the letters before the first vowel, and the others; both are
/// empty unless the name is small letters with a vowel among them and a consonant in front.
struct Syllable {
  std::string onset;
  std::string rhyme;
};
Syllable syllable_of(const std::string& name);

}  // namespace example
