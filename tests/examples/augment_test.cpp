#include "common/augment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace example_test {
namespace {

using namespace example;

constexpr AugmentOptions nothing{
    .smallest_crop = 1, .shift = 0, .flip = 0, .contrast = 0, .erase = 0, .noise = 0};

/// Images of 6 x 5 pixels, all different.
ImageSet images() {
  ImageSet set{6, 5, {}, {0, 1, 2}};
  for (int p = 0; p < 3 * 30; ++p) set.pixels.push_back(static_cast<std::uint8_t>(37 * p % 251));
  return set;
}

std::vector<float> view(const ImageSet& set, std::size_t image, const AugmentOptions& options,
                        std::uint64_t number = 0) {
  std::vector<float> out(set.image_size());
  Random random = random_of_view(5, 0, image, number);
  augment(set, image, options, PixelScale(set), random, out.data());
  return out;
}

std::vector<float> original(const ImageSet& set, std::size_t image) {
  std::vector<float> out(set.image_size());
  fill_image(set, image, PixelScale(set), out.data());
  return out;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

TEST(Augment, NothingLeavesTheImageAsItIs) {
  const ImageSet set = images();
  for (std::size_t image = 0; image < 3; ++image) {
    EXPECT_LT(largest_difference(view(set, image, nothing), original(set, image)), 1e-5f);
  }
}

TEST(Augment, FlipsLeftAndRight) {
  const ImageSet set = images();
  AugmentOptions options = nothing;
  options.flip = 1;
  std::vector<float> want = original(set, 1);
  for (std::size_t row = 0; row < 6; ++row) {
    std::reverse(want.begin() + static_cast<std::ptrdiff_t>(row * 5),
                 want.begin() + static_cast<std::ptrdiff_t>(row * 5 + 5));
  }
  EXPECT_LT(largest_difference(view(set, 1, options), want), 1e-5f);
}

TEST(Augment, ContrastMultipliesEveryPixel) {
  const ImageSet set = images();
  AugmentOptions options = nothing;
  options.contrast = 0.5;
  const PixelScale scale(set);
  const std::vector<float> seen = view(set, 0, options);
  const auto pixel = [&](float number) {
    return 255 * (number - scale(0)) / (scale(255) - scale(0));
  };
  // The gain from the first bright pixel; all others must have the same, up to the end of the
  // range.
  const float gain = pixel(seen[1]) / set.image(0)[1];
  EXPECT_NE(gain, 1.0f);
  for (std::size_t p = 0; p < 30; ++p) {
    EXPECT_NEAR(pixel(seen[p]), std::min(255.0f, gain * set.image(0)[p]), 0.01f);
  }
}

TEST(Augment, ErasesARectangle) {
  ImageSet set{10, 10, std::vector<std::uint8_t>(100, 200), {0}};
  set.pixels[0] = 100;  // gives the set a variance
  AugmentOptions options = nothing;
  options.erase = 1;
  const PixelScale scale(set);
  for (std::uint64_t number = 0; number < 20; ++number) {
    const std::vector<float> seen = view(set, 0, options, number);
    std::set<std::size_t> rows;
    std::set<std::size_t> cols;
    std::size_t erased = 0;
    for (std::size_t p = 0; p < 100; ++p) {
      if (seen[p] != scale(0)) continue;
      ++erased;
      rows.insert(p / 10);
      cols.insert(p % 10);
    }
    EXPECT_GE(erased, 1u);
    EXPECT_LE(erased, 25u);
    EXPECT_EQ(erased, rows.size() * cols.size());
  }
}

TEST(Augment, CropsAndShiftsStayWithinWhatTheImageHolds) {
  const ImageSet set{10, 10, std::vector<std::uint8_t>(100, 200), {0}};
  ImageSet varied = set;
  varied.pixels[50] = 100;
  AugmentOptions options = nothing;
  options.smallest_crop = 0.3;
  const PixelScale scale(varied);
  for (std::uint64_t number = 0; number < 20; ++number) {
    std::vector<float> seen(100);
    Random random = random_of_view(5, 0, 0, number);
    augment(set, 0, options, scale, random, seen.data());
    // A crop of an even image is even, except at the rim, where bilinear weights reach outside.
    for (std::size_t row = 1; row < 9; ++row) {
      for (std::size_t col = 1; col < 9; ++col) {
        EXPECT_NEAR(seen[row * 10 + col], scale(200), 1e-4f);
      }
    }
  }
  options = nothing;
  options.shift = 3;
  bool moved = false;
  for (std::uint64_t number = 0; number < 20; ++number) {
    moved =
        moved || largest_difference(view(varied, 0, options, number), original(varied, 0)) > 0.5f;
  }
  EXPECT_TRUE(moved);
}

TEST(Augment, ViewsAreRandomAndDependOnTheirNumbersAlone) {
  const ImageSet set = images();
  const AugmentOptions options;
  const std::vector<float> first = view(set, 0, options, 0);
  EXPECT_GT(largest_difference(first, view(set, 0, options, 1)), 0.1f);
  EXPECT_EQ(first, view(set, 0, options, 0));
  for (const float number : first) EXPECT_TRUE(std::isfinite(number));
}

TEST(Shifted, MovesImagesToTheRightAndFillsWithZeros) {
  const ImageSet set = images();
  const std::vector<int> shifts = {-2, 0, 4};
  const ShiftedImages out = shifted(set, shifts);
  ASSERT_EQ(out.images.size(), 9u);
  EXPECT_EQ(out.images.labels, (std::vector<std::uint8_t>{0, 0, 0, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(out.shift, (std::vector<std::uint8_t>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  for (std::size_t copy = 0; copy < 9; ++copy) {
    for (int row = 0; row < 6; ++row) {
      for (int col = 0; col < 5; ++col) {
        const int from = col - shifts[copy % 3];
        const int want = from >= 0 && from < 5 ? set.image(copy / 3)[row * 5 + from] : 0;
        EXPECT_EQ(int{out.images.image(copy)[row * 5 + col]}, want)
            << copy << ' ' << row << ' ' << col;
      }
    }
  }
}

}  // namespace
}  // namespace example_test
