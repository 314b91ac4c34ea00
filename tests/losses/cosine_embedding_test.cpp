#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/cosine_embedding.hpp>

#include "support/options.hpp"
#include "support/pair_slopes.hpp"

/// The cosine embedding loss against plain loops in long double, and its options.

namespace {

using namespace support;
using nearfar::CosineEmbedding;
using nearfar::Reduction;

template <class S>
class CosineEmbeddingOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(CosineEmbeddingOf, Scalars);

TYPED_TEST(CosineEmbeddingOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Index n : {1, 2, 33, 400}) {
    for (const double margin : {0.0, 0.25, -1.0, 1.0}) {
      SCOPED_TRACE(testing::Message() << n << " pairs, margin " << margin);
      const Matrix<S> a = random_rows<S>(n, 9, 3);
      const Matrix<S> b = random_rows<S>(n, 9, 4);
      const std::vector<int> same = random_labels(n, 2, 5);
      std::vector<PairSlope> slopes;
      Real sum = 0;
      std::int64_t active = 0;
      const oracle::Matrix s = oracle::paired(oracle::Cosine(), oracle::exact(a), oracle::exact(b));
      for (Index i = 0; i < n; ++i) {
        const Real above = s(i, 0) - static_cast<Real>(margin);
        const bool similar = same[static_cast<std::size_t>(i)] == 1;
        const Real value = similar ? 1 - s(i, 0) : std::max<Real>(0, above);
        sum += value;
        active += value > 0;
        slopes.push_back({i, i, Real(similar ? -1 : above > 0 ? 1 : 0) / static_cast<Real>(n)});
      }
      const CosineEmbedding<S> loss({.margin = margin});
      Matrix<S> da;
      Matrix<S> db;
      const auto got = loss.forward_backward(a, b, same, da, db);
      expect_number<S>(got.value, sum / static_cast<Real>(n), 1, "value");
      EXPECT_EQ(got.diagnostics.terms, n);
      EXPECT_EQ(got.diagnostics.active_terms, active);
      const oracle::Gradients want = gradients_of(oracle::Cosine(), a, b, slopes);
      expect_gradient<S>(da, want.a, "da");
      expect_gradient<S>(db, want.b, "db");
      EXPECT_EQ(loss.forward(a, b, same).value, got.value);
    }
  }
}

TEST(CosineEmbedding, HasAValueAPair) {
  Matrix<double> a(3, 2);
  a << 1, 0, 1, 0, 0, 0;
  Matrix<double> b(3, 2);
  b << 3, 0, 2, 2, 1, 0;
  const CosineEmbedding<double> loss({.margin = 0.5, .reduction = Reduction::none});
  const auto got = loss.forward(a, b, std::vector<int>{1, 0, 1});
  EXPECT_EQ(got.values[0], 0);
  EXPECT_NEAR(got.values[1], std::sqrt(0.5) - 0.5, 1e-15);
  EXPECT_EQ(got.values[2], 1);  // a zero row has cosine 0
}

TEST(CosineEmbedding, AtTheMarginCostsNothing) {
  Matrix<double> a(1, 2);
  a << 1, 0;
  Matrix<double> da;
  Matrix<double> db;
  const auto got =
      CosineEmbedding<double>({.margin = 1}).forward_backward(a, a, std::vector<int>{0}, da, db);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(da.norm(), 0);
}

TEST(CosineEmbedding, RefusesAMarginThatIsNoCosine) {
  expect_must_be_finite("margin", [](double v) { CosineEmbedding<float>({.margin = v}); });
  expect_refuses({"margin", "a score that this kernel can have, from -1 to 1",
                  [](double v) { CosineEmbedding<float>({.margin = v}); }},
                 {{1.5, "1.5"}, {-2, "-2"}});
}

TEST(CosineEmbedding, RefusesFlagsThatAreNone) {
  const Matrix<double> a = random_rows<double>(3, 2, 1);
  expect_refused({"flags",
                  Thrown::invalid_argument,
                  {"nearfar: same: wanted 0 or 1 for each pair, got -1 for pair 1"},
                  [&] {
                    CosineEmbedding<double>().forward(a, a, std::vector<int>{1, -1, 1});
                  }});
}

TEST(CosineEmbedding, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::CosineEmbeddingOptions().margin, 0);
  expect_common_defaults<nearfar::CosineEmbeddingOptions>();
}

}  // namespace
