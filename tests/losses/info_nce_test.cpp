#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <nearfar/losses/info_nce.hpp>
#include <stdexcept>
#include <string>

#include "support/compare.hpp"
#include "support/far_distances.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// InfoNCE with every kernel: values, counts and all gradients against the oracle on odd sizes, and
/// against finite differences on small ones, which do not depend on the oracle's formulas.

namespace {

using namespace support;
using nearfar::InfoNceOptions;
using nearfar::InfoNceResult;
using nearfar::Reduction;
using nearfar::Upstream;

constexpr double temperature = 0.5;

struct Sizes {
  Index queries;
  Index keys;
  Index negatives;  ///< -1 without explicit ones
  Index depth;
};

std::string text(const Sizes& s) {
  return std::to_string(s.queries) + " queries, " + std::to_string(s.keys) + " keys, " +
         std::to_string(s.negatives) + " negatives, depth " + std::to_string(s.depth);
}

/// One set of rows for a case's kernel, and all ways to call the loss on it.
template <class Case>
struct Problem {
  using S = typename Case::Scalar;
  using Loss = nearfar::InfoNce<S, typename Case::Kernel>;

  explicit Problem(const Sizes& s)
      : of_kernel(s.depth),
        queries(random_rows<S>(s.queries, of_kernel.query_cols, 31)),
        keys(random_rows<S>(s.keys, of_kernel.key_cols, 32)),
        negatives(random_rows<S>(s.negatives < 0 ? 0 : s.negatives, of_kernel.key_cols, 33)),
        explicit_negatives(s.negatives >= 0) {}

  Case of_kernel;
  Matrix<S> queries;
  Matrix<S> keys;
  Matrix<S> negatives;
  bool explicit_negatives;
  Matrix<S> d_queries;
  Matrix<S> d_keys;
  Matrix<S> d_negatives;
  Matrix<S> d_parameter;

  Loss loss(Reduction reduction, double tau = temperature) const {
    return Loss(InfoNceOptions{.temperature = tau, .reduction = reduction}, of_kernel.kernel());
  }

  InfoNceResult forward(const Loss& loss, nearfar::Workspace* workspace = nullptr) const {
    const nearfar::CallOptions<S> call{.workspace = workspace};
    return explicit_negatives ? loss.forward(queries, keys, negatives, call)
                              : loss.forward(queries, keys, call);
  }

  InfoNceResult gradients(const Loss& loss, const Upstream& upstream = {}) {
    const nearfar::CallOptions<S> call{.d_parameter = parameter_gradient<Case>(d_parameter),
                                       .upstream = upstream};
    return explicit_negatives ? loss.forward_backward(queries, keys, negatives, d_queries, d_keys,
                                                      d_negatives, call)
                              : loss.forward_backward(queries, keys, d_queries, d_keys, call);
  }

  oracle::Loss want(oracle::Request request) const {
    request.parameter_rows = of_kernel.parameter.rows();
    request.parameter_cols = of_kernel.parameter.cols();
    const oracle::Matrix others = oracle::exact(negatives);
    return oracle::info_nce(of_kernel.oracle(), temperature, oracle::exact(queries),
                            oracle::exact(keys), explicit_negatives ? &others : nullptr, request);
  }

  void expect_gradients(const InfoNceResult& got, const oracle::Loss& wanted) const {
    expect_gradient<S>(d_queries, wanted.first, "d_queries");
    expect_gradient<S>(d_keys, wanted.second, "d_keys");
    if (explicit_negatives) expect_gradient<S>(d_negatives, wanted.third, "d_negatives");
    if (Case::parametric) expect_gradient<S>(d_parameter, wanted.parameter, "d_parameter");
    EXPECT_LE(std::abs(got.d_temperature - wanted.d_temperature),
              Tolerance<S>::gradient * wanted.d_temperature_scale)
        << "d_temperature: got " << got.d_temperature << ", wanted " << wanted.d_temperature;
  }
};

template <class Case>
class InfoNceOfKernels : public testing::Test {
 protected:
  static constexpr std::array odd_sizes{
      Sizes{1, 1, -1, 1},     Sizes{1, 2, -1, 3},    Sizes{2, 2, -1, 17},
      Sizes{2, 130, -1, 128}, Sizes{7, 7, -1, 3},    Sizes{7, 33, -1, 200},
      Sizes{33, 33, -1, 17},  Sizes{33, 34, -1, 1},  Sizes{130, 130, -1, 17},
      Sizes{130, 133, -1, 3}, Sizes{1, 1, 0, 3},     Sizes{1, 1, 1, 1},
      Sizes{2, 2, 7, 200},    Sizes{7, 7, 0, 17},    Sizes{7, 7, 130, 3},
      Sizes{33, 33, 2, 128},  Sizes{33, 33, 33, 17}, Sizes{130, 130, 33, 3},
      Sizes{130, 130, 1, 17},
  };
  /// Sizes for tests with several calls.
  static constexpr std::array few_sizes{Sizes{7, 7, -1, 17}, Sizes{7, 9, -1, 3},
                                        Sizes{33, 33, 5, 3}, Sizes{7, 7, 3, 17}};
};
TYPED_TEST_SUITE(InfoNceOfKernels, AllKernels, CaseNames);

/// Each row has a factor of its own, so that an error of one cannot hide behind another's.
TYPED_TEST(InfoNceOfKernels, EqualsTheOracleOnOddSizes) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& sizes : this->odd_sizes) {
    SCOPED_TRACE(text(sizes));
    Problem<TypeParam> p(sizes);
    const std::vector<double> weights = random_upstream(sizes.queries, 34);
    const Upstream upstream(weights);
    const oracle::Loss want = p.want({.reduction = Reduction::none, .upstream = weights});
    const InfoNceResult got = p.gradients(p.loss(Reduction::none), upstream);
    expect_result<S>(got, want, Reduction::none);
    p.expect_gradients(got, want);
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST(InfoNceOfKernels, ReducesAsTheOptionSays) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& sizes : this->few_sizes) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      const auto loss = p.loss(reduction);
      const oracle::Loss want = p.want({.reduction = reduction});
      expect_result<S>(p.forward(loss), want, reduction);
      const InfoNceResult got = p.gradients(loss);
      expect_result<S>(got, want, reduction);
      p.expect_gradients(got, want);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(InfoNceOfKernels, UpstreamMultipliesGradientsAndNotTheValue) {
  using S = typename TypeParam::Scalar;
  const Upstream upstream(-1.75);
  for (const Sizes& sizes : this->few_sizes) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::mean_nonzero}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      const oracle::Loss want = p.want({.reduction = reduction, .upstream = {-1.75}});
      const InfoNceResult got = p.gradients(p.loss(reduction), upstream);
      expect_result<S>(got, want, reduction);
      p.expect_gradients(got, want);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(InfoNceOfKernels, GradientsMatchFiniteDifferences) {
  using S = typename TypeParam::Scalar;
  // Depth 4: a Mahalanobis kernel of one output would have the kinks of an absolute value.
  for (const Sizes& sizes : {Sizes{4, 5, -1, 4}, Sizes{3, 3, 4, 4}}) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      Matrix<S> tau = Matrix<S>::Constant(1, 1, static_cast<S>(temperature));
      const InfoNceResult got = p.gradients(p.loss(reduction));
      const Matrix<S> d_tau = Matrix<S>::Constant(1, 1, static_cast<S>(got.d_temperature));
      nearfar::Workspace workspace(1);
      std::vector<nearfar::CheckedInput<S>> inputs = {{"queries", p.queries, p.d_queries},
                                                      {"keys", p.keys, p.d_keys},
                                                      {"temperature", tau, d_tau}};
      Index elements = p.queries.size() + p.keys.size() + 1;
      if (p.explicit_negatives) {
        inputs.push_back({"negatives", p.negatives, p.d_negatives});
        elements += p.negatives.size();
      }
      if (TypeParam::parametric) {
        inputs.push_back({"parameter", p.of_kernel.parameter, p.d_parameter});
        elements += p.of_kernel.parameter.size();
      }
      expect_right(nearfar::check_gradient<S>(
                       [&] {
                         const auto loss = p.loss(reduction, static_cast<double>(tau(0, 0)));
                         return p.forward(loss, &workspace).value;
                       },
                       inputs),
                   elements);
    }
  }
}

TYPED_TEST(InfoNceOfKernels, OfNoQueriesIsZero) {
  using S = typename TypeParam::Scalar;
  for (const Index negatives : {-1, 0, 3}) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << negatives << " negatives");
      Problem<TypeParam> p({0, negatives < 0 ? Index(2) : Index(0), negatives, 3});
      const InfoNceResult got = p.gradients(p.loss(reduction));
      EXPECT_EQ(got.value, 0);
      EXPECT_TRUE(got.values.empty());
      EXPECT_EQ(got.d_temperature, 0);
      EXPECT_EQ(got.diagnostics.terms, 0);
      EXPECT_EQ(p.d_queries.rows(), 0);
      EXPECT_EQ(p.d_keys, Matrix<S>::Zero(p.keys.rows(), p.keys.cols()));
      if (p.explicit_negatives) {
        EXPECT_EQ(p.d_negatives, Matrix<S>::Zero(negatives, p.keys.cols()));
      }
    }
  }
}

/// Equal scores: each key has the same softmax.
TYPED_TEST(InfoNceOfKernels, OfEqualScoresIsTheLogarithmOfTheNumberOfTerms) {
  using S = typename TypeParam::Scalar;
  using Loss = nearfar::InfoNce<S, typename TypeParam::Kernel>;
  const TypeParam c(5);
  const auto repeated = [](Index rows, const Matrix<S>& row) -> Matrix<S> {
    return row.replicate(rows, 1);
  };
  const Matrix<S> query = random_rows<S>(1, c.query_cols, 66);
  const Matrix<S> key = random_rows<S>(1, c.key_cols, 67);
  const double same = Tolerance<S>::value;
  const Loss loss({.temperature = 0.1}, c.kernel());
  const Loss decoupled({.temperature = 0.1, .denominator = nearfar::Denominator::negatives_only},
                       c.kernel());
  for (const Index n : {1, 2, 33, 130}) {
    for (const Index more : {0, 1, 40}) {
      SCOPED_TRACE(testing::Message() << n << " queries, " << n + more << " keys");
      const Matrix<S> queries = repeated(n, query);
      const Matrix<S> keys = repeated(n + more, key);
      const Matrix<S> own = repeated(n, key);
      const Matrix<S> negatives = repeated(more, key);
      EXPECT_NEAR(loss.forward(queries, keys).value, std::log(double(n + more)), same);
      EXPECT_NEAR(loss.forward(queries, own, negatives).value, std::log(double(1 + more)), same);
      if (n + more > 1) {
        EXPECT_NEAR(decoupled.forward(queries, keys).value, std::log(double(n + more - 1)), same);
      }
      if (more > 0) {
        EXPECT_NEAR(decoupled.forward(queries, own, negatives).value, std::log(double(more)), same);
      }
    }
  }
}

/// exp(L) = 1 + negatives / positive, exp(decoupled L) = negatives / positive.
TYPED_TEST(InfoNceOfKernels, DecoupledIsTheLogarithmOfNegativesOverThePositive) {
  using S = typename TypeParam::Scalar;
  using Loss = nearfar::InfoNce<S, typename TypeParam::Kernel>;
  const TypeParam c(5);
  const Matrix<S> queries = random_rows<S>(33, c.query_cols, 68);
  const Matrix<S> keys = random_rows<S>(33, c.key_cols, 69);
  const Matrix<S> negatives = random_rows<S>(20, c.key_cols, 70);
  const auto loss = [&](nearfar::Denominator denominator) {
    return Loss(
        {.temperature = temperature, .denominator = denominator, .reduction = Reduction::none},
        c.kernel());
  };
  const Loss plain = loss(nearfar::Denominator::with_positive);
  const Loss decoupled = loss(nearfar::Denominator::negatives_only);
  const auto expect_related = [](const InfoNceResult& with, const InfoNceResult& without) {
    ASSERT_EQ(with.values.size(), without.values.size());
    for (std::size_t i = 0; i < with.values.size(); ++i) {
      const double want = std::log(std::expm1(with.values[i]));
      EXPECT_NEAR(without.values[i], want, Tolerance<S>::same * std::max(1.0, std::abs(want)));
    }
  };
  expect_related(plain.forward(queries, keys), decoupled.forward(queries, keys));
  expect_related(plain.forward(queries, keys, negatives),
                 decoupled.forward(queries, keys, negatives));
}

// ---- rare values -------------------------------------------------------------------------------

TEST(InfoNce, OfEqualScoresIsTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::InfoNce<double>().forward(x, x).value, std::log(12.0), 1e-12);
}

TEST(InfoNce, DistancesFarAboveTheTemperatureKeepTheirDifferences) {
  const FarDistances far;
  const nearfar::InfoNce<double, nearfar::Euclidean> loss({.temperature = 1});
  const oracle::Real got = loss.forward(far.x, far.y).value;
  EXPECT_LE(std::abs(got - far.info_nce), oracle::Real(1e-10))
      << got << ", wanted " << far.info_nce;
}

TEST(InfoNce, NegativesMayHaveNoRowsAndNoColumns) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  EXPECT_EQ(nearfar::InfoNce<double>().forward(x, x, Matrix<double>(0, 0)).value, 0);
}

TEST(InfoNce, NegativesAreCheckedWhereThereIsOne) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  Matrix<double> bad = random_rows<double>(1, 4, 2);
  bad(0, 2) = std::numeric_limits<double>::quiet_NaN();
  const nearfar::InfoNce<double> loss;
  EXPECT_THROW(loss.forward(x, x, bad), std::domain_error);
  EXPECT_THROW(loss.forward(x, x, random_rows<double>(1, 5, 2)), std::invalid_argument);
}

/// Negatives at -1000 and a positive at 1000: exponentials of negatives relative to the positive
/// would underflow.
TEST(InfoNce, NegativesFarBelowAPositiveThatIsNotAmongThemAreNotLost) {
  Matrix<double> q(1, 2), k(1, 2), negatives(2, 2), dq, dk, dn;
  q << 1, 0;
  k << 1, 0;
  negatives << -1, 0, -1, 0;
  const nearfar::InfoNce<double> loss(
      {.temperature = 1e-3, .denominator = nearfar::Denominator::negatives_only});
  const double value = loss.forward_backward(q, k, negatives, dq, dk, dn).value;
  EXPECT_DOUBLE_EQ(value, -2000 + std::log(2));
  EXPECT_TRUE(dq.allFinite() && dk.allFinite() && dn.allFinite());
}

TEST(InfoNce, NegativesFarBelowAPositiveThatIsAmongTheKeysAreNotLost) {
  Matrix<double> q(2, 2), dq, dk;
  q << 1, 0, -1, 0;
  const nearfar::InfoNce<double> loss(
      {.temperature = 1e-3, .denominator = nearfar::Denominator::negatives_only});
  EXPECT_EQ(loss.forward(q, q).value, -2000);
  EXPECT_EQ(loss.forward_backward(q, q, dq, dk).value, -2000);
  EXPECT_TRUE(dq.allFinite() && dk.allFinite());
}

template <class S>
class InfoNceOf : public testing::Test {};
TYPED_TEST_SUITE(InfoNceOf, Scalars, CaseNames);

TYPED_TEST(InfoNceOf, QueriesWithoutANegativeAreSkippedByDefault) {
  using S = TypeParam;
  using M = Matrix<S>;
  const M five = random_rows<S>(5, 4, 1);
  const M other_five = random_rows<S>(5, 4, 2);
  const M one = five.topRows(1);
  M dq;
  M dk;
  M dn;
  const nearfar::InfoNce<S> loss;
  const auto of_keys = loss.forward_backward(one, one, dq, dk);
  EXPECT_EQ(of_keys.value, 0);
  EXPECT_EQ(of_keys.diagnostics.anchors_without_negative, 1);
  EXPECT_EQ(dq, (M::Zero(1, 4)));
  EXPECT_EQ(dk, (M::Zero(1, 4)));
  // Without negatives, the set may also have no columns.
  for (const Index columns : {0, 4}) {
    const auto of_none = loss.forward_backward(five, other_five, M(0, columns), dq, dk, dn);
    EXPECT_EQ(of_none.value, 0);
    EXPECT_EQ(of_none.diagnostics.anchors_without_negative, 5);
    EXPECT_EQ(dq, (M::Zero(5, 4)));
    EXPECT_EQ(dk, (M::Zero(5, 4)));
    EXPECT_EQ(dn.rows(), 0);
  }
  EXPECT_NO_THROW((nearfar::InfoNce<S>({.unusable_anchors = nearfar::UnusableAnchor::error})
                       .forward(five, other_five)));
}

TEST(NPair, IsInfoNceOfInnerProductsAtTemperatureOne) {
  const Matrix<double> a = random_rows<double>(33, 17, 1);
  const Matrix<double> p = random_rows<double>(33, 17, 2);
  oracle::Real want = 0;
  for (Index i = 0; i < 33; ++i) {
    oracle::Real sum = 1;
    const oracle::Matrix x = oracle::exact(a);
    const oracle::Matrix y = oracle::exact(p);
    for (Index j = 0; j < 33; ++j) {
      if (j == i) continue;
      sum += std::exp(oracle::dot(oracle::row(x, i), oracle::row(y, j)) -
                      oracle::dot(oracle::row(x, i), oracle::row(y, i)));
    }
    want += std::log(sum) / 33;
  }
  expect_value(nearfar::NPair<double>().forward(a, p).value, want);
  EXPECT_EQ(
      (nearfar::InfoNce<double, nearfar::InnerProduct>({.temperature = 1})).forward(a, p).value,
      nearfar::NPair<double>().forward(a, p).value);
}

// ---- options ------------------------------------------------------------------------------------

TEST(InfoNce, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::InfoNce<float>({.temperature = v}); });
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::InfoNce<double>({.temperature = v}); });
}

TEST(InfoNce, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(InfoNceOptions().temperature, 0.07);
  EXPECT_EQ(InfoNceOptions().denominator, nearfar::Denominator::with_positive);
  expect_common_defaults<InfoNceOptions>();
}

}  // namespace
