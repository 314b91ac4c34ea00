#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/ranked_list.hpp>

#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The ranked list loss against plain loops over pairs in long double, its gradient with weights
/// that do not move, and its options.

namespace {

using namespace support;
using nearfar::RankedList;
using nearfar::RankedListOptions;
using nearfar::Reduction;

using Labels = std::vector<std::int64_t>;

/// Weights of pairs from distances, 0 of pairs that cost nothing.
struct Weights {
  oracle::Matrix positives;
  oracle::Matrix negatives;

  Weights(const RankedListOptions& o, const oracle::Matrix& d)
      : positives(oracle::Matrix::Zero(d.rows(), d.cols())), negatives(positives) {
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.cols(); ++j) {
        const Real far = d(i, j) - (Real(o.alpha) - Real(o.margin));
        const Real near = Real(o.alpha) - d(i, j);
        if (far > 0) positives(i, j) = std::exp(Real(o.t_p) * far);
        if (near > 0) negatives(i, j) = std::exp(Real(o.t_n) * near);
      }
    }
  }
};

/// With given weights the loss is linear in the distances.
SumOfTerms terms_of(const RankedListOptions& o, const Weights& weights, const oracle::Matrix& d,
                    const Labels& labels) {
  SumOfTerms all;
  for (Index i = 0; i < d.rows(); ++i) {
    const OtherRows others(labels, i);
    const auto mean = [&](const oracle::Matrix& w, const auto& keys, const auto& hinge) {
      Real sum = 0;
      Real of_weights = 0;
      for (const Index j : keys) {
        sum += w(i, j) * hinge(d(i, j));
        of_weights += w(i, j);
      }
      return of_weights > 0 ? sum / of_weights : 0;
    };
    const Real far = mean(weights.positives, others.positives,
                          [&](Real at) { return at - (Real(o.alpha) - Real(o.margin)); });
    const Real near =
        mean(weights.negatives, others.negatives, [&](Real at) { return Real(o.alpha) - at; });
    all.add((1 - Real(o.imbalance)) * far + Real(o.imbalance) * near);
  }
  return all;
}

template <class Oracle>
SumOfTerms terms_of(const Oracle& kernel, const RankedListOptions& o, const oracle::Matrix& x,
                    const Labels& labels) {
  const oracle::Matrix d = distances(kernel, x);
  return terms_of(o, Weights(o, d), d, labels);
}

/// Options with which some pairs of both kinds cost something and some cost nothing, in batches of
/// short rows and in those of long rows.
std::vector<RankedListOptions> options_for(double typical) {
  return {{.margin = 0.3 * typical, .alpha = 1.1 * typical, .t_p = 0, .t_n = 2 / typical},
          {.margin = 0.23 * typical,
           .alpha = 0.9 * typical,
           .t_p = 3 / typical,
           .t_n = 5 / typical,
           .imbalance = 0.3},
          {.margin = 0, .alpha = 0.4 * typical, .t_p = 8 / typical, .t_n = 0, .imbalance = 0.8}};
}

template <class S>
class RankedListOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(RankedListOf, Scalars);

template <class S, class Kernel, class Oracle>
void expect_formula(const Oracle& kernel, double typical) {
  for (const RankedListOptions& o : options_for(typical)) {
    SCOPED_TRACE(testing::Message() << "alpha " << o.alpha);
    const RankedList<S, Kernel> loss(o);
    expect_values<S>(loss, [&](const oracle::Matrix& x, const Labels& labels) {
      return terms_of(kernel, o, x, labels).mean();
    });
    for (const Batch& batch : small_batches_without_ties()) {
      // The weights stay those of the rows as given.
      const Matrix<S> x = batch.x.template cast<S>();
      const Weights weights(o, distances(kernel, oracle::exact(x)));
      expect_value_and_gradient<S>(
          batch, loss, [&](const oracle::Matrix& at, const Labels& labels) {
            return terms_of(o, weights, distances(kernel, at), labels).mean();
          });
    }
  }
}

TYPED_TEST(RankedListOf, DistancesEqualsTheFormulaAndItsDerivativesAtConstantWeights) {
  expect_formula<TypeParam, nearfar::Euclidean>(oracle::Euclidean(), 2.5);
  expect_formula<TypeParam, nearfar::Euclidean>(oracle::Euclidean(), 5.8);
}

TYPED_TEST(RankedListOf, SquaredDistancesEqualsTheFormulaAndItsDerivativesAtConstantWeights) {
  expect_formula<TypeParam, nearfar::SquaredEuclidean>(oracle::SquaredEuclidean(), 34);
}

TYPED_TEST(RankedListOf, CosineDistancesEqualsTheFormulaAndItsDerivativesAtConstantWeights) {
  expect_formula<TypeParam, nearfar::CosineDistance>(oracle::CosineDistance(), 1);
}

TEST(RankedList, EqualsTheFormulaAgainstReferences) {
  const Matrix<double> x = random_rows<double>(33, 5, 1);
  const Matrix<double> y = random_rows<double>(420, 5, 2);
  const std::vector<int> of_x = random_labels(33, 4, 3);
  const std::vector<int> of_y = random_labels(420, 4, 4);
  for (RankedListOptions o : options_for(3)) {
    o.reduction = Reduction::none;
    const oracle::Matrix d =
        oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(y));
    const Weights weights(o, d);
    const auto got = RankedList<double>(o).forward(x, of_x, y, of_y);
    for (Index i = 0; i < 33; ++i) {
      Real far = 0, of_far = 0, near = 0, of_near = 0;
      for (Index j = 0; j < 420; ++j) {
        if (of_x[std::size_t(i)] == of_y[std::size_t(j)]) {
          far += weights.positives(i, j) * (d(i, j) - (Real(o.alpha) - Real(o.margin)));
          of_far += weights.positives(i, j);
        } else {
          near += weights.negatives(i, j) * (Real(o.alpha) - d(i, j));
          of_near += weights.negatives(i, j);
        }
      }
      const Real want = (1 - Real(o.imbalance)) * (of_far > 0 ? far / of_far : 0) +
                        Real(o.imbalance) * (of_near > 0 ? near / of_near : 0);
      expect_value(got.values[std::size_t(i)], want);
    }
  }
}

/// Labels 0, 0, 0, 1, 1 and 2 on a line at 0, 3, 5, 1, 8 and 100.
struct OnALine {
  Matrix<double> x{6, 1};
  Labels labels = {0, 0, 0, 1, 1, 2};

  OnALine() { x << 0, 3, 5, 1, 8, 100; }
};

TEST(RankedList, OfAHandfulOfRowsIsTheValueByHand) {
  const OnALine line;
  const RankedListOptions options{.margin = 1, .alpha = 4, .t_p = 0, .t_n = 0};
  // Positives cost beyond 3, negatives below 4. Row 0: positive at 5, negative at 1. Row 1:
  // positives at 3 and 2, negative at 2. Row 2: positive at 5, negative at 3 (and one at 4). Row 3:
  // positive at 7, negatives at 1, 2 and 4. Row 4: positive at 7, negative at 3. Row 5: nothing.
  const double want[] = {(2 + 3) / 2.0,   (0 + 2) / 2.0, (2 + 1) / 2.0,
                         (4 + 2.5) / 2.0, (4 + 1) / 2.0, 0};
  RankedListOptions each = options;
  each.reduction = Reduction::none;
  const auto got = RankedList<double>(each).forward(line.x, line.labels);
  double sum = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(got.values[i], want[i], 1e-12) << i;
    sum += want[i];
  }
  EXPECT_NEAR(RankedList<double>(options).forward(line.x, line.labels).value, sum / 6, 1e-12);
  RankedListOptions nonzero = options;
  nonzero.reduction = Reduction::mean_nonzero;
  EXPECT_NEAR(RankedList<double>(nonzero).forward(line.x, line.labels).value, sum / 5, 1e-12);
}

TEST(RankedList, CountsAllAnchorsAsTerms) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const RankedListOptions options{
        .margin = 1, .alpha = 2.3, .reduction = Reduction::mean_nonzero};
    const SumOfTerms want =
        terms_of(oracle::Euclidean(), options, oracle::exact(batch.x), batch.labels);
    const auto got = RankedList<double>(options).forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, batch.x.rows());
    EXPECT_EQ(got.diagnostics.active_terms, want.nonzero);
    expect_value(got.value, want.mean_nonzero());
  }
}

/// With an imbalance of 0 negatives have no part in value and gradient, with 1 positives have none.
TEST(RankedList, OfOneKindAloneLeavesTheOtherOut) {
  const OnALine line;
  Matrix<double> dx;
  RankedList<double>({.margin = 1, .alpha = 4, .imbalance = 0})
      .forward_backward(line.x, line.labels, dx);
  EXPECT_EQ(dx(5, 0), 0);
  // Row 1 is a positive within 3 of rows 0 and 2, and a negative within 4 of row 3.
  EXPECT_EQ(dx(1, 0), 0);
  RankedList<double>({.margin = 1, .alpha = 4, .imbalance = 1})
      .forward_backward(line.x, line.labels, dx);
  EXPECT_NE(dx(1, 0), 0);
  const RankedList<double> alone({.margin = 1, .alpha = 4, .imbalance = 1});
  EXPECT_EQ(alone.forward(line.x, Labels{0, 0, 0, 0, 0, 0}).value, 0);
}

/// As T_n and T_p grow, the loss is that of the nearest negative and of the farthest positive. The
/// weights themselves would overflow.
TYPED_TEST(RankedListOf, SharpTemperaturesCountsTheHardestPairAlone) {
  using S = TypeParam;
  const OnALine line;
  const Matrix<S> x = line.x.cast<S>();
  for (const double t : {1e3, 1e30}) {
    Matrix<S> dx;
    const RankedList<S> loss(
        {.margin = 1, .alpha = 4, .t_p = t, .t_n = t, .reduction = Reduction::none});
    const auto got = loss.forward_backward(x, line.labels, dx);
    // Of row 3's negatives only the one at distance 1 counts.
    EXPECT_EQ(got.values[3], (4 + 3) / 2.0);
    EXPECT_TRUE(dx.allFinite());
  }
}

/// The weights of hinges below 1/2 would underflow beside that of a hinge of 1.
TYPED_TEST(RankedListOf, SharpTemperaturesCountsSmallHingesToo) {
  using S = TypeParam;
  Matrix<S> x(4, 1);
  x << S(0), S(0.5), S(0.375), S(0.75);
  const auto got =
      RankedList<S>(
          {.margin = 0.25, .alpha = 0.5, .t_p = 1e4, .t_n = 1e4, .reduction = Reduction::none})
          .forward(x, std::vector<int>{0, 0, 1, 1});
  EXPECT_EQ(got.values[0], (0.25 + 0.125) / 2);
  EXPECT_EQ(got.values[1], (0.25 + 0.375) / 2);
  EXPECT_EQ(got.values[2], (0.125 + 0.375) / 2);
  EXPECT_EQ(got.values[3], (0.125 + 0.25) / 2);
}

/// Distances of which even the exponential of the difference overflows.
TYPED_TEST(RankedListOf, FarRowsKeepsItsDigits) {
  using S = TypeParam;
  Matrix<S> x(4, 1);
  x << S(0), S(1 << 20), S(1 << 18), S(1 << 21);
  const auto got =
      RankedList<S>(
          {.margin = 0, .alpha = 1 << 19, .t_p = 10, .t_n = 10, .reduction = Reduction::none})
          .forward(x, std::vector<int>{0, 0, 1, 1});
  EXPECT_EQ(got.values[0], ((1 << 19) + (1 << 18)) / 2.0);
  EXPECT_EQ(got.values[1], (1 << 19) / 2.0);
  EXPECT_EQ(got.values[2], ((1 << 21) - (1 << 18) - (1 << 19) + (1 << 18)) / 2.0);
  EXPECT_EQ(got.values[3], ((1 << 21) - (1 << 18) - (1 << 19)) / 2.0);
}

/// With both temperatures 0 the weights are equal, and the gradient is the derivative of the value.
TEST(RankedList, WithEqualWeightsHasTheDerivativeOfItsValue) {
  Matrix<double> x = random_rows<double>(13, 4, 8);
  const std::vector<int> labels = random_labels(13, 4, 9);
  const RankedList<double> loss({.margin = 0.9, .alpha = 2.7, .t_p = 0, .t_n = 0});
  Matrix<double> dx;
  loss.forward_backward(x, labels, dx);
  const auto value = [&] { return loss.forward(x, labels).value; };
  const auto report = nearfar::check_gradient<double>(value, {{"x", x, dx}});
  EXPECT_TRUE(report.passed) << report;
  const RankedList<double> weighted({.margin = 0.9, .alpha = 2.7, .t_p = 2, .t_n = 2});
  weighted.forward_backward(x, labels, dx);
  const auto other = [&] { return weighted.forward(x, labels).value; };
  EXPECT_FALSE(nearfar::check_gradient<double>(other, {{"x", x, dx}}).passed);
}

TYPED_TEST(RankedListOf, ManyThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(901, 5, 1);
  const std::vector<int> labels = random_labels(901, 9, 2);
  for (const RankedListOptions& o : options_for(3)) {
    const RankedList<S> loss(o);
    nearfar::Workspace alone(1);
    Matrix<S> wanted;
    const auto want = loss.forward_backward(x, labels, wanted, {.workspace = &alone});
    for (const int threads : {2, 3, 7}) {
      nearfar::Workspace workspace(threads);
      Matrix<S> dx;
      const auto got = loss.forward_backward(x, labels, dx, {.workspace = &workspace});
      EXPECT_EQ(got.value, want.value) << threads << " threads";
      EXPECT_EQ(dx, wanted) << threads << " threads";
    }
  }
}

TEST(RankedList, RefusesOptionsOutOfRange) {
  using Make = std::function<void(double)>;
  const auto refuses = [](const char* name, const char* wanted, const Make& make) {
    expect_refuses({name, wanted, make},
                   {{-0.07, "-0.07"}, {not_a_number, "nan"}, {infinite, "inf"}});
  };
  refuses("margin", "a finite number >= 0", [](double v) { RankedList<float>({.margin = v}); });
  refuses("t_p", "a finite number >= 0", [](double v) { RankedList<float>({.t_p = v}); });
  refuses("t_n", "a finite number >= 0", [](double v) { RankedList<float>({.t_n = v}); });
  refuses("imbalance", "a number from 0 to 1",
          [](double v) { RankedList<float>({.imbalance = v}); });
  expect_refuses(
      {"imbalance", "a number from 0 to 1", [](double v) { RankedList<float>({.imbalance = v}); }},
      {{1.01, "1.01"}});
  expect_must_be_finite("alpha", [](double v) { RankedList<float>({.alpha = v}); });
  expect_refuses({"alpha", "a score that this kernel can have, 0 or more",
                  [](double v) { RankedList<float>({.alpha = v}); }},
                 {{-1, "-1"}});
  expect_refuses({"alpha", "a score that this kernel can have, from 0 to 2",
                  [](double v) { RankedList<float, nearfar::CosineDistance>({.alpha = v}); }},
                 {{2.5, "2.5"}});
  expect_refuses({"alpha - margin", "a score that this kernel can have, 0 or more",
                  [](double v) { RankedList<float>({.margin = 1.5 + v, .alpha = 1.5}); }},
                 {{0.25, "-0.25"}});
  EXPECT_NO_THROW(RankedList<float>({.margin = 0, .alpha = 0, .t_p = 0, .t_n = 0}));
  EXPECT_NO_THROW(RankedList<float>({.margin = 1.5, .alpha = 1.5, .imbalance = 0}));
}

TEST(RankedList, HasTheDefaultsOfItsPage) {
  const RankedListOptions options;
  EXPECT_EQ(options.margin, 0.4);
  EXPECT_EQ(options.alpha, 1.2);
  EXPECT_EQ(options.t_p, 0);
  EXPECT_EQ(options.t_n, 10);
  EXPECT_EQ(options.imbalance, 0.5);
  expect_common_defaults<RankedListOptions>();
}

}  // namespace
