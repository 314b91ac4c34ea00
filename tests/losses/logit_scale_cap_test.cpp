#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/clip.hpp>

#include "support/random.hpp"

/// The limit of CLIP's logit scale: the value is that of the limit, and a scale beyond it can
/// return.

namespace {

using nearfar::Clip;
using nearfar::Matrix;
using nearfar::Reduction;

template <class S>
struct Pairs {
  Matrix<S> images = Matrix<S>::Identity(2, 2);
  Matrix<S> texts = Matrix<S>(2, 2);

  Pairs() { texts << S(0.6), S(0.8), S(0.8), S(0.6); }
};

template <class S>
nearfar::ClipResult clip(const Pairs<S>& pairs, double scale, double largest,
                         nearfar::CallOptions<S> call = {}) {
  Matrix<S> d_images, d_texts;
  return Clip<S>({.logit_scale = scale, .largest_logit_scale = largest})
      .forward_backward(pairs.images, pairs.texts, d_images, d_texts, call);
}

template <class S>
class LogitScaleCaps : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(LogitScaleCaps, Scalars);

/// exp(log 100) is above 100 by a rounding error.
TYPED_TEST(LogitScaleCaps, LetAScaleThatIsTooLargeComeBack) {
  const Pairs<TypeParam> pairs;
  const double tolerance = sizeof(TypeParam) == sizeof(float) ? 1e-5 : 1e-9;
  for (const double scale : {100.0, std::exp(std::log(100.0)), 101.0, 400.0, 1e30}) {
    const auto got = clip(pairs, scale, 100);
    EXPECT_NEAR(got.d_logit_scale, 0.2, tolerance) << scale;
    EXPECT_EQ(got.value, clip(pairs, 100, 1000).value) << scale;
  }
}

/// With the texts in reverse order a larger scale is better: its derivative is 0 beyond the limit.
TYPED_TEST(LogitScaleCaps, HoldAScaleThatWouldGrow) {
  using S = TypeParam;
  Pairs<S> pairs;
  pairs.texts = pairs.texts.colwise().reverse().eval();
  EXPECT_LT(clip(pairs, 2, 5).d_logit_scale, 0);
  EXPECT_LT(clip(pairs, 5, 100).d_logit_scale, 0);
  for (const double scale : {5.0, std::nextafter(5.0, 6.0), 50.0}) {
    EXPECT_EQ(clip(pairs, scale, 5).d_logit_scale, 0) << scale;
  }
  // Ascent on the value is descent on its negative.
  const auto free = clip(pairs, 5, 100, {.upstream = -1.0});
  EXPECT_GT(free.d_logit_scale, 0);
  EXPECT_EQ(clip(pairs, 9, 5, {.upstream = -1.0}).d_logit_scale, free.d_logit_scale);
}

/// The loop of the how-to's "CLIP with two towers", from scales that are far too large for wrong
/// pairs: the scale must fall below the limit, and the loss with it.
TYPED_TEST(LogitScaleCaps, TrainingFromAboveTheCapRecovers) {
  using S = TypeParam;
  const Pairs<S> pairs;
  for (const double start : {std::exp(std::log(100.0)), 100.5, 250.0, 1e6}) {
    double log_scale = std::log(start);
    const double first = clip(pairs, std::exp(log_scale), 100).value;
    double last = first;
    for (int step = 0; step < 200; ++step) {
      const double scale = std::exp(log_scale);
      const auto result = clip(pairs, scale, 100);
      log_scale -= 0.1 * std::min(scale, 100.0) * result.d_logit_scale;
      last = result.value;
    }
    EXPECT_LT(std::exp(log_scale), 100) << start;
    EXPECT_GT(first, 19.9) << start;
    EXPECT_LT(last, 1) << start;
  }
}

}  // namespace
