#include "common/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "common/random.hpp"

namespace example {
namespace {

constexpr std::array<const char*, 10> fashion_names = {
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",  "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/// Fashion-MNIST has the file names of MNIST; its first test labels identify it.
bool is_fashion(const ImageSet& test) {
  constexpr std::array<std::uint8_t, 16> first = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5, 7, 3, 4, 1};
  return test.size() == 10000 && std::equal(first.begin(), first.end(), test.labels.begin());
}

ImageSet only(const ImageSet& set, const std::vector<int>& classes) {
  ImageSet kept;
  kept.height = set.height;
  kept.width = set.width;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (std::find(classes.begin(), classes.end(), int{set.labels[i]}) == classes.end()) continue;
    kept.labels.push_back(set.labels[i]);
    kept.pixels.insert(kept.pixels.end(), set.image(i), set.image(i) + set.image_size());
  }
  return kept;
}

std::string listed(const std::vector<int>& classes) {
  std::string text;
  for (const int c : classes) {
    if (!text.empty()) text += ", ";
    text += std::to_string(c);
  }
  return text;
}

}  // namespace

Dataset read_dataset(const std::filesystem::path& folder) {
  Dataset data;
  data.train = read_image_set(folder, "train");
  data.test = read_image_set(folder, "t10k");
  if (data.train.height != data.test.height || data.train.width != data.test.width) {
    throw std::runtime_error(
        folder.string() + ": training images are " + std::to_string(data.train.height) + " x " +
        std::to_string(data.train.width) + " pixels, test images " +
        std::to_string(data.test.height) + " x " + std::to_string(data.test.width));
  }
  if (classes_of(data.train.labels).size() < 2) {
    throw std::runtime_error(folder.string() + ": all training images are of one class");
  }
  const int last =
      std::max(classes_of(data.train.labels).back(), classes_of(data.test.labels).back());
  for (int c = 0; c <= last; ++c) data.class_names.push_back(std::to_string(c));
  if (is_fashion(data.test)) {
    data.name = "Fashion-MNIST";
    data.class_names.assign(fashion_names.begin(), fashion_names.end());
  } else {
    const std::filesystem::path clean = folder.lexically_normal();
    data.name = (clean.has_filename() ? clean : clean.parent_path()).filename().string();
  }
  return data;
}

void keep_classes(Dataset& data, const std::vector<int>& classes) {
  if (classes.size() < 2) throw std::runtime_error("--classes: needs at least two classes");
  for (const ImageSet* set : {&data.train, &data.test}) {
    const std::vector<int> known = classes_of(set->labels);
    for (const int c : classes) {
      if (std::find(known.begin(), known.end(), c) == known.end()) {
        throw std::runtime_error("--classes: no class " + std::to_string(c) +
                                 " in the data; there are " + listed(known));
      }
      if (std::count(classes.begin(), classes.end(), c) > 1) {
        throw std::runtime_error("--classes: class " + std::to_string(c) + " given twice");
      }
    }
  }
  data.train = only(data.train, classes);
  data.test = only(data.test, classes);
}

ImageSet some_images(const ImageSet& set, std::size_t count) {
  std::vector<std::size_t> which(set.size());
  std::iota(which.begin(), which.end(), std::size_t{0});
  Random(0).shuffle(which);
  which.resize(std::min(count, which.size()));
  ImageSet out{set.height, set.width, {}, labels_of(set, which)};
  out.pixels.reserve(which.size() * set.image_size());
  for (const std::size_t i : which) {
    out.pixels.insert(out.pixels.end(), set.image(i), set.image(i) + set.image_size());
  }
  return out;
}

std::vector<int> classes_of(std::span<const std::uint8_t> labels) {
  std::array<bool, 256> seen{};
  for (const std::uint8_t label : labels) seen[label] = true;
  std::vector<int> classes;
  for (int c = 0; c < 256; ++c) {
    if (seen[static_cast<std::size_t>(c)]) classes.push_back(c);
  }
  return classes;
}

PixelScale::PixelScale(const ImageSet& set) {
  std::array<std::size_t, 256> count{};
  for (const std::uint8_t pixel : set.pixels) ++count[pixel];
  const auto total = static_cast<double>(set.pixels.size());
  double mean = 0;
  for (std::size_t v = 0; v < 256; ++v) mean += static_cast<double>(v * count[v]) / total;
  double variance = 0;
  for (std::size_t v = 0; v < 256; ++v) {
    const double off = static_cast<double>(v) - mean;
    variance += off * off * static_cast<double>(count[v]) / total;
  }
  // All pixels equal: there is no scale.
  const double deviation = variance > 0 ? std::sqrt(variance) : 1;
  for (std::size_t v = 0; v < 256; ++v) {
    table_[v] = static_cast<float>((static_cast<double>(v) - mean) / deviation);
  }
}

void fill_image(const ImageSet& set, std::size_t i, const PixelScale& scale, float* to) {
  std::transform(set.image(i), set.image(i) + set.image_size(), to, scale);
}

void gather(const ImageSet& set, std::span<const std::size_t> which, const PixelScale& scale,
            Pixels& rows) {
  rows.resize(static_cast<Eigen::Index>(which.size()), static_cast<Eigen::Index>(set.image_size()));
  float* to = rows.data();
  for (const std::size_t i : which) {
    fill_image(set, i, scale, to);
    to += set.image_size();
  }
}

std::vector<std::size_t> spread(const ImageSet& set, std::size_t limit) {
  const std::size_t count = std::min(limit, set.size());
  std::vector<std::size_t> which(count);
  for (std::size_t i = 0; i < count; ++i) which[i] = i * set.size() / count;
  return which;
}

std::vector<std::uint8_t> labels_of(const ImageSet& set, std::span<const std::size_t> which) {
  std::vector<std::uint8_t> labels;
  labels.reserve(which.size());
  for (const std::size_t i : which) labels.push_back(set.labels[i]);
  return labels;
}

}  // namespace example
