#include <gtest/gtest.h>

#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/terms/softmax_rows.hpp>
#include <nearfar/terms/sup_con_rows.hpp>
#include <nearfar/tiles/batch.hpp>
#include <nearfar/tiles/mutual_walk.hpp>
#include <nearfar/tiles/stack.hpp>

#include "support/random.hpp"

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// The same loss, each side of a score for itself.
template <class Loss>
struct Apart : Loss {
  using Loss::Loss;
  bool shares_exponentials() const { return false; }
};

/// What a walk leaves behind.
template <class S>
struct Outcome {
  Matrix<double> values;
  double moment = 0;  ///< of the gradient with respect to the temperature
  Matrix<S> dx;
  Matrix<S> dy;
};

template <class S>
Matrix<S> of(const RowGradients<S>& g, const PreparedRows<S>& x) {
  return Eigen::Map<const Matrix<S>, 0, Eigen::OuterStride<>>(g.data, x.rows, x.depth,
                                                              Eigen::OuterStride<>(x.stride));
}

template <class S, class Loss, class K>
Outcome<S> walked(Scratch& scratch, const Loss& loss, const K& kernel, const PreparedRows<S>& x,
                  const PreparedRows<S>& y, int threads) {
  MutualWalk<S, K> walk(scratch, threads, kernel, x, y);
  auto dx = take_gradients(scratch, x);
  const bool same = &x == &y;
  auto dy = same ? dx : take_gradients(scratch, y);
  Diagnostics seen;
  const auto rows = walk.forward_backward(loss, dx, dy, seen);
  Outcome<S> out;
  out.values.resize(x.rows + (same ? 0 : y.rows), 1);
  for (Index i = 0; i < x.rows; ++i) {
    out.values(i) = rows.queries[i].value;
    out.moment += rows.queries[i].temperature;
  }
  for (Index j = 0; j < y.rows && !same; ++j) {
    out.values(x.rows + j) = rows.keys[j].value;
    out.moment += rows.keys[j].temperature;
  }
  out.dx = of(dx, x);
  out.dy = of(dy, y);
  return out;
}

template <class S>
void expect_the_same(const Outcome<S>& got, const Outcome<S>& want) {
  constexpr double digits = sizeof(S) == sizeof(float) ? 2e-5 : 1e-12;
  const double value = want.values.cwiseAbs().maxCoeff();
  EXPECT_LE((got.values - want.values).cwiseAbs().maxCoeff(), digits * (value + 1e-6));
  const auto largest = static_cast<double>(want.dx.cwiseAbs().maxCoeff());
  EXPECT_GT(largest, 0);
  EXPECT_LE(static_cast<double>((got.dx - want.dx).cwiseAbs().maxCoeff()), digits * largest);
  EXPECT_LE(static_cast<double>((got.dy - want.dy).cwiseAbs().maxCoeff()), digits * largest);
  EXPECT_NEAR(got.moment, want.moment,
              digits * (std::abs(want.moment) + static_cast<double>(want.values.size())));
}

template <class S>
class SharedExponentials : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(SharedExponentials, Scalars);

/// From temperatures at which a tile's exponentials are all of one size to some at which most
/// underflow, so that tiles are left to each side.
const std::vector<double> temperatures = {1.0, 0.07, 0.02, 0.005, 0.001};

TYPED_TEST(SharedExponentials, AreThoseOfEachSideForTwoSets) {
  using S = TypeParam;
  const Cosine kernel;
  for (const double temperature : temperatures) {
    for (const Index m : {50, 385, 450}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", " << m << " keys");
      Scratch scratch(nullptr);
      const Matrix<S> x = support::uniform_matrix<S>(m, 9, 1);
      const Matrix<S> y = x + S(0.5) * support::uniform_matrix<S>(m, 9, 2);
      const Batch<S, Cosine, 2> batch(scratch, 2, kernel,
                                      {{{"x", x, Side::query}, {"y", y, Side::key}}});
      const Upstream one(1.0);
      using Loss = SoftmaxRows<S, 1>;
      const Loss loss(temperature, Denominator::with_positive, {}, one);
      const Apart<Loss> apart(temperature, Denominator::with_positive, Positives<S>{}, one);
      const auto& px = batch.rows(0);
      const auto& py = batch.rows(1);
      expect_the_same(walked(scratch, loss, kernel, px, py, 2),
                      walked(scratch, apart, kernel, px, py, 1));
    }
  }
}

TYPED_TEST(SharedExponentials, AreThoseOfEachSideForRowsWithThemselves) {
  using S = TypeParam;
  const Cosine kernel;
  for (const double temperature : temperatures) {
    for (const Denominator denominator :
         {Denominator::with_positive, Denominator::negatives_only}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature);
      Scratch scratch(nullptr);
      const Index n = 215;
      const Matrix<S> a = support::uniform_matrix<S>(n, 7, 3);
      const Matrix<S> b = a + S(0.5) * support::uniform_matrix<S>(n, 7, 4);
      const Rows<S> views = stack(scratch, 1, Rows<S>(a), Rows<S>(b));
      const Batch<S, Cosine, 1> batch(scratch, 1, kernel, {{{"views", views, Side::query}}});
      const Upstream one(1.0);
      using Loss = SoftmaxRows<S, 1>;
      const Positives<S> positives{.column = partners(scratch, n)};
      const Loss loss(temperature, denominator, positives, one);
      const Apart<Loss> apart(temperature, denominator, positives, one);
      const auto& x = batch.rows(0);
      expect_the_same(walked(scratch, loss, kernel, x, x, 3),
                      walked(scratch, apart, kernel, x, x, 1));
    }
  }
}

TYPED_TEST(SharedExponentials, AreThoseOfEachSideWithManyPositives) {
  using S = TypeParam;
  const InnerProduct kernel;
  for (const double temperature : {30.0, 1.0, 0.1}) {
    for (const Index n : {97, 400, 437}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", " << n << " rows");
      Scratch scratch(nullptr);
      const Matrix<S> rows = support::uniform_matrix<S>(n, 6, 5);
      std::vector<int> labels(static_cast<std::size_t>(n));
      // The last row's class is its own: it has no positive.
      for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i % 7);
      labels.back() = -1;
      std::vector<Index> positives(labels.size());
      for (std::size_t i = 0; i < labels.size(); ++i) {
        positives[i] = std::count(labels.begin(), labels.end(), labels[i]) - 1;
      }
      const Tags tags{Labels(labels)};
      const Relation<S> relation(scratch, tags, tags);
      const Batch<S, InnerProduct, 1> batch(scratch, 1, kernel, {{{"x", rows, Side::query}}});
      const Upstream one(1.0);
      using Loss = SupConRows<S, 1>;
      const Loss loss(temperature, MeanOverPositives::outside_log, relation, positives.data(), one);
      const Apart<Loss> apart(temperature, MeanOverPositives::outside_log, relation,
                              positives.data(), one);
      const auto& x = batch.rows(0);
      expect_the_same(walked(scratch, loss, kernel, x, x, 2),
                      walked(scratch, apart, kernel, x, x, 1));
    }
  }
}

TYPED_TEST(SharedExponentials, ATileKnowsWhetherItsScoresLieTooFarApart) {
  using S = TypeParam;
  const S rate = exponential_rate<S>(1.0);
  EXPECT_TRUE(TileReference<S>({S(-10), S(10)}, rate).usable);
  EXPECT_FALSE(TileReference<S>({S(-50), S(10)}, rate).usable);
  EXPECT_FALSE(TileReference<S>({S(1e7), S(1e7)}, rate).usable) << "steps of the ladder are lost";
  for (const S top : {S(-3), S(0), S(0.1), S(17)}) {
    EXPECT_GE(TileReference<S>({top, top}, rate).value, top);
  }
}

}  // namespace
