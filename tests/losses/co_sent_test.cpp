#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/co_sent.hpp>

#include "support/gradient.hpp"
#include "support/options.hpp"
#include "support/pair_slopes.hpp"

/// CoSENT and AnglE against plain loops over pairs of pairs in long double, and their options.

namespace {

using namespace support;
using nearfar::Angle;
using nearfar::CoSent;
using nearfar::CoSentResult;
using nearfar::Cosine;
using nearfar::Euclidean;
using nearfar::InnerProduct;

struct Oracle {
  Real value = 0;
  std::vector<Real> slopes;  ///< dL/d(nearness)
  Real d_scale = 0;
  std::int64_t pairs = 0;

  template <class S>
  Oracle(const std::vector<Real>& nearness, const std::vector<S>& targets, Real scale)
      : slopes(nearness.size(), 0) {
    const std::size_t n = nearness.size();
    Real sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (targets[i] < targets[j]) sum += std::exp(scale * (nearness[i] - nearness[j]));
      }
    }
    value = std::log1p(sum);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        if (!(targets[i] < targets[j])) continue;
        const Real share = std::exp(scale * (nearness[i] - nearness[j])) / (1 + sum);
        slopes[i] += scale * share;
        slopes[j] -= scale * share;
        d_scale += share * (nearness[i] - nearness[j]);
        ++pairs;
      }
    }
  }
};

template <class S, class O>
void expect_co_sent(const CoSentResult& got, const Matrix<S>& da, const Matrix<S>& db,
                    const O& kernel, const Matrix<S>& a, const Matrix<S>& b,
                    const std::vector<S>& targets, double scale) {
  const Real sign = O::similarity ? 1 : -1;
  const oracle::Matrix scores = oracle::paired(kernel, oracle::exact(a), oracle::exact(b));
  std::vector<Real> nearness;
  for (Index i = 0; i < a.rows(); ++i) nearness.push_back(sign * scores(i, 0));
  const Oracle want(nearness, targets, static_cast<Real>(scale));
  // A rounding error of a score changes the logarithm by that error times the scale.
  expect_number<S>(got.value, want.value, static_cast<Real>(scale), "value");
  expect_number<S>(got.d_scale, want.d_scale, static_cast<Real>(scale), "d_scale");
  EXPECT_EQ(got.diagnostics.terms, want.pairs);
  EXPECT_EQ(got.diagnostics.anchors, a.rows());
  std::vector<PairSlope> slopes;
  for (Index i = 0; i < a.rows(); ++i) {
    slopes.push_back({i, i, sign * want.slopes[static_cast<std::size_t>(i)]});
  }
  const oracle::Gradients gradients = gradients_of(kernel, a, b, slopes);
  const Real allowed = Tolerance<S>::gradient * std::max(gradients.a.scale(), gradients.b.scale()) *
                       std::max<Real>(1, static_cast<Real>(scale));
  expect_near<S>(da, gradients.a.values, allowed, "da");
  expect_near<S>(db, gradients.b.values, allowed, "db");
}

template <class S>
class CoSentOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(CoSentOf, Scalars);

template <class S, class K, class O>
void expect_formula() {
  for (const Index n : {1, 2, 7, 33, 400}) {
    for (const double scale : {1.0, 5.0, 20.0}) {
      SCOPED_TRACE(testing::Message() << n << " rows, scale " << scale);
      const Matrix<S> a = random_rows<S>(n, 9, 3);
      const Matrix<S> b = random_rows<S>(n, 9, 4);
      const std::vector<S> targets = random_targets<S>(n, 5);
      const CoSent<S, K> loss({.scale = scale});
      Matrix<S> da;
      Matrix<S> db;
      const CoSentResult got = loss.forward_backward(a, b, targets, da, db);
      expect_co_sent<S>(got, da, db, O(), a, b, targets, scale);
      EXPECT_EQ(loss.forward(a, b, targets).value, got.value);
    }
  }
}

TYPED_TEST(CoSentOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  expect_formula<S, Cosine, oracle::Cosine>();
  expect_formula<S, InnerProduct, oracle::InnerProduct>();
  expect_formula<S, Euclidean, oracle::Euclidean>();
}

/// AnglE's score, from complex numbers.
struct ComplexScore {
  static constexpr bool similarity = true;

  static Real signed_score(oracle::Row x, oracle::Row y) {
    const std::size_t half = (x.size() + 1) / 2;
    const auto imaginary = [&](oracle::Row row, std::size_t k) {
      return half + k < row.size() ? row[half + k] : Real(0);
    };
    Real sum = 0;
    for (std::size_t k = 0; k < half; ++k) {
      const Real xi = imaginary(x, k);
      const Real yi = imaginary(y, k);
      sum += x[k] * y[k] + xi * yi + xi * y[k] - x[k] * yi;
    }
    const Real lengths = oracle::length(x) * oracle::length(y);
    return lengths > 0 ? sum / lengths : 0;
  }
  Real score(oracle::Row x, oracle::Row y) const { return std::abs(signed_score(x, y)); }

  oracle::Reach add_gradient(Real g, oracle::Row x, oracle::Row y, oracle::Out dx, oracle::Out dy,
                             oracle::Matrix&) const {
    const Real a = oracle::length(x);
    const Real b = oracle::length(y);
    if (a == 0 || b == 0) return {0};
    const Real s = signed_score(x, y);
    if (s < 0) g = -g;
    if (s == 0) g = 0;
    const std::size_t half = (x.size() + 1) / 2;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const bool real = k < half;
      const std::size_t other = real ? half + k : k - half;
      const Real x_other = other < x.size() ? x[other] : 0;
      const Real y_other = other < y.size() ? y[other] : 0;
      const Real by_x = y[k] + (real ? -y_other : y_other);
      const Real by_y = x[k] + (real ? x_other : -x_other);
      dx[k] += g * (by_x / b - s * x[k] / a) / a;
      dy[k] += g * (by_y / a - s * y[k] / b) / b;
    }
    return {2 / std::min(a, b)};
  }
};

TYPED_TEST(CoSentOf, OfAnglesEqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Index n : {1, 2, 33, 200}) {
    for (const Index cols : {1, 2, 5, 8, 33}) {
      SCOPED_TRACE(testing::Message() << n << " rows of " << cols);
      const Matrix<S> a = random_rows<S>(n, cols, 3);
      const Matrix<S> b = random_rows<S>(n, cols, 4);
      const std::vector<S> targets = random_targets<S>(n, 5);
      const Angle<S> loss({.scale = 5});
      Matrix<S> da;
      Matrix<S> db;
      const CoSentResult got = loss.forward_backward(a, b, targets, da, db);
      expect_co_sent<S>(got, da, db, ComplexScore(), a, b, targets, 5);
      EXPECT_EQ(loss.forward(a, b, targets).value, got.value);
    }
  }
}

TEST(CoSent, HasTheGradientOfItsValue) {
  Matrix<double> a = random_rows<double>(9, 4, 1);
  Matrix<double> b = random_rows<double>(9, 4, 2);
  const std::vector<double> targets = random_targets<double>(9, 3);
  Matrix<double> da;
  Matrix<double> db;
  const auto check = [&](const auto& loss) {
    loss.forward_backward(a, b, targets, da, db);
    expect_right(nearfar::check_gradient<double>([&] { return loss.forward(a, b, targets).value; },
                                                 {{"a", a, da}, {"b", b, db}}),
                 a.size() + b.size());
  };
  check(CoSent<double>());
  check(Angle<double>({.scale = 3}));
}

TEST(CoSent, OfEqualTargetsIsZero) {
  const Matrix<double> a = random_rows<double>(9, 4, 1);
  const Matrix<double> b = random_rows<double>(9, 4, 2);
  Matrix<double> da;
  Matrix<double> db;
  const auto got = CoSent<double>().forward_backward(a, b, std::vector<double>(9, 0.5), da, db);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.d_scale, 0);
  EXPECT_EQ(got.diagnostics.terms, 0);
  EXPECT_EQ(da, (Matrix<double>::Zero(9, 4)));
}

/// Scores in the right order at a scale at which exponentials vanish beside 1, and in the wrong
/// order at a scale at which they overflow.
TYPED_TEST(CoSentOf, SharpScalesKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> a(3, 1);
  a << S(0.25), S(0.5), S(1);
  const Matrix<S> b = Matrix<S>::Ones(3, 1);
  const std::vector<S> targets = {S(0), S(1), S(2)};
  Matrix<S> da;
  Matrix<S> db;
  const double scale = 160;
  const auto right =
      CoSent<S, InnerProduct>({.scale = scale}).forward_backward(a, b, targets, da, db);
  const double want = std::exp(-40) + std::exp(-80) + std::exp(-120);
  EXPECT_NEAR(right.value, want, 1e-6 * want);
  EXPECT_NEAR(static_cast<double>(da(0, 0)), scale * want, 1e-6 * scale * want);
  const std::vector<S> reversed = {S(2), S(1), S(0)};
  const auto wrong =
      CoSent<S, InnerProduct>({.scale = 1e4}).forward_backward(a, b, reversed, da, db);
  EXPECT_NEAR(wrong.value, 7500, 1e-9);
  EXPECT_EQ(da(2, 0), S(1e4));
  EXPECT_EQ(da(0, 0), S(-1e4));
}

/// The first scale makes logits overflow, the second the difference of two of them.
TEST(CoSent, OfValuesTooLargeForADoubleIsAnError) {
  const Matrix<double> a = Matrix<double>::Constant(2, 1, 8.9e153);
  Matrix<double> b = a;
  b(1, 0) = -8.9e153;
  const std::vector<double> targets = {0, 1};
  for (const double scale : {1e20, 2.0}) {
    const CoSent<double, InnerProduct> loss({.scale = scale});
    expect_refused({"scores that overflow", Thrown::domain_error, {"nearfar: value: "}, [&] {
                      loss.forward(a, b, targets);
                    }});
  }
  const CoSent<double, InnerProduct> loss({.scale = 2});
  EXPECT_EQ(loss.forward(a, b, std::vector<double>{1, 0}).value, 0);
}

TEST(CoSent, RefusesAScaleThatIsNotPositive) {
  expect_must_be_positive("scale", [](double v) { CoSent<float>({.scale = v}); });
  expect_must_be_positive("scale", [](double v) { Angle<float>({.scale = v}); });
}

TEST(CoSent, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::CoSentOptions().scale, 20);
  EXPECT_EQ(nearfar::AngleOptions().scale, 20);
}

}  // namespace
