#include <gtest/gtest.h>

#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"

/// Gradients of every kernel's scores: against the oracle on odd sizes, and also against finite
/// differences on small ones, which do not depend on the oracle's formulas.

namespace {

using namespace support;

struct Sizes {
  Index rows_a;
  Index rows_b;
  Index depth;
};

template <class S>
struct Computed {
  Matrix<S> a;
  Matrix<S> b;
  Matrix<S> parameter;
};

template <class Case, class S = typename Case::Scalar>
void expect_gradients(const Computed<S>& got, const oracle::Gradients& want) {
  expect_gradient<S>(got.a, want.a, "da");
  expect_gradient<S>(got.b, want.b, "db");
  if (Case::parametric) expect_gradient<S>(got.parameter, want.parameter, "d_parameter");
}

template <class Case>
class ScoreGradients : public testing::Test {};
TYPED_TEST_SUITE(ScoreGradients, AllKernels, CaseNames);

TYPED_TEST(ScoreGradients, PairwiseAreTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, m, d] : {Sizes{1, 1, 1}, Sizes{1, 7, 3}, Sizes{7, 2, 17}, Sizes{33, 33, 3},
                                Sizes{130, 33, 17}, Sizes{2, 130, 128}, Sizes{33, 7, 200}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << m << ", depth " << d);
    const TypeParam c(d);
    const Matrix<S> a = random_rows<S>(n, c.query_cols, 11);
    const Matrix<S> b = random_rows<S>(m, c.key_cols, 12);
    const Matrix<S> upstream = uniform_matrix<S>(n, m, 13);
    Computed<S> got;
    nearfar::pairwise_backward(
        upstream, a, b, got.a, got.b, c.kernel(),
        nearfar::CallOptions<S>{.d_parameter = parameter_gradient<TypeParam>(got.parameter)});

    const oracle::Matrix exact_a = oracle::exact(a);
    const oracle::Matrix exact_b = oracle::exact(b);
    oracle::Gradients want(exact_a, exact_b, c.parameter.rows(), c.parameter.cols());
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < m; ++j) want.add(c.oracle(), upstream(i, j), exact_a, i, exact_b, j);
    }
    expect_gradients<TypeParam>(got, want);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TYPED_TEST(ScoreGradients, PairedAreTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, d] : {std::pair<Index, Index>{1, 1},
                             {2, 3},
                             {7, 17},
                             {130, 17},
                             {33, 128},
                             {130, 3},
                             {33, 200}}) {
    SCOPED_TRACE(testing::Message() << n << " rows, depth " << d);
    const TypeParam c(d);
    const Matrix<S> a = random_rows<S>(n, c.query_cols, 14);
    const Matrix<S> b = random_rows<S>(n, c.key_cols, 15);
    const nearfar::Vector<S> upstream = uniform_matrix<S>(n, 1, 16);
    Computed<S> got;
    nearfar::paired_backward(
        upstream, a, b, got.a, got.b, c.kernel(),
        nearfar::CallOptions<S>{.d_parameter = parameter_gradient<TypeParam>(got.parameter)});

    const oracle::Matrix exact_a = oracle::exact(a);
    const oracle::Matrix exact_b = oracle::exact(b);
    oracle::Gradients want(exact_a, exact_b, c.parameter.rows(), c.parameter.cols());
    for (Index i = 0; i < n; ++i) want.add(c.oracle(), upstream(i), exact_a, i, exact_b, i);
    expect_gradients<TypeParam>(got, want);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TYPED_TEST(ScoreGradients, PairwiseMatchFiniteDifferences) {
  using S = typename TypeParam::Scalar;
  TypeParam c(4);
  Matrix<S> a = random_rows<S>(3, c.query_cols, 17);
  Matrix<S> b = random_rows<S>(5, c.key_cols, 18);
  const Matrix<S> upstream = uniform_matrix<S>(3, 5, 19);
  Computed<S> got;
  nearfar::Workspace workspace(1);
  nearfar::pairwise_backward(
      upstream, a, b, got.a, got.b, c.kernel(),
      nearfar::CallOptions<S>{.workspace = &workspace,
                              .d_parameter = parameter_gradient<TypeParam>(got.parameter)});
  const auto report = nearfar::check_gradient<S>(
      [&] {
        const Matrix<S> s =
            nearfar::pairwise(a, b, c.kernel(), nearfar::CallOptions<S>{.workspace = &workspace});
        return (s.template cast<double>().cwiseProduct(upstream.template cast<double>())).sum();
      },
      {{"a", a, got.a}, {"b", b, got.b}, {"parameter", c.parameter, got.parameter}});
  expect_right(report, a.size() + b.size() + c.parameter.size());
}

TYPED_TEST(ScoreGradients, PairedMatchFiniteDifferences) {
  using S = typename TypeParam::Scalar;
  TypeParam c(4);
  Matrix<S> a = random_rows<S>(6, c.query_cols, 20);
  Matrix<S> b = random_rows<S>(6, c.key_cols, 21);
  const nearfar::Vector<S> upstream = uniform_matrix<S>(6, 1, 22);
  Computed<S> got;
  nearfar::Workspace workspace(1);
  nearfar::paired_backward(
      upstream, a, b, got.a, got.b, c.kernel(),
      nearfar::CallOptions<S>{.workspace = &workspace,
                              .d_parameter = parameter_gradient<TypeParam>(got.parameter)});
  const auto report = nearfar::check_gradient<S>(
      [&] {
        const nearfar::Vector<S> s =
            nearfar::paired(a, b, c.kernel(), nearfar::CallOptions<S>{.workspace = &workspace});
        return s.template cast<double>().dot(upstream.template cast<double>());
      },
      {{"a", a, got.a}, {"b", b, got.b}, {"parameter", c.parameter, got.parameter}});
  expect_right(report, a.size() + b.size() + c.parameter.size());
}

}  // namespace
