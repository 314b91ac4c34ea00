#pragma once

#include <filesystem>
#include <vector>

/// \file
/// Reads files of sound.

namespace example {

/// One channel of sound.
struct Sound {
  std::vector<float> samples;  ///< from -1 to 1
  double rate = 0;             ///< samples a second
};

/// Reads a file in any format that libsndfile knows (WAV, FLAC, Ogg Vorbis ..); several channels
/// become their mean. Throws std::runtime_error naming the file when it cannot be read, and for a
/// sample that is not finite.
Sound read_sound(const std::filesystem::path& file);

}  // namespace example
