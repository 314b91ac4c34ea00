#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <sstream>

#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"

/// The gradient checker accepts correct gradients, finds wrong ones, reports where, and leaves the
/// inputs unchanged.

namespace {

using namespace support;
using nearfar::check_gradient;
using nearfar::GradientCheckOptions;
using nearfar::GradientCheckReport;

/// f(x) = sum of w sin(x), a smooth function with a known gradient.
template <class S>
struct Waves {
  Matrix<S> x = uniform_matrix<S>(3, 4, 1);
  Matrix<S> weights = uniform_matrix<S>(3, 4, 2);

  double value() const {
    double sum = 0;
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index k = 0; k < x.cols(); ++k) {
        sum += static_cast<double>(weights(i, k)) * std::sin(static_cast<double>(x(i, k)));
      }
    }
    return sum;
  }
  Matrix<S> gradient() const { return weights.array() * x.array().cos(); }
  GradientCheckReport check(const Matrix<S>& claimed, GradientCheckOptions options = {}) {
    return check_gradient<S>([&] { return value(); }, {{"x", x, claimed}}, options);
  }
};

template <class S>
class GradientChecker : public testing::Test {};
TYPED_TEST_SUITE(GradientChecker, Scalars, CaseNames);

TYPED_TEST(GradientChecker, AcceptsARightGradient) {
  Waves<TypeParam> f;
  expect_right(f.check(f.gradient()), 12);
}

TYPED_TEST(GradientChecker, RejectsHalfAGradient) {
  Waves<TypeParam> f;
  const GradientCheckReport report = f.check(f.gradient() / TypeParam(2));
  EXPECT_FALSE(report.passed) << report;
  EXPECT_EQ(report.kinks, 0) << "a wrong claim is no kink";
  EXPECT_EQ(report.checked, 12);
  EXPECT_NEAR(report.worst.error, 0.5, 1e-3);
}

TYPED_TEST(GradientChecker, RejectsTheOppositeGradientAndNone) {
  Waves<TypeParam> f;
  EXPECT_FALSE(f.check(-f.gradient()).passed);
  EXPECT_FALSE(f.check(Matrix<TypeParam>::Zero(3, 4)).passed);
}

TYPED_TEST(GradientChecker, NamesTheOneElementThatIsWrong) {
  using S = TypeParam;
  Waves<S> f;
  Matrix<S> other = uniform_matrix<S>(2, 2, 3);
  Matrix<S> claimed = f.gradient();
  const double wanted = static_cast<double>(claimed(2, 1));
  claimed(2, 1) += S(0.05);
  const GradientCheckReport report =
      check_gradient<S>([&] { return f.value() + static_cast<double>(other.sum()); },
                        {{"other", other, Matrix<S>::Ones(2, 2)}, {"x", f.x, claimed}});
  EXPECT_FALSE(report.passed) << report;
  EXPECT_EQ(report.checked, 16);
  EXPECT_EQ(report.worst.input, "x");
  EXPECT_EQ(report.worst.row, 2);
  EXPECT_EQ(report.worst.col, 1);
  EXPECT_EQ(report.worst.claimed, static_cast<double>(claimed(2, 1)));
  EXPECT_NEAR(report.worst.measured, wanted, 1e-4);
  EXPECT_GT(report.worst.error, 0.04);  // of a largest entry below 1.05
  std::ostringstream text;
  text << report;
  for (const char* words : {"FAILED: 16 elements checked, 0 at kinks", "worst error", "x(2, 1)"}) {
    EXPECT_NE(text.str().find(words), std::string::npos) << text.str();
  }
}

/// An error is found even if another set has a far larger gradient: each set has its own scale.
TYPED_TEST(GradientChecker, ComparesEachInputAtItsOwnScale) {
  using S = TypeParam;
  Waves<S> f;
  Matrix<S> steep = uniform_matrix<S>(1, 3, 4);
  const auto value = [&] { return f.value() + 1000 * static_cast<double>(steep.sum()); };
  const Matrix<S> thousands = Matrix<S>::Constant(1, 3, S(1000));
  const Matrix<S> wrong = f.gradient() * S(0.9);
  const auto report = check_gradient<S>(value, {{"steep", steep, thousands}, {"x", f.x, wrong}});
  EXPECT_FALSE(report.passed) << report;
  EXPECT_EQ(report.worst.input, "x");
}

TYPED_TEST(GradientChecker, RejectsNaN) {
  Waves<TypeParam> f;
  for (const Index at : {0, 2}) {  // the first compared element, and another
    Matrix<TypeParam> claimed = f.gradient();
    claimed(at, at) = std::numeric_limits<TypeParam>::quiet_NaN();
    const GradientCheckReport report = f.check(claimed);
    EXPECT_FALSE(report.passed) << report;
    EXPECT_EQ(report.worst.row, at);
    EXPECT_EQ(report.worst.col, at);
  }
}

TYPED_TEST(GradientChecker, RejectsInfinity) {
  Waves<TypeParam> f;
  for (const Index at : {0, 2}) {
    Matrix<TypeParam> claimed = f.gradient();
    claimed(at, at) = std::numeric_limits<TypeParam>::infinity();
    const GradientCheckReport report = f.check(claimed);
    EXPECT_FALSE(report.passed) << report;
    EXPECT_EQ(report.worst.row, at);
    EXPECT_EQ(report.worst.col, at);
  }
}

/// A value that is NaN near one element gives no derivative.
TYPED_TEST(GradientChecker, RejectsAValueThatIsNaN) {
  using S = TypeParam;
  Waves<S> f;
  const S original = f.x(1, 1);
  const auto value = [&] {
    return f.x(1, 1) == original ? f.value() : std::numeric_limits<double>::quiet_NaN();
  };
  const auto report = check_gradient<S>(value, {{"x", f.x, f.gradient()}});
  EXPECT_FALSE(report.passed) << report;
}

TYPED_TEST(GradientChecker, RejectsAGradientThatIsNaNEverywhere) {
  Waves<TypeParam> f;
  const auto nan = std::numeric_limits<TypeParam>::quiet_NaN();
  EXPECT_FALSE(f.check(Matrix<TypeParam>::Constant(3, 4, nan)).passed);
}

/// |x| has a kink at 0, max(x, 0.5) at 0.5: there nothing is compared, for any claim.
TYPED_TEST(GradientChecker, SkipsAndCountsKinks) {
  using S = TypeParam;
  Matrix<S> x(2, 3);
  x << S(0), S(0.9), S(-0.7), S(1), S(0.5), S(-1.5);
  const auto value = [&] {
    double sum = 0;
    for (Index i = 0; i < 2; ++i) {
      for (Index k = 0; k < 3; ++k) {
        const auto v = static_cast<double>(x(i, k));
        sum += i == 0 ? std::abs(v) : std::max(v, 0.5);
      }
    }
    return sum;
  };
  Matrix<S> claimed(2, 3);
  claimed << S(0.3), S(1), S(-1), S(1), S(-0.2), S(0);
  const auto report = check_gradient<S>(value, {{"x", x, claimed}});
  EXPECT_TRUE(report.passed) << report;
  EXPECT_EQ(report.kinks, 2);
  EXPECT_EQ(report.checked, 4);
  claimed(0, 1) = S(-1);  // next to a kink an error still counts
  const auto wrong = check_gradient<S>(value, {{"x", x, claimed}});
  EXPECT_FALSE(wrong.passed) << wrong;
  EXPECT_EQ(wrong.kinks, 2);
  EXPECT_EQ(wrong.worst.col, 1);
}

TYPED_TEST(GradientChecker, FindsKinksAwayFromTheElement) {
  using S = TypeParam;
  // The kink is within the step but not in its middle: each slope alone is smooth.
  Matrix<S> x = Matrix<S>::Constant(1, 1, S(0.3));
  const double corner = static_cast<double>(x(0, 0)) + (sizeof(S) == 4 ? 6e-3 : 3e-4);
  const auto value = [&] { return std::abs(static_cast<double>(x(0, 0)) - corner); };
  const auto report = check_gradient<S>(value, {{"x", x, Matrix<S>::Constant(1, 1, S(-1))}});
  EXPECT_EQ(report.kinks, 1) << report;
  EXPECT_EQ(report.checked, 0) << report;
}

TYPED_TEST(GradientChecker, PassesNothingWhereThereIsNothingToCompare) {
  using S = TypeParam;
  Matrix<S> corner = Matrix<S>::Zero(1, 1);
  const auto report = check_gradient<S>([&] { return std::abs(static_cast<double>(corner(0, 0))); },
                                        {{"corner", corner, Matrix<S>::Zero(1, 1)}});
  EXPECT_FALSE(report.passed) << "only a kink";
  EXPECT_EQ(report.kinks, 1);

  Matrix<S> empty(0, 3);
  EXPECT_FALSE(check_gradient<S>([] { return 1.0; }, {{"empty", empty, empty}}).passed);
  EXPECT_FALSE(check_gradient<S>([] { return 1.0; }, {}).passed);
}

TYPED_TEST(GradientChecker, AcceptsAGradientOfZero) {
  using S = TypeParam;
  Matrix<S> x = uniform_matrix<S>(2, 2, 5);
  expect_right(check_gradient<S>([] { return 3.0; }, {{"x", x, Matrix<S>::Zero(2, 2)}}), 4);
}

TYPED_TEST(GradientChecker, ToleranceIsThatOfTheOptions) {
  Waves<TypeParam> f;
  const Matrix<TypeParam> off = f.gradient() * TypeParam(1.01);
  EXPECT_FALSE(f.check(off).passed);
  EXPECT_TRUE(f.check(off, {.tolerance = 0.02}).passed);
  EXPECT_FALSE(f.check(off, {.tolerance = 0.005}).passed);
}

TYPED_TEST(GradientChecker, SaysWhatItFoundAndWhere) {
  using S = TypeParam;
  const auto told = [](const GradientCheckReport& report) {
    std::ostringstream out;
    out << report;
    return out.str();
  };
  Waves<S> f;
  EXPECT_EQ(told(f.check(f.gradient())).find("passed: 12 elements checked, 0 at kinks skipped; "),
            0u);
  Matrix<S> wrong = f.gradient();
  wrong(2, 1) += S(3);
  const std::string failed = told(f.check(wrong));
  EXPECT_EQ(failed.find("FAILED: 12 elements checked, 0 at kinks skipped; worst error "), 0u)
      << failed;
  EXPECT_NE(failed.find(" at x(2, 1): claimed "), std::string::npos) << failed;
  EXPECT_EQ(told(check_gradient<S>([] { return 1.0; }, {})),
            "FAILED: 0 elements checked, 0 at kinks skipped");
}

/// A kink that is smoothed over less than a step counts as a kink or not, depending on the limit.
TYPED_TEST(GradientChecker, KinksAreThoseOfTheOptions) {
  using S = TypeParam;
  Matrix<S> x(1, 2);
  x << S(0.25), S(1);
  Matrix<S> gradient(1, 2);
  gradient << S(0), S(1);
  const auto value = [&] {
    const double d = static_cast<double>(x(0, 0)) - 0.25;
    return std::sqrt(d * d + 1e-2) + static_cast<double>(x(0, 1));
  };
  const auto check = [&](double kink) {
    return check_gradient<S>(value, {{"x", x, gradient}}, {.step = 0.2, .kink = kink});
  };
  EXPECT_EQ(check(0.01).kinks, 1);
  EXPECT_EQ(check(0.5).kinks, 0);
  EXPECT_TRUE(check(0.5).passed);
}

TYPED_TEST(GradientChecker, PutsEveryElementBack) {
  using S = TypeParam;
  Waves<S> f;
  const Matrix<S> before = f.x;
  f.check(f.gradient());
  EXPECT_EQ(f.x, before);

  int calls = 0;
  const auto failing = [&]() -> double {
    if (++calls == 23) throw std::domain_error("enough");
    return f.value();
  };
  EXPECT_THROW(check_gradient<S>(failing, {{"x", f.x, f.gradient()}}), std::domain_error);
  EXPECT_EQ(f.x, before) << "after a value that threw";
}

TYPED_TEST(GradientChecker, ChecksBlocksOfRows) {
  using S = TypeParam;
  Matrix<S> all = uniform_matrix<S>(4, 6, 6);
  const auto value = [&] { return static_cast<double>(all.squaredNorm()) / 2; };
  const Matrix<S> claimed = all.block(1, 2, 2, 3);
  expect_right(check_gradient<S>(value, {{"block", all.block(1, 2, 2, 3), claimed}}), 6);
}

TYPED_TEST(GradientChecker, RefusesGradientsOfAnotherShape) {
  using S = TypeParam;
  Waves<S> f;
  Matrix<S> y = uniform_matrix<S>(2, 2, 7);
  const Matrix<S> right = f.gradient();
  const auto value = [&] { return f.value(); };
  const BadCall table[] = {
      {"transposed",
       Thrown::invalid_argument,
       {"gradient of x: wanted 3 x 4, got 4 x 3"},
       [&] { f.check(right.transpose()); }},
      {"none",
       Thrown::invalid_argument,
       {"gradient of x: wanted 3 x 4, got 0 x 0"},
       [&] { f.check(Matrix<S>()); }},
      {"the second's",
       Thrown::invalid_argument,
       {"gradient of y: wanted 2 x 2, got 2 x 1"},
       [&] {
         check_gradient<S>(value, {{"x", f.x, right}, {"y", y, Matrix<S>::Zero(2, 1)}});
       }},
  };
  const Matrix<S> before = f.x;
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_EQ(f.x, before) << bad.name;
  }
}

TYPED_TEST(GradientChecker, RefusesOptionsThatMakeNoSenseBeforeItCalls) {
  using S = TypeParam;
  Waves<S> f;
  const Matrix<S> right = f.gradient();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  using Options = nearfar::GradientCheckOptions;
  const std::pair<const char*, double Options::*> members[] = {
      {"tolerance", &Options::tolerance}, {"step", &Options::step}, {"kink", &Options::kink}};
  int calls = 0;
  const auto value = [&] {
    ++calls;
    return f.value();
  };
  for (const auto& [name, member] : members) {
    for (const double bad : {-1e-3, nan, infinite}) {
      Options options;
      options.*member = bad;
      expect_refused({name,
                      Thrown::invalid_argument,
                      {std::string(name) + ": wanted a finite number >= 0"},
                      [&] {
                        check_gradient<S>(value, {{"x", f.x, right}}, options);
                      }});
    }
  }
  expect_refused({"no function", Thrown::invalid_argument, {"value: wanted a function"}, [&] {
                    check_gradient<S>(nullptr, {{"x", f.x, right}});
                  }});
  expect_refused({"shape", Thrown::invalid_argument, {"gradient of x: wanted 3 x 4"}, [&] {
                    check_gradient<S>(value, {{"x", f.x, Matrix<S>(1, 1)}});
                  }});
  EXPECT_EQ(calls, 0);
}

/// The checker's purpose: a loss's gradient with one wrong element.
TYPED_TEST(GradientChecker, FindsAnErrorInTheGradientOfALoss) {
  using S = TypeParam;
  Matrix<S> queries = random_rows<S>(4, 3, 8);
  Matrix<S> keys = random_rows<S>(5, 3, 9);
  const nearfar::InfoNce<S> loss({.temperature = 0.5});
  Matrix<S> d_queries;
  Matrix<S> d_keys;
  loss.forward_backward(queries, keys, d_queries, d_keys);
  const auto check = [&] {
    return check_gradient<S>([&] { return loss.forward(queries, keys).value; },
                             {{"queries", queries, d_queries}, {"keys", keys, d_keys}});
  };
  expect_right(check(), queries.size() + keys.size());
  d_keys(3, 2) += d_keys.cwiseAbs().maxCoeff() / S(10);
  const GradientCheckReport report = check();
  EXPECT_FALSE(report.passed) << report;
  EXPECT_EQ(report.worst.input, "keys");
  EXPECT_EQ(report.worst.row, 3);
  EXPECT_EQ(report.worst.col, 2);
}

}  // namespace
