#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/kernels/bilinear.hpp>
#include <nearfar/losses/triplet.hpp>

#include "support/labelled_batches.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"

/// The triplet loss against plain loops over triplets in long double, at its kinks, and its
/// options.

namespace {

using namespace support;
using nearfar::Reduction;

TEST(Triplet, EqualsTheFormula) {
  using nearfar::TripletForm;
  for (const Index n : {1, 7, 400}) {
    const Matrix<double> a = random_rows<double>(n, 5, 38);
    const Matrix<double> p = random_rows<double>(n, 5, 39);
    const Matrix<double> k = random_rows<double>(n, 5, 40);
    const auto expect = [&](const auto& kernel, auto loss_with, Real sign) {
      const oracle::Matrix ap = oracle::paired(kernel, oracle::exact(a), oracle::exact(p));
      const oracle::Matrix an = oracle::paired(kernel, oracle::exact(a), oracle::exact(k));
      const oracle::Matrix pn = oracle::paired(kernel, oracle::exact(p), oracle::exact(k));
      for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
        for (const bool swap : {false, true}) {
          Real want = 0;
          std::int64_t active = 0;
          for (Index i = 0; i < n; ++i) {
            // Distances; for similarities, minus the score.
            Real negative = sign * an(i, 0);
            if (swap) negative = std::min(negative, sign * pn(i, 0));
            const Real v = sign * ap(i, 0) - negative + Real(0.25);
            const Real value = form == TripletForm::hinge ? std::max<Real>(v, 0) : softplus(v);
            want += value;
            active += value > 0 ? 1 : 0;
          }
          const nearfar::TripletOptions options{
              .margin = 0.25, .form = form, .swap = swap, .reduction = Reduction::sum};
          const auto got = loss_with(options).forward(a, p, k);
          expect_value(got.value, want);
          EXPECT_EQ(got.diagnostics.anchors, n);
          EXPECT_EQ(got.diagnostics.terms, n);
          EXPECT_EQ(got.diagnostics.active_terms, active);
          expect_value(got.diagnostics.smallest_score, std::min(ap.minCoeff(), an.minCoeff()));
          expect_value(got.diagnostics.largest_score, std::max(ap.maxCoeff(), an.maxCoeff()));
        }
      }
    };
    expect(
        oracle::Euclidean(),
        [](const auto& o) { return nearfar::Triplet<double, nearfar::Euclidean>(o); }, 1);
    expect(
        oracle::InnerProduct(),
        [](const auto& o) { return nearfar::Triplet<double, nearfar::InnerProduct>(o); }, -1);
  }
}

/// Integers: a violation of exactly 0, and a tie between the negative's two distances.
TEST(Triplet, AtAKinkTheGradientIsThatOfTheAnchorsOwnNegativeOrZero) {
  Matrix<double> a(1, 1);
  Matrix<double> p(1, 1);
  Matrix<double> k(1, 1);
  a << 0;
  p << 1;
  k << 3;
  Matrix<double> da;
  Matrix<double> dp;
  Matrix<double> dk;
  const nearfar::Triplet<double> kink({.margin = 2});
  const auto at_kink = kink.forward_backward(a, p, k, da, dp, dk);
  EXPECT_EQ(at_kink.value, 0);
  EXPECT_EQ(at_kink.diagnostics.active_terms, 0);
  EXPECT_EQ(da(0, 0), 0);
  EXPECT_EQ(dp(0, 0), 0);
  EXPECT_EQ(dk(0, 0), 0);
  // d(a, n) = d(p, n) = 1: the anchor's own distance counts.
  p << 2;
  k << 1;
  const nearfar::Triplet<double> tie({.margin = 2, .swap = true});
  EXPECT_EQ(tie.forward_backward(a, p, k, da, dp, dk).value, 3);
  EXPECT_EQ(da(0, 0), 0);  // drawn to the positive and pushed from the negative, both on one side
  EXPECT_EQ(dp(0, 0), 1);
  EXPECT_EQ(dk(0, 0), -1);
}

TEST(Triplet, RefusesOptionsOutOfRange) {
  using namespace nearfar;
  const char* at_least_0 = "a finite number >= 0";
  const auto margin = [](double v) { Triplet<float>({.margin = v}); };
  expect_must_be_finite("margin", margin, at_least_0);
  expect_refuses({"margin", at_least_0, margin}, {{-0.5, "-0.5"}});
  EXPECT_NO_THROW(Triplet<float>({.margin = 0, .swap = true}));
  const Matrix<float> matrix = Matrix<float>::Identity(2, 2);
  expect_refused(
      {"swap of Bilinear",
       Thrown::invalid_argument,
       {"swap: wanted a kernel that treats both rows alike"},
       [&] { Triplet<float, Bilinear<float>>({.swap = true}, Bilinear<float>(matrix)); }});
}

TEST(Triplet, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::TripletOptions().margin, 1);
  EXPECT_EQ(nearfar::TripletOptions().form, nearfar::TripletForm::hinge);
  EXPECT_FALSE(nearfar::TripletOptions().swap);
  expect_common_defaults<nearfar::TripletOptions>();
}

}  // namespace
