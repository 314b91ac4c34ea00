#pragma once

#include <cstdint>
#include <vector>

#include "common/dataset.hpp"
#include "common/random.hpp"

/// \file
/// Random views of grey images, what a self-supervised encoder is to see through, and shifted ones.

namespace example {

struct AugmentOptions {
  double smallest_crop = 0.35;  ///< least share of the image that a view is cut from, in (0, 1]
  double shift = 2;             ///< pixels at most, to each side; what comes in is 0
  double flip = 0.5;            ///< probability of left and right changing places
  double contrast = 0.4;        ///< brightness is multiplied by 1 - contrast .. 1 + contrast
  double erase = 0.25;          ///< probability of a rectangle being blotted out
  double noise = 8;             ///< standard deviation, of pixels from 0 to 255
};

/// Random numbers for one view of one image at one step: the same whichever thread asks, in
/// whatever order.
Random random_of_view(std::uint64_t seed, std::uint64_t step, std::uint64_t image,
                      std::uint64_t view);

/// One view of an image, height x width numbers, scaled as pixels are: cropped and resized to the
/// whole (bilinear), shifted, flipped, brightened or darkened, erased in part, with noise.
void augment(const ImageSet& set, std::size_t image, const AugmentOptions& options,
             const PixelScale& scale, Random& random, float* view);

/// Images and shifted copies of them.
struct ShiftedImages {
  ImageSet images;
  std::vector<std::uint8_t> shift;  ///< of each, as its place in the list of shifts
};

/// Each image shifted to the right by each of these, at most 256, numbers of pixels, its copies one
/// after the other; what comes in is 0.
ShiftedImages shifted(const ImageSet& set, const std::vector<int>& shifts);

}  // namespace example
