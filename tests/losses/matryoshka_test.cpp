#include <gtest/gtest.h>

#include <limits>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/matryoshka.hpp>
#include <type_traits>
#include <vector>

#include "support/compare.hpp"
#include "support/options.hpp"
#include "support/random.hpp"

/// InfoNCE of several prefixes against the sum of InfoNCE of each, in double. InfoNCE has an oracle
/// of its own.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::Cosine;
using nearfar::Denominator;
using nearfar::Index;
using nearfar::InnerProduct;
using nearfar::MatryoshkaInfoNce;
using nearfar::MatryoshkaOptions;
using nearfar::MatryoshkaResult;
using nearfar::Reduction;
using nearfar::Upstream;
using nearfar::Workspace;

/// The expected loss and gradients.
struct Sum {
  double value = 0;
  double d_temperature = 0;
  std::vector<double> values;
  std::vector<double> prefix_values;
  Matrix<double> d_queries;
  Matrix<double> d_keys;
};

template <class K>
Sum sum_over_prefixes(const MatryoshkaOptions& options, const Matrix<double>& queries,
                      const Matrix<double>& keys, const Upstream& upstream) {
  Sum sum;
  sum.d_queries = Matrix<double>::Zero(queries.rows(), queries.cols());
  sum.d_keys = Matrix<double>::Zero(keys.rows(), keys.cols());
  const bool each = options.reduction == Reduction::none;
  sum.values.assign(each ? static_cast<std::size_t>(queries.rows()) : 0, 0.0);
  const nearfar::InfoNce<double, K> loss({.temperature = options.temperature,
                                          .denominator = options.denominator,
                                          .reduction = options.reduction});
  for (std::size_t p = 0; p < options.prefixes.size(); ++p) {
    const double weight = options.weights.empty() ? 1 : options.weights[p];
    const Matrix<double> q = queries.leftCols(options.prefixes[p]);
    const Matrix<double> k = keys.leftCols(options.prefixes[p]);
    Matrix<double> dq;
    Matrix<double> dk;
    const auto result = loss.forward_backward(q, k, dq, dk, {.upstream = upstream});
    sum.value += weight * result.value;
    sum.d_temperature += weight * result.d_temperature;
    sum.prefix_values.push_back(result.value);
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += weight * result.values[i];
    sum.d_queries.leftCols(q.cols()) += weight * dq;
    sum.d_keys.leftCols(k.cols()) += weight * dk;
  }
  return sum;
}

template <class S>
double digits() {
  return std::is_same_v<S, float> ? 2e-5 : 1e-11;
}

template <class S>
void expect_close(const Matrix<S>& got, const Matrix<double>& want, const char* what) {
  ASSERT_EQ(got.rows(), want.rows()) << what;
  ASSERT_EQ(got.cols(), want.cols()) << what;
  const Matrix<double> error = got.template cast<double>() - want;
  EXPECT_LE(error.cwiseAbs().maxCoeff(), digits<S>() * want.cwiseAbs().maxCoeff()) << what;
}

template <class S, class K>
void expect_sum(const MatryoshkaOptions& options, Index n, Index m, const Upstream& upstream) {
  const Index cols = options.prefixes.back();
  const Matrix<S> queries = random_rows<S>(n, cols, 3);
  const Matrix<S> keys = random_rows<S>(m, cols, 4);
  const Sum want = sum_over_prefixes<K>(options, queries.template cast<double>(),
                                        keys.template cast<double>(), upstream);
  Matrix<S> dq;
  Matrix<S> dk;
  const MatryoshkaInfoNce<S, K> loss(options);
  const MatryoshkaResult got = loss.forward_backward(queries, keys, dq, dk, {.upstream = upstream});
  const double size = std::abs(want.value) + 1e-3;
  EXPECT_NEAR(got.value, want.value, digits<S>() * size);
  EXPECT_NEAR(got.d_temperature, want.d_temperature,
              10 * digits<S>() * (std::abs(want.d_temperature) + size));
  ASSERT_EQ(got.values.size(), want.values.size());
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    EXPECT_NEAR(got.values[i], want.values[i], digits<S>() * (std::abs(want.values[i]) + 1e-3));
  }
  ASSERT_EQ(got.prefix_values.size(), want.prefix_values.size());
  for (std::size_t p = 0; p < want.prefix_values.size(); ++p) {
    EXPECT_NEAR(got.prefix_values[p], want.prefix_values[p],
                digits<S>() * (std::abs(want.prefix_values[p]) + 1e-3));
  }
  expect_close(dq, want.d_queries, "d_queries");
  expect_close(dk, want.d_keys, "d_keys");
  EXPECT_EQ(loss.forward(queries, keys).value, got.value);
}

template <class S>
class Matryoshka : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Matryoshka, Scalars);

TYPED_TEST(Matryoshka, IsTheWeightedSumOverPrefixes) {
  using S = TypeParam;
  for (const auto& prefixes : std::vector<std::vector<Index>>{
           {1}, {8}, {2, 4, 8}, {3, 16, 20, 37}, {16, 32, 64}, {2, 3, 70, 133}}) {
    for (const Index n : {1, 5, 48, 49, 130}) {
      SCOPED_TRACE(testing::Message() << prefixes.size() << " prefixes up to " << prefixes.back()
                                      << ", " << n << " queries");
      std::vector<double> weights;
      for (std::size_t p = 0; p < prefixes.size(); ++p) {
        weights.push_back(1.0 / static_cast<double>(p + 1));
      }
      const MatryoshkaOptions options{.prefixes = prefixes, .weights = weights, .temperature = 0.3};
      expect_sum<S, Cosine>(options, n, n + 3, {});
      expect_sum<S, InnerProduct>(options, n, n, {});
    }
  }
}

TYPED_TEST(Matryoshka, TakesTilesOfKeys) {
  const MatryoshkaOptions options{.prefixes = {5, 21}, .temperature = 0.3};
  expect_sum<TypeParam, Cosine>(options, 97, 800, {});
}

TYPED_TEST(Matryoshka, HasTheReductionsOfInfoNce) {
  using S = TypeParam;
  std::vector<double> upstream;
  for (int i = 0; i < 20; ++i) upstream.push_back(0.5 * i - 3);
  for (const Denominator denominator : {Denominator::with_positive, Denominator::negatives_only}) {
    const MatryoshkaOptions options{.prefixes = {4, 10, 13},
                                    .weights = {0.5, 0, 2},
                                    .temperature = 0.4,
                                    .denominator = denominator};
    MatryoshkaOptions other = options;
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::mean_nonzero}) {
      other.reduction = reduction;
      expect_sum<S, Cosine>(other, 20, 24, Upstream(-1.7));
    }
    other.reduction = Reduction::none;
    expect_sum<S, Cosine>(other, 20, 24, Upstream(upstream));
  }
}

TYPED_TEST(Matryoshka, HasNoGradientOfAPrefixOfZeros) {
  using S = TypeParam;
  Matrix<S> queries = random_rows<S>(6, 9, 5);
  Matrix<S> keys = random_rows<S>(6, 9, 6);
  queries.row(2).head(3).setZero();
  keys.row(4).setZero();
  const MatryoshkaOptions options{.prefixes = {3, 9}, .temperature = 0.5};
  const Sum want = sum_over_prefixes<Cosine>(options, queries.template cast<double>(),
                                             keys.template cast<double>(), {});
  Matrix<S> dq;
  Matrix<S> dk;
  MatryoshkaInfoNce<S>(options).forward_backward(queries, keys, dq, dk);
  expect_close(dq, want.d_queries, "d_queries");
  expect_close(dk, want.d_keys, "d_keys");
  EXPECT_EQ(dk.row(4).norm(), 0);
}

/// Prefixes far shorter than their rows, and rows of any length: cosines depend on neither.
TYPED_TEST(Matryoshka, TakesShortPrefixesOfRowsOfAnyLength) {
  using S = TypeParam;
  Matrix<S> queries = random_rows<S>(7, 12, 7);
  Matrix<S> keys = random_rows<S>(7, 12, 8);
  queries.leftCols(4) *= S(1e-6);
  keys.leftCols(4) *= S(1e-8);
  const Matrix<S> far_queries = queries * S(1e15);
  const Matrix<S> far_keys = keys * S(1e-15);
  const MatryoshkaOptions options{.prefixes = {4, 12}, .temperature = 0.2};
  const MatryoshkaInfoNce<S> loss(options);
  const Sum want = sum_over_prefixes<Cosine>(options, queries.template cast<double>(),
                                             keys.template cast<double>(), {});
  Matrix<S> dq;
  Matrix<S> dk;
  EXPECT_NEAR(loss.forward_backward(far_queries, far_keys, dq, dk).value, want.value,
              digits<S>() * want.value);
  const Matrix<double> got = dq.template cast<double>() * 1e15;
  EXPECT_LE((got - want.d_queries).leftCols(4).cwiseAbs().maxCoeff(),
            10 * digits<S>() * want.d_queries.leftCols(4).cwiseAbs().maxCoeff());
  const Matrix<double> rest = (got - want.d_queries).rightCols(8);
  EXPECT_LE(rest.cwiseAbs().maxCoeff(),
            10 * digits<S>() * want.d_queries.rightCols(8).cwiseAbs().maxCoeff());
}

TYPED_TEST(Matryoshka, HasTheSameBitsAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(301, 40, 9);
  const Matrix<S> keys = random_rows<S>(410, 40, 10);
  const MatryoshkaInfoNce<S> loss({.prefixes = {7, 16, 40}});
  Workspace one(1);
  Matrix<S> dq;
  Matrix<S> dk;
  const MatryoshkaResult want = loss.forward_backward(queries, keys, dq, dk, {.workspace = &one});
  for (const int threads : {2, 3, 7}) {
    Workspace several(threads);
    Matrix<S> dq_here;
    Matrix<S> dk_here;
    const MatryoshkaResult got =
        loss.forward_backward(queries, keys, dq_here, dk_here, {.workspace = &several});
    EXPECT_EQ(got.value, want.value);
    EXPECT_EQ(got.d_temperature, want.d_temperature);
    EXPECT_EQ(got.prefix_values, want.prefix_values);
    EXPECT_TRUE(same_bits(dq_here, dq)) << threads;
    EXPECT_TRUE(same_bits(dk_here, dk)) << threads;
  }
}

TYPED_TEST(Matryoshka, AccumulatesGradientsAndLeavesOutUnwantedOnes) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(11, 10, 11);
  const Matrix<S> keys = random_rows<S>(12, 10, 12);
  const MatryoshkaInfoNce<S> loss({.prefixes = {3, 10}, .temperature = 0.5});
  Matrix<S> dq;
  Matrix<S> dk;
  loss.forward_backward(queries, keys, dq, dk);
  Matrix<S> sum = dq;
  loss.forward_backward(queries, keys, nearfar::accumulate(sum), nearfar::no_gradient);
  EXPECT_TRUE(same_bits<S>(sum, dq + dq));
  Matrix<S> alone;
  loss.forward_backward(queries, keys, nearfar::no_gradient, alone);
  EXPECT_TRUE(same_bits(alone, dk));
}

TEST(MatryoshkaOptions, AreCheckedByName) {
  using Loss = MatryoshkaInfoNce<float>;
  const auto refused = [](const MatryoshkaOptions& options, const char* name) {
    try {
      const Loss loss(options);
      FAIL() << name;
    } catch (const std::invalid_argument& e) {
      EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
    }
  };
  refused({}, "prefixes");
  refused({.prefixes = {0, 4}}, "prefixes");
  refused({.prefixes = {4, 4}}, "prefixes");
  refused({.prefixes = {8, 4}}, "prefixes");
  refused({.prefixes = {4, 8}, .weights = {1}}, "weights");
  refused({.prefixes = {4, 8}, .weights = {1, -1}}, "weights");
  refused({.prefixes = {4, 8}, .weights = {1, std::numeric_limits<double>::quiet_NaN()}},
          "weights");
  expect_must_be_positive("temperature",
                          [](double v) { const Loss loss({.prefixes = {4}, .temperature = v}); });
}

TEST(MatryoshkaOptions, HaveTheDefaultsOfTheirPage) {
  const MatryoshkaOptions options;
  EXPECT_EQ(options.temperature, 0.07);
  EXPECT_EQ(options.denominator, Denominator::with_positive);
  EXPECT_EQ(options.reduction, Reduction::mean);
  EXPECT_EQ(options.unusable_anchors, nearfar::UnusableAnchor::skip);
  const MatryoshkaInfoNce<float> loss({.prefixes = {2, 4}});
  EXPECT_EQ(loss.options().weights, std::vector<double>({1, 1}));
}

TEST(Matryoshka, RefusesRowsThatDoNotFit) {
  const MatryoshkaInfoNce<float> loss({.prefixes = {2, 4}});
  const Matrix<float> rows = random_rows<float>(3, 5, 1);
  EXPECT_THROW(loss.forward(rows, rows), std::invalid_argument);
  const Matrix<float> four = random_rows<float>(3, 4, 1);
  EXPECT_THROW(loss.forward(four, four.topRows(2)), std::invalid_argument);
  EXPECT_THROW(loss.forward(four, rows), std::invalid_argument);
  Matrix<float> bad = four;
  bad(1, 3) = std::numeric_limits<float>::infinity();
  EXPECT_THROW(loss.forward(four, bad), std::domain_error);
  const Matrix<float> none(0, 4);
  EXPECT_EQ(loss.forward(none, none).value, 0);
}

}  // namespace
