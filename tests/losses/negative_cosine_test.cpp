#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/negative_cosine.hpp>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"

/// NegativeCosine and Byol against plain loops in long double.

namespace {

using namespace support;

template <class S>
class PredictionsOf : public testing::Test {};
TYPED_TEST_SUITE(PredictionsOf, Scalars, CaseNames);

Real cosine(const oracle::Matrix& a, const oracle::Matrix& b, Index i) {
  return oracle::Cosine().score(oracle::row(a, i), oracle::row(b, i));
}

/// Cosines of both directions of sample i.
Real both(const Sets& x, Index i) { return cosine(x[0], x[3], i) + cosine(x[1], x[2], i); }

template <class S>
std::vector<Matrix<S>> four(Index n, Index d) {
  std::vector<Matrix<S>> out;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) out.push_back(random_rows<S>(n, d, seed));
  return out;
}

/// Checks a loss against `value_of(x, i)` for sample i.
template <class S, class Loss, class ValueOf>
void expect_plain(const std::vector<Matrix<S>>& x, const ValueOf& value_of) {
  using nearfar::Reduction;
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const Loss loss({.reduction = reduction});
    const Real share = reduction == Reduction::mean ? 1 / static_cast<Real>(x[0].rows()) : 1;
    const auto got = expect_plain_loss<S>(
        [&](const auto& rows, auto& g) {
          const auto result = loss.forward_backward(rows[0], rows[1], rows[2], rows[3], g[0], g[1]);
          EXPECT_EQ(result.value, loss.forward(rows[0], rows[1], rows[2], rows[3]).value);
          return result;
        },
        [&](const Sets& rows) {
          Real sum = 0;
          for (Index i = 0; i < rows[0].rows(); ++i) sum += share * value_of(rows, i);
          return sum;
        },
        x, 2, share * static_cast<Real>(x[0].rows()));
    EXPECT_EQ(got.diagnostics.terms, x[0].rows());
    if (reduction == Reduction::none) {
      EXPECT_EQ(got.values.size(), static_cast<std::size_t>(x[0].rows()));
    }
  }
}

TYPED_TEST(PredictionsOf, EqualTheFormulas) {
  using S = TypeParam;
  for (const auto& [n, d] : {std::pair<Index, Index>(1, 3), {3, 2}, {8, 5}, {300, 17}}) {
    SCOPED_TRACE(n);
    const auto x = four<S>(n, d);
    expect_plain<S, nearfar::NegativeCosine<S>>(
        x, [](const Sets& rows, Index i) { return -both(rows, i) / 2; });
    expect_plain<S, nearfar::Byol<S>>(
        x, [](const Sets& rows, Index i) { return 4 - 2 * both(rows, i); });
  }
}

/// A zero row has cosine 0.
TYPED_TEST(PredictionsOf, ZeroRows) {
  using S = TypeParam;
  auto x = four<S>(4, 5);
  for (std::size_t k = 0; k < 4; ++k) x[k].row(static_cast<Index>(k)).setZero();
  Matrix<S> d1, d2;
  Real sum = 0;
  Sets exact;
  for (const auto& m : x) exact.push_back(oracle::exact(m));
  for (Index i = 0; i < 4; ++i) sum += 4 - 2 * both(exact, i);
  const auto got = nearfar::Byol<S>().forward_backward(x[0], x[1], x[2], x[3], d1, d2);
  EXPECT_LE(std::abs(got.value - sum / 4), Tolerance<S>::value * sum);
  EXPECT_EQ(d1.row(0), (Matrix<S>::Zero(1, 5)));
  EXPECT_EQ(d1.row(3), (Matrix<S>::Zero(1, 5)));  // its target is zero
  EXPECT_EQ(d2.row(1), (Matrix<S>::Zero(1, 5)));
  EXPECT_TRUE(d1.allFinite() && d2.allFinite());
}

/// 2 - 2 cos of nearly parallel rows has all digits, also of rows that are wider than four vectors,
/// whose squares are added in float. Rows in double differ by `noise`, of which they have
/// 1e-16 / noise.
TYPED_TEST(PredictionsOf, ByolIsExactNearZero) {
  using S = TypeParam;
  for (const auto& [cols, noise] : {std::pair<Index, double>(17, 1e-3), {200, 1e-6}}) {
    SCOPED_TRACE(cols);
    auto x = four<S>(6, cols);
    x[3] = x[0] * S(2) + x[2] * static_cast<S>(noise);
    x[2] = x[1] * S(3) + x[2] * static_cast<S>(noise);
    Real sum = 0;
    const auto u = [](const Matrix<S>& m) { return directions(oracle::exact(m)); };
    sum += (u(x[0]) - u(x[3])).squaredNorm() + (u(x[1]) - u(x[2])).squaredNorm();
    const double got = nearfar::Byol<S>().forward(x[0], x[1], x[2], x[3]).value;
    EXPECT_LE(std::abs(got - sum / 6), (sizeof(S) == sizeof(float) ? 1e-8 : 1e-14 / noise) * sum);
  }
}

/// The smallest and the largest cosine, wherever they are; rounding leaves none below -1.
TYPED_TEST(PredictionsOf, DiagnosticsHaveTheScores) {
  using S = TypeParam;
  constexpr Index n = 5;
  for (Index at = 0; at < 2 * n; ++at) {
    for (const S factor : {S(-3), S(3)}) {
      SCOPED_TRACE(testing::Message() << "row " << at << " times " << factor);
      auto x = four<S>(n, 7);
      const std::size_t side = at < n ? 0 : 1;
      x[3 - side].row(at % n) = factor * x[side].row(at % n);
      Sets exact;
      for (const auto& m : x) exact.push_back(oracle::exact(m));
      Real smallest = 1;
      Real largest = -1;
      for (Index i = 0; i < n; ++i) {
        for (const Real c : {cosine(exact[0], exact[3], i), cosine(exact[1], exact[2], i)}) {
          smallest = std::min(smallest, c);
          largest = std::max(largest, c);
        }
      }
      const auto d = nearfar::Byol<S>().forward(x[0], x[1], x[2], x[3]).diagnostics;
      EXPECT_NEAR(d.smallest_score, double(smallest), double(Tolerance<S>::value));
      EXPECT_NEAR(d.largest_score, double(largest), double(Tolerance<S>::value));
    }
  }
  auto x = four<S>(300, 7);
  x[3] = -x[0];
  x[2] = -x[1];
  EXPECT_EQ(nearfar::Byol<S>().forward(x[0], x[1], x[2], x[3]).diagnostics.smallest_score, -1);
}

TEST(Predictions, HaveTheDefaultsOfTheirPage) {
  expect_common_defaults<nearfar::NegativeCosineOptions>();
  expect_common_defaults<nearfar::ByolOptions>();
}

}  // namespace
