#pragma once

#include <cstdint>
#include <vector>

#include "common/dataset.hpp"
#include "common/random.hpp"

/// \file
/// Random views of grey images for self-supervised training, and shifted images.

namespace example {

struct AugmentOptions {
  double smallest_crop = 0.35;  ///< smallest share of the image in a view, in (0, 1]
  double shift = 2;             ///< largest shift in pixels to each side; pixels from outside are 0
  double flip = 0.5;            ///< probability of a horizontal flip
  double contrast = 0.4;        ///< brightness is multiplied by 1 - contrast .. 1 + contrast
  double erase = 0.25;          ///< probability of an erased rectangle
  double noise = 8;             ///< standard deviation, of pixels from 0 to 255
};

/// Random numbers for one view of one image at one step: the same from any thread, in any order.
Random random_of_view(std::uint64_t seed, std::uint64_t step, std::uint64_t image,
                      std::uint64_t view);

/// One view of an image, height x width numbers, scaled like pixels: cropped and resized to the
/// full size (bilinear), shifted, flipped, brightened or darkened, partly erased, with noise.
void augment(const ImageSet& set, std::size_t image, const AugmentOptions& options,
             const PixelScale& scale, Random& random, float* view);

/// Images and shifted copies of them.
struct ShiftedImages {
  ImageSet images;
  std::vector<std::uint8_t> shift;  ///< of each, as its position in the list of shifts
};

/// Each image shifted to the right by each of these numbers of pixels, at most 256 of them, its
/// copies one after the other. Pixels from outside are 0.
ShiftedImages shifted(const ImageSet& set, const std::vector<int>& shifts);

}  // namespace example
