#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/engine/two_sided_pass.hpp>
#include <nearfar/engine/view_partners.hpp>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/terms/many_positives_softmax.hpp>
#include <nearfar/terms/one_positive_softmax.hpp>
#include <vector>

#include "support/packed_rows.hpp"
#include "support/random.hpp"

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// The same term without the shortcuts of a softmax: each side computes its own exponentials.
template <class S>
class Apart final : public RowTerm<S> {
 public:
  explicit Apart(RowTerm<S>& term) : term_(term) {}

  void start(Index i) override { term_.start(i); }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    term_.accumulate(i, first, n, s);
  }
  void close(Index i) override { term_.close(i); }
  double value(Index i) const override { return term_.value(i); }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    term_.gradient(i, first, n, s, g);
  }

 private:
  RowTerm<S>& term_;
};

enum class Exponentials { shared, apart };

/// The results of a pass.
template <class S>
struct Outcome {
  Matrix<double> values;
  double moment = 0;  ///< of the gradient with respect to the temperature
  Matrix<S> dx;
  Matrix<S> dy;
};

/// Runs one pass with a term for each side; for rows with themselves pass the same objects twice.
template <class S, class Term>
Outcome<S> passed(Scratch& scratch, Term& of_x, Term& of_y, Exponentials exponentials,
                  const KernelValue<S>& kernel, const PackedRows<S>& x, const PackedRows<S>& y,
                  int threads) {
  const bool same = &x == &y;
  EXPECT_TRUE(of_x.shares_exponentials());
  Apart<S> x_apart(of_x);
  Apart<S> y_apart(of_y);
  const bool shared = exponentials == Exponentials::shared;
  RowTerm<S>& x_term = shared ? static_cast<RowTerm<S>&>(of_x) : x_apart;
  RowTerm<S>& y_own = shared ? static_cast<RowTerm<S>&>(of_y) : y_apart;
  RowTerm<S>& y_term = same ? x_term : y_own;
  TwoSidedPass<S> pass(scratch, threads, kernel, x, y);
  auto dx = take_gradients(scratch, x);
  auto dy = same ? dx : take_gradients(scratch, y);
  Diagnostics seen;
  pass.forward_backward(x_term, y_term, dx, dy, seen);
  Outcome<S> out;
  out.values.resize(x.rows + (same ? 0 : y.rows), 1);
  for (Index i = 0; i < x.rows; ++i) {
    out.values(i) = of_x[i].value;
    out.moment += of_x[i].temperature;
  }
  for (Index j = 0; j < y.rows && !same; ++j) {
    out.values(x.rows + j) = of_y[j].value;
    out.moment += of_y[j].temperature;
  }
  out.dx = support::matrix_of(dx, x);
  out.dy = support::matrix_of(dy, y);
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

/// From temperatures at which a tile's exponentials are of similar size to some at which most
/// underflow, so that each side computes its own.
const std::vector<double> temperatures = {1.0, 0.07, 0.02, 0.005, 0.001};

TYPED_TEST(SharedExponentials, EqualEachSidesOwnForTwoSets) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  for (const double temperature : temperatures) {
    for (const Index m : {50, 385, 450}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", " << m << " keys");
      Scratch scratch(nullptr);
      const Matrix<S> x = support::uniform_matrix<S>(m, 9, 1);
      const Matrix<S> y = x + S(0.5) * support::uniform_matrix<S>(m, 9, 2);
      const auto [px, py] = support::pack_both<S>(scratch, 2, kernel, x, y);
      const Upstream one(1.0);
      const OnePositiveSettings<S> settings{kernel.sign(), temperature, Denominator::with_positive};
      OnePositiveSoftmax<S> of_x(scratch, m, settings, one);
      OnePositiveSoftmax<S> of_y(scratch, m, settings, one);
      const Outcome<S> want = passed(scratch, of_x, of_y, Exponentials::apart, kernel, px, py, 1);
      expect_the_same(passed(scratch, of_x, of_y, Exponentials::shared, kernel, px, py, 2), want);
    }
  }
}

TYPED_TEST(SharedExponentials, EqualEachSidesOwnForASelfComparison) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  for (const double temperature : temperatures) {
    for (const Denominator denominator :
         {Denominator::with_positive, Denominator::negatives_only}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature);
      Scratch scratch(nullptr);
      const Index n = 215;
      const Matrix<S> a = support::uniform_matrix<S>(n, 7, 3);
      const Matrix<S> b = a + S(0.5) * support::uniform_matrix<S>(n, 7, 4);
      Matrix<S> views(2 * n, 7);
      views << a, b;
      const PackedRows<S> x = support::pack_one<S>(scratch, 1, kernel, views);
      const Upstream one(1.0);
      OnePositiveSoftmax<S> term(
          scratch, 2 * n,
          {kernel.sign(), temperature, denominator, {.column = view_partners(scratch, n)}}, one);
      const Outcome<S> want = passed(scratch, term, term, Exponentials::apart, kernel, x, x, 1);
      expect_the_same(passed(scratch, term, term, Exponentials::shared, kernel, x, x, 3), want);
    }
  }
}

/// The scores of the last 48 rows are near each other, so that the first sweep shares their
/// exponentials. One of these rows is far nearer to others, so that the second sweep cannot. Scores
/// are kept between the sweeps, including those of positives.
TYPED_TEST(SharedExponentials, EqualEachSidesOwnWhereTheFirstSweepAloneShares) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  constexpr Index n = 96;
  Scratch scratch(nullptr);
  Matrix<S> rows = S(0.5) * support::uniform_matrix<S>(n, 5, 6);
  rows.col(0).setZero();
  rows.col(0).head(49).setConstant(sizeof(S) == sizeof(float) ? S(10) : S(30));
  const PackedRows<S> x = support::pack_one<S>(scratch, 1, kernel, rows);
  std::vector<int> labels(n);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i / 2);
  const std::vector<Index> positives(n, 1);
  const Targets targets{Labels(labels)};
  const PositiveRule<S> rule(scratch, targets, targets);
  const Upstream one(1.0);
  ManyPositivesSoftmax<S> term(scratch, n, kernel.sign(), 1.0, MeanOverPositives::outside_log, rule,
                               positives.data(), one);
  const Outcome<S> want = passed(scratch, term, term, Exponentials::apart, kernel, x, x, 1);
  expect_the_same(passed(scratch, term, term, Exponentials::shared, kernel, x, x, 2), want);
}

TYPED_TEST(SharedExponentials, EqualEachSidesOwnWithManyPositives) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  for (const double temperature : {30.0, 1.0, 0.1}) {
    for (const Index n : {97, 400, 437}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", " << n << " rows");
      Scratch scratch(nullptr);
      const Matrix<S> rows = support::uniform_matrix<S>(n, 6, 5);
      std::vector<int> labels(static_cast<std::size_t>(n));
      // The last row is alone in its class: it has no positive.
      for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i % 7);
      labels.back() = -1;
      std::vector<Index> positives(labels.size());
      for (std::size_t i = 0; i < labels.size(); ++i) {
        positives[i] = std::count(labels.begin(), labels.end(), labels[i]) - 1;
      }
      const Targets targets{Labels(labels)};
      const PositiveRule<S> rule(scratch, targets, targets);
      const PackedRows<S> x = support::pack_one<S>(scratch, 1, kernel, rows);
      const Upstream one(1.0);
      ManyPositivesSoftmax<S> term(scratch, n, kernel.sign(), temperature,
                                   MeanOverPositives::outside_log, rule, positives.data(), one);
      const Outcome<S> want = passed(scratch, term, term, Exponentials::apart, kernel, x, x, 1);
      expect_the_same(passed(scratch, term, term, Exponentials::shared, kernel, x, x, 2), want);
    }
  }
}

/// Positives by column and by class in one tile.
TYPED_TEST(SharedExponentials, EqualEachSidesOwnWithClassesOfTwoAmongLargerOnes) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  for (const double temperature : {30.0, 1.0, 0.1}) {
    for (const Index n : {97, 400, 437}) {
      SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", " << n << " rows");
      Scratch scratch(nullptr);
      const Matrix<S> rows = support::uniform_matrix<S>(n, 6, 5);
      // Pairs of rows n / 2 apart; every third pair is in a class of many rows.
      std::vector<int> labels(static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < labels.size(); ++i) {
        labels[i] = static_cast<int>(i % (labels.size() / 2));
        if (labels[i] % 3 == 0) labels[i] = -1 - labels[i] % 5;
      }
      std::vector<Index> positives(labels.size());
      for (std::size_t i = 0; i < labels.size(); ++i) {
        positives[i] = std::count(labels.begin(), labels.end(), labels[i]) - 1;
      }
      const Targets targets{Labels(labels)};
      const PositiveRule<S> rule(scratch, targets, targets);
      const PackedRows<S> x = support::pack_one<S>(scratch, 1, kernel, rows);
      const Upstream one(1.0);
      ManyPositivesSoftmax<S> term(scratch, n, kernel.sign(), temperature,
                                   MeanOverPositives::outside_log, rule, positives.data(), one);
      EXPECT_EQ(term.positive_of(1), n / 2 + 1);
      EXPECT_EQ(term.positive_of(3), no_column);
      const Outcome<S> want = passed(scratch, term, term, Exponentials::apart, kernel, x, x, 1);
      expect_the_same(passed(scratch, term, term, Exponentials::shared, kernel, x, x, 2), want);
    }
  }
}

TYPED_TEST(SharedExponentials, ATileReferenceIsUnusableWhereScoresLieTooFarApart) {
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
