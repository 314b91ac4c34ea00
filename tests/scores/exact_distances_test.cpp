#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/kernels/squared_euclidean.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <string>
#include <vector>

#include "metrics/ranking_oracle.hpp"
#include "support/random.hpp"

/// Rows whose squared distances are exact in the scalar type (integers, binary codes, multiples of
/// 1/2) have exact distances and exact ties, for any other rows in the call.

namespace {

using nearfar::Index;
using nearfar::Matrix;

template <class S>
class ExactDistances : public testing::Test {
 protected:
  struct Set {
    std::string name;
    Matrix<S> x;
  };

  /// Rows of numbers offset + step * {low .. high}.
  static Matrix<S> numbers(Index rows, Index cols, int low, int high, double step, double offset) {
    support::Random random(static_cast<std::uint64_t>(rows + cols + high));
    Matrix<S> x(rows, cols);
    for (Index k = 0; k < x.size(); ++k) {
      const int n = low + static_cast<int>(random.below(high - low + 1));
      x.data()[k] = static_cast<S>(offset + step * n);
    }
    return x;
  }

  static std::vector<Set> sets() {
    std::vector<Set> all;
    all.push_back({"small integers", numbers(90, 1, -2, 2, 1, 0)});
    all.push_back({"integers, more than a tile", numbers(450, 5, -9, 14, 1, 0)});
    all.push_back({"codes of +-1", numbers(200, 24, 0, 1, 2, -1)});
    all.push_back({"codes of 0 and 1", numbers(200, 64, 0, 1, 1, 0)});
    all.push_back({"halves", numbers(130, 7, -20, 31, 0.5, 0)});
    all.push_back({"integers far from the origin", numbers(130, 7, -20, 31, 1, 70000)});
    Matrix<S> outlier = numbers(50, 3, -3, 3, 1, 0);
    outlier.row(49).setConstant(S(1000));
    all.push_back({"an outlier", outlier});
    return all;
  }

  static S squared(const Matrix<S>& x, Index i, Index j) {
    double sum = 0;
    for (Index k = 0; k < x.cols(); ++k) {
      const double d = static_cast<double>(x(i, k)) - static_cast<double>(x(j, k));
      sum += d * d;
    }
    return static_cast<S>(sum);
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ExactDistances, Scalars);

TYPED_TEST(ExactDistances, AreExact) {
  for (const auto& set : this->sets()) {
    const auto squares = nearfar::pairwise(set.x, set.x, nearfar::SquaredEuclidean());
    const auto roots = nearfar::pairwise(set.x, set.x, nearfar::Euclidean());
    for (Index i = 0; i < set.x.rows(); ++i) {
      for (Index j = 0; j < set.x.rows(); ++j) {
        const TypeParam wanted = this->squared(set.x, i, j);
        ASSERT_EQ(squares(i, j), wanted) << set.name << " " << i << ", " << j;
        ASSERT_EQ(roots(i, j), std::sqrt(wanted)) << set.name << " " << i << ", " << j;
      }
    }
  }
}

/// Codes of +-1: inner products are exact, and so are their ties, in which cosines may differ in
/// the last bits (docs/kernels/cosine.md).
TYPED_TEST(ExactDistances, OfCodesHaveExactInnerProductsAndNearlyTheirCosines) {
  using S = TypeParam;
  for (const Index bits : {3, 8, 24, 64, 100, 128}) {
    const Matrix<S> x = this->numbers(90, bits, 0, 1, 2, -1);
    const auto products = nearfar::pairwise(x, x, nearfar::InnerProduct());
    const auto cosines = nearfar::pairwise(x, x, nearfar::Cosine());
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index j = 0; j < x.rows(); ++j) {
        const S want = static_cast<S>(bits) - this->squared(x, i, j) / 2;
        ASSERT_EQ(products(i, j), want) << bits << " bits, " << i << ", " << j;
        // Half an epsilon a summand, and that of both norms.
        ASSERT_NEAR(cosines(i, j), want / static_cast<S>(bits),
                    (static_cast<S>(bits) / 2 + 2) * std::numeric_limits<S>::epsilon())
            << bits << " bits, " << i << ", " << j;
      }
    }
  }
}

TYPED_TEST(ExactDistances, DoNotDependOnOtherRows) {
  for (const auto& set : this->sets()) {
    const auto all = nearfar::pairwise(set.x, set.x, nearfar::Euclidean());
    const Matrix<TypeParam> some = set.x.middleRows(3, 20);
    const auto few = nearfar::pairwise(some, some, nearfar::Euclidean());
    EXPECT_TRUE(few == all.block(3, 3, 20, 20)) << set.name;
  }
}

TYPED_TEST(ExactDistances, OfFiveRowsMakeThreeHardTriplets) {
  Matrix<TypeParam> x(5, 1);
  x << -2, -2, -2, 0, 2;
  const std::vector<int> labels{0, 0, 0, 1, 1};
  const nearfar::MinedTriplet<TypeParam, nearfar::Euclidean> loss(
      {.margin = 0.25, .mining = nearfar::Mining::hard, .reduction = nearfar::Reduction::sum});
  const auto result = loss.forward(x, labels);
  EXPECT_EQ(result.value, 0.75);
  EXPECT_EQ(result.hard_triplets, 3);
}

TYPED_TEST(ExactDistances, OfIntegersMakeTripletsOfTheirKind) {
  for (int seed = 0; seed < 40; ++seed) {
    support::Random random(static_cast<std::uint64_t>(seed));
    const Index n = 6 + Index(random.below(20));
    Matrix<TypeParam> x(n, 1 + Index(random.below(3)));
    for (Index k = 0; k < x.size(); ++k) {
      x.data()[k] = static_cast<TypeParam>(static_cast<int>(random.below(6)) - 2);
    }
    std::vector<int> labels;
    for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(random.below(3)));
    std::int64_t hard = 0;
    std::int64_t semihard = 0;
    std::int64_t easy = 0;
    double value = 0;
    const auto label = [&](Index i) { return labels[static_cast<std::size_t>(i)]; };
    for (Index i = 0; i < n; ++i) {
      for (Index p = 0; p < n; ++p) {
        for (Index k = 0; k < n; ++k) {
          if (p == i || label(p) != label(i) || label(k) == label(i)) continue;
          const double gap = std::sqrt(static_cast<double>(this->squared(x, i, k))) -
                             std::sqrt(static_cast<double>(this->squared(x, i, p)));
          ++(gap <= 0 ? hard : gap <= 0.25 ? semihard : easy);
          value += std::max(0.25 - gap, 0.0);
        }
      }
    }
    const nearfar::MinedTriplet<TypeParam, nearfar::Euclidean> loss(
        {.margin = 0.25, .mining = nearfar::Mining::all, .reduction = nearfar::Reduction::sum});
    const auto result = loss.forward(x, labels);
    EXPECT_EQ(result.hard_triplets, hard) << seed;
    EXPECT_EQ(result.semihard_triplets, semihard) << seed;
    EXPECT_EQ(result.easy_triplets, easy) << seed;
    EXPECT_NEAR(result.value, value, 1e-5 * (1 + value)) << seed;
  }
}

TYPED_TEST(ExactDistances, RankTiesByTheLowestIndex) {
  for (const auto& set : this->sets()) {
    oracle::Matrix d(set.x.rows(), set.x.rows());
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.cols(); ++j) d(i, j) = this->squared(set.x, i, j);
    }
    const ranking::Distances distances{d, true};
    std::vector<std::int64_t> labels;
    for (Index i = 0; i < d.rows(); ++i) labels.push_back(i % 4);
    double hits = 0;
    for (Index i = 0; i < d.rows(); ++i) {
      hits += distances.order(i)[0] % 4 == i % 4 ? 1 : 0;
    }
    const nearfar::Retrieval<TypeParam, nearfar::SquaredEuclidean> retrieval({.ks = {1}});
    EXPECT_DOUBLE_EQ(retrieval.evaluate(set.x, labels).precision[0],
                     hits / static_cast<double>(d.rows()))
        << set.name;
  }
}

}  // namespace
