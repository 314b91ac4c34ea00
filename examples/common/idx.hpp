#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// \file
/// Reads IDX files, the format of MNIST and of the data sets that take after it: a magic number
/// and the sizes as big-endian 32-bit numbers, then one byte an element. Plain or gzip'd.
///
/// Everything here throws std::runtime_error with one line that names the file and says what is
/// wrong with it.

namespace example {

/// Grey images of one size, and the class of each.
struct ImageSet {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> pixels;  ///< image after image, each row by row
  std::vector<std::uint8_t> labels;  ///< one an image

  std::size_t size() const { return labels.size(); }
  std::size_t image_size() const { return height * width; }
  const std::uint8_t* image(std::size_t i) const { return pixels.data() + i * image_size(); }
};

/// The images of an idx3 file (magic number 2051); labels stay empty.
ImageSet read_idx_images(const std::filesystem::path& file);

/// The labels of an idx1 file (magic number 2049).
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& file);

/// Images and labels of one part of a data set: in `folder`, the files
/// `<part>-images-idx3-ubyte` and `<part>-labels-idx1-ubyte`, each plain or with `.gz`. MNIST
/// calls its parts "train" and "t10k".
ImageSet read_image_set(const std::filesystem::path& folder, const std::string& part);

}  // namespace example
