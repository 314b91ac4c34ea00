#include <gtest/gtest.h>

#include <Eigen/SVD>
#include <nearfar/metrics/collapse.hpp>

#include "support/allocations.hpp"
#include "support/errors.hpp"
#include "support/kernel_cases.hpp"

/// Collapse diagnostics against singular values of the rows themselves and loops over pairs.

namespace {

using namespace support;
using nearfar::collapse;
using nearfar::CollapseResult;
using nearfar::Workspace;
using oracle::Real;
using oracle::row;

Real expected_rank(const oracle::Matrix& x) {
  if (x.size() == 0 || x.cwiseAbs().maxCoeff() == 0) return 0;
  using Plain = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::JacobiSVD<Plain> svd{Plain(x / x.cwiseAbs().maxCoeff())};
  const auto& s = svd.singularValues();
  Real entropy = 0;
  for (Index k = 0; k < s.size(); ++k) {
    const Real p = s[k] / s.sum();
    if (p > 0) entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

Real expected_cosine(const oracle::Matrix& x) {
  Real sum = 0;
  Real pairs = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = i + 1; j < x.rows(); ++j) {
      sum += oracle::Cosine().score(row(x, i), row(x, j));
      pairs += 1;
    }
  }
  return pairs > 0 ? sum / pairs : 0;
}

template <class S>
void expect_alike(const Matrix<S>& x) {
  const oracle::Matrix exact = oracle::exact(x);
  const CollapseResult got = collapse(x);
  const auto n = static_cast<Real>(x.rows());
  Real mean = 0;
  Real squares = 0;
  std::int64_t zero = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    mean += oracle::length(row(exact, i)) / n;
    zero += oracle::length(row(exact, i)) == 0 ? 1 : 0;
  }
  for (Index i = 0; i < x.rows(); ++i) {
    const Real off = oracle::length(row(exact, i)) - mean;
    squares += off * off / n;
  }
  const auto near = [](double value, Real wanted, Real allowed, const char* what) {
    EXPECT_LE(std::abs(value - wanted), allowed)
        << what << ": got " << value << ", wanted " << wanted;
  };
  EXPECT_EQ(got.rows, x.rows());
  EXPECT_EQ(got.zero_rows, zero);
  near(got.mean_norm, mean, 1e-13L * mean, "mean norm");
  near(got.norm_deviation, std::sqrt(squares), 1e-13L * mean, "deviation");
  near(got.mean_cosine, expected_cosine(exact), 1e-14L, "cosine");
  // A singular value of 1e-7 of the largest, which counts as zero, contributes that times its
  // logarithm.
  const Real rank = expected_rank(exact);
  near(got.effective_rank, rank, 2e-6L * rank, "effective rank");
}

template <class S>
class Collapse : public testing::Test {};
TYPED_TEST_SUITE(Collapse, Scalars, CaseNames);

TYPED_TEST(Collapse, IsThatOfTheDefinitions) {
  using S = TypeParam;
  for (const Index n : {1, 2, 3, 17, 193, 400}) {
    for (const Index d : {1, 2, 6, 13, 34, 70}) {
      SCOPED_TRACE(std::to_string(n) + " x " + std::to_string(d));
      Matrix<S> x = random_rows<S>(n, d, 3);
      expect_alike<S>(x);
      x.array() += S(0.7);  // nearly one direction
      expect_alike<S>(x);
      if (n > 2) x.row(1).setZero();
      if (d > 2) x.col(2) = x.col(0);
      expect_alike<S>(x);
      for (Index k = 0; k < d; ++k) x.col(k) *= static_cast<S>(std::pow(2.0, -double(k % 9)));
      expect_alike<S>(x);
    }
  }
}

TYPED_TEST(Collapse, EffectiveRankByHand) {
  using S = TypeParam;
  for (const Index d : {1, 5, 40}) {
    const Matrix<S> axes = S(3) * Matrix<S>::Identity(d, d);
    EXPECT_NEAR(collapse(axes).effective_rank, static_cast<double>(d), 1e-12 * double(d));
  }
  // One direction, for any rows: exactly one, without rounding errors of the others.
  Matrix<S> line(50, 30);
  for (Index i = 0; i < 50; ++i) line.row(i) = Matrix<S>::Constant(1, 30, static_cast<S>(i - 20));
  EXPECT_NEAR(collapse(line).effective_rank, 1, 1e-14);
  // 29 rows in one direction, 20 in the opposite, a zero row: (9^2 - 49) / (50 * 49).
  EXPECT_NEAR(collapse(line).mean_cosine, 32.0 / 2450, 1e-15);
  // Singular values 2 (four rows) and 1.
  Matrix<S> two = Matrix<S>::Zero(5, 3);
  two.col(0).head(4).setOnes();
  two(4, 2) = 1;
  const double entropy = -(2.0 / 3 * std::log(2.0 / 3) + 1.0 / 3 * std::log(1.0 / 3));
  EXPECT_NEAR(collapse(two).effective_rank, std::exp(entropy), 1e-13);
  EXPECT_NEAR(collapse(two).mean_cosine, 6.0 / 10, 1e-15);
}

TYPED_TEST(Collapse, NormsByHand) {
  using S = TypeParam;
  Matrix<S> x(4, 2);
  x << 3, 4, 0, 0, -5, 0, 6, 8;
  const CollapseResult r = collapse(x);
  EXPECT_EQ(r.mean_norm, 5);
  EXPECT_NEAR(r.norm_deviation, std::sqrt(12.5), 1e-15);
  EXPECT_EQ(r.rows, 4);
  EXPECT_EQ(r.zero_rows, 1);
  EXPECT_NEAR(r.mean_cosine, (-0.6 + 1 - 0.6) / 6, 1e-15);
}

TYPED_TEST(Collapse, NothingIsZeroAndNotNaN) {
  using S = TypeParam;
  for (const Matrix<S>& x : {Matrix<S>(0, 0), Matrix<S>(0, 4), Matrix<S>(Matrix<S>::Zero(7, 4)),
                             Matrix<S>(Matrix<S>::Zero(1, 4))}) {
    const CollapseResult r = collapse(x);
    EXPECT_EQ(r.rows, x.rows());
    EXPECT_EQ(r.zero_rows, x.rows());
    EXPECT_EQ(r.effective_rank, 0);
    EXPECT_EQ(r.mean_cosine, 0);
    EXPECT_EQ(r.mean_norm, 0);
    EXPECT_EQ(r.norm_deviation, 0);
  }
  const Matrix<S> one = random_rows<S>(1, 6, 2);
  EXPECT_EQ(collapse(one).mean_cosine, 0);
  EXPECT_NEAR(collapse(one).effective_rank, 1, 1e-14);
  EXPECT_EQ(collapse(one).norm_deviation, 0);
}

/// Directions do not depend on the size of the elements.
TYPED_TEST(Collapse, ElementsOfAnySize) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(40, 6, 2);
  const CollapseResult want = collapse(x);
  constexpr S most = std::numeric_limits<S>::max();
  for (const S scale : {most / 4, std::sqrt(most), std::numeric_limits<S>::min() * S(1 << 20)}) {
    const CollapseResult got = collapse(Matrix<S>(x * scale));
    EXPECT_NEAR(got.effective_rank, want.effective_rank, 1e-4);
    EXPECT_NEAR(got.mean_cosine, want.mean_cosine, 1e-5);
    EXPECT_NEAR(got.mean_norm / static_cast<double>(scale), want.mean_norm, 1e-5);
  }
  const CollapseResult largest = collapse(Matrix<S>(Matrix<S>::Constant(5, 9, most)));
  EXPECT_TRUE(std::isfinite(largest.mean_norm));
  EXPECT_NEAR(largest.effective_rank, 1, 1e-14);
  EXPECT_NEAR(largest.mean_cosine, 1, 1e-14);
  EXPECT_NEAR(largest.norm_deviation / largest.mean_norm, 0, 1e-14);
  const CollapseResult least =
      collapse(Matrix<S>(Matrix<S>::Constant(5, 9, std::numeric_limits<S>::denorm_min())));
  EXPECT_EQ(least.zero_rows, 0);
  EXPECT_NEAR(least.effective_rank, 1, 1e-14);
  EXPECT_NEAR(least.mean_cosine, 1, 1e-14);
}

TYPED_TEST(Collapse, RankCanBeLeftOut) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(30, 5, 1);
  const CollapseResult all = collapse(x);
  const CollapseResult some = collapse(x, {.effective_rank = false});
  EXPECT_EQ(some.effective_rank, 0);
  EXPECT_EQ(some.mean_cosine, all.mean_cosine);
  EXPECT_EQ(some.mean_norm, all.mean_norm);
}

TYPED_TEST(Collapse, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  for (const auto& [n, d] : {std::pair<Index, Index>(410, 130), std::pair<Index, Index>(60, 300)}) {
    const Matrix<S> x = random_rows<S>(n, d, 1);
    Workspace alone(1);
    const CollapseResult want = collapse(x, {}, {.workspace = &alone});
    for (const int threads : {2, 3, 7}) {
      Workspace workspace(threads);
      const CollapseResult got = collapse(x, {}, {.workspace = &workspace});
      EXPECT_EQ(got.effective_rank, want.effective_rank);
      EXPECT_EQ(got.mean_cosine, want.mean_cosine);
      EXPECT_EQ(got.mean_norm, want.mean_norm);
      EXPECT_EQ(got.norm_deviation, want.norm_deviation);
    }
  }
}

TYPED_TEST(Collapse, OrderOfRowsDoesNotMatter) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(50, 7, 1);
  const CollapseResult want = collapse(x);
  const CollapseResult got = collapse(reordered(x, random_order(50, 2)));
  EXPECT_NEAR(got.effective_rank, want.effective_rank, 1e-10);
  EXPECT_NEAR(got.mean_cosine, want.mean_cosine, 1e-14);
  EXPECT_NEAR(got.mean_norm, want.mean_norm, 1e-14);
  EXPECT_NEAR(got.norm_deviation, want.norm_deviation, 1e-14);
}

/// For the rank, Eigen's solver allocates memory.
TYPED_TEST(Collapse, ASecondCallAllocatesNothing) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(300, 20, 1);
  Workspace workspace(1);
  const auto measure = [&](bool rank) {
    collapse(x, {.effective_rank = rank}, {.workspace = &workspace});
    return workspace.bytes();
  };
  const std::size_t bytes = measure(true);
  const long before = allocations;
  measure(false);
  EXPECT_EQ(allocations - before, 0);
  EXPECT_EQ(measure(true), bytes);
}

TYPED_TEST(Collapse, RowsAreReadWhereTheyLie) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(40, 9, 1);
  const CollapseResult got = collapse(x.block(3, 2, 30, 5));
  const CollapseResult want = collapse(Matrix<S>(x.block(3, 2, 30, 5)));
  EXPECT_EQ(got.effective_rank, want.effective_rank);
  EXPECT_EQ(got.mean_cosine, want.mean_cosine);
}

TYPED_TEST(Collapse, BadInputIsRefused) {
  using S = TypeParam;
  Matrix<S> bad = random_rows<S>(5, 4, 1);
  bad(3, 2) = std::numeric_limits<S>::quiet_NaN();
  const Matrix<S> no_columns(5, 0);
  const Matrix<S> good = random_rows<S>(5, 4, 1);
  Matrix<S> gradient;
  Workspace workspace;
  const BadCall table[] = {
      {"NaN",
       Thrown::domain_error,
       {"x: ", "NaN at row 3, column 2"},
       [&] { collapse(bad, {}, {.workspace = &workspace}); }},
      {"no elements",
       Thrown::invalid_argument,
       {"x: wanted rows of at least one element"},
       [&] { collapse(no_columns, {}, {.workspace = &workspace}); }},
      {"a gradient",
       Thrown::invalid_argument,
       {"d_parameter"},
       [&] { collapse(good, {}, {.d_parameter = gradient}); }},
  };
  for (const BadCall& one : table) expect_refused(one);
  EXPECT_NO_THROW(collapse(good, {}, {.workspace = &workspace}));
}

}  // namespace
