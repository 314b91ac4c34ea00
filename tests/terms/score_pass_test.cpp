#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/terms/score_pass.hpp>
#include <vector>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"

/// Losses that a user writes as terms over rows of scores: equal to the library's if the formula is
/// the same, and with the promises of every loss of the library.

namespace {

using namespace support;
using nearfar::check_gradient;
using nearfar::Reduction;
using nearfar::RowTerm;
using nearfar::ScorePass;
using nearfar::Workspace;

// ---- a user's terms ----------------------------------------------------------------------------

/// -log softmax of each row's positive among its keys, at temperature tau.
template <class S>
class SoftmaxOfPositive final : public RowTerm<S> {
 public:
  /// The positive of row i is key positives[i]; `sign` is -1 for distances.
  SoftmaxOfPositive(std::vector<Index> positives, double tau, int sign = 1)
      : positives_(std::move(positives)), scale_(sign / tau), rows_(positives_.size()) {}

  void start(Index i) override { row(i) = {-std::numeric_limits<double>::infinity(), 0, 0}; }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    Row& r = row(i);
    for (Index k = 0; k < n; ++k) {
      const double logit = scale_ * static_cast<double>(s[k]);
      if (logit > r.largest) {
        r.sum *= std::exp(r.largest - logit);
        r.largest = logit;
      }
      r.sum += std::exp(logit - r.largest);
      if (first + k == positive(i)) r.positive = logit;
    }
  }
  void close(Index) override {}
  double value(Index i) const override {
    const Row& r = rows_[static_cast<std::size_t>(i)];
    return std::log(r.sum) + r.largest - r.positive;
  }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    const Row& r = row(i);
    for (Index k = 0; k < n; ++k) {
      const double share = std::exp(scale_ * static_cast<double>(s[k]) - r.largest) / r.sum;
      g[k] = static_cast<S>(scale_ * (share - (first + k == positive(i) ? 1 : 0)));
    }
  }

 private:
  struct Row {
    double largest;
    double sum;
    double positive;
  };
  Row& row(Index i) { return rows_[static_cast<std::size_t>(i)]; }
  Index positive(Index i) const { return positives_[static_cast<std::size_t>(i)]; }

  std::vector<Index> positives_;
  double scale_;
  std::vector<Row> rows_;
};

std::vector<Index> first_keys(Index n) {
  std::vector<Index> out;
  for (Index i = 0; i < n; ++i) out.push_back(i);
  return out;
}
/// The partners among 2 n stacked views.
std::vector<Index> partners(Index n) {
  std::vector<Index> out;
  for (Index i = 0; i < 2 * n; ++i) out.push_back((i + n) % (2 * n));
  return out;
}

/// Half the squares of similar pairs' distances, and of the others' distances up to the margin.
template <class S>
class Squares final : public RowTerm<S> {
 public:
  /// `share`: of a pair's value for a row; 1/2 if both of its rows count it.
  Squares(std::vector<int> labels, std::vector<int> key_labels, double margin, double share)
      : labels_(std::move(labels)),
        key_labels_(std::move(key_labels)),
        margin_(margin),
        share_(share),
        values_(labels_.size()) {}

  void start(Index i) override { values_[static_cast<std::size_t>(i)] = 0; }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    for (Index k = 0; k < n; ++k) {
      const double slope = slope_of(i, first + k, s[k]);
      values_[static_cast<std::size_t>(i)] += share_ * slope * slope / 2;
    }
  }
  void close(Index) override {}
  double value(Index i) const override { return values_[static_cast<std::size_t>(i)]; }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    for (Index k = 0; k < n; ++k) g[k] = static_cast<S>(share_ * slope_of(i, first + k, s[k]));
  }
  bool gradient_is_local() const override { return true; }

 private:
  double slope_of(Index i, Index j, S s) const {
    const double d = static_cast<double>(s);
    const bool similar =
        labels_[static_cast<std::size_t>(i)] == key_labels_[static_cast<std::size_t>(j)];
    return similar ? d : -std::max(margin_ - d, 0.0);
  }

  std::vector<int> labels_;
  std::vector<int> key_labels_;
  double margin_;
  double share_;
  std::vector<double> values_;
};

/// sum_j s_ij^2 / 2, times `factor` in the gradient: wrong unless it is 1.
template <class S>
class HalfSquares final : public RowTerm<S> {
 public:
  explicit HalfSquares(Index rows, double factor = 1)
      : factor_(factor), values_(static_cast<std::size_t>(rows)) {}

  void start(Index i) override { values_[static_cast<std::size_t>(i)] = 0; }
  void accumulate(Index i, Index, Index n, const S* s) override {
    double& value = values_[static_cast<std::size_t>(i)];
    for (Index k = 0; k < n; ++k)
      value += static_cast<double>(s[k]) * static_cast<double>(s[k]) / 2;
  }
  void close(Index) override {}
  double value(Index i) const override { return values_[static_cast<std::size_t>(i)]; }
  void gradient(Index, Index, Index n, const S* s, S* g) override {
    for (Index k = 0; k < n; ++k) g[k] = static_cast<S>(factor_) * s[k];
  }

 private:
  double factor_;
  std::vector<double> values_;
};

template <class S>
class OwnTerm : public testing::Test {};
TYPED_TEST_SUITE(OwnTerm, Scalars, CaseNames);

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero,
                                    Reduction::none};
constexpr double temperature = 0.5;

struct Sizes {
  Index rows;
  Index keys;
  Index depth;
};
/// From one pair to several panels of queries and tiles of keys.
constexpr Sizes all_sizes[] = {{1, 1, 1}, {2, 7, 3}, {50, 390, 17}, {430, 800, 5}};

template <class S>
void expect_equal_loss(const nearfar::Result& got, const nearfar::Result& want) {
  const auto near = [](double value, double wanted) {
    EXPECT_NEAR(value, wanted, Tolerance<S>::same * std::max(std::abs(wanted), 1e-3));
  };
  near(got.value, want.value);
  ASSERT_EQ(got.values.size(), want.values.size());
  for (std::size_t i = 0; i < want.values.size(); ++i) near(got.values[i], want.values[i]);
  expect_scores(got.diagnostics, want.diagnostics, [](double score, double wanted) {
    EXPECT_NEAR(score, wanted, Tolerance<S>::same * std::max(1.0, std::abs(wanted)));
  });
}

// ---- the same losses as the library's ----------------------------------------------------------

template <class Case>
class OwnInfoNce : public testing::Test {};
TYPED_TEST_SUITE(OwnInfoNce, AllKernels, CaseNames);

TYPED_TEST(OwnInfoNce, OfTwoSetsIsTheLibrarys) {
  using S = typename TypeParam::Scalar;
  using Kernel = typename TypeParam::Kernel;
  for (const Sizes& size : all_sizes) {
    for (const Reduction reduction : reductions) {
      if (size.rows > 100 && reduction != Reduction::none) continue;  // one reduction is enough
      SCOPED_TRACE(testing::Message() << size.rows << " x " << size.keys << ", reduction "
                                      << static_cast<int>(reduction));
      const TypeParam c(size.depth);
      const Matrix<S> queries = random_rows<S>(size.rows, c.query_cols, 1);
      const Matrix<S> keys = random_rows<S>(size.keys, c.key_cols, 2);
      const std::vector<double> rows = random_upstream(size.rows, 3);
      const nearfar::Upstream upstream =
          reduction == Reduction::none ? nearfar::Upstream(rows) : nearfar::Upstream(-1.5);
      struct Gradients {
        Matrix<S> queries;
        Matrix<S> keys;
        Matrix<S> parameter;
      } got, want;
      const auto call = [&](Gradients& to) {
        return nearfar::CallOptions<S>{.d_parameter = parameter_gradient<TypeParam>(to.parameter),
                                       .upstream = upstream};
      };

      SoftmaxOfPositive<S> term(first_keys(size.rows), temperature,
                                Kernel::orientation == nearfar::Orientation::distance ? -1 : 1);
      const ScorePass<S, Kernel> pass({.reduction = reduction}, c.kernel());
      const nearfar::Result result =
          pass.forward_backward(term, queries, keys, got.queries, got.keys, call(got));
      const nearfar::InfoNce<S, Kernel> loss({.temperature = temperature, .reduction = reduction},
                                             c.kernel());
      const nearfar::Result wanted =
          loss.forward_backward(queries, keys, want.queries, want.keys, call(want));

      expect_equal_loss<S>(result, wanted);
      EXPECT_EQ(result.diagnostics.anchors, size.rows);
      EXPECT_EQ(result.diagnostics.terms, size.rows);
      expect_identical(pass.forward(term, queries, keys), result);
      if (size.keys > 1) {
        expect_same<S>(got.queries, want.queries, "d_queries");
        expect_same<S>(got.keys, want.keys, "d_keys");
        expect_same<S>(got.parameter, want.parameter, "d_parameter");
      }
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(OwnTerm, NtXentOfStackedViewsIsTheLibrarys) {
  using S = TypeParam;
  for (const auto& [n, depth] : {std::pair<Index, Index>{2, 3}, {33, 17}, {210, 5}}) {
    for (const Reduction reduction : reductions) {
      SCOPED_TRACE(testing::Message()
                   << n << " samples, reduction " << static_cast<int>(reduction));
      const Matrix<S> views = random_rows<S>(2 * n, depth, 4);
      const Matrix<S> first = views.topRows(n);
      const Matrix<S> second = views.bottomRows(n);
      const std::vector<double> rows = random_upstream(2 * n, 5);
      const nearfar::CallOptions<S> call{.upstream = reduction == Reduction::none
                                                         ? nearfar::Upstream(rows)
                                                         : nearfar::Upstream(2.5)};
      SoftmaxOfPositive<S> term(partners(n), temperature);
      const ScorePass<S> pass({.reduction = reduction});
      Matrix<S> got;
      Matrix<S> want(2 * n, depth);
      const auto result = pass.forward_backward(term, views, got, call);
      const auto wanted =
          nearfar::NtXent<S>({.temperature = temperature, .reduction = reduction})
              .forward_backward(first, second, want.topRows(n), want.bottomRows(n), call);
      expect_equal_loss<S>(result, wanted);
      EXPECT_EQ(result.diagnostics.terms, 2 * n);
      expect_identical(pass.forward(term, views), result);
      expect_same<S>(got, want, "dx");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(OwnTerm, SquaresOfDistancesAreHadsellsLoss) {
  using S = TypeParam;
  constexpr double margin = 1.25;
  for (const auto& [n, m] : {std::pair<Index, Index>{2, 5}, {60, 390}, {410, 97}}) {
    for (const Reduction reduction : {Reduction::sum, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << n << " x " << m);
      const Matrix<S> x = random_rows<S>(n, 5, 6);
      const Matrix<S> y = random_rows<S>(m, 5, 7);
      const std::vector<int> labels = random_labels(n, 4, 8);
      const std::vector<int> key_labels = random_labels(m, 4, 9);
      const std::vector<double> rows = random_upstream(n, 10);
      const nearfar::CallOptions<S> call{.upstream = reduction == Reduction::none
                                                         ? nearfar::Upstream(rows)
                                                         : nearfar::Upstream(0.5)};
      const ScorePass<S, nearfar::Euclidean> pass({.reduction = reduction});
      const nearfar::HadsellContrastive<S> loss({.margin = margin, .reduction = reduction});
      Matrix<S> dx;
      Matrix<S> dy;
      Matrix<S> wanted_dx;
      Matrix<S> wanted_dy;

      Squares<S> two_sets(labels, key_labels, margin, 1);
      expect_equal_loss<S>(
          pass.forward_backward(two_sets, x, y, dx, dy, call),
          loss.forward_backward(x, labels, y, key_labels, wanted_dx, wanted_dy, call));
      expect_same<S>(dx, wanted_dx, "d_queries");
      expect_same<S>(dy, wanted_dy, "d_keys");

      Squares<S> one_set(labels, labels, margin, 0.5);
      expect_equal_loss<S>(pass.forward_backward(one_set, x, dx, call),
                           loss.forward_backward(x, labels, wanted_dx, call));
      expect_same<S>(dx, wanted_dx, "dx");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// ---- arguments of a term -----------------------------------------------------------------------

/// Counts the scores it accumulates and differentiates.
template <class S>
class CountingTerm final : public RowTerm<S> {
 public:
  CountingTerm(Index rows, Index keys)
      : keys_(keys),
        accumulated(static_cast<std::size_t>(rows * keys)),
        differentiated(accumulated.size()),
        rows_(static_cast<std::size_t>(rows)) {}

  void start(Index i) override { row(i) = {}; }
  void accumulate(Index i, Index first, Index n, const S*) override {
    Row& r = row(i);
    if (r.closed || first < r.next || n < 1 || n > 384) r.wrong = true;
    r.next = first + n;
    for (Index j = first; j < first + n; ++j) ++accumulated[at(i, j)];
  }
  void close(Index i) override { row(i).closed = true; }
  double value(Index i) const override { return rows_[static_cast<std::size_t>(i)].closed ? 1 : 0; }
  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    if (!row(i).closed) row(i).wrong = true;
    for (Index j = first; j < first + n; ++j) ++differentiated[at(i, j)];
    std::fill_n(g, n, S(1));
  }

  bool in_order() const {
    return std::none_of(rows_.begin(), rows_.end(), [](const Row& r) { return r.wrong; });
  }

 private:
  struct Row {
    Index next = 0;
    bool closed = false;
    bool wrong = false;
  };
  Row& row(Index i) { return rows_[static_cast<std::size_t>(i)]; }
  std::size_t at(Index i, Index j) const { return static_cast<std::size_t>(i * keys_ + j); }

  Index keys_;

 public:
  std::vector<int> accumulated;
  std::vector<int> differentiated;

 private:
  std::vector<Row> rows_;
};

TYPED_TEST(OwnTerm, AccumulatesAndDifferentiatesEachScoreOnce) {
  using S = TypeParam;
  for (const auto& [n, m] : {std::pair<Index, Index>{1, 1}, {7, 400}, {450, 800}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << m);
    const Matrix<S> x = random_rows<S>(n, 5, 11);
    const Matrix<S> y = random_rows<S>(m, 5, 12);
    Matrix<S> dx;
    Matrix<S> dy;

    CountingTerm<S> of_two(n, m);
    const auto result = ScorePass<S>().forward_backward(of_two, x, y, dx, dy);
    EXPECT_EQ(result.value, 1) << "every row is closed before its value is read";
    EXPECT_TRUE(of_two.in_order());
    EXPECT_EQ(of_two.accumulated, std::vector<int>(of_two.accumulated.size(), 1));
    EXPECT_EQ(of_two.differentiated, std::vector<int>(of_two.accumulated.size(), 1));

    CountingTerm<S> of_one(n, n);
    ScorePass<S>().forward_backward(of_one, x, dx);
    EXPECT_TRUE(of_one.in_order());
    std::vector<int> others(of_one.accumulated.size(), 1);
    for (Index i = 0; i < n; ++i) others[static_cast<std::size_t>(i * n + i)] = 0;
    EXPECT_EQ(of_one.accumulated, others);
    EXPECT_EQ(of_one.differentiated, others);
  }
}

// ---- reductions and upstream -------------------------------------------------------------------

TYPED_TEST(OwnTerm, ReducesOverRows) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(7, 5, 15);
  x.row(2).setZero();  // its cosines are 0, and so is its value
  const Matrix<S> y = random_rows<S>(9, 5, 16);
  const auto run = [&](Reduction reduction) {
    HalfSquares<S> term(7);
    return ScorePass<S>({.reduction = reduction}).forward(term, x, y);
  };
  const nearfar::Result none = run(Reduction::none);
  ASSERT_EQ(none.values.size(), 7u);
  double sum = 0;
  for (const double v : none.values) sum += v;
  EXPECT_EQ(none.values[2], 0);
  EXPECT_EQ(none.value, sum);
  EXPECT_EQ(run(Reduction::sum).value, sum);
  EXPECT_DOUBLE_EQ(run(Reduction::mean).value, sum / 7);
  EXPECT_DOUBLE_EQ(run(Reduction::mean_nonzero).value, sum / 6);
  EXPECT_EQ(none.diagnostics.anchors, 7);
  EXPECT_EQ(none.diagnostics.terms, 7);
  EXPECT_EQ(none.diagnostics.active_terms, 6);
  EXPECT_TRUE(run(Reduction::sum).values.empty());
}

/// L = sum of u_i L_i: with upstream u the gradient of Reduction::none is the weighted sum of the
/// rows'.
TYPED_TEST(OwnTerm, AnUpstreamOfEachRowMultipliesTheRowsGradient) {
  using S = TypeParam;
  constexpr Index n = 6;
  const Matrix<S> x = random_rows<S>(n, 4, 17);
  const Matrix<S> y = random_rows<S>(n, 4, 18);
  const std::vector<double> upstream = {0.5, -2, 0, 1, 3, -0.25};
  const ScorePass<S> pass({.reduction = Reduction::none});
  for (const bool one_set : {false, true}) {
    SCOPED_TRACE(one_set ? "one set" : "two sets");
    const auto gradients = [&](const std::vector<double>& u, Matrix<S>& dx, Matrix<S>& dy) {
      SoftmaxOfPositive<S> term(one_set ? partners(n / 2) : first_keys(n), temperature);
      if (one_set) {
        pass.forward_backward(term, x, dx, {.upstream = u});
        dy = dx;
      } else {
        pass.forward_backward(term, x, y, dx, dy, {.upstream = u});
      }
    };
    Matrix<S> want_dx = Matrix<S>::Zero(n, 4);
    Matrix<S> want_dy = Matrix<S>::Zero(n, 4);
    Matrix<S> dx;
    Matrix<S> dy;
    for (Index i = 0; i < n; ++i) {
      std::vector<double> alone(n, 0);
      alone[static_cast<std::size_t>(i)] = 1;
      gradients(alone, dx, dy);
      want_dx += static_cast<S>(upstream[static_cast<std::size_t>(i)]) * dx;
      want_dy += static_cast<S>(upstream[static_cast<std::size_t>(i)]) * dy;
    }
    gradients(upstream, dx, dy);
    expect_same<S>(dx, want_dx, "dx");
    expect_same<S>(dy, want_dy, "dy");
  }
}

TYPED_TEST(OwnTerm, AnUpstreamNumberMultipliesGradientsAndNotTheValue) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 4, 19);
  const Matrix<S> y = random_rows<S>(30, 4, 20);
  const ScorePass<S> pass;
  HalfSquares<S> term(20);
  Matrix<S> plain;
  Matrix<S> scaled;
  const double value = pass.forward_backward(term, x, y, plain, nearfar::no_gradient).value;
  EXPECT_EQ(
      pass.forward_backward(term, x, y, scaled, nearfar::no_gradient, {.upstream = -2.0}).value,
      value);
  EXPECT_TRUE(same_bits<S>(scaled, plain * S(-2)));
  pass.forward_backward(term, x, plain);
  pass.forward_backward(term, x, scaled, {.upstream = -2.0});
  EXPECT_TRUE(same_bits<S>(scaled, plain * S(-2)));
}

TYPED_TEST(OwnTerm, GradientsMayBeLeftOutOrAccumulated) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 4, 21);
  const Matrix<S> y = random_rows<S>(30, 4, 22);
  const ScorePass<S> pass;
  HalfSquares<S> term(20);
  Matrix<S> dx;
  Matrix<S> dy;
  pass.forward_backward(term, x, y, dx, dy);
  Matrix<S> alone;
  pass.forward_backward(term, x, y, alone, nearfar::no_gradient);
  EXPECT_TRUE(same_bits(alone, dx));
  pass.forward_backward(term, x, y, nearfar::no_gradient, alone);
  EXPECT_TRUE(same_bits(alone, dy));
  Matrix<S> sum = Matrix<S>::Ones(20, 4);
  pass.forward_backward(term, x, y, nearfar::accumulate(sum), nearfar::no_gradient);
  EXPECT_TRUE(same_bits<S>(sum, dx + Matrix<S>::Ones(20, 4)));
}

// ---- gradients ---------------------------------------------------------------------------------

TYPED_TEST(OwnTerm, GradientsAreTheDerivativesOfTheValue) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(6, 3, 23);
  Matrix<S> y = random_rows<S>(9, 3, 24);
  Matrix<S> dx;
  Matrix<S> dy;
  Workspace one(1);
  for (const Reduction reduction : reductions) {
    SCOPED_TRACE("reduction " + std::to_string(static_cast<int>(reduction)));
    const ScorePass<S> pass({.reduction = reduction});
    SoftmaxOfPositive<S> of_keys(first_keys(6), temperature);
    pass.forward_backward(of_keys, x, y, dx, dy);
    expect_right(
        check_gradient<S>([&] { return pass.forward(of_keys, x, y, {.workspace = &one}).value; },
                          {{"queries", x, dx}, {"keys", y, dy}}),
        x.size() + y.size());
    SoftmaxOfPositive<S> of_others(partners(3), temperature);
    pass.forward_backward(of_others, x, dx);
    expect_right(
        check_gradient<S>([&] { return pass.forward(of_others, x, {.workspace = &one}).value; },
                          {{"x", x, dx}}),
        x.size());
  }
  const std::vector<int> labels = {0, 1, 0, 1, 2, 0};
  Squares<S> squares(labels, labels, 1.25, 0.5);
  const ScorePass<S, nearfar::Euclidean> distances;
  distances.forward_backward(squares, x, dx);
  expect_right(
      check_gradient<S>([&] { return distances.forward(squares, x, {.workspace = &one}).value; },
                        {{"x", x, dx}}),
      x.size());
}

TYPED_TEST(OwnTerm, WithAWrongGradientIsFoundByTheGradientChecker) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(6, 3, 25);
  Matrix<S> y = random_rows<S>(9, 3, 26);
  Matrix<S> dx;
  Matrix<S> dy;
  const ScorePass<S> pass;
  const auto check = [&](double factor) {
    HalfSquares<S> term(6, factor);
    pass.forward_backward(term, x, y, dx, dy);
    return check_gradient<S>([&] { return pass.forward(term, x, y).value; },
                             {{"queries", x, dx}, {"keys", y, dy}});
  };
  expect_right(check(1), x.size() + y.size());
  const nearfar::GradientCheckReport report = check(1.05);
  EXPECT_FALSE(report.passed) << report;
  EXPECT_EQ(report.kinks, 0) << report;
  EXPECT_NEAR(report.worst.error, 0.05 / 1.05, 5e-3) << report;
}

// ---- threads and memory ------------------------------------------------------------------------

TYPED_TEST(OwnTerm, HasTheSameBitsAtAnyNumberOfThreads) {
  using S = TypeParam;
  constexpr Index n = 450;
  const Matrix<S> x = random_rows<S>(n, 21, 27);
  const Matrix<S> y = random_rows<S>(800, 21, 28);
  const std::vector<double> upstream = random_upstream(n, 29);
  struct Run {
    nearfar::Result two_sets, one_set;
    Matrix<S> d_queries, d_keys, dx;
  };
  const auto run = [&](int threads) {
    Workspace workspace(threads);
    const nearfar::CallOptions<S> call{.workspace = &workspace, .upstream = upstream};
    const ScorePass<S> pass({.reduction = Reduction::none});
    Run out;
    SoftmaxOfPositive<S> of_keys(first_keys(n), temperature);
    out.two_sets = pass.forward_backward(of_keys, x, y, out.d_queries, out.d_keys, call);
    SoftmaxOfPositive<S> of_others(partners(n / 2), temperature);
    out.one_set = pass.forward_backward(of_others, x, out.dx, call);
    return out;
  };
  const Run one = run(1);
  for (const int threads : {2, 3}) {
    SCOPED_TRACE(testing::Message() << threads << " threads");
    const Run many = run(threads);
    expect_identical(many.two_sets, one.two_sets);
    expect_identical(many.one_set, one.one_set);
    EXPECT_TRUE(same_bits(many.d_queries, one.d_queries));
    EXPECT_TRUE(same_bits(many.d_keys, one.d_keys));
    EXPECT_TRUE(same_bits(many.dx, one.dx));
  }
}

TYPED_TEST(OwnTerm, ASecondCallWithTheSameWorkspaceAllocatesNothing) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(300, 17, 30);
  const Matrix<S> y = random_rows<S>(500, 17, 31);
  Matrix<S> dx;
  Matrix<S> dy;
  SoftmaxOfPositive<S> of_keys(first_keys(300), temperature);
  SoftmaxOfPositive<S> of_others(partners(150), temperature);
  Workspace workspace;
  const nearfar::CallOptions<S> call{.workspace = &workspace};
  const ScorePass<S> pass;
  const std::function<void()> calls[] = {
      [&] { pass.forward(of_keys, x, y, call); },
      [&] { pass.forward_backward(of_keys, x, y, dx, dy, call); },
      [&] { pass.forward(of_others, x, call); },
      [&] { pass.forward_backward(of_others, x, dx, call); },
  };
  for (const auto& run : calls) {
    run();
    const long before = allocations;
    run();
    EXPECT_EQ(allocations - before, 0);
  }
}

/// For four times the rows of both sets, an N x M matrix would take sixteen times the memory.
TYPED_TEST(OwnTerm, MemoryGrowsWithRowsAndNotWithPairs) {
  using S = TypeParam;
  constexpr Index depth = 16;
  const auto bytes = [&](Index n, bool one_set) {
    const Matrix<S> x = random_rows<S>(n, depth, 32);
    const Matrix<S> y = random_rows<S>(n, depth, 33);
    Matrix<S> dx;
    Matrix<S> dy;
    HalfSquares<S> term(n);
    Workspace workspace(2);
    const nearfar::CallOptions<S> call{.workspace = &workspace};
    if (one_set) {
      ScorePass<S>().forward_backward(term, x, dx, call);
    } else {
      ScorePass<S>().forward_backward(term, x, y, dx, dy, call);
    }
    return workspace.bytes();
  };
  for (const bool one_set : {false, true}) {
    const std::size_t small = bytes(1000, one_set);
    const std::size_t large = bytes(4000, one_set);
    EXPECT_LT(large, 5 * small) << small << " and " << large;
    EXPECT_LT(large, std::size_t(4000) * 4000 * sizeof(S) / 2);
  }
}

// ---- errors, and the empty batch ---------------------------------------------------------------

TYPED_TEST(OwnTerm, RefusesWhatDoesNotFit) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(6, 4, 34);
  const Matrix<S> y = random_rows<S>(9, 4, 35);
  const Matrix<S> narrow = random_rows<S>(9, 3, 36);
  Matrix<S> nan = x;
  nan(3, 2) = std::numeric_limits<S>::quiet_NaN();
  Matrix<S> infinite = y;
  infinite(8, 0) = std::numeric_limits<S>::infinity();
  const std::vector<double> numbers(6, 1.0);
  const std::vector<double> too_few(5, 1.0);
  HalfSquares<S> term(6);
  const ScorePass<S> pass;
  const ScorePass<S> of_rows({.reduction = Reduction::none});
  Matrix<S> dx = Matrix<S>::Constant(6, 4, S(3));
  Matrix<S> dy = Matrix<S>::Constant(9, 4, S(3));
  Matrix<S> small(5, 4);
  Matrix<S> parameter;
  const BadCall table[] = {
      {"keys of another depth",
       Thrown::invalid_argument,
       {"keys: wanted 9 x 4, got 9 x 3"},
       [&] { pass.forward(term, x, narrow); }},
      {"no columns",
       Thrown::invalid_argument,
       {"x: wanted rows of at least one element"},
       [&] { pass.forward(term, Matrix<S>(6, 0)); }},
      {"NaN in queries",
       Thrown::domain_error,
       {"queries: wanted finite elements", "NaN at row 3, column 2"},
       [&] { pass.forward_backward(term, nan, y, dx, dy); }},
      {"NaN in one set",
       Thrown::domain_error,
       {"x: wanted finite elements", "NaN at row 3, column 2"},
       [&] { pass.forward_backward(term, nan, dx); }},
      {"infinity in keys",
       Thrown::domain_error,
       {"keys: wanted finite elements", "infinity at row 8, column 0"},
       [&] { pass.forward_backward(term, x, infinite, dx, dy); }},
      {"upstream of each row of one value",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 6 numbers"},
       [&] { pass.forward_backward(term, x, y, dx, dy, {.upstream = numbers}); }},
      {"one upstream for all rows",
       Thrown::invalid_argument,
       {"upstream: wanted 6 numbers, one a row (Reduction::none), got one number"},
       [&] { of_rows.forward_backward(term, x, dx, {.upstream = 2.0}); }},
      {"an upstream too few",
       Thrown::invalid_argument,
       {"upstream: wanted 6 numbers", "got 5 numbers"},
       [&] { of_rows.forward_backward(term, x, dx, {.upstream = too_few}); }},
      {"an upstream that is not finite",
       Thrown::domain_error,
       {"upstream"},
       [&] {
         pass.forward_backward(term, x, dx, {.upstream = std::numeric_limits<double>::infinity()});
       }},
      {"a gradient of another shape",
       Thrown::invalid_argument,
       {"d_queries: wanted 6 x 4, got 5 x 4"},
       [&] { pass.forward_backward(term, x, y, nearfar::accumulate(small), dy); }},
      {"a gradient of a kernel without a matrix",
       Thrown::invalid_argument,
       {"d_parameter: wanted a kernel with a matrix"},
       [&] { pass.forward_backward(term, x, dx, {.d_parameter = parameter}); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_TRUE(same_bits<S>(dx, Matrix<S>::Constant(6, 4, S(3)))) << bad.name;
    EXPECT_TRUE(same_bits<S>(dy, Matrix<S>::Constant(9, 4, S(3)))) << bad.name;
  }
}

/// A value that is not finite is an error.
TYPED_TEST(OwnTerm, RefusesAValueThatIsNotFinite) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(6, 4, 37);
  const Matrix<S> no_keys(0, 4);
  SoftmaxOfPositive<S> term(first_keys(6), temperature);  // without keys: log 0
  EXPECT_THROW(ScorePass<S>().forward(term, x, no_keys), std::domain_error);
}

TYPED_TEST(OwnTerm, OfAnEmptyBatchIsZero) {
  using S = TypeParam;
  const Matrix<S> none(0, 4);
  const Matrix<S> y = random_rows<S>(9, 4, 38);
  HalfSquares<S> term(0);
  Matrix<S> dx;
  Matrix<S> dy;
  for (const Reduction reduction : reductions) {
    const ScorePass<S> pass({.reduction = reduction});
    const auto two_sets = pass.forward_backward(term, none, y, dx, dy);
    EXPECT_EQ(two_sets.value, 0);
    EXPECT_EQ(two_sets.diagnostics.terms, 0);
    EXPECT_EQ(dx.rows(), 0);
    EXPECT_TRUE(same_bits<S>(dy, Matrix<S>::Zero(9, 4)));
    const auto one_set = pass.forward_backward(term, none, dx);
    EXPECT_EQ(one_set.value, 0);
    EXPECT_TRUE(one_set.values.empty());
    EXPECT_EQ(dx.rows(), 0);
    EXPECT_EQ(dx.cols(), 4);
  }
}

TYPED_TEST(OwnTerm, ARowWithoutOthersHasNoScore) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(1, 4, 39);
  HalfSquares<S> term(1);
  Matrix<S> dx;
  const auto result = ScorePass<S>().forward_backward(term, x, dx);
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(result.diagnostics.terms, 1);
  EXPECT_EQ(result.diagnostics.active_terms, 0);
  EXPECT_TRUE(same_bits<S>(dx, Matrix<S>::Zero(1, 4)));
}

}  // namespace
