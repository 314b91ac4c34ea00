#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/losses/clip.hpp>
#include <string>

#include "support/image_text_pairs.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"

/// CLIP against plain loops over images and texts in long double: value, counts and the derivative
/// of its scale; and its options.

namespace {

using namespace support;
using nearfar::Reduction;

/// The sum over pairs of both directions' losses, at scale sigma.
Real clip_sum(const oracle::Matrix& s, Real sigma) {
  Real sum = 0;
  for (Index i = 0; i < s.rows(); ++i) {
    Real of_image = 0;
    Real of_text = 0;
    for (Index j = 0; j < s.cols(); ++j) {
      of_image += std::exp(sigma * (s(i, j) - s(i, i)));
      of_text += std::exp(sigma * (s(j, i) - s(i, i)));
    }
    sum += std::log(of_image) + std::log(of_text);
  }
  return sum;
}

TEST(Clip, EqualsTheFormula) {
  using nearfar::ClipDirections;
  for (const Index n : numbers_of_pairs) {
    const ImagesAndTexts x(n);
    for (const ClipDirections directions : {ClipDirections::mean, ClipDirections::sum}) {
      for (const double largest : {2.5, 10.0}) {  // below the scale, and above it
        SCOPED_TRACE(std::to_string(n) + " pairs, at most " + std::to_string(largest));
        const nearfar::Clip<double, nearfar::InnerProduct> loss({.logit_scale = 4,
                                                                 .largest_logit_scale = largest,
                                                                 .directions = directions,
                                                                 .reduction = Reduction::sum});
        const Real share = directions == ClipDirections::mean ? Real(0.5) : Real(1);
        const Slope want([&](Real sigma) { return share * clip_sum(x.s, sigma); },
                         std::min(4.0, largest));
        Matrix<double> d_images;
        Matrix<double> d_texts;
        const auto got = loss.forward_backward(x.images, x.texts, d_images, d_texts);
        expect_value(got.value, want.value);
        expect_derivative(got.d_logit_scale,
                          largest < 4 ? std::max(want.derivative, Real(0)) : want.derivative,
                          "d_logit_scale");
        EXPECT_EQ(got.diagnostics.anchors, n);
        EXPECT_EQ(got.diagnostics.terms, n);
        EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
        EXPECT_EQ(got.diagnostics.active_terms, n == 1 ? 0 : n);
        expect_score_range(got.diagnostics, x.s);
        EXPECT_EQ(loss.forward(x.images, x.texts).d_logit_scale, 0);
      }
    }
  }
}

/// A scale at the largest value still has its derivative.
TEST(Clip, HasTheDerivativeOfItsScaleAtTheLargest) {
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const Matrix<double> y = random_rows<double>(4, 3, 2);
  Matrix<double> dx, dy;
  const nearfar::Clip<double> at({.logit_scale = 5, .largest_logit_scale = 5});
  const nearfar::Clip<double> free({.logit_scale = 5});
  EXPECT_EQ(at.forward_backward(x, y, dx, dy).d_logit_scale,
            free.forward_backward(x, y, dx, dy).d_logit_scale);
}

TEST(Clip, OfEqualScoresIsTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::Clip<double>().forward(x, x).value, std::log(12.0), 1e-12);
}

TEST(Clip, RefusesScalesThatAreNotPositive) {
  using nearfar::Clip;
  expect_must_be_positive("logit_scale", [](double v) { Clip<float>({.logit_scale = v}); });
  const auto largest = [](double v) { Clip<float>({.largest_logit_scale = v}); };
  expect_refuses({"largest_logit_scale", "a number > 0", largest},
                 {{0, "0"}, {-1, "-1"}, {not_a_number, "nan"}});
  EXPECT_NO_THROW(largest(0.5));
  EXPECT_NO_THROW(largest(infinite));
}

TEST(Clip, HasTheDefaultsOfItsPage) {
  const nearfar::ClipOptions options;
  EXPECT_EQ(options.logit_scale, 1 / 0.07);
  EXPECT_EQ(options.largest_logit_scale, std::numeric_limits<double>::infinity());
  EXPECT_EQ(options.directions, nearfar::ClipDirections::mean);
  expect_common_defaults<nearfar::ClipOptions>();
}

}  // namespace
