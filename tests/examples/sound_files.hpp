#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "files.hpp"

/// \file
/// Files of sound for the tests of the examples.

namespace example_test {

/// Little-endian, as RIFF has it.
inline void put(Bytes& bytes, std::uint32_t number, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

/// A WAV file of 16 bits a sample; `samples` are from -1 to 1, those of all channels of a moment
/// together.
inline void write_wav(const fs::path& file, const std::vector<double>& samples, std::uint32_t rate,
                      std::uint32_t channels = 1) {
  const auto size = static_cast<std::uint32_t>(2 * samples.size());
  Bytes bytes = {'R', 'I', 'F', 'F'};
  put(bytes, 36 + size, 4);
  for (const char c : std::string("WAVEfmt ")) bytes.push_back(static_cast<std::uint8_t>(c));
  put(bytes, 16, 4);
  put(bytes, 1, 2);  // PCM
  put(bytes, channels, 2);
  put(bytes, rate, 4);
  put(bytes, rate * channels * 2, 4);
  put(bytes, channels * 2, 2);
  put(bytes, 16, 2);
  for (const char c : std::string("data")) bytes.push_back(static_cast<std::uint8_t>(c));
  put(bytes, size, 4);
  for (const double sample : samples) {
    const long level = std::lround(32767 * std::clamp(sample, -1.0, 1.0));
    put(bytes, static_cast<std::uint32_t>(level) & 0xFFFF, 2);
  }
  fs::create_directories(file.parent_path());
  write_plain(file, bytes);
}

/// Adds a tone to samples.
inline void add_tone(std::vector<double>& samples, std::size_t begin, std::size_t end, double hertz,
                     double rate, double level) {
  for (std::size_t i = begin; i < std::min(end, samples.size()); ++i) {
    samples[i] += level * std::sin(2 * 3.14159265358979 * hertz * static_cast<double>(i) / rate);
  }
}

}  // namespace example_test
