#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/distillation.hpp>

#include "support/allocations.hpp"
#include "support/gradient.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/pair_slopes.hpp"

/// Margin-MSE and distillation of scores against plain loops in long double, and their options.

namespace {

using namespace support;
using nearfar::DistillKl;
using nearfar::MarginMse;
using nearfar::Reduction;
using nearfar::Workspace;

template <class S>
std::vector<S> random_numbers(Index count, std::uint64_t seed) {
  const Matrix<S> m = uniform_matrix<S>(count, 1, seed);
  return {m.data(), m.data() + count};
}

template <class S>
class DistillationOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DistillationOf, Scalars);

// ---- margin-MSE ---------------------------------------------------------------------------------

template <class S, class K, class O>
void expect_margin_mse(const O& kernel) {
  const Real sign = O::similarity ? 1 : -1;
  for (const auto& [n, count] :
       {std::pair<Index, Index>(1, 1), {7, 1}, {9, 3}, {50, 8}, {3, 400}}) {
    SCOPED_TRACE(testing::Message() << n << " queries, " << count << " negatives each");
    const Matrix<S> q = random_rows<S>(n, 9, 3);
    const Matrix<S> p = random_rows<S>(n, 9, 4);
    const Matrix<S> x = random_rows<S>(n * count, 9, 5);
    const std::vector<S> margins = random_numbers<S>(n * count, 6);
    const oracle::Matrix eq = oracle::exact(q);
    const oracle::Matrix ep = oracle::exact(p);
    const oracle::Matrix ex = oracle::exact(x);
    std::vector<Real> values;
    std::vector<PairSlope> with_positive;
    std::vector<PairSlope> with_negative;
    for (Index i = 0; i < n; ++i) {
      Real value = 0;
      Real slope = 0;
      for (Index j = i * count; j < (i + 1) * count; ++j) {
        const Real error = sign * (kernel.score(oracle::row(eq, i), oracle::row(ep, i)) -
                                   kernel.score(oracle::row(eq, i), oracle::row(ex, j))) -
                           static_cast<Real>(margins[static_cast<std::size_t>(j)]);
        value += error * error;
        slope += 2 * sign * error;
        with_negative.push_back({i, j, -2 * sign * error});
      }
      values.push_back(value);
      with_positive.push_back({i, i, slope});
    }
    const MarginMse<S, K> loss({.reduction = Reduction::none});
    Matrix<S> dq;
    Matrix<S> dp;
    Matrix<S> dx;
    const auto got = loss.forward_backward(q, p, x, margins, dq, dp, dx);
    ASSERT_EQ(got.values.size(), values.size());
    Real sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      expect_number<S>(got.values[i], values[i], values[i] + 1, "value");
      sum += values[i];
    }
    EXPECT_EQ(got.diagnostics.terms, n * count);
    const oracle::Gradients first = gradients_of(kernel, q, p, with_positive);
    const oracle::Gradients second = gradients_of(kernel, q, x, with_negative);
    const Real scale = first.a.scale() + second.a.scale() + 1;
    expect_near<S>(dq, first.a.values + second.a.values, Tolerance<S>::gradient * scale, "dq");
    expect_near<S>(dp, first.b.values, Tolerance<S>::gradient * scale, "dp");
    expect_near<S>(dx, second.b.values, Tolerance<S>::gradient * scale, "dx");
    const auto mean = MarginMse<S, K>().forward(q, p, x, margins);
    const Real wanted = sum / static_cast<Real>(n * count);
    expect_number<S>(mean.value, wanted, wanted + 1, "mean");
  }
}

TYPED_TEST(DistillationOf, MarginsEqualTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  expect_margin_mse<S, nearfar::InnerProduct>(oracle::InnerProduct());
  expect_margin_mse<S, nearfar::Cosine>(oracle::Cosine());
  expect_margin_mse<S, nearfar::SquaredEuclidean>(oracle::SquaredEuclidean());
}

TEST(MarginMse, OfQueriesWithoutNegativesIsZero) {
  const Matrix<double> q = random_rows<double>(3, 2, 1);
  Matrix<double> dq, dp, dx;
  const auto got = MarginMse<double>().forward_backward(q, q, Matrix<double>(0, 0),
                                                        std::vector<double>(), dq, dp, dx);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.diagnostics.terms, 0);
  EXPECT_EQ(got.diagnostics.anchors_without_negative, 3);
  EXPECT_EQ(dq, (Matrix<double>::Zero(3, 2)));
}

TEST(MarginMse, RefusesNegativesThatAreNotAsManyForEach) {
  const Matrix<double> q = random_rows<double>(3, 2, 1);
  const Matrix<double> x = random_rows<double>(7, 2, 2);
  expect_refused({"negatives",
                  Thrown::invalid_argument,
                  {"nearfar: negatives: wanted as many for each of 3 queries, got 7 rows"},
                  [&] { MarginMse<double>().forward(q, q, x, std::vector<double>(7)); }});
}

// ---- distillation of scores ---------------------------------------------------------------------

/// tau^2 KL(P | S) of one query, and its derivatives with respect to the student's scores.
struct Kl {
  Real value = 0;
  std::vector<Real> slopes;

  Kl(const std::vector<Real>& teacher, const std::vector<Real>& student, Real tau) {
    const auto log_softmax = [&](const std::vector<Real>& x) {
      const Real best = *std::max_element(x.begin(), x.end());
      Real sum = 0;
      for (const Real v : x) sum += std::exp((v - best) / tau);
      std::vector<Real> out;
      for (const Real v : x) out.push_back((v - best) / tau - std::log(sum));
      return out;
    };
    const std::vector<Real> p = log_softmax(teacher);
    const std::vector<Real> s = log_softmax(student);
    for (std::size_t k = 0; k < p.size(); ++k) {
      value += tau * tau * std::exp(p[k]) * (p[k] - s[k]);
      slopes.push_back(tau * (std::exp(s[k]) - std::exp(p[k])));
    }
  }
};

template <class S, class K, class O>
void expect_kl(const O& kernel) {
  const Real sign = O::similarity ? 1 : -1;
  for (const auto& sizes : {std::pair<Index, Index>(1, 1), {5, 2}, {33, 7}, {3, 400}}) {
    const Index n = sizes.first;
    const Index count = sizes.second;
    for (const double tau : {0.25, 1.0, 4.0}) {
      SCOPED_TRACE(testing::Message() << n << " queries, " << count << " each, tau " << tau);
      const Matrix<S> q = random_rows<S>(n, 9, 3);
      const Matrix<S> x = random_rows<S>(n * count, 9, 5);
      const std::vector<S> teacher = random_numbers<S>(n * count, 6);
      const oracle::Matrix eq = oracle::exact(q);
      const oracle::Matrix ex = oracle::exact(x);
      std::vector<PairSlope> slopes;
      const auto value_at = [&](Real t) {
        slopes.clear();
        std::vector<Real> values;
        for (Index i = 0; i < n; ++i) {
          std::vector<Real> wanted;
          std::vector<Real> student;
          for (Index j = i * count; j < (i + 1) * count; ++j) {
            wanted.push_back(static_cast<Real>(teacher[static_cast<std::size_t>(j)]));
            student.push_back(sign * kernel.score(oracle::row(eq, i), oracle::row(ex, j)));
          }
          const Kl kl(wanted, student, t);
          values.push_back(kl.value);
          for (Index k = 0; k < count; ++k) {
            slopes.push_back({i, i * count + k, sign * kl.slopes[static_cast<std::size_t>(k)]});
          }
        }
        return values;
      };
      const Slope by_tau(
          [&](Real t) {
            Real sum = 0;
            for (const Real v : value_at(t)) sum += v;
            return sum;
          },
          static_cast<Real>(tau));
      const std::vector<Real> values = value_at(static_cast<Real>(tau));
      const DistillKl<S, K> loss({.temperature = tau, .reduction = Reduction::none});
      Matrix<S> dq;
      Matrix<S> dx;
      const auto got = loss.forward_backward(q, x, teacher, dq, dx);
      ASSERT_EQ(got.values.size(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        expect_number<S>(got.values[i], values[i], 1, "value");
      }
      EXPECT_EQ(got.diagnostics.terms, n);
      EXPECT_NEAR(got.d_temperature, static_cast<double>(by_tau.derivative),
                  sizeof(S) == sizeof(float) ? 1e-4 : 1e-9);
      const oracle::Gradients want = gradients_of(kernel, q, x, slopes);
      const Real scale = 4 * std::max<Real>(1, want.a.scale());
      expect_near<S>(dq, want.a.values, Tolerance<S>::gradient * scale, "dq");
      expect_near<S>(dx, want.b.values, Tolerance<S>::gradient * scale, "dx");
      EXPECT_EQ(loss.forward(q, x, teacher).values, got.values);
    }
  }
}

TYPED_TEST(DistillationOf, ScoresEqualTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  expect_kl<S, nearfar::InnerProduct>(oracle::InnerProduct());
  expect_kl<S, nearfar::Cosine>(oracle::Cosine());
  expect_kl<S, nearfar::Euclidean>(oracle::Euclidean());
}

TEST(DistillKl, HasTheGradientOfItsValue) {
  Matrix<double> q = random_rows<double>(5, 4, 1);
  Matrix<double> x = random_rows<double>(15, 4, 2);
  const std::vector<double> teacher = random_numbers<double>(15, 3);
  const DistillKl<double> loss({.temperature = 0.5});
  Matrix<double> dq;
  Matrix<double> dx;
  loss.forward_backward(q, x, teacher, dq, dx);
  expect_right(nearfar::check_gradient<double>([&] { return loss.forward(q, x, teacher).value; },
                                               {{"q", q, dq}, {"x", x, dx}}),
               q.size() + x.size());
}

/// A student with nearly the teacher's scores: the divergence is half the variance of the
/// differences.
TEST(DistillKl, KeepsItsDigitsNearZero) {
  Matrix<double> q(1, 1);
  q << 1;
  Matrix<double> x(2, 1);
  const double difference = 0x1p-20;
  x << 0.5, 0.5 + difference;
  const auto got = DistillKl<double>().forward(q, x, std::vector<double>{0.5, 0.5});
  const double want = difference * difference / 8;
  EXPECT_NEAR(got.value, want, 1e-8 * want);
}

/// Teachers whose probabilities of the other candidates underflow.
TYPED_TEST(DistillationOf, SharpTeachersGiveFiniteResults) {
  using S = TypeParam;
  Matrix<S> q(1, 1);
  q << 1;
  Matrix<S> x(3, 1);
  x << S(1), S(-1), S(0.5);
  Matrix<S> dq;
  Matrix<S> dx;
  const auto got = DistillKl<S>({.temperature = 1e-3})
                       .forward_backward(q, x, std::vector<S>{S(-5), S(5), S(0)}, dq, dx);
  EXPECT_NEAR(got.value, 1e-6 * 2000, 1e-9);
  EXPECT_NEAR(static_cast<double>(dx(0, 0)), 1e-3, 1e-9);
  EXPECT_NEAR(static_cast<double>(dx(1, 0)), -1e-3, 1e-9);
  EXPECT_TRUE(std::isfinite(got.d_temperature));
}

TYPED_TEST(DistillationOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Matrix<S> q = random_rows<S>(300, 19, 1);
  const Matrix<S> x = random_rows<S>(900, 19, 2);
  const std::vector<S> teacher = random_numbers<S>(900, 3);
  Workspace alone(1);
  Matrix<S> dq, dx;
  const DistillKl<S> loss;
  const auto want = loss.forward_backward(q, x, teacher, dq, dx, {.workspace = &alone});
  for (const int threads : {2, 3, 7}) {
    Workspace workspace(threads);
    Matrix<S> own_dq, own_dx;
    const auto got =
        loss.forward_backward(q, x, teacher, own_dq, own_dx, {.workspace = &workspace});
    EXPECT_EQ(got.value, want.value);
    EXPECT_EQ(got.d_temperature, want.d_temperature);
    EXPECT_TRUE(same_bits<S>(own_dq, dq));
    EXPECT_TRUE(same_bits<S>(own_dx, dx));
  }
  const long before = allocations;
  loss.forward_backward(q, x, teacher, dq, dx, {.workspace = &alone});
  EXPECT_EQ(allocations - before, 0);
}

TEST(DistillKl, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature", [](double v) { DistillKl<float>({.temperature = v}); });
}

TEST(DistillKl, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::DistillKlOptions().temperature, 1);
  expect_common_defaults<nearfar::DistillKlOptions>();
  expect_common_defaults<nearfar::MarginMseOptions>();
}

}  // namespace
