#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/linear_contrastive.hpp>

#include "support/differences.hpp"
#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// The contrastive loss of signal-to-noise distances against plain loops over pairs in long double,
/// and its options.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::SnrContrastive;

using Labels = std::vector<std::int64_t>;

Real variance(const std::vector<Real>& x) {
  Real mean = 0;
  for (const Real v : x) mean += v / static_cast<Real>(x.size());
  Real sum = 0;
  for (const Real v : x) sum += (v - mean) * (v - mean);
  return sum / static_cast<Real>(x.size());
}

/// Not symmetric: x is the anchor.
Real snr_distance(oracle::Row x, oracle::Row y) {
  std::vector<Real> difference;
  for (std::size_t k = 0; k < x.size(); ++k) difference.push_back(x[k] - y[k]);
  return variance(difference) / variance({x.begin(), x.end()});
}

struct Want {
  Real value = 0;
  std::int64_t active[2] = {0, 0};
  std::vector<Real> values;
};

Want by_loops(const oracle::Matrix& x, const Labels& labels, const oracle::Matrix& others,
              const Labels& other_labels, bool same_rows, Real near, Real far,
              Reduction reduction) {
  Want want;
  want.values.assign(static_cast<std::size_t>(x.rows()), 0);
  Real sums[2] = {0, 0};
  std::int64_t pairs[2] = {0, 0};
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = 0; j < others.rows(); ++j) {
      if (same_rows && i == j) continue;
      const int kind = labels[std::size_t(i)] == other_labels[std::size_t(j)] ? 0 : 1;
      const Real d = snr_distance(oracle::row(x, i), oracle::row(others, j));
      const Real hinge = std::max<Real>(0, kind == 0 ? d - near : far - d);
      ++pairs[kind];
      want.active[kind] += hinge > 0 ? 1 : 0;
      sums[kind] += hinge;
      want.values[std::size_t(i)] += hinge;
    }
  }
  for (int kind = 0; kind < 2; ++kind) {
    Real divisor = 1;
    if (reduction == Reduction::mean) divisor = static_cast<Real>(pairs[kind]);
    if (reduction == Reduction::mean_nonzero) divisor = static_cast<Real>(want.active[kind]);
    if (sums[kind] > 0) want.value += sums[kind] / divisor;
  }
  return want;
}

template <class S>
class SnrContrastiveOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(SnrContrastiveOf, Scalars);

TYPED_TEST(SnrContrastiveOf, EqualsTheFormulaAndItsDifferences) {
  using S = TypeParam;
  for (const Batch& batch : small_and_large_batches()) {
    // Rows of ties have two elements, which only differ in sign when centred, or are zeros.
    const bool has_ties = batch.name.starts_with("ties");
    if (has_ties) continue;
    const Matrix<S> x = batch.x.template cast<S>();
    for (const Reduction reduction :
         {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << batch.name << ", " << static_cast<int>(reduction));
      const SnrContrastive<S> loss(
          {.positive_margin = 0.8, .negative_margin = 2.1, .reduction = reduction});
      const auto loops = [&](const oracle::Matrix& rows) {
        return by_loops(rows, batch.labels, rows, batch.labels, true, static_cast<Real>(0.8),
                        static_cast<Real>(2.1), reduction);
      };
      const Want want = loops(oracle::exact(x));
      Matrix<S> dx;
      const auto got = loss.forward_backward(x, batch.labels, dx);
      const Real largest = std::max<Real>(1, want.value);
      EXPECT_LE(std::abs(got.value - want.value), 20 * Tolerance<S>::value * largest);
      EXPECT_EQ(got.active_positive_pairs, want.active[0]);
      EXPECT_EQ(got.active_negative_pairs, want.active[1]);
      if (reduction == Reduction::none) {
        for (std::size_t i = 0; i < want.values.size(); ++i) {
          EXPECT_LE(std::abs(got.values[i] - want.values[i]),
                    20 * Tolerance<S>::value * std::max<Real>(1, want.values[i]));
        }
      }
      EXPECT_EQ(loss.forward(x, batch.labels).value, got.value);
      if (x.rows() <= 12) {
        expect_differences(x, dx, [&](const oracle::Matrix& rows) { return loops(rows).value; });
      }
    }
  }
}

TYPED_TEST(SnrContrastiveOf, OfReferencesIsTheSame) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(9, 4, 1);
  const Matrix<S> y = random_rows<S>(12, 4, 2);
  Labels of_x, of_y;
  for (const int label : random_labels(9, 3, 3)) of_x.push_back(label);
  for (const int label : random_labels(12, 3, 4)) of_y.push_back(label);
  const SnrContrastive<S> loss({.positive_margin = 0.5, .negative_margin = 3});
  const auto loops = [&](const oracle::Matrix& a, const oracle::Matrix& b) {
    return by_loops(a, of_x, b, of_y, false, Real(0.5), 3, Reduction::mean_nonzero).value;
  };
  Matrix<S> dx, dy;
  const auto got = loss.forward_backward(x, of_x, y, of_y, dx, dy);
  const Real want = loops(oracle::exact(x), oracle::exact(y));
  EXPECT_LE(std::abs(got.value - want), 20 * Tolerance<S>::value * std::max<Real>(1, want));
  expect_differences(x, dx, [&](const oracle::Matrix& a) { return loops(a, oracle::exact(y)); });
  expect_differences(y, dy, [&](const oracle::Matrix& b) { return loops(oracle::exact(x), b); });
}

/// Neither the scale of all rows nor a number added to a row's elements changes anything.
TYPED_TEST(SnrContrastiveOf, DoesNotDependOnScaleAndOffset) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 8, 5);
  const std::vector<int> labels = random_labels(20, 4, 6);
  Matrix<S> moved = x * S(4);
  for (Index i = 0; i < moved.rows(); ++i) moved.row(i).array() += static_cast<S>(i - 9);
  const SnrContrastive<S> loss;
  Matrix<S> dx;
  const auto got = loss.forward_backward(moved, labels, dx);
  EXPECT_NEAR(got.value, loss.forward(x, labels).value, 100 * Tolerance<S>::value);
  for (Index i = 0; i < dx.rows(); ++i) {
    EXPECT_NEAR(static_cast<double>(dx.row(i).sum()), 0, 100 * Tolerance<S>::gradient);
  }
}

/// They have no terms; terms of other anchors with them count.
TEST(SnrContrastive, AnchorsWithoutVarianceAreSkippedOrRefused) {
  Matrix<float> x = random_rows<float>(4, 3, 7);
  x.row(2).setConstant(0.1f);
  const std::vector<int> labels = {0, 0, 1, 1};
  Matrix<float> dx, dq, dr;
  const SnrContrastive<float> loss({.negative_margin = 5, .reduction = Reduction::sum});
  const auto got = loss.forward_backward(x, labels, dx);
  EXPECT_EQ(got.positive_pairs, 3);
  EXPECT_EQ(got.negative_pairs, 6);
  Matrix<float> queries(3, 3);
  queries << x.row(0), x.row(1), x.row(3);
  const std::vector<int> of_queries = {0, 0, 1};
  // Each of the three is at distance 0 from itself among the references of its class.
  const auto want = loss.forward_backward(queries, of_queries, x, labels, dq, dr);
  EXPECT_FLOAT_EQ(static_cast<float>(got.value), static_cast<float>(want.value));
  expect_near<float>(dx.row(2), oracle::exact(Matrix<float>(dr.row(2))), 1e-4, "dx");
  EXPECT_GT(dr.row(2).norm(), 0);
  const SnrContrastive<float> strict({.unusable_anchors = nearfar::UnusableAnchor::error});
  expect_refused(
      {"call", Thrown::invalid_argument, {"1 anchors without any other row, or variance"}, [&] {
         strict.forward(x, labels);
       }});
}

TEST(SnrContrastive, RefusesOptionsOutOfRange) {
  const auto refuses = [](const char* name, const std::function<void(double)>& make) {
    expect_refuses({name, "a finite number >= 0", make},
                   {{-0.5, "-0.5"}, {not_a_number, "nan"}, {infinite, "inf"}});
    EXPECT_NO_THROW(make(0));
  };
  refuses("positive_margin", [](double v) { SnrContrastive<float>({.positive_margin = v}); });
  refuses("negative_margin", [](double v) { SnrContrastive<float>({.negative_margin = v}); });
}

TEST(SnrContrastive, HasTheDefaultsOfItsPage) {
  const nearfar::SnrContrastiveOptions options;
  EXPECT_EQ(options.positive_margin, 0);
  EXPECT_EQ(options.negative_margin, 1);
  expect_common_defaults<nearfar::SnrContrastiveOptions>(Reduction::mean_nonzero);
}

}  // namespace
