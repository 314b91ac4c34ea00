#pragma once

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/idx.hpp"

/// \file
/// A data set for the examples: training and test images, names of the classes, a choice of
/// classes, and images as rows of numbers.

namespace example {

struct Dataset {
  ImageSet train;
  ImageSet test;
  std::string name;                      ///< for titles
  std::vector<std::string> class_names;  ///< by label
};

/// Reads a folder in MNIST's format. Throws std::runtime_error like idx.hpp, and if training and
/// test images differ in size, or all training images are of one class.
Dataset read_dataset(const std::filesystem::path& folder);

/// Keeps the images of these classes only. Throws std::runtime_error for a class without training
/// or test images, for one given twice, and for fewer than two classes.
void keep_classes(Dataset& data, const std::vector<int>& classes);

/// The first `count` images of a set in a fixed random order, because a file may be sorted by
/// class; all of them, in that order, if there are no more.
ImageSet some_images(const ImageSet& set, std::size_t count);

/// The labels that occur, in ascending order.
std::vector<int> classes_of(std::span<const std::uint8_t> labels);

/// Scales bytes to mean 0 and variance 1 over all pixels of a set.
class PixelScale {
 public:
  explicit PixelScale(const ImageSet& set);
  float operator()(std::uint8_t pixel) const { return table_[pixel]; }
  /// The same for a value between pixel values, from 0 to 255.
  float of(double pixel) const {
    return static_cast<float>(double{table_[0]} +
                              pixel / 255 * (double{table_[255]} - double{table_[0]}));
  }

 private:
  std::array<float, 256> table_{};
};

using Pixels = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Image `i` as numbers, ImageSet::image_size() of them.
void fill_image(const ImageSet& set, std::size_t i, const PixelScale& scale, float* to);

/// The images `which` as rows, pixels scaled; `rows` is resized.
void gather(const ImageSet& set, std::span<const std::size_t> which, const PixelScale& scale,
            Pixels& rows);

/// At most `limit` images of the set, evenly spread over it, so that a file sorted by class gives
/// some of each.
std::vector<std::size_t> spread(const ImageSet& set, std::size_t limit);

/// The labels of the images `which`.
std::vector<std::uint8_t> labels_of(const ImageSet& set, std::span<const std::size_t> which);

}  // namespace example
