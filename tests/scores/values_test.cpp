#include <gtest/gtest.h>

#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// Every kernel's scores against the oracle, on sizes that fill no block, no vector and no tile.

namespace {

using namespace support;

constexpr Index row_counts[] = {1, 2, 7, 33, 130};
constexpr Index depths[] = {1, 3, 17, 128, 200};

template <class Case>
class Scores : public testing::Test {};
TYPED_TEST_SUITE(Scores, AllKernels, CaseNames);

TYPED_TEST(Scores, PairwiseIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (std::size_t depth = 0; depth < std::size(depths); ++depth) {
    const Index d = depths[depth];
    const TypeParam c(d);
    const auto kernel = c.oracle();
    for (std::size_t row = 0; row < std::size(row_counts); ++row) {
      // A Latin square: all pairs of rows, columns and depth occur.
      const Index n = row_counts[row];
      const Index m = row_counts[(row + depth) % std::size(row_counts)];
      SCOPED_TRACE(testing::Message() << n << " x " << m << ", depth " << d);
      const Matrix<S> a = random_rows<S>(n, c.query_cols, 1);
      const Matrix<S> b = random_rows<S>(m, c.key_cols, 2);
      const oracle::Matrix exact_a = oracle::exact(a);
      const oracle::Matrix exact_b = oracle::exact(b);
      const oracle::Matrix want = oracle::pairwise(kernel, exact_a, exact_b);
      expect_near<S>(nearfar::pairwise(a, b, c.kernel()), want,
                     Tolerance<S>::score * oracle::score_scale(kernel, want, exact_a, exact_b),
                     "score");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Scores, PairedIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const Index d : depths) {
    const TypeParam c(d);
    const auto kernel = c.oracle();
    for (const Index n : row_counts) {
      SCOPED_TRACE(testing::Message() << n << " rows, depth " << d);
      const Matrix<S> a = random_rows<S>(n, c.query_cols, 3);
      const Matrix<S> b = random_rows<S>(n, c.key_cols, 4);
      const oracle::Matrix exact_a = oracle::exact(a);
      const oracle::Matrix exact_b = oracle::exact(b);
      const oracle::Matrix want = oracle::paired(kernel, exact_a, exact_b);
      const Matrix<S> got = nearfar::paired(a, b, c.kernel());
      expect_near<S>(got, want,
                     Tolerance<S>::score * oracle::score_scale(kernel, want, exact_a, exact_b),
                     "score");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Scores, NoRowsNoScores) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(5);
  const Matrix<S> a = random_rows<S>(4, c.query_cols, 5);
  const Matrix<S> b = random_rows<S>(3, c.key_cols, 6);
  const Matrix<S> no_queries(0, c.query_cols);
  const Matrix<S> no_keys(0, c.key_cols);
  EXPECT_EQ(nearfar::paired(no_queries, no_keys, c.kernel()).size(), 0);
  const auto shape = [&](const Matrix<S>& queries, const Matrix<S>& keys) {
    const Matrix<S> s = nearfar::pairwise(queries, keys, c.kernel());
    return std::pair(s.rows(), s.cols());
  };
  EXPECT_EQ(shape(a, no_keys), std::pair(Index(4), Index(0)));
  EXPECT_EQ(shape(no_queries, b), std::pair(Index(0), Index(3)));
  EXPECT_EQ(shape(no_queries, no_keys), std::pair(Index(0), Index(0)));
}

template <class Case>
class Distances : public testing::Test {};
TYPED_TEST_SUITE(Distances, DistanceKernels, CaseNames);

TYPED_TEST(Distances, AreSymmetric) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(19);
  const Matrix<S> a = random_rows<S>(40, c.query_cols, 7);
  const Matrix<S> b = random_rows<S>(50, c.key_cols, 8);
  const Matrix<S> there = nearfar::pairwise(a, b, c.kernel());
  const Matrix<S> back = nearfar::pairwise(b, a, c.kernel()).transpose();
  expect_near<S>(there, oracle::exact(back), Tolerance<S>::score * largest(oracle::exact(back)),
                 "distance");
}

TYPED_TEST(Distances, AreNeverNegative) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(19);
  Matrix<S> a = random_rows<S>(60, c.query_cols, 9);
  for (Index i = 30; i < 60; ++i) a.row(i) = a.row(i - 30) * S(1 + i % 3);
  EXPECT_GE(nearfar::pairwise(a, a, c.kernel()).minCoeff(), S(0));
  EXPECT_GE(nearfar::paired(a, a, c.kernel()).minCoeff(), S(0));
}

/// A cluster of spread 0.01 at 10 000: in float its points are multiples of 0.001, and differences
/// of these are exact.
TYPED_TEST(Distances, OfAClusterFarFromTheOriginKeepTheirDigits) {
  using S = typename TypeParam::Scalar;
  for (const Index d : {1, 7, 64}) {
    const TypeParam c(d);
    const auto cluster = [&](Index rows, std::uint64_t seed) -> Matrix<S> {
      return random_rows<S>(rows, d, seed) * S(1e-2) + Matrix<S>::Constant(rows, d, S(1e4));
    };
    const Matrix<S> a = cluster(40, 21);
    const Matrix<S> b = cluster(50, 22);
    if (TypeParam::Kernel::geometry != nearfar::Geometry::squared_distance) continue;
    const Matrix<S> got = nearfar::pairwise(a, b, c.kernel());
    const oracle::Matrix want = oracle::pairwise(c.oracle(), oracle::exact(a), oracle::exact(b));
    const oracle::Real relative = sizeof(S) == sizeof(float) ? 1e-5L : 1e-12L;
    for (Index i = 0; i < got.rows(); ++i) {
      for (Index j = 0; j < got.cols(); ++j) {
        const oracle::Real error = std::abs(static_cast<oracle::Real>(got(i, j)) - want(i, j));
        ASSERT_LE(error, relative * want(i, j)) << "(" << i << ", " << j << "), d " << d;
      }
    }
  }
}

template <class S>
class Cosines : public testing::Test {};
TYPED_TEST_SUITE(Cosines, Scalars, CaseNames);

TYPED_TEST(Cosines, LieBetweenMinusOneAndOne) {
  using S = TypeParam;
  Matrix<S> a = random_rows<S>(60, 19, 9);
  for (Index i = 30; i < 60; ++i) a.row(i) = a.row(i - 30) * S(i % 2 == 0 ? 3 : -7);
  const Matrix<S> s = nearfar::pairwise(a, a, nearfar::Cosine());
  EXPECT_LE(s.maxCoeff(), S(1));
  EXPECT_GE(s.minCoeff(), S(-1));
  EXPECT_LE(nearfar::paired(a, a, nearfar::Cosine()).maxCoeff(), S(1));
}

}  // namespace
