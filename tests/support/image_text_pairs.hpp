#pragma once

#include <nearfar/core/result.hpp>

#include "support/labelled_batches.hpp"

/// \file
/// Pairs of images and texts, fewer and more than a tile.

namespace support {

/// As many images as texts, and the inner products of all of them.
struct ImagesAndTexts {
  Matrix<double> images;
  Matrix<double> texts;
  oracle::Matrix s;

  explicit ImagesAndTexts(Index n)
      : images(random_rows<double>(n, 5, 31)),
        texts(random_rows<double>(n, 5, 32)),
        s(oracle::pairwise(oracle::InnerProduct(), oracle::exact(images), oracle::exact(texts))) {}
};

constexpr Index numbers_of_pairs[] = {1, 2, 7, 33, 130, 400};

inline void expect_score_range(const nearfar::Diagnostics& d, const oracle::Matrix& scores) {
  expect_value(d.smallest_score, scores.minCoeff());
  expect_value(d.largest_score, scores.maxCoeff());
}

}  // namespace support
