#include <gtest/gtest.h>

#include <nearfar/losses/sig_lip.hpp>
#include <string>
#include <vector>

#include "support/image_text_pairs.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"

/// SigLIP against plain loops over images and texts in long double: value, counts and the
/// derivatives of its scale and bias; and its options.

namespace {

using namespace support;
using nearfar::Reduction;

/// The sum over pairs of images and texts, with a factor for each image.
Real sig_lip_sum(const oracle::Matrix& s, Real sigma, Real bias,
                 const std::vector<double>& factors) {
  Real sum = 0;
  for (Index i = 0; i < s.rows(); ++i) {
    for (Index j = 0; j < s.cols(); ++j) {
      const Real z = sigma * s(i, j) + bias;
      sum += static_cast<Real>(factors[static_cast<std::size_t>(i)]) * softplus(i == j ? -z : z);
    }
  }
  return sum;
}

TEST(SigLip, EqualsTheFormula) {
  for (const Index n : numbers_of_pairs) {
    SCOPED_TRACE(std::to_string(n) + " pairs");
    const ImagesAndTexts x(n);
    const std::vector<double> ones(static_cast<std::size_t>(n), 1.0);
    const nearfar::SigLip<double, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -1.5, .reduction = Reduction::sum});
    Matrix<double> d_images;
    Matrix<double> d_texts;
    const auto got = loss.forward_backward(x.images, x.texts, d_images, d_texts);
    const Slope by_scale([&](Real sigma) { return sig_lip_sum(x.s, sigma, -1.5, ones); }, 3);
    const Slope by_bias([&](Real bias) { return sig_lip_sum(x.s, 3, bias, ones); }, -1.5);
    expect_value(got.value, by_scale.value);
    expect_derivative(got.d_logit_scale, by_scale.derivative, "d_logit_scale");
    expect_derivative(got.d_logit_bias, by_bias.derivative, "d_logit_bias");
    EXPECT_EQ(got.diagnostics.terms, n);
    EXPECT_EQ(got.diagnostics.active_terms, n);
    EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
    expect_score_range(got.diagnostics, x.s);
    const auto forward = loss.forward(x.images, x.texts);
    EXPECT_EQ(forward.d_logit_scale, 0);
    EXPECT_EQ(forward.d_logit_bias, 0);
  }
}

TEST(SigLip, DerivativesOfItsNumbersWeighTheUpstreamOfEachImage) {
  for (const Index n : numbers_of_pairs) {
    SCOPED_TRACE(std::to_string(n) + " pairs");
    const ImagesAndTexts x(n);
    const std::vector<double> upstream = random_upstream(n, 38);
    const nearfar::SigLip<double, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -1.5, .reduction = Reduction::none});
    Matrix<double> d_images;
    Matrix<double> d_texts;
    const auto got =
        loss.forward_backward(x.images, x.texts, d_images, d_texts, {.upstream = upstream});
    const Slope by_scale([&](Real sigma) { return sig_lip_sum(x.s, sigma, -1.5, upstream); }, 3);
    const Slope by_bias([&](Real bias) { return sig_lip_sum(x.s, 3, bias, upstream); }, -1.5);
    expect_derivative(got.d_logit_scale, by_scale.derivative, "d_logit_scale");
    expect_derivative(got.d_logit_bias, by_bias.derivative, "d_logit_bias");
  }
}

/// Two pairs at logits of +-5000 of the right sign: their exponentials underflow.
TEST(SigLip, TermsThatVanishAreNotActive) {
  const Matrix<double> x = Matrix<double>::Identity(2, 2);
  const auto r = nearfar::SigLip<double>({.logit_scale = 1e4, .logit_bias = -5e3}).forward(x, x);
  EXPECT_EQ(r.value, 0);
  EXPECT_EQ(r.diagnostics.active_terms, 0);
}

TEST(SigLip, RefusesOptionsOutOfRange) {
  using nearfar::SigLip;
  expect_must_be_positive("logit_scale", [](double v) { SigLip<float>({.logit_scale = v}); });
  expect_must_be_finite("logit_bias", [](double v) { SigLip<float>({.logit_bias = v}); });
}

TEST(SigLip, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::SigLipOptions().logit_scale, 10);
  EXPECT_EQ(nearfar::SigLipOptions().logit_bias, -10);
  expect_common_defaults<nearfar::SigLipOptions>();
}

}  // namespace
