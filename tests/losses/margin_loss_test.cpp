#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/margin_loss.hpp>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The margin based loss against plain loops over triplets in long double, and its options.

namespace {

using namespace support;
using nearfar::MarginLoss;
using nearfar::Reduction;

using Labels = std::vector<std::int64_t>;

/// Distances, or minus scores and minus boundaries; over all triplets.
template <class BetaOf>
SumOfTerms terms_of(const oracle::Matrix& d, Real margin, const BetaOf& beta_of,
                    const Labels& labels) {
  SumOfTerms all;
  for (Index i = 0; i < d.rows(); ++i) {
    const OtherRows others(labels, i);
    for (const Index p : others.positives) {
      for (const Index n : others.negatives) {
        all.add(std::max<Real>(0, d(i, p) - beta_of(i) + margin));
        all.add(std::max<Real>(0, beta_of(i) - d(i, n) + margin));
      }
    }
  }
  return all;
}

Real reduced(const SumOfTerms& terms, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return terms.mean();
    case Reduction::mean_nonzero:
      return terms.mean_nonzero();
    default:
      return terms.sum;
  }
}

template <class S>
class MarginLossOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MarginLossOf, Scalars);

template <class S, class Kernel, class Oracle>
void expect_formula(const Oracle& kernel, double beta, double margin) {
  const Real sign = Oracle::similarity ? -1 : 1;
  for (const Reduction reduction : {Reduction::mean, Reduction::mean_nonzero}) {
    const auto want = [&](const oracle::Matrix& x, const Labels& labels) {
      const SumOfTerms terms = terms_of(
          distances(kernel, x), Real(margin), [&](Index) { return sign * Real(beta); }, labels);
      return reduced(terms, reduction) + Real(0.25) * Real(beta);
    };
    const MarginLoss<S, Kernel> loss(
        {.margin = margin, .beta = beta, .nu = 0.25, .reduction = reduction});
    for (const Batch& batch : small_batches_without_ties()) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
    for (const Batch& batch : batches()) {
      SCOPED_TRACE(batch.name);
      const Matrix<S> x = batch.x.template cast<S>();
      const Real wanted = want(oracle::exact(x), batch.labels);
      EXPECT_NEAR(loss.forward(x, batch.labels).value, static_cast<double>(wanted),
                  Tolerance<S>::value * std::max(1.0, static_cast<double>(wanted)));
    }
  }
}

TYPED_TEST(MarginLossOf, DistancesEqualsTheFormulaAndItsDerivatives) {
  expect_formula<TypeParam, nearfar::Euclidean>(oracle::Euclidean(), 4.7, 0.8);
}

TYPED_TEST(MarginLossOf, SimilaritiesEqualsTheFormulaAndItsDerivatives) {
  expect_formula<TypeParam, nearfar::Cosine>(oracle::Cosine(), 0.1, 0.3);
}

/// Boundaries of classes, and those of one class beside the option.
TYPED_TEST(MarginLossOf, BoundariesOfClassesEqualsTheFormula) {
  using S = TypeParam;
  const Index n = 20;
  const Index classes = 6;  // the last has no rows, the fifth has one
  const Matrix<S> x = random_rows<S>(n, 4, 3);
  Labels labels;
  for (Index i = 0; i < n; ++i) labels.push_back(i == 7 ? 4 : i % 4);
  Matrix<S> betas(classes, 1);
  betas << S(2.1), S(2.4), S(1.9), S(2.75), S(2.2), S(3);
  const oracle::Matrix d =
      oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(x));
  for (const Reduction reduction :
       {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
    const MarginLoss<S> loss({.margin = 0.3, .nu = 0.5, .reduction = reduction});
    const auto value_at = [&](const oracle::Matrix& at) {
      const auto beta_of = [&](Index i) { return at(labels[std::size_t(i)], 0); };
      Real boundary = 0;
      for (Index i = 0; i < n; ++i) boundary += beta_of(i);
      if (reduction == Reduction::mean || reduction == Reduction::mean_nonzero) boundary /= n;
      return reduced(terms_of(d, Real(S(0.3)), beta_of, labels), reduction) + boundary / 2;
    };
    Matrix<S> dx;
    Matrix<S> d_betas = Matrix<S>::Constant(classes, 1, S(2));
    const auto got = loss.forward_backward(x, labels, betas, dx, nearfar::accumulate(d_betas));
    const oracle::Matrix exact = oracle::exact(betas);
    const auto wanted = static_cast<double>(value_at(exact));
    EXPECT_NEAR(got.value, wanted, Tolerance<S>::value * wanted);
    EXPECT_EQ(got.value, loss.forward(x, labels, betas).value);
    const oracle::Matrix slopes = slopes_of(value_at, exact);
    for (Index c = 0; c < classes; ++c) {
      EXPECT_NEAR(static_cast<double>(d_betas(c, 0)) - 2, static_cast<double>(slopes(c, 0)),
                  Tolerance<S>::same * static_cast<double>(slopes.cwiseAbs().maxCoeff() + 2));
    }
    if (reduction == Reduction::none) {
      double sum = 0;
      for (const double v : got.values) sum += v;
      EXPECT_NEAR(sum, got.value, 1e-12 * sum);
    }
  }
}

TEST(MarginLoss, WithEqualBoundariesIsThatWithOne) {
  const Batch batch = batches()[2];
  const MarginLoss<double> loss({.margin = 0.5, .beta = 5.5, .nu = 0.1});
  const Matrix<double> betas = Matrix<double>::Constant(5, 1, 5.5);
  const std::vector<double> weights = random_upstream(batch.x.rows(), 3);
  std::vector<double> sizes;
  for (const double w : weights) sizes.push_back(std::abs(w));
  const nearfar::Targets targets = nearfar::Targets(batch.labels).weights(sizes);
  Matrix<double> dx, dx_of_classes, d_betas;
  const auto one = loss.forward_backward(batch.x, targets, dx, {.upstream = -1.5});
  const auto many =
      loss.forward_backward(batch.x, targets, betas, dx_of_classes, d_betas, {.upstream = -1.5});
  EXPECT_EQ(one.value, many.value);
  EXPECT_EQ(dx, dx_of_classes);
  EXPECT_NEAR(one.d_beta, d_betas.sum(), 1e-12);

  // With references: a batch as its own references, except for pairs of a row with itself.
  Matrix<double> dq, dr;
  const auto of_one = loss.forward_backward(batch.x, batch.labels, batch.x, batch.labels, dq, dr);
  Matrix<double> dq_of_classes, dr_of_classes;
  const auto of_many = loss.forward_backward(batch.x, batch.labels, batch.x, batch.labels, betas,
                                             dq_of_classes, dr_of_classes, d_betas);
  EXPECT_EQ(of_one.value, of_many.value);
  EXPECT_EQ(of_many.value, loss.forward(batch.x, batch.labels, batch.x, batch.labels, betas).value);
  EXPECT_EQ(dq, dq_of_classes);
  EXPECT_EQ(dr, dr_of_classes);
  EXPECT_NEAR(of_one.d_beta, d_betas.sum(), 1e-12);
}

TEST(MarginLoss, CountsHingesOfTriplets) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const SumOfTerms want = terms_of(
        oracle::pairwise(oracle::Euclidean(), x, x), Real(0.25), [](Index) { return Real(1.5); },
        batch.labels);
    const auto got =
        MarginLoss<double>({.margin = 0.25, .beta = 1.5}).forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.active_terms, want.nonzero);
  }
}

TEST(MarginLoss, RefusesBoundariesThatDoNotFit) {
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const std::vector<int> labels = {0, 1, 0, 1};
  const MarginLoss<double> loss;
  Matrix<double> dx = Matrix<double>::Constant(4, 3, 7);
  Matrix<double> d_betas = Matrix<double>::Constant(2, 1, 7);
  const Matrix<double> good = Matrix<double>::Ones(2, 1);
  const auto with = [&](const Matrix<double>& betas, const nearfar::Targets& targets) {
    return [&, betas, targets] { loss.forward_backward(x, targets, betas, dx, d_betas); };
  };
  expect_refused({"two columns",
                  Thrown::invalid_argument,
                  {"betas: wanted 2 x 1, got 2 x 2"},
                  with(Matrix<double>::Ones(2, 2), labels)});
  expect_refused({"a class more",
                  Thrown::invalid_argument,
                  {"labels: wanted labels from 0 to 0", "got 1 for row 1"},
                  with(Matrix<double>::Ones(1, 1), labels)});
  const std::vector<int> negative = {0, 1, -1, 1};
  expect_refused({"a negative label",
                  Thrown::invalid_argument,
                  {"labels: wanted labels from 0 to 1", "got -1 for row 2"},
                  with(good, negative)});
  Matrix<double> bad = good;
  bad(1, 0) = infinite;
  expect_refused(
      {"infinity", Thrown::domain_error, {"betas: wanted finite elements"}, with(bad, labels)});
  const std::vector<std::uint64_t> bits = {1, 2, 1, 2};
  expect_refused({"sets",
                  Thrown::invalid_argument,
                  {"labels: wanted labels, which say"},
                  with(good, nearfar::MultiLabels{bits.data(), 4, 1})});
  Matrix<double> small(1, 1);
  expect_refused({"a gradient of another shape",
                  Thrown::invalid_argument,
                  {"d_betas: wanted 2 x 1, got 1 x 1"},
                  [&] { loss.forward_backward(x, labels, good, dx, nearfar::accumulate(small)); }});
  expect_refused({"one matrix for two gradients",
                  Thrown::invalid_argument,
                  {"gradients: wanted memory of its own for each"},
                  [&] { loss.forward_backward(x, labels, good, dx, dx); }});
  EXPECT_EQ(dx, (Matrix<double>::Constant(4, 3, 7)));
  EXPECT_EQ(d_betas, (Matrix<double>::Constant(2, 1, 7)));
}

TEST(MarginLoss, RefusesOptionsOutOfRange) {
  expect_must_be_finite("margin", [](double v) { MarginLoss<float>({.margin = v}); });
  expect_must_be_finite("beta", [](double v) { MarginLoss<float>({.beta = v}); });
  expect_must_be_finite("nu", [](double v) { MarginLoss<float>({.nu = v}); });
}

TEST(MarginLoss, HasTheDefaultsOfItsPage) {
  const nearfar::MarginLossOptions options;
  EXPECT_EQ(options.margin, 0.2);
  EXPECT_EQ(options.beta, 1.2);
  EXPECT_EQ(options.nu, 0);
  expect_common_defaults<nearfar::MarginLossOptions>(Reduction::mean_nonzero);
}

/// Boundaries and values belong to the rows that have a label.
TYPED_TEST(MarginLossOf, RowsWithoutALabelHaveNoBoundary) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(9, 5, 3);
  const std::vector<int> labels = {0, -1, 1, 0, 2, -1, 1, 2, 0};
  const std::vector<Index> labelled = {0, 2, 3, 4, 6, 7, 8};
  const std::vector<int> others = {0, 1, 0, 2, 1, 2, 0};
  const Matrix<S> betas = uniform_matrix<S>(3, 1, 4).array() + S(1.3);
  const MarginLoss<S> loss({.margin = 0.3, .nu = 0.2, .reduction = Reduction::none});
  Matrix<S> dx, d_betas, want_dx, want_d_betas;
  const Matrix<S> rows = x(labelled, Eigen::indexing::all);
  const auto got =
      loss.forward_backward(x, nearfar::Targets(labels).unlabelled(-1), betas, dx, d_betas);
  const auto want = loss.forward_backward(rows, others, betas, want_dx, want_d_betas);
  EXPECT_EQ(got.value, want.value);
  ASSERT_EQ(got.values.size(), 9u);
  EXPECT_EQ(got.values[1], 0);
  for (std::size_t k = 0; k < labelled.size(); ++k) {
    EXPECT_EQ(got.values[static_cast<std::size_t>(labelled[k])], want.values[k]) << k;
  }
  EXPECT_TRUE(same_bits(Matrix<S>(dx(labelled, Eigen::indexing::all)), want_dx));
  EXPECT_TRUE(same_bits(d_betas, want_d_betas));
}

}  // namespace
