#include "common/augment.hpp"

#include <algorithm>
#include <cmath>
#include <nearfar/core/random.hpp>

namespace example {
namespace {

double between(double low, double high, Random& random) {
  return low + (high - low) * random.uniform();
}

/// The pixel at a place between pixels, from its four neighbours; 0 outside of the image.
double pixel_at(const ImageSet& set, const std::uint8_t* image, double y, double x) {
  const double top = std::floor(y);
  const double left = std::floor(x);
  const auto at = [&](double row, double col) {
    const bool inside = row >= 0 && col >= 0 && row < static_cast<double>(set.height) &&
                        col < static_cast<double>(set.width);
    return inside ? static_cast<double>(image[static_cast<std::size_t>(row) * set.width +
                                              static_cast<std::size_t>(col)])
                  : 0.0;
  };
  const double down = y - top;
  const double right = x - left;
  return (1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

/// The pixels of a view, before anything is scaled.
struct Rectangle {
  double top, left, height, width;

  bool holds(double y, double x) const {
    return y >= top && y < top + height && x >= left && x < left + width;
  }
};

/// A part of the image of `share` of its area at least, its sides as 3 : 4 at most, and such that
/// it fits.
Rectangle random_crop(const ImageSet& set, double smallest, Random& random) {
  const double share = between(smallest, 1, random);
  const double steepest = std::log(std::max(0.75, share));
  const double ratio = std::exp(between(steepest, -steepest, random));
  const auto full_height = static_cast<double>(set.height);
  const auto full_width = static_cast<double>(set.width);
  const double height = full_height * std::sqrt(share * ratio);
  const double width = full_width * std::sqrt(share / ratio);
  return {between(0, full_height - height, random), between(0, full_width - width, random), height,
          width};
}

}  // namespace

Random random_of_view(std::uint64_t seed, std::uint64_t step, std::uint64_t image,
                      std::uint64_t view) {
  return Random(nearfar::random_bits(seed, step, image, view)[0]);
}

void augment(const ImageSet& set, std::size_t image, const AugmentOptions& options,
             const PixelScale& scale, Random& random, float* view) {
  const auto height = static_cast<double>(set.height);
  const auto width = static_cast<double>(set.width);
  const Rectangle crop = random_crop(set, options.smallest_crop, random);
  const double down = between(-options.shift, options.shift, random);
  const double right = between(-options.shift, options.shift, random);
  const bool flip = random.uniform() <= options.flip;
  const double gain = between(1 - options.contrast, 1 + options.contrast, random);
  Rectangle blot{0, 0, 0, 0};
  if (random.uniform() <= options.erase) {
    blot.height = between(0.1, 0.4, random) * height;
    blot.width = between(0.1, 0.4, random) * width;
    blot.top = between(0, height - blot.height, random);
    blot.left = between(0, width - blot.width, random);
  }
  for (std::size_t row = 0; row < set.height; ++row) {
    for (std::size_t col = 0; col < set.width; ++col) {
      const auto y = static_cast<double>(row);
      const auto x = static_cast<double>(flip ? set.width - 1 - col : col);
      double pixel = 0;
      if (!blot.holds(y, static_cast<double>(col))) {
        // The middle of a view's pixel, in the crop.
        pixel = gain * pixel_at(set, set.image(image),
                                crop.top + (y + 0.5) * crop.height / height - 0.5 + down,
                                crop.left + (x + 0.5) * crop.width / width - 0.5 + right);
      }
      if (options.noise > 0) pixel += options.noise * random.normal();
      view[row * set.width + col] = scale.of(std::clamp(pixel, 0.0, 255.0));
    }
  }
}

ShiftedImages shifted(const ImageSet& set, const std::vector<int>& shifts) {
  ShiftedImages out{{set.height, set.width, {}, {}}, {}};
  out.images.pixels.reserve(set.pixels.size() * shifts.size());
  const auto width = static_cast<std::ptrdiff_t>(set.width);
  for (std::size_t i = 0; i < set.size(); ++i) {
    for (std::size_t s = 0; s < shifts.size(); ++s) {
      for (std::size_t row = 0; row < set.height; ++row) {
        const std::uint8_t* from = set.image(i) + row * set.width;
        for (std::ptrdiff_t col = 0; col < width; ++col) {
          const std::ptrdiff_t old = col - shifts[s];
          out.images.pixels.push_back(old >= 0 && old < width ? from[old] : std::uint8_t{0});
        }
      }
      out.images.labels.push_back(set.labels[i]);
      out.shift.push_back(static_cast<std::uint8_t>(s));
    }
  }
  return out;
}

}  // namespace example
