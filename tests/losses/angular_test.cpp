#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/angular.hpp>

#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The angular loss against plain loops over triplets in long double, and its options.

namespace {

using namespace support;
using nearfar::Angular;
using nearfar::Reduction;
using nearfar::Targets;

using Labels = std::vector<std::int64_t>;

/// The loss of an anchor and one of its positives against these negatives, from cosines.
Real loss_of_pair(Real angle, Real pair, const std::vector<Real>& of_anchor_and_positive) {
  const Real t = std::tan(angle) * std::tan(angle);
  Real sum = 0;
  for (const Real both : of_anchor_and_positive) {
    sum += std::exp(4 * t * both - 2 * (1 + t) * pair);
  }
  return std::log1p(sum);
}

SumOfTerms terms_of(Real angle, const oracle::Matrix& x, const Labels& labels) {
  const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
  SumOfTerms all;
  for (Index i = 0; i < x.rows(); ++i) {
    const OtherRows others(labels, i);
    for (const Index p : others.positives) {
      std::vector<Real> both;
      for (const Index k : others.negatives) both.push_back(s(i, k) + s(p, k));
      all.add(loss_of_pair(angle, s(i, p), both));
    }
  }
  return all;
}

template <class S>
class AngularOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(AngularOf, Scalars);

TYPED_TEST(AngularOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const double angle : {0.7, 0.2, 1.1}) {
    SCOPED_TRACE(angle);
    const auto want = [angle = Real(angle)](const oracle::Matrix& x, const Labels& labels) {
      return terms_of(angle, x, labels).mean();
    };
    const Angular<S> loss({.angle = angle});
    expect_values<S>(loss, want);
    for (const Batch& batch : small_batches_without_ties(12)) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
  }
}

/// More pairs than fit a block, so that one anchor's pairs are in two blocks.
TYPED_TEST(AngularOf, ManyPairsIsTheSame) {
  using S = TypeParam;
  const Index n = 90;
  const Matrix<S> x = random_rows<S>(n, 3, 9);
  Labels labels;
  for (Index i = 0; i < n; ++i) labels.push_back(i < 70 ? 0 : i);  // 2415 pairs
  Matrix<S> dx;
  const auto got = Angular<S>({.angle = 0.5}).forward_backward(x, labels, dx);
  const oracle::Matrix exact = oracle::exact(x);
  const Real want = terms_of(Real(0.5), exact, labels).mean();
  EXPECT_LE(std::abs(static_cast<Real>(got.value) - want), Tolerance<S>::value * want);
  // Along one direction, the gradient is the slope of the value.
  const oracle::Matrix direction = oracle::exact(random_rows<double>(n, 3, 10));
  const Real h = Real(1e-5);
  const Real slope = (terms_of(Real(0.5), exact + h * direction, labels).mean() -
                      terms_of(Real(0.5), exact - h * direction, labels).mean()) /
                     (2 * h);
  const Real along = oracle::exact(dx).cwiseProduct(direction).sum();
  EXPECT_LE(std::abs(along - slope),
            std::max<Real>(Tolerance<S>::same, Real(1e-8)) * std::max<Real>(1, std::abs(slope)));
}

TEST(Angular, OfReferencesListsAndIdsIsTheSame) {
  const Index n = 12;
  const Index m = 17;
  const Matrix<double> rows = random_rows<double>(n + m, 4, 5);
  const Matrix<double> x = rows.topRows(n);
  const Matrix<double> y = rows.bottomRows(m);
  std::vector<int> labels = random_labels(n + m, 4, 6);
  std::vector<int> ids = random_labels(n + m, 5, 7);
  const std::vector<int> of_x(labels.begin(), labels.begin() + n);
  const std::vector<int> of_y(labels.begin() + n, labels.end());
  const std::vector<int> ids_x(ids.begin(), ids.begin() + n);
  const std::vector<int> ids_y(ids.begin() + n, ids.end());
  const auto want = [&](const oracle::Matrix& at, bool with_ids) {
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), at, at);
    Real sum = 0;
    for (Index i = 0; i < n; ++i) {
      const auto compared = [&](Index j) {
        return !with_ids || ids[std::size_t(i)] != ids[std::size_t(j)];
      };
      const auto same = [&](Index j) { return labels[std::size_t(i)] == labels[std::size_t(j)]; };
      for (Index p = n; p < n + m; ++p) {
        if (!compared(p) || !same(p)) continue;
        std::vector<Real> both;
        for (Index k = n; k < n + m; ++k) {
          if (compared(k) && !same(k)) both.push_back(s(i, k) + s(p, k));
        }
        sum += loss_of_pair(Real(0.6), s(i, p), both);
      }
    }
    return sum;
  };
  const Angular<double> loss({.angle = 0.6, .reduction = Reduction::sum});
  for (const bool with_ids : {false, true}) {
    Targets queries(of_x);
    Targets references(of_y);
    if (with_ids) {
      queries = queries.ids(ids_x);
      references = references.ids(ids_y);
    }
    Matrix<double> dx, dy;
    const auto got = loss.forward_backward(x, queries, y, references, dx, dy);
    const oracle::Matrix exact = oracle::exact(rows);
    expect_value(got.value, want(exact, with_ids));
    Matrix<double> both(n + m, 4);
    both << dx, dy;
    const oracle::Matrix slopes =
        slopes_of([&](const oracle::Matrix& at) { return want(at, with_ids); }, exact);
    EXPECT_LE((oracle::exact(both) - slopes).cwiseAbs().maxCoeff(),
              1e-11L * slopes.cwiseAbs().maxCoeff());
    // One of the gradients alone.
    Matrix<double> again;
    loss.forward_backward(x, queries, y, references, again, nearfar::no_gradient);
    EXPECT_EQ(again, dx);
    loss.forward_backward(x, queries, y, references, nearfar::no_gradient, again);
    EXPECT_EQ(again, dy);
  }

  // Lists with the same positives as the labels.
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < m; ++j) {
      if (j != i && of_y[std::size_t(i)] == of_y[std::size_t(j)]) columns.push_back(j);
    }
    offsets.push_back(static_cast<Index>(columns.size()));
  }
  Matrix<double> by_labels, by_lists;
  const double value = loss.forward_backward(y, of_y, by_labels).value;
  const double listed =
      loss.forward_backward(y, nearfar::PositiveLists{offsets, columns}, by_lists).value;
  EXPECT_NEAR(listed, value, 1e-12 * value);
  EXPECT_LE((by_lists - by_labels).cwiseAbs().maxCoeff(), 1e-11 * by_labels.cwiseAbs().maxCoeff());
}

/// Sums of exponentials that would overflow or underflow, and negatives far from the pair.
TYPED_TEST(AngularOf, SharpAnglesKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> x(4, 2);
  x << S(1), S(0), S(0), S(1), S(0.6), S(0.8), S(-0.8), S(-0.6);
  const double angle = 1.5;
  const double t = std::tan(angle) * std::tan(angle);  // 198.8
  const auto got = Angular<S>({.angle = angle, .reduction = Reduction::none})
                       .forward(x, std::vector<int>{0, 0, 1, 2});
  const double want = 4 * t * 1.4;  // the log-sum-exp, which the third row dominates
  EXPECT_NEAR(got.values[0], want, Tolerance<S>::value * want);
  EXPECT_NEAR(got.values[1], want, Tolerance<S>::value * want);
}

TEST(Angular, CountsPairsAndTheirCosines) {
  for (const Batch& batch : small_batches_without_ties()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const SumOfTerms want = terms_of(Real(0.6), x, batch.labels);
    const auto got = Angular<double>({.angle = 0.6}).forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.active_terms, want.nonzero);
    double smallest = std::numeric_limits<double>::infinity();
    double largest = -smallest;
    for (Index i = 0; i < x.rows(); ++i) {
      for (const Index p : OtherRows(batch.labels, i).positives) {
        const auto s =
            static_cast<double>(oracle::Cosine().score(oracle::row(x, i), oracle::row(x, p)));
        smallest = std::min(smallest, s);
        largest = std::max(largest, s);
      }
    }
    if (want.terms == 0) continue;
    EXPECT_NEAR(got.diagnostics.smallest_score, smallest, 1e-12);
    EXPECT_NEAR(got.diagnostics.largest_score, largest, 1e-12);
  }
}

TEST(Angular, RefusesAnglesOutOfRange) {
  const Option angle{"angle", "an angle from 0.01 to 1.56",
                     [](double v) { Angular<float>({.angle = v}); }};
  expect_refuses(angle, {{0, "0"}, {1.57, "1.57"}, {not_a_number, "nan"}, {infinite, "inf"}});
}

TEST(Angular, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(std::tan(nearfar::AngularOptions().angle), std::tan(std::atan(1.0)));
  expect_common_defaults<nearfar::AngularOptions>();
}

}  // namespace
