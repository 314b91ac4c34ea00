#include <gtest/gtest.h>

#include <nearfar/losses/hadsell.hpp>
#include <string>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/margins.hpp"
#include "support/options.hpp"

/// Hadsell's contrastive loss with every distance, over given pairs and over all pairs of a
/// labelled batch: values, counts and all gradients against the oracle on odd sizes, and against
/// finite differences on small ones, which do not depend on the oracle's formulas.

namespace {

using namespace support;
using nearfar::HadsellOptions;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::Upstream;

struct Sizes {
  Index rows;
  Index depth;
};

std::string text(const Sizes& s) {
  return std::to_string(s.rows) + " rows, depth " + std::to_string(s.depth);
}

std::string text(const Sizes& s, Reduction reduction) {
  return text(s) + ", reduction " + std::to_string(static_cast<int>(reduction));
}

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero,
                                    Reduction::none};

/// The common part of both forms: the kernel, and a margin such that some dissimilar pairs are
/// nearer and some farther.
template <class Case>
struct Problem {
  using S = typename Case::Scalar;
  using Loss = nearfar::HadsellContrastive<S, typename Case::Kernel>;

  explicit Problem(const Sizes& s) : of_kernel(s.depth) {}

  Case of_kernel;
  double margin = 1;
  Matrix<S> d_parameter;

  Loss loss(Reduction reduction) const {
    return Loss(HadsellOptions{.margin = margin, .reduction = reduction}, of_kernel.kernel());
  }

  nearfar::CallOptions<S> with_parameter(const Upstream& upstream) {
    return {.d_parameter = parameter_gradient<Case>(d_parameter), .upstream = upstream};
  }

  oracle::Request sized(oracle::Request request) const {
    request.parameter_rows = of_kernel.parameter.rows();
    request.parameter_cols = of_kernel.parameter.cols();
    return request;
  }
};

template <class Case>
struct Pairs : Problem<Case> {
  using S = typename Case::Scalar;
  using Loss = typename Problem<Case>::Loss;

  explicit Pairs(const Sizes& s)
      : Problem<Case>(s),
        first(random_rows<S>(s.rows, s.depth, 41)),
        second(random_rows<S>(s.rows, s.depth, 42)),
        same(random_labels(s.rows, 2, 43)) {
    const oracle::Matrix scores =
        oracle::paired(this->of_kernel.oracle(), oracle::exact(first), oracle::exact(second));
    std::vector<oracle::Real> distances;
    for (Index i = 0; i < s.rows; ++i) distances.push_back(scores(i, 0));
    this->margin = clear_margin(distances);
    // A dissimilar pair at a distance near the margin has a value of few digits: m - d cancels.
    for (Index i = 0; i < s.rows; ++i) {
      if (std::abs(scores(i, 0) - this->margin) < this->margin / 20) {
        same[static_cast<std::size_t>(i)] = 1;
      }
    }
  }

  Matrix<S> first;
  Matrix<S> second;
  std::vector<int> same;
  Matrix<S> d_first;
  Matrix<S> d_second;

  Result forward(const Loss& loss, nearfar::Workspace* workspace = nullptr) const {
    return loss.forward(first, second, same, nearfar::CallOptions<S>{.workspace = workspace});
  }
  Result gradients(const Loss& loss, const Upstream& upstream = {}) {
    return loss.forward_backward(first, second, same, d_first, d_second,
                                 this->with_parameter(upstream));
  }
  oracle::Loss want(const oracle::Request& request) const {
    return oracle::hadsell_pairs(this->of_kernel.oracle(), this->margin, oracle::exact(first),
                                 oracle::exact(second), same, this->sized(request));
  }
  void expect_gradients(const oracle::Loss& wanted) const {
    expect_gradient<S>(d_first, wanted.first, "da");
    expect_gradient<S>(d_second, wanted.second, "db");
    if (Case::parametric) expect_gradient<S>(this->d_parameter, wanted.parameter, "d_parameter");
  }
  std::vector<nearfar::CheckedInput<S>> checked() {
    return {{"a", first, d_first}, {"b", second, d_second}};
  }
};

template <class Case>
struct LabelledBatch : Problem<Case> {
  using S = typename Case::Scalar;
  using Loss = typename Problem<Case>::Loss;

  explicit LabelledBatch(const Sizes& s)
      : Problem<Case>(s),
        rows(random_rows<S>(s.rows, s.depth, 44)),
        labels(random_labels(s.rows, static_cast<int>(2 + s.rows / 8), 45)) {
    const oracle::Matrix exact = oracle::exact(rows);
    const oracle::Matrix scores = oracle::pairwise(this->of_kernel.oracle(), exact, exact);
    std::vector<oracle::Real> apart;
    for (Index i = 0; i < s.rows; ++i) {
      for (Index j = i + 1; j < s.rows; ++j) {
        if (labels[static_cast<std::size_t>(i)] != labels[static_cast<std::size_t>(j)]) {
          apart.push_back(scores(i, j));
        }
      }
    }
    this->margin = clear_margin(apart);
  }

  Matrix<S> rows;
  std::vector<int> labels;
  Matrix<S> d_rows;

  Result forward(const Loss& loss, nearfar::Workspace* workspace = nullptr) const {
    return loss.forward(rows, labels, nearfar::CallOptions<S>{.workspace = workspace});
  }
  Result gradients(const Loss& loss, const Upstream& upstream = {}) {
    return loss.forward_backward(rows, labels, d_rows, this->with_parameter(upstream));
  }
  oracle::Loss want(const oracle::Request& request) const {
    return oracle::hadsell_batch(this->of_kernel.oracle(), this->margin, oracle::exact(rows),
                                 labels, this->sized(request));
  }
  void expect_gradients(const oracle::Loss& wanted) const {
    expect_gradient<S>(d_rows, wanted.first, "dx");
    if (Case::parametric) expect_gradient<S>(this->d_parameter, wanted.parameter, "d_parameter");
  }
  std::vector<nearfar::CheckedInput<S>> checked() { return {{"x", rows, d_rows}}; }
};

// ---- tests of both forms -----------------------------------------------------------------------

/// Each row has a factor of its own, so that an error of one cannot hide behind another's.
template <class Form>
void expect_the_oracles(const Sizes& sizes) {
  using S = typename Form::S;
  SCOPED_TRACE(text(sizes));
  Form p(sizes);
  const std::vector<double> weights = random_upstream(sizes.rows, 46);
  const oracle::Loss want = p.want({.reduction = Reduction::none, .upstream = weights});
  const Result got = p.gradients(p.loss(Reduction::none), Upstream(weights));
  expect_result<S>(got, want, Reduction::none);
  p.expect_gradients(want);
}

template <class Form>
void expect_reduced(const Sizes& sizes) {
  using S = typename Form::S;
  for (const Reduction reduction : reductions) {
    SCOPED_TRACE(text(sizes, reduction));
    Form p(sizes);
    const auto loss = p.loss(reduction);
    const oracle::Loss want = p.want({.reduction = reduction});
    // A margin with all or none of the pairs within it would test half of the formula.
    ASSERT_LT(want.diagnostics.active_terms, want.diagnostics.terms);
    expect_result<S>(p.forward(loss), want, reduction);
    expect_result<S>(p.gradients(loss), want, reduction);
    p.expect_gradients(want);
    if (reduction == Reduction::none) continue;
    const oracle::Loss scaled = p.want({.reduction = reduction, .upstream = {-1.75}});
    expect_result<S>(p.gradients(loss, Upstream(-1.75)), scaled, reduction);
    p.expect_gradients(scaled);
    if (testing::Test::HasFailure()) return;
  }
}

template <class Form>
void expect_differences(const Sizes& sizes) {
  using S = typename Form::S;
  for (const Reduction reduction : reductions) {
    SCOPED_TRACE(text(sizes, reduction));
    Form p(sizes);
    const auto loss = p.loss(reduction);
    p.gradients(loss);
    std::vector<nearfar::CheckedInput<S>> inputs = p.checked();
    if (p.of_kernel.parametric) {
      inputs.push_back({"parameter", p.of_kernel.parameter, p.d_parameter});
    }
    Index elements = 0;
    for (const auto& input : inputs) elements += input.values.size();
    nearfar::Workspace workspace(1);
    expect_right(nearfar::check_gradient<S>(
                     [&] { return p.forward(p.loss(reduction), &workspace).value; }, inputs),
                 elements);
  }
}

template <class Case>
class HadsellOfKernels : public testing::Test {};
TYPED_TEST_SUITE(HadsellOfKernels, DistanceKernels, CaseNames);

TYPED_TEST(HadsellOfKernels, PairsEqualTheOracleOnOddSizes) {
  for (const Sizes& sizes : {Sizes{1, 1}, Sizes{1, 17}, Sizes{2, 3}, Sizes{7, 17}, Sizes{7, 128},
                             Sizes{33, 200}, Sizes{33, 3}, Sizes{130, 17}, Sizes{130, 128}}) {
    expect_the_oracles<Pairs<TypeParam>>(sizes);
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST(HadsellOfKernels, ABatchEqualsTheOracleOnOddSizes) {
  for (const Sizes& sizes : {Sizes{1, 3}, Sizes{2, 1}, Sizes{2, 200}, Sizes{7, 3}, Sizes{7, 128},
                             Sizes{33, 3}, Sizes{33, 17}, Sizes{33, 128}, Sizes{130, 17}}) {
    expect_the_oracles<LabelledBatch<TypeParam>>(sizes);
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST(HadsellOfKernels, PairsReduceAsTheOptionSays) {
  for (const Sizes& sizes : {Sizes{33, 3}, Sizes{130, 17}}) expect_reduced<Pairs<TypeParam>>(sizes);
}

TYPED_TEST(HadsellOfKernels, ABatchReducesAsTheOptionSays) {
  for (const Sizes& sizes : {Sizes{7, 17}, Sizes{33, 4}}) {
    expect_reduced<LabelledBatch<TypeParam>>(sizes);
  }
}

TYPED_TEST(HadsellOfKernels, GradientsOfPairsMatchFiniteDifferences) {
  expect_differences<Pairs<TypeParam>>({9, 4});
}

TYPED_TEST(HadsellOfKernels, GradientsOfABatchMatchFiniteDifferences) {
  expect_differences<LabelledBatch<TypeParam>>({6, 4});
}

TYPED_TEST(HadsellOfKernels, OfNoRowsIsZero) {
  for (const Reduction reduction : reductions) {
    Pairs<TypeParam> pairs({0, 3});
    LabelledBatch<TypeParam> batch({0, 3});
    for (const Result& got :
         {pairs.gradients(pairs.loss(reduction)), batch.gradients(batch.loss(reduction))}) {
      EXPECT_EQ(got.value, 0);
      EXPECT_TRUE(got.values.empty());
      EXPECT_EQ(got.diagnostics.terms, 0);
    }
    EXPECT_EQ(pairs.d_first.rows(), 0);
    EXPECT_EQ(batch.d_rows.rows(), 0);
  }
}

TYPED_TEST(HadsellOfKernels, EqualRowsAreAtDistanceZero) {
  using S = typename TypeParam::Scalar;
  constexpr Index n = 33;
  constexpr double pairs = n * (n - 1) / 2;
  constexpr double margin = 1.5;
  const TypeParam c(5);
  const nearfar::HadsellContrastive<S, typename TypeParam::Kernel> loss({.margin = margin},
                                                                        c.kernel());
  const Matrix<S> x = random_rows<S>(1, 5, 73).replicate(n, 1);
  std::vector<int> different(n);
  for (std::size_t i = 0; i < n; ++i) different[i] = static_cast<int>(i);
  Matrix<S> dx;
  Matrix<S> dy;

  // Cosines of equal rows are 1 but for rounding errors.
  const double rounding = Tolerance<S>::value;
  const Result alike = loss.forward_backward(x, std::vector<int>(n, 4), dx);
  EXPECT_NEAR(alike.value, 0, rounding);
  EXPECT_LE(static_cast<double>(dx.cwiseAbs().maxCoeff()), rounding);
  const Result apart = loss.forward_backward(x, different, dx);
  EXPECT_NEAR(apart.value, margin * margin / 2, rounding * margin);
  EXPECT_EQ(apart.diagnostics.active_terms, pairs);
  EXPECT_TRUE(dx.allFinite());

  EXPECT_NEAR(loss.forward_backward(x, x, std::vector<int>(n, 1), dx, dy).value, 0, rounding);
  EXPECT_LE(static_cast<double>(dx.cwiseAbs().maxCoeff()), rounding);
  EXPECT_NEAR(loss.forward_backward(x, x, std::vector<int>(n, 0), dx, dy).value,
              margin * margin / 2, rounding * margin);
  EXPECT_TRUE(dx.allFinite());
  EXPECT_TRUE(dy.allFinite());
  if (TypeParam::Kernel::geometry == nearfar::Geometry::squared_distance) {
    EXPECT_EQ(alike.value, 0);
    EXPECT_EQ(alike.diagnostics.active_terms, 0);
    EXPECT_EQ(alike.diagnostics.zero_distances, pairs);
    EXPECT_EQ(apart.diagnostics.zero_distances, pairs);
    EXPECT_EQ(dx, (Matrix<S>::Zero(n, 5))) << "the subgradient at distance 0";
  }
}

/// SquareFactor::one, in all three forms.
TEST(HadsellContrastive, SquareFactorOneIsTwiceTheHalf) {
  const Matrix<double> x = random_rows<double>(9, 4, 1);
  const Matrix<double> y = random_rows<double>(9, 4, 2);
  const std::vector<int> labels = random_labels(9, 3, 3);
  const std::vector<int> same = {1, 0, 1, 0, 0, 1, 1, 0, 0};
  const nearfar::HadsellContrastive<double> half({.margin = 2});
  const nearfar::HadsellContrastive<double> one(
      {.margin = 2, .factor = nearfar::SquareFactor::one});
  const auto expect_twice = [&](const auto& call) {
    Matrix<double> dx, dy, dx_of_one, dy_of_one;
    const double value = call(half, dx, dy);
    EXPECT_GT(value, 0);
    EXPECT_DOUBLE_EQ(call(one, dx_of_one, dy_of_one), 2 * value);
    EXPECT_LE((dx_of_one - 2 * dx).norm(), 1e-15 * dx.norm());
    EXPECT_LE((dy_of_one - 2 * dy).norm(), 1e-15 * dy.norm());
  };
  expect_twice([&](const auto& loss, Matrix<double>& dx, Matrix<double>& dy) {
    return loss.forward_backward(x, y, same, dx, dy).value;
  });
  expect_twice([&](const auto& loss, Matrix<double>& dx, Matrix<double>& dy) {
    return loss.forward_backward(x, labels, y, same, dx, dy).value;
  });
  expect_twice([&](const auto& loss, Matrix<double>& dx, Matrix<double>& dy) {
    dy = Matrix<double>::Zero(1, 1);
    return loss.forward_backward(x, labels, dx).value;
  });
}

template <class S>
class HadsellOf : public testing::Test {};
TYPED_TEST_SUITE(HadsellOf, Scalars, CaseNames);

TYPED_TEST(HadsellOf, ARowWithoutAnotherIsSkippedByDefault) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(5, 4, 1);
  Matrix<S> dx;
  const auto of_one = nearfar::HadsellContrastive<S>().forward_backward(Matrix<S>(x.topRows(1)),
                                                                        std::vector<int>{3}, dx);
  EXPECT_EQ(of_one.value, 0);
  EXPECT_EQ(of_one.diagnostics.terms, 0);
  EXPECT_EQ(dx, (Matrix<S>::Zero(1, 4)));
  EXPECT_NO_THROW(
      (nearfar::HadsellContrastive<S>({.unusable_anchors = nearfar::UnusableAnchor::error})
           .forward(x, std::vector<int>{0, 1, 0, 1, 1})));
}

TEST(HadsellContrastive, RefusesFlagsOfPairsOtherThanZeroAndOne) {
  const Matrix<float> x = random_rows<float>(3, 4, 1);
  const auto with = [&](const std::vector<int>& same) {
    return [&x, same] { nearfar::HadsellContrastive<float>().forward(x, x, same); };
  };
  const BadCall table[] = {
      {"the first pair's",
       Thrown::invalid_argument,
       {"same: wanted 0 or 1 for each pair, got 2 for pair 0"},
       with({2, 0, 1})},
      {"the last pair's", Thrown::invalid_argument, {"got -1 for pair 2"}, with({1, 0, -1})},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

// ---- options ------------------------------------------------------------------------------------

TEST(HadsellContrastive, RefusesAMarginThatIsNotPositive) {
  using nearfar::HadsellContrastive;
  expect_must_be_positive("margin", [](double v) { HadsellContrastive<float>({.margin = v}); });
  expect_must_be_positive("margin", [](double v) { HadsellContrastive<double>({.margin = v}); });
}

TEST(HadsellContrastive, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(HadsellOptions().margin, 1);
  EXPECT_EQ(HadsellOptions().factor, nearfar::SquareFactor::half);
  expect_common_defaults<HadsellOptions>();
}

}  // namespace
