#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/triplet.hpp>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/random.hpp"

/// Lists of pairs and triplets by row numbers, against plain loops and against copies of the same
/// rows.

namespace {

using namespace support;
using nearfar::no_gradient;
using nearfar::PairList;
using nearfar::Reduction;
using nearfar::TripletList;
using nearfar::Workspace;
using oracle::Real;

using Integers = std::vector<std::int64_t>;

/// A list of random pairs, some of them twice and one of a row with itself.
struct Pairs {
  Integers first;
  Integers second;

  Pairs(Index count, Index rows, Index others, std::uint64_t seed) {
    Random random(seed);
    for (Index k = 0; k < count; ++k) {
      first.push_back(random.below(rows));
      second.push_back(random.below(others));
      if (k % 4 == 3) {
        first.back() = first[first.size() - 3];
        second.back() = second[second.size() - 3];
      }
    }
    if (count > 5) second[5] = std::min(first[5], others - 1);
  }
  PairList view() const { return {first, second}; }
  std::size_t size() const { return first.size(); }
};

struct Triplets {
  Integers anchors, positives, negatives;

  Triplets(Index count, Index rows, Index others, std::uint64_t seed) {
    Random random(seed);
    for (Index k = 0; k < count; ++k) {
      anchors.push_back(random.below(rows));
      positives.push_back(random.below(others));
      negatives.push_back(random.below(others));
    }
  }
  TripletList view() const { return {anchors, positives, negatives}; }
};

template <class S>
Matrix<S> picked(const Matrix<S>& x, const Integers& numbers) {
  Matrix<S> out(static_cast<Index>(numbers.size()), x.cols());
  for (Index k = 0; k < out.rows(); ++k) out.row(k) = x.row(numbers[static_cast<std::size_t>(k)]);
  return out;
}

/// Gradients of copied rows, added up for the original rows.
template <class S>
void put_back(const Matrix<S>& g, const Integers& numbers, Matrix<S>& to) {
  for (Index k = 0; k < g.rows(); ++k) to.row(numbers[static_cast<std::size_t>(k)]) += g.row(k);
}

template <class S>
class RowLists : public testing::Test {
 protected:
  static constexpr Index n = 23;
  static constexpr Index m = 17;
  const Matrix<S> x = random_rows<S>(n, 5, 1);
  const Matrix<S> y = random_rows<S>(m, 5, 2);
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(RowLists, Scalars);

/// The expected result of LinearContrastive, by loops over the lists.
struct Linear {
  Real value = 0;
  oracle::Gradients g;
  std::vector<Real> values;
  std::int64_t active_positive = 0;
  std::int64_t active_negative = 0;
};

template <class Kernel>
Linear linear(const Kernel& kernel, const oracle::Matrix& x, const oracle::Matrix& y,
              const Pairs& positives, const Pairs& negatives, Real near, Real far,
              Reduction reduction) {
  Linear out;
  out.g = oracle::Gradients(x, y, 0, 0);
  const Real sign = Kernel::similarity ? 1 : -1;
  const auto each = [&](const Pairs& pairs, bool positive, const auto& body) {
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      const Index i = pairs.first[k];
      const Index j = pairs.second[k];
      const Real s = kernel.score(oracle::row(x, i), oracle::row(y, j));
      body(i, j, std::max<Real>(0, sign * (positive ? near - s : s - far)));
    }
  };
  each(positives, true, [&](Index, Index, Real h) { out.active_positive += h > 0 ? 1 : 0; });
  each(negatives, false, [&](Index, Index, Real h) { out.active_negative += h > 0 ? 1 : 0; });
  const auto divisor = [&](std::size_t all, std::int64_t active) -> Real {
    if (reduction == Reduction::mean) return static_cast<Real>(all);
    return reduction == Reduction::mean_nonzero ? static_cast<Real>(active) : 1;
  };
  const auto fold = [&](const Pairs& pairs, bool positive, std::int64_t active) {
    const Real divide = divisor(pairs.size(), active);
    each(pairs, positive, [&](Index i, Index j, Real h) {
      out.values.push_back(h);
      if (h == 0) return;
      out.value += h / divide;
      out.g.add(kernel, sign * (positive ? -1 : 1) / divide, x, i, y, j);
    });
  };
  fold(positives, true, out.active_positive);
  fold(negatives, false, out.active_negative);
  return out;
}

/// The gradient of one set that is on both sides.
oracle::Gradient of_one_set(const oracle::Gradients& g) {
  oracle::Gradient out = g.a;
  out.values += g.b.values;
  for (std::size_t i = 0; i < out.row_scales.size(); ++i) out.row_scales[i] += g.b.row_scales[i];
  return out;
}

template <class S, class K, class Exact>
void expect_linear(const Matrix<S>& x, const Matrix<S>& y, const Pairs& positives,
                   const Pairs& negatives, Reduction reduction, double near, double far) {
  const nearfar::LinearContrastive<S, K> loss(
      {.positive_margin = near, .negative_margin = far, .reduction = reduction});
  Matrix<S> dx, dy;
  const auto got = loss.forward_backward(x, y, positives.view(), negatives.view(), dx, dy);
  const Linear want = linear(Exact(), oracle::exact(x), oracle::exact(y), positives, negatives,
                             static_cast<S>(near), static_cast<S>(far), reduction);
  const Real largest = std::max<Real>(1, want.value);
  EXPECT_LE(std::abs(got.value - want.value), 10 * Tolerance<S>::value * largest);
  EXPECT_EQ(got.positive_pairs, static_cast<std::int64_t>(positives.size()));
  EXPECT_EQ(got.negative_pairs, static_cast<std::int64_t>(negatives.size()));
  EXPECT_EQ(got.active_positive_pairs, want.active_positive);
  EXPECT_EQ(got.active_negative_pairs, want.active_negative);
  EXPECT_EQ(got.diagnostics.active_terms, want.active_positive + want.active_negative);
  EXPECT_EQ(got.diagnostics.terms, static_cast<std::int64_t>(positives.size() + negatives.size()));
  expect_gradient<S>(dx, want.g.a, "dx");
  expect_gradient<S>(dy, want.g.b, "d_references");
  if (reduction == Reduction::none) {
    ASSERT_EQ(got.values.size(), want.values.size());
    for (std::size_t k = 0; k < want.values.size(); ++k) {
      EXPECT_LE(std::abs(got.values[k] - want.values[k]), 10 * Tolerance<S>::value * largest) << k;
    }
  }
  EXPECT_EQ(loss.forward(x, y, positives.view(), negatives.view()).value, got.value);

  // The same rows as their own references.
  const auto one = loss.forward_backward(x, positives.view(), negatives.view(), dx);
  const Linear of_one = linear(Exact(), oracle::exact(x), oracle::exact(x), positives, negatives,
                               static_cast<S>(near), static_cast<S>(far), reduction);
  EXPECT_LE(std::abs(one.value - of_one.value),
            10 * Tolerance<S>::value * std::max<Real>(1, of_one.value));
  expect_gradient<S>(dx, of_one_set(of_one.g), "dx");
  EXPECT_EQ(loss.forward(x, positives.view(), negatives.view()).value, one.value);
}

TYPED_TEST(RowLists, LinearContrastiveEqualsTheLoops) {
  using S = TypeParam;
  const Pairs positives(31, this->n, this->m, 11);
  const Pairs negatives(300, this->n, this->m, 12);
  for (const Reduction reduction :
       {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
    SCOPED_TRACE(static_cast<int>(reduction));
    expect_linear<S, nearfar::Euclidean, oracle::Euclidean>(this->x, this->y, positives, negatives,
                                                            reduction, 1.5, 3);
    expect_linear<S, nearfar::SquaredEuclidean, oracle::SquaredEuclidean>(
        this->x, this->y, positives, negatives, reduction, 1.5, 9);
    expect_linear<S, nearfar::Cosine, oracle::Cosine>(this->x, this->y, positives, negatives,
                                                      reduction, 0.8, 0.1);
  }
}

/// Copies of the rows are the same pairs.
TYPED_TEST(RowLists, HadsellEqualsTheSamePairsGiven) {
  using S = TypeParam;
  const Pairs positives(40, this->n, this->m, 21);
  const Pairs negatives(60, this->n, this->m, 22);
  Integers first = positives.first;
  Integers second = positives.second;
  first.insert(first.end(), negatives.first.begin(), negatives.first.end());
  second.insert(second.end(), negatives.second.begin(), negatives.second.end());
  std::vector<int> same(100, 0);
  std::fill_n(same.begin(), 40, 1);
  for (const Reduction reduction :
       {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
    const nearfar::HadsellContrastive<S> loss({.margin = 3, .reduction = reduction});
    std::vector<double> up(100);
    for (std::size_t k = 0; k < up.size(); ++k) up[k] = 0.5 + 0.01 * static_cast<double>(k);
    const nearfar::Upstream upstream =
        reduction == Reduction::none ? nearfar::Upstream(up) : nearfar::Upstream(0.5);
    for (const bool one_set : {false, true}) {
      const Matrix<S>& others = one_set ? this->x : this->y;
      Matrix<S> da, db, got_dx, got_dy;
      const auto want = loss.forward_backward(picked(this->x, first), picked(others, second), same,
                                              da, db, {.upstream = upstream});
      Matrix<S> want_dx = Matrix<S>::Zero(this->n, 5);
      Matrix<S> want_dy = Matrix<S>::Zero(others.rows(), 5);
      put_back(da, first, want_dx);
      put_back(db, second, one_set ? want_dx : want_dy);
      const auto got =
          one_set ? loss.forward_backward(this->x, positives.view(), negatives.view(), got_dx,
                                          {.upstream = upstream})
                  : loss.forward_backward(this->x, this->y, positives.view(), negatives.view(),
                                          got_dx, got_dy, {.upstream = upstream});
      EXPECT_EQ(got.value, want.value);
      EXPECT_EQ(got.values, want.values);
      expect_same_counts(got.diagnostics, want.diagnostics);
      expect_same<S>(got_dx, want_dx, "dx");
      if (!one_set) expect_same<S>(got_dy, want_dy, "dy");
    }
  }
}

TYPED_TEST(RowLists, TripletEqualsTheSameTripletsGiven) {
  using S = TypeParam;
  const Triplets list(90, this->n, this->m, 31);
  for (const bool swap : {false, true}) {
    for (const Reduction reduction : {Reduction::mean, Reduction::mean_nonzero, Reduction::none}) {
      for (const bool one_set : {false, true}) {
        const nearfar::Triplet<S> loss({.margin = 0.7, .swap = swap, .reduction = reduction});
        const Matrix<S>& others = one_set ? this->x : this->y;
        Matrix<S> da, dp, dn, got_dx, got_dy;
        const auto want =
            loss.forward_backward(picked(this->x, list.anchors), picked(others, list.positives),
                                  picked(others, list.negatives), da, dp, dn);
        Matrix<S> want_dx = Matrix<S>::Zero(this->n, 5);
        Matrix<S> want_dy = Matrix<S>::Zero(others.rows(), 5);
        Matrix<S>& to_others = one_set ? want_dx : want_dy;
        put_back(da, list.anchors, want_dx);
        put_back(dp, list.positives, to_others);
        put_back(dn, list.negatives, to_others);
        const auto got = one_set
                             ? loss.forward_backward(this->x, list.view(), got_dx)
                             : loss.forward_backward(this->x, this->y, list.view(), got_dx, got_dy);
        EXPECT_EQ(got.value, want.value);
        EXPECT_EQ(got.values, want.values);
        expect_same_counts(got.diagnostics, want.diagnostics);
        expect_same<S>(got_dx, want_dx, "dx");
        if (!one_set) expect_same<S>(got_dy, want_dy, "dy");
      }
    }
  }
}

TEST(RowListsGradients, AreThoseOfDifferences) {
  using S = double;
  Matrix<S> x = random_rows<S>(7, 4, 41);
  Matrix<S> y = random_rows<S>(6, 4, 42);
  const Pairs positives(9, 7, 6, 43);
  const Pairs negatives(14, 7, 6, 44);
  const Triplets triplets(20, 7, 6, 45);
  const auto check = [&](const auto& value) {
    Matrix<S> dx, dy;
    value(&dx, &dy);
    const auto report = nearfar::check_gradient<S>([&] { return value(nullptr, nullptr); },
                                                   {{"x", x, dx}, {"references", y, dy}});
    EXPECT_TRUE(report.passed) << report;
    EXPECT_LT(report.kinks, 10) << report;
  };
  const nearfar::LinearContrastive<S> linear({.positive_margin = 0.5, .negative_margin = 3});
  const nearfar::Triplet<S, nearfar::Cosine> triplet({.margin = 0.5, .swap = true});
  check([&](Matrix<S>* dx, Matrix<S>* dy) {
    return dx == nullptr
               ? linear.forward(x, y, positives.view(), negatives.view()).value
               : linear.forward_backward(x, y, positives.view(), negatives.view(), *dx, *dy).value;
  });
  check([&](Matrix<S>* dx, Matrix<S>* dy) {
    return dx == nullptr ? triplet.forward(x, y, triplets.view()).value
                         : triplet.forward_backward(x, y, triplets.view(), *dx, *dy).value;
  });
}

/// Many pairs of few rows: sums run over pairs in the order of the list.
TYPED_TEST(RowLists, ThreadsAndAWorkspaceChangeNothing) {
  using S = TypeParam;
  const Matrix<S> rows = random_rows<S>(300, 150, 51);
  const Pairs positives(2000, 300, 300, 52);
  const Pairs negatives(5000, 300, 300, 53);
  const Triplets triplets(3000, 300, 300, 54);
  const nearfar::LinearContrastive<S> linear({.positive_margin = 1, .negative_margin = 20});
  const nearfar::HadsellContrastive<S> hadsell({.margin = 20});
  const nearfar::Triplet<S> triplet;
  const auto run = [&](Workspace& workspace, std::vector<Matrix<S>>& g) {
    g.resize(3);
    const nearfar::CallOptions<S> call{.workspace = &workspace};
    linear.forward_backward(rows, positives.view(), negatives.view(), g[0], call);
    hadsell.forward_backward(rows, positives.view(), negatives.view(), g[1], call);
    triplet.forward_backward(rows, triplets.view(), g[2], call);
  };
  Workspace one(1);
  Workspace four(4);
  std::vector<Matrix<S>> of_one, of_four;
  run(one, of_one);
  run(four, of_four);
  for (std::size_t k = 0; k < of_one.size(); ++k) EXPECT_TRUE(same_bits(of_one[k], of_four[k]));
  const auto before = allocations.load();
  run(one, of_one);
  EXPECT_EQ(allocations.load(), before);
}

TYPED_TEST(RowLists, ListsMayBeEmptyAndGradientsLeftOut) {
  using S = TypeParam;
  const Pairs none(0, 1, 1, 1);
  const Pairs some(3, this->n, this->n, 61);
  const nearfar::LinearContrastive<S> linear({.positive_margin = 0.0, .negative_margin = 9.0});
  Matrix<S> dx;
  EXPECT_EQ(linear.forward_backward(this->x, none.view(), none.view(), dx).value, 0);
  EXPECT_EQ(dx.rows(), this->n);
  EXPECT_EQ(dx.norm(), 0);
  const auto alone = linear.forward_backward(this->x, none.view(), some.view(), dx);
  EXPECT_GT(alone.value, 0);
  Matrix<S> sum = dx;
  linear.forward_backward(this->x, none.view(), some.view(), nearfar::accumulate(sum));
  EXPECT_TRUE(same_bits(sum, Matrix<S>(dx + dx)));
  EXPECT_EQ(linear.forward_backward(this->x, none.view(), some.view(), no_gradient).value,
            alone.value);
  const TripletList no_triplets;
  EXPECT_EQ(nearfar::Triplet<S>().forward(this->x, no_triplets).value, 0);
  EXPECT_EQ(linear.forward(Matrix<S>(0, 5), none.view(), none.view()).value, 0);
  // A row with itself has distance 0, and no gradient.
  const Integers itself = {4};
  const auto at_zero = nearfar::LinearContrastive<S>({.positive_margin = 0.0})
                           .forward_backward(this->x, {itself, itself}, none.view(), dx);
  EXPECT_EQ(at_zero.value, 0);
  EXPECT_EQ(at_zero.diagnostics.zero_distances, 1);
  EXPECT_EQ(dx.norm(), 0);
}

TYPED_TEST(RowLists, WhatIsNoRowIsRefused) {
  using S = TypeParam;
  const Integers good = {0, 1, 2};
  const Integers few = {0, 1};
  const Integers negative = {0, -1, 2};
  const Integers large = {0, 1, 23};
  Matrix<S> with_nan = this->x;
  with_nan(2, 1) = std::numeric_limits<S>::quiet_NaN();
  Matrix<S> dx;
  const nearfar::LinearContrastive<S> linear;
  const nearfar::HadsellContrastive<S> hadsell;
  const nearfar::Triplet<S> triplet;
  const auto refuse = [&](Thrown type, const std::string& text, const std::function<void()>& call) {
    expect_refused({"call", type, {text}, call});
    EXPECT_EQ(dx.size(), 0);
  };
  const Thrown bad = Thrown::invalid_argument;
  const PairList pairs{good, good};
  refuse(bad, "positive_pairs.second: wanted 3 row numbers, as many as the first ones, got 2", [&] {
    linear.forward_backward(this->x, {good, few}, pairs, dx);
  });
  refuse(bad, "negative_pairs.first: wanted row numbers from 0 to 22, got -1 at 1", [&] {
    linear.forward_backward(this->x, pairs, {negative, good}, dx);
  });
  refuse(bad, "positive_pairs.second: wanted row numbers from 0 to 16, got 23 at 2", [&] {
    hadsell.forward_backward(this->x, this->y, {good, large}, pairs, dx, no_gradient);
  });
  refuse(bad, "triplets.negatives: wanted row numbers from 0 to 22, got 23 at 2", [&] {
    triplet.forward_backward(this->x, {good, good, large}, dx);
  });
  refuse(bad, "triplets.positives: wanted 3 row numbers, as many as the first ones, got 2", [&] {
    triplet.forward_backward(this->x, {good, few, good}, dx);
  });
  refuse(Thrown::domain_error, "x: wanted finite elements, got NaN at row 2, column 1",
         [&] { linear.forward_backward(with_nan, pairs, pairs, dx); });
  refuse(bad, "references: wanted 3 x 5, got 3 x 4", [&] {
    linear.forward_backward(this->x, Matrix<S>(Matrix<S>::Zero(3, 4)), pairs, pairs, dx,
                            no_gradient);
  });
  const Matrix<S> weight = Matrix<S>::Identity(5, 5);
  const nearfar::Triplet<S, nearfar::Bilinear<S>> bilinear({}, nearfar::Bilinear<S>(weight));
  refuse(bad, "kernel: wanted one that treats both rows alike, or references", [&] {
    bilinear.forward_backward(this->x, {good, good, good}, dx);
  });
  EXPECT_GT(bilinear.forward(this->x, this->x, {good, good, good}).value, 0);
}

}  // namespace
