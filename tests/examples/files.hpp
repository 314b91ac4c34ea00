#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/random.hpp"

/// \file
/// Folders and IDX files for the tests of the examples.

namespace example_test {

namespace fs = std::filesystem;

/// A separate folder for each test, removed at its end.
class Folder {
 public:
  Folder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = fs::path(testing::TempDir()) /
            ("nearfar_" + std::to_string(getpid()) + "_" + std::string(test->name()));
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  fs::path path_;
};

inline std::string contents(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

using Bytes = std::vector<std::uint8_t>;

/// The header of an IDX file, big-endian, followed by data.
inline Bytes idx(const std::vector<std::uint32_t>& header, const Bytes& data) {
  Bytes bytes;
  for (const std::uint32_t number : header) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  }
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline void write_plain(const fs::path& file, const Bytes& bytes) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

inline void write_gz(const fs::path& file, const Bytes& bytes) {
  gzFile stream = gzopen(file.c_str(), "wb");
  ASSERT_NE(stream, nullptr);
  ASSERT_EQ(gzwrite(stream, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(stream), Z_OK);
}

/// Images of 8 x 8 pixels in `classes` classes: noise over a faint pattern of the class. The
/// pattern is too faint for a random projection to two numbers, and strong enough to be learned.
inline void write_noisy_set(const fs::path& folder, const std::string& part, std::uint32_t count,
                            std::uint32_t classes, std::uint64_t seed) {
  example::Random random(seed);
  Bytes pixels;
  Bytes labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = i % classes;
    labels.push_back(static_cast<std::uint8_t>(label));
    for (std::uint32_t p = 0; p < 64; ++p) {
      const double level = 110 + (p % classes == label ? 40 : 0) + 40 * random.normal();
      pixels.push_back(static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, level))));
    }
  }
  write_gz(folder / (part + "-images-idx3-ubyte.gz"), idx({2051, count, 8, 8}, pixels));
  write_plain(folder / (part + "-labels-idx1-ubyte"), idx({2049, count}, labels));
}

/// A small data set in MNIST's format.
inline void write_noisy_dataset(const fs::path& folder, std::uint32_t classes = 4) {
  fs::create_directories(folder);
  write_noisy_set(folder, "train", 1200, classes, 1);
  write_noisy_set(folder, "t10k", 400, classes, 2);
}

}  // namespace example_test
