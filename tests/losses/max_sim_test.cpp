#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/max_sim.hpp>
#include <string>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/max_sim_oracle.hpp"
#include "support/options.hpp"
#include "support/plain_loss.hpp"
#include "support/token_offsets.hpp"

/// MaxSimInfoNce against plain loops over tokens in long double, and its arguments.

namespace {

using namespace support;

template <class S>
class MaxSimOf : public testing::Test {};
TYPED_TEST_SUITE(MaxSimOf, Scalars, CaseNames);

using nearfar::Reduction;
using Offsets = std::vector<Index>;

template <class K>
oracle::Matrix scores(const K& kernel, const Sets& x, const TokenOffsets& of) {
  return max_sim_scores(kernel, x[0], of.queries, x[1], of.documents);
}

Real value_of(const oracle::Matrix& s, Index i, Real temperature) {
  return max_sim_value(s, i, i, temperature);
}

template <class S, class K, class O>
void expect_plain(const O& kernel, const Matrix<S>& queries, const Matrix<S>& documents,
                  const TokenOffsets& of, double temperature) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const nearfar::MaxSimInfoNce<S, K> loss({.temperature = temperature, .reduction = reduction});
    const auto count = static_cast<Real>(of.queries.size() - 1);
    const auto sum_at = [&](const Sets& rows, Real tau) {
      const oracle::Matrix s = scores(kernel, rows, of);
      Real sum = 0;
      for (Index i = 0; i < s.rows(); ++i) sum += value_of(s, i, tau);
      return reduction == Reduction::mean ? sum / count : sum;
    };
    const Real tau = static_cast<Real>(temperature);
    double d_temperature = 0;
    const auto got = expect_plain_loss<S>(
        [&](const auto& x, auto& g) {
          const auto result =
              loss.forward_backward(x[0], of.queries, x[1], of.documents, g[0], g[1]);
          EXPECT_EQ(result.value, loss.forward(x[0], of.queries, x[1], of.documents).value);
          d_temperature = result.d_temperature;
          return result;
        },
        [&](const Sets& rows) { return sum_at(rows, tau); }, {queries, documents}, 2);
    const Sets exact = {oracle::exact(queries), oracle::exact(documents)};
    const Real h = tau * 1e-5L;
    const Real slope = (sum_at(exact, tau + h) - sum_at(exact, tau - h)) / (2 * h);
    EXPECT_LE(std::abs(d_temperature - slope), (sizeof(S) == 4 ? 1e-4L : 1e-8L) * std::abs(slope));
    if (reduction != Reduction::none) continue;
    const oracle::Matrix s = scores(kernel, exact, of);
    ASSERT_EQ(got.values.size(), of.queries.size() - 1);
    for (Index i = 0; i < s.rows(); ++i) {
      EXPECT_LE(std::abs(got.values[static_cast<std::size_t>(i)] - value_of(s, i, tau)),
                10 * Tolerance<S>::value * std::max(Real(1), value_of(s, i, tau)));
    }
    EXPECT_LE(std::abs(got.diagnostics.smallest_score - s.minCoeff()), 1e-4);
    EXPECT_LE(std::abs(got.diagnostics.largest_score - s.maxCoeff()), 1e-4);
  }
}

TYPED_TEST(MaxSimOf, EqualsTheFormula) {
  using S = TypeParam;
  for (const auto& [t, u] : {std::pair<Index, Index>(2, 5), {3, 3}, {9, 14}, {40, 61}}) {
    SCOPED_TRACE(t);
    const Matrix<S> queries = random_rows<S>(t, 5, 1);
    const Matrix<S> documents = random_rows<S>(u, 5, 2);
    const TokenOffsets of(t, u);
    expect_plain<S, nearfar::Cosine>(oracle::Cosine(), queries, documents, of, 0.5);
    expect_plain<S, nearfar::InnerProduct>(oracle::InnerProduct(), queries, documents, of, 1.2);
  }
}

/// Documents that end in the middle of tiles, and one that is longer than a tile; a query longer
/// than a panel.
TYPED_TEST(MaxSimOf, LongQueriesAndDocuments) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(70, 3, 3);
  const Matrix<S> documents = random_rows<S>(1000, 3, 4);
  TokenOffsets of(0, 0);
  of.queries = {0, 60, 61, 70};
  of.documents = {0, 100, 380, 390, 900, 1000};
  expect_plain<S, nearfar::Cosine>(oracle::Cosine(), queries, documents, of, 3);
}

/// More documents than a stage of the gradients takes.
TYPED_TEST(MaxSimOf, ManyDocuments) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(150, 3, 5);
  const Matrix<S> documents = random_rows<S>(210, 3, 6);
  TokenOffsets of(0, 0);
  of.queries.clear();
  of.documents.clear();
  for (Index k = 0; k <= 75; ++k) of.queries.push_back(2 * k);
  for (Index k = 0; k <= 105; ++k) of.documents.push_back(2 * k);
  const nearfar::MaxSimInfoNce<S> loss;
  Matrix<S> dq, dd;
  const auto got = loss.forward_backward(queries, of.queries, documents, of.documents, dq, dd);
  const Sets exact = {oracle::exact(queries), oracle::exact(documents)};
  const oracle::Matrix s = scores(oracle::Cosine(), exact, of);
  Real sum = 0;
  for (Index i = 0; i < 75; ++i) sum += value_of(s, i, 1) / 75;
  EXPECT_LE(std::abs(got.value - sum), Tolerance<S>::value * sum);
  for (const int threads : {2, 3, 7}) {
    nearfar::Workspace workspace(threads);
    Matrix<S> other_q, other_d;
    const auto other = loss.forward_backward(queries, of.queries, documents, of.documents, other_q,
                                             other_d, {.workspace = &workspace});
    EXPECT_EQ(other.value, got.value);
    EXPECT_EQ(other.d_temperature, got.d_temperature);
    EXPECT_EQ(other_q, dq);
    EXPECT_EQ(other_d, dd);
  }
}

/// Of equally near tokens, the first has the gradient, also across tiles.
TYPED_TEST(MaxSimOf, TiesGoToTheFirst) {
  using S = TypeParam;
  for (const Index length : {3, 500}) {
    Matrix<S> queries = random_rows<S>(2, 3, 7);
    Matrix<S> documents = random_rows<S>(1, 3, 8).replicate(2 * length, 1);
    const Offsets of_queries = {0, 1, 2};
    const Offsets of_documents = {0, length, 2 * length};
    Matrix<S> dq, dd;
    const nearfar::MaxSimInfoNce<S> loss;
    const auto got = loss.forward_backward(queries, of_queries, documents, of_documents, dq, dd);
    EXPECT_NEAR(got.value, std::log(2.0), 1e-6);
    for (Index j = 0; j < 2 * length; ++j) {
      if (j % length != 0) {
        EXPECT_EQ(dd.row(j).norm(), 0) << j;
      }
    }
    EXPECT_GT(dd.row(0).norm() + dd.row(length).norm(), 0);
  }
}

/// With one document a query has no negative, and no gradient.
TYPED_TEST(MaxSimOf, QueriesWithoutTokensAndWithoutNegatives) {
  using S = TypeParam;
  const Matrix<S> queries = random_rows<S>(2, 3, 9);
  const Matrix<S> documents = random_rows<S>(5, 3, 10);
  Matrix<S> dq, dd;
  const nearfar::MaxSimInfoNce<S> loss({.reduction = Reduction::none});
  const Offsets of_queries = {0, 0, 2};
  const Offsets of_documents = {0, 2, 4, 5};
  const auto got = loss.forward_backward(queries, of_queries, documents, of_documents, dq, dd);
  EXPECT_NEAR(got.values[0], std::log(3.0), 1e-12);
  const Offsets one_query = {0, 2};
  const Offsets one_document = {0, 5};
  const auto alone = loss.forward_backward(queries, one_query, documents, one_document, dq, dd);
  EXPECT_EQ(alone.value, 0);
  EXPECT_EQ(alone.d_temperature, 0);
  EXPECT_EQ(alone.diagnostics.anchors_without_negative, 1);
  EXPECT_EQ(dq, (Matrix<S>::Zero(2, 3)));
  const nearfar::MaxSimInfoNce<S> refusing({.unusable_anchors = nearfar::UnusableAnchor::error});
  EXPECT_THROW(refusing.forward(queries, one_query, documents, one_document),
               std::invalid_argument);
  const Offsets none = {0};
  EXPECT_EQ(loss.forward(Matrix<S>(0, 3), none, documents, of_documents).value, 0);
}

TEST(MaxSim, RefusesOffsetsThatDoNotFit) {
  const Matrix<float> x = random_rows<float>(4, 3, 11);
  const Offsets good = {0, 2, 4};
  const nearfar::MaxSimInfoNce<float> loss;
  EXPECT_NO_THROW(loss.forward(x, good, x, good));
  const auto refused = [&](const Offsets& of_queries, const Offsets& of_documents,
                           const std::string& message) {
    expect_refused({"offsets", Thrown::invalid_argument, {message}, [&] {
                      loss.forward(x, of_queries, x, of_documents);
                    }});
  };
  refused({}, good, "query_offsets: wanted one number more than sets of tokens, got none");
  refused({0, 3}, good, "query_offsets: wanted offsets from 0 to the number of tokens, 4");
  refused({1, 4}, good, "query_offsets: wanted offsets from 0 to the number of tokens, 4");
  refused(good, {0, 3, 2, 4}, "document_offsets: wanted offsets in ascending order, got 2 after 3");
  refused(good, {0, 2, 2, 4},
          "document_offsets: wanted at least one token for each document, got "
          "none for document 1");
  refused(good, {0, 4}, "documents: wanted a document for each of 2 queries, got 1 documents");
}

TEST(MaxSim, RefusesATemperatureThatIsNotPositive) {
  expect_must_be_positive("temperature",
                          [](double v) { nearfar::MaxSimInfoNce<float>({.temperature = v}); });
}

TEST(MaxSim, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::MaxSimInfoNceOptions().temperature, 1);
  expect_common_defaults<nearfar::MaxSimInfoNceOptions>();
}

}  // namespace
