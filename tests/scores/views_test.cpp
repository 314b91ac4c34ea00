#include <gtest/gtest.h>

#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <vector>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// The position of rows and of gradients in memory does not change the numbers.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::no_gradient;

/// Rows as a block in the middle of a wider matrix of other numbers.
template <class S>
class Embedded {
 public:
  explicit Embedded(const Matrix<S>& rows)
      : wide_(Matrix<S>::Constant(rows.rows() + 3, rows.cols() + 5, S(1e6))),
        rows_(rows.rows()),
        cols_(rows.cols()) {
    view() = rows;
  }
  auto view() { return wide_.block(1, 2, rows_, cols_); }

  /// True if all elements around the block are unchanged.
  bool surroundings_untouched() const {
    Matrix<S> rest = wide_;
    rest.block(1, 2, rows_, cols_).setConstant(S(1e6));
    return (rest.array() == S(1e6)).all();
  }

 private:
  Matrix<S> wide_;
  Index rows_;
  Index cols_;
};

/// Rows at an address without alignment.
template <class S>
class Unaligned {
 public:
  explicit Unaligned(const Matrix<S>& rows)
      : memory_(static_cast<std::size_t>(rows.size()) + 1), rows_(rows.rows()), cols_(rows.cols()) {
    view() = rows;
  }
  Eigen::Map<Matrix<S>> view() { return {memory_.data() + 1, rows_, cols_}; }

 private:
  std::vector<S> memory_;
  Index rows_;
  Index cols_;
};

template <class Case>
class Views : public testing::Test {};
TYPED_TEST_SUITE(Views, AllKernels, CaseNames);

TYPED_TEST(Views, OfRowsGiveTheSameBits) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(11);
  const Matrix<S> a = random_rows<S>(20, c.query_cols, 31);
  const Matrix<S> b = random_rows<S>(20, c.key_cols, 32);
  Embedded<S> block_a(a);
  Embedded<S> block_b(b);
  Unaligned<S> map_a(a);
  Unaligned<S> map_b(b);
  const auto kernel = c.kernel();

  const Matrix<S> pairwise = nearfar::pairwise(a, b, kernel);
  EXPECT_TRUE(same_bits<S>(nearfar::pairwise(block_a.view(), block_b.view(), kernel), pairwise));
  EXPECT_TRUE(same_bits<S>(nearfar::pairwise(map_a.view(), map_b.view(), kernel), pairwise));

  const Matrix<S> paired = nearfar::paired(a, b, kernel);
  EXPECT_TRUE(same_bits<S>(nearfar::paired(block_a.view(), block_b.view(), kernel), paired));
  EXPECT_TRUE(same_bits<S>(nearfar::paired(map_a.view(), map_b.view(), kernel), paired));
}

/// The two backward functions with one signature.
struct Paired {
  template <class S>
  static Matrix<S> upstream(Index n) {
    return uniform_matrix<S>(n, 1, 35);
  }
  template <class S, class A, class B, class K>
  static void backward(const Matrix<S>& upstream, const A& a, const B& b,
                       nearfar::GradientRows<S> da, nearfar::GradientRows<S> db, const K& kernel,
                       CallOptions<S> call) {
    const nearfar::Vector<S> column = upstream;
    nearfar::paired_backward(column, a, b, da, db, kernel, call);
  }
};
struct Pairwise {
  template <class S>
  static Matrix<S> upstream(Index n) {
    return uniform_matrix<S>(n, n, 36);
  }
  template <class S, class A, class B, class K>
  static void backward(const Matrix<S>& upstream, const A& a, const B& b,
                       nearfar::GradientRows<S> da, nearfar::GradientRows<S> db, const K& kernel,
                       CallOptions<S> call) {
    nearfar::pairwise_backward(upstream, a, b, da, db, kernel, call);
  }
};

template <class Backward, class Case>
void expect_targets_to_agree() {
  using S = typename Case::Scalar;
  const Case c(11);
  const Index n = 20;
  const Matrix<S> a = random_rows<S>(n, c.query_cols, 33);
  const Matrix<S> b = random_rows<S>(n, c.key_cols, 34);
  const Matrix<S> upstream = Backward::template upstream<S>(n);
  const auto kernel = c.kernel();
  const auto call = [&](nearfar::GradientRows<S> da, nearfar::GradientRows<S> db,
                        nearfar::GradientRows<S> dp) {
    Backward::template backward<S>(upstream, a, b, da, db, kernel, {.d_parameter = dp});
  };

  Matrix<S> da;
  Matrix<S> db;
  Matrix<S> dp;
  call(da, db, parameter_gradient<Case>(dp));

  // Blocks: the gradient is written, and nothing beside it.
  Embedded<S> block_a(Matrix<S>::Zero(n, c.query_cols));
  Embedded<S> block_b(Matrix<S>::Zero(n, c.key_cols));
  call(block_a.view(), block_b.view(), no_gradient);
  EXPECT_TRUE(same_bits<S>(block_a.view(), da));
  EXPECT_TRUE(same_bits<S>(block_b.view(), db));
  EXPECT_TRUE(block_a.surroundings_untouched());
  EXPECT_TRUE(block_b.surroundings_untouched());

  // One at a time.
  Matrix<S> alone = Matrix<S>::Constant(1, 1, S(5));
  call(alone, no_gradient, no_gradient);
  EXPECT_TRUE(same_bits(alone, da));
  call(no_gradient, alone, no_gradient);
  EXPECT_TRUE(same_bits(alone, db));
  if constexpr (Case::parametric) {
    call(no_gradient, no_gradient, alone);
    EXPECT_TRUE(same_bits(alone, dp));
  }

  // Added to the contents.
  const Matrix<S> before_a = random_rows<S>(n, c.query_cols, 37);
  const Matrix<S> before_b = random_rows<S>(n, c.key_cols, 38);
  Matrix<S> sum_a = before_a;
  Embedded<S> sum_b(before_b);
  call(nearfar::accumulate(sum_a), nearfar::accumulate(sum_b.view()), no_gradient);
  EXPECT_TRUE(same_bits<S>(sum_a, before_a + da));
  EXPECT_TRUE(same_bits<S>(sum_b.view(), before_b + db));
  EXPECT_TRUE(sum_b.surroundings_untouched());
  if constexpr (Case::parametric) {
    Matrix<S> twice = dp;
    call(no_gradient, no_gradient, nearfar::accumulate(twice));
    EXPECT_TRUE(same_bits<S>(twice, dp + dp));
  }
}

TYPED_TEST(Views, OfGradientsGiveTheSameBitsInPairwise) {
  expect_targets_to_agree<Pairwise, TypeParam>();
}

TYPED_TEST(Views, OfGradientsGiveTheSameBitsInPaired) {
  expect_targets_to_agree<Paired, TypeParam>();
}

TYPED_TEST(Views, ColumnMajorColumnsAreRows) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(6);
  const Matrix<S> a = random_rows<S>(9, c.query_cols, 39);
  const Matrix<S> b = random_rows<S>(9, c.key_cols, 40);
  const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic> columns_a = a.transpose();
  const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic> columns_b = b.transpose();
  const Matrix<S> got = nearfar::pairwise(nearfar::columns_as_rows(columns_a),
                                          nearfar::columns_as_rows(columns_b), c.kernel());
  EXPECT_TRUE(same_bits<S>(got, nearfar::pairwise(a, b, c.kernel())));
}

TYPED_TEST(Views, OneMatrixMayBeBothSides) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(6);
  if (c.query_cols != c.key_cols) GTEST_SKIP() << "its sides differ in their elements";
  const Matrix<S> x = random_rows<S>(15, 6, 41);
  const Matrix<S> copy = x;
  const Matrix<S> upstream = uniform_matrix<S>(15, 15, 42);
  Matrix<S> da;
  Matrix<S> db;
  nearfar::pairwise_backward(upstream, x, copy, da, db, c.kernel());
  // Both gradients accumulate in one buffer: their sum.
  Matrix<S> dx = Matrix<S>::Zero(15, 6);
  nearfar::pairwise_backward(upstream, x, x, nearfar::accumulate(dx), nearfar::accumulate(dx),
                             c.kernel());
  EXPECT_TRUE(same_bits<S>(dx, da + db));
}

}  // namespace
