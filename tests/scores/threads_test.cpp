#include <gtest/gtest.h>

#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// The number of threads changes no bit of scores and their gradients.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::Workspace;

template <class Case>
class ScoreThreads : public testing::Test {};
TYPED_TEST_SUITE(ScoreThreads, AllKernels, CaseNames);

TYPED_TEST(ScoreThreads, ChangeNoBits) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(21);
  // Rows for several panels, columns for several tiles, without whole numbers of them.
  const Matrix<S> a = random_rows<S>(500, c.query_cols, 51);
  const Matrix<S> b = random_rows<S>(500, c.key_cols, 52);
  const Matrix<S> upstream = uniform_matrix<S>(500, 500, 53);
  const nearfar::Vector<S> column = upstream.col(0);

  struct Computed {
    Matrix<S> pairwise, da, db, dp, paired, da_paired, db_paired, dp_paired;
  };
  const auto compute = [&](int threads) {
    Workspace workspace(threads);
    Computed r;
    const auto call = [&](Matrix<S>& dp) {
      return CallOptions<S>{.workspace = &workspace,
                            .d_parameter = parameter_gradient<TypeParam>(dp)};
    };
    const CallOptions<S> plain{.workspace = &workspace};
    r.pairwise = nearfar::pairwise(a, b, c.kernel(), plain);
    r.paired = nearfar::paired(a, b, c.kernel(), plain);
    nearfar::pairwise_backward(upstream, a, b, r.da, r.db, c.kernel(), call(r.dp));
    nearfar::paired_backward(column, a, b, r.da_paired, r.db_paired, c.kernel(), call(r.dp_paired));
    return r;
  };
  const Computed one = compute(1);
  for (const int threads : {2, 3, 7}) {
    SCOPED_TRACE(testing::Message() << threads << " threads");
    const Computed many = compute(threads);
    EXPECT_TRUE(same_bits(many.pairwise, one.pairwise));
    EXPECT_TRUE(same_bits(many.da, one.da));
    EXPECT_TRUE(same_bits(many.db, one.db));
    EXPECT_TRUE(same_bits(many.dp, one.dp));
    EXPECT_TRUE(same_bits(many.paired, one.paired));
    EXPECT_TRUE(same_bits(many.da_paired, one.da_paired));
    EXPECT_TRUE(same_bits(many.db_paired, one.db_paired));
    EXPECT_TRUE(same_bits(many.dp_paired, one.dp_paired));
  }
}

}  // namespace
