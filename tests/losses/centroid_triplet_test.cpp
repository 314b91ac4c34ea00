#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/centroid_triplet.hpp>
#include <set>

#include "support/differences.hpp"
#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// The triplet loss of centroids against plain loops over rows and classes in long double, and its
/// options.

namespace {

using namespace support;
using nearfar::CentroidTriplet;
using nearfar::Reduction;
using nearfar::Targets;

using Labels = std::vector<std::int64_t>;

struct Want {
  Real value = 0;
  std::vector<Real> values;
  std::int64_t terms = 0;
  std::int64_t active = 0;
};

/// The mean of the rows of a class, without row `without`.
std::vector<Real> centroid(const oracle::Matrix& x, const Labels& labels, std::int64_t label,
                           Index without) {
  std::vector<Real> out(static_cast<std::size_t>(x.cols()), 0);
  Real count = 0;
  for (Index j = 0; j < x.rows(); ++j) {
    if (labels[std::size_t(j)] != label || j == without) continue;
    for (Index k = 0; k < x.cols(); ++k) out[std::size_t(k)] += x(j, k);
    ++count;
  }
  for (Real& v : out) v /= count;
  return out;
}

template <class K>
Want by_loops(const K& kernel, const oracle::Matrix& x, const Labels& labels, Real margin,
              Reduction reduction, const std::vector<double>& weights = {}) {
  Want want;
  const std::set<std::int64_t> classes(labels.begin(), labels.end());
  for (Index i = 0; i < x.rows(); ++i) {
    const std::int64_t own = labels[std::size_t(i)];
    want.values.push_back(0);
    if (std::count(labels.begin(), labels.end(), own) < 2) continue;
    const Real positive = kernel.score(oracle::row(x, i), centroid(x, labels, own, i));
    for (const std::int64_t other : classes) {
      if (other == own) continue;
      ++want.terms;
      const Real negative = kernel.score(oracle::row(x, i), centroid(x, labels, other, -1));
      const Real hinge = std::max<Real>(0, positive - negative + margin);
      want.active += hinge > 0 ? 1 : 0;
      want.values.back() += hinge;
    }
    if (!weights.empty()) want.values.back() *= weights[std::size_t(i)];
  }
  for (const Real v : want.values) want.value += v;
  if (want.value == 0) return want;
  if (reduction == Reduction::mean) want.value /= static_cast<Real>(want.terms);
  if (reduction == Reduction::mean_nonzero) want.value /= static_cast<Real>(want.active);
  return want;
}

template <class S>
class CentroidTripletOf : public testing::Test {
 protected:
  template <class K, class Exact>
  static void expect_loops(const Batch& batch, Reduction reduction, double margin) {
    const Matrix<S> x = batch.x.template cast<S>();
    const CentroidTriplet<S, K> loss({.margin = margin, .reduction = reduction});
    const auto loops = [&](const oracle::Matrix& rows) {
      return by_loops(Exact(), rows, batch.labels, static_cast<Real>(margin), reduction);
    };
    const Want want = loops(oracle::exact(x));
    Matrix<S> dx;
    const auto got = loss.forward_backward(x, batch.labels, dx);
    const Real largest = std::max<Real>(1, want.value);
    EXPECT_LE(std::abs(got.value - want.value), 20 * Tolerance<S>::value * largest);
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.anchors, x.rows());
    const bool has_ties = batch.name == "ties and duplicates";
    if (!has_ties) {
      EXPECT_EQ(got.diagnostics.active_terms, want.active);
    }
    if (reduction == Reduction::none) {
      for (std::size_t i = 0; i < want.values.size(); ++i) {
        EXPECT_LE(std::abs(got.values[i] - want.values[i]),
                  20 * Tolerance<S>::value * std::max<Real>(1, want.values[i]));
      }
    }
    EXPECT_EQ(loss.forward(x, batch.labels).value, got.value);
    if (x.rows() <= 12 && !has_ties) {
      expect_differences(x, dx, [&](const oracle::Matrix& rows) { return loops(rows).value; });
    }
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(CentroidTripletOf, Scalars);

TYPED_TEST(CentroidTripletOf, EqualsTheFormulaAndItsDifferences) {
  std::vector<Batch> all = small_and_large_batches();
  all.push_back({"classes of one, two and many",
                 random_rows<double>(10, 4, 11),
                 {7, 7, 7, 7, 7, -2, -2, 100, 5, 5}});
  Batch many{"more classes than a tile is wide", random_rows<double>(900, 3, 12), {}};
  for (Index i = 0; i < 900; ++i) many.labels.push_back(i % 411 - 5);
  all.push_back(many);
  for (const Batch& batch : all) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << batch.name << ", " << static_cast<int>(reduction));
      this->template expect_loops<nearfar::Euclidean, oracle::Euclidean>(batch, reduction, 0.3);
      this->template expect_loops<nearfar::SquaredEuclidean, oracle::SquaredEuclidean>(
          batch, reduction, 1.7);
    }
  }
}

TYPED_TEST(CentroidTripletOf, WeightsUpstreamAndUnlabelledRows) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(13, 4, 13);
  Labels labels;
  for (const int label : random_labels(13, 3, 14)) labels.push_back(label);
  const std::vector<double> weights = random_upstream(13, 15);
  const CentroidTriplet<S> loss({.margin = 0.5});
  Matrix<S> dx;
  const auto got = loss.forward_backward(x, Targets(labels).weights(weights), dx);
  const auto loops = [&](const oracle::Matrix& rows) {
    return by_loops(oracle::Euclidean(), rows, labels, Real(0.5), Reduction::mean_nonzero, weights)
        .value;
  };
  EXPECT_LE(std::abs(got.value - loops(oracle::exact(x))), 20 * Tolerance<S>::value);
  expect_differences(x, dx, loops);

  Matrix<S> by_upstream;
  const CentroidTriplet<S> apart({.margin = 0.5, .reduction = Reduction::none});
  apart.forward_backward(x, labels, by_upstream, {.upstream = weights});
  expect_same<S>(Matrix<S>(by_upstream / static_cast<S>(got.diagnostics.active_terms)), dx, "dx");

  Matrix<S> more(15, 4);
  more << x.topRows(6), random_rows<S>(2, 4, 16), x.bottomRows(7);
  Labels of_more = labels;
  of_more.insert(of_more.begin() + 6, {-9, -9});
  Matrix<S> d_more, d_some;
  const auto want = loss.forward_backward(x, labels, d_some);
  const auto all = loss.forward_backward(more, Targets(of_more).unlabelled(-9), d_more);
  EXPECT_EQ(all.value, want.value);
  EXPECT_TRUE(same_bits(Matrix<S>(d_more.bottomRows(7)), Matrix<S>(d_some.bottomRows(7))));
  EXPECT_EQ(d_more.row(6).norm() + d_more.row(7).norm(), 0);
  // As negatives, each is the only row of its class.
  Labels apart_labels = of_more;
  apart_labels[6] = 900;
  apart_labels[7] = 901;
  EXPECT_NEAR(
      loss.forward(more, Targets(of_more).unlabelled(-9, nearfar::UnlabelledRows::negatives)).value,
      loss.forward(more, apart_labels).value, Tolerance<S>::same);
}

TYPED_TEST(CentroidTripletOf, ThreadsChangeNothing) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(700, 60, 17);
  const std::vector<int> labels = random_labels(700, 90, 18);
  const CentroidTriplet<S> loss({.margin = 3});
  nearfar::Workspace one(1);
  nearfar::Workspace four(4);
  Matrix<S> a, b;
  const double value = loss.forward_backward(x, labels, a, {.workspace = &one}).value;
  EXPECT_EQ(loss.forward_backward(x, labels, b, {.workspace = &four}).value, value);
  EXPECT_TRUE(same_bits(a, b));
}

TEST(CentroidTriplet, CountsUnusableAnchors) {
  const Matrix<float> x = random_rows<float>(5, 3, 19);
  const auto d = CentroidTriplet<float>().forward(x, Labels{1, 1, 2, 3, 3}).diagnostics;
  EXPECT_EQ(d.anchors_without_positive, 1);
  EXPECT_EQ(d.anchors_without_negative, 0);
  EXPECT_EQ(d.terms, 8);
  const auto alone = CentroidTriplet<float>().forward(x, Labels{4, 4, 4, 4, 4});
  EXPECT_EQ(alone.value, 0);
  EXPECT_EQ(alone.diagnostics.anchors_without_negative, 5);
  const CentroidTriplet<float> strict({.unusable_anchors = nearfar::UnusableAnchor::error});
  expect_refused(
      {"call", Thrown::invalid_argument, {"1 anchors without a positive or a negative"}, [&] {
         strict.forward(x, Labels{1, 1, 2, 3, 3});
       }});
}

TEST(CentroidTriplet, RefusesOtherTargets) {
  const Matrix<float> x = random_rows<float>(3, 3, 20);
  const Labels labels = {0, 0, 1};
  const std::vector<std::uint64_t> sets = {1, 1, 2};
  const CentroidTriplet<float> loss;
  const auto refuse = [&](const Targets& targets, const std::string& text) {
    expect_refused({"call", Thrown::invalid_argument, {text}, [&] { loss.forward(x, targets); }});
  };
  refuse(nearfar::MultiLabels{sets.data(), 3, 1}, "labels: wanted a label a row");
  refuse(Targets(), "labels: wanted a label a row");
  refuse(Targets(labels).ids(labels), "labels: wanted no ids");
  refuse(Labels{0, 1}, "labels: wanted 3 labels, one a row, got 2");
}

TEST(CentroidTriplet, RefusesOptionsOutOfRange) {
  const auto make = [](double v) { CentroidTriplet<float>({.margin = v}); };
  expect_refuses({"margin", "a finite number >= 0", make},
                 {{-0.5, "-0.5"}, {not_a_number, "nan"}, {infinite, "inf"}});
  EXPECT_NO_THROW(make(0));
}

TEST(CentroidTriplet, HasTheDefaultsOfItsPage) {
  const nearfar::CentroidTripletOptions options;
  EXPECT_EQ(options.margin, 0.05);
  expect_common_defaults<nearfar::CentroidTripletOptions>(Reduction::mean_nonzero);
}

}  // namespace
