#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/kernel_cases.hpp"
#include "support/subjects.hpp"

/// What is promised of every loss, tested of every loss x kernel x form, in both scalar types:
/// gradients are the derivatives of the value, the same bits come from any number of threads,
/// memory is taken once, the order of rows does not matter, results are finite.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::Workspace;

template <class S>
class Contract : public testing::Test {};
TYPED_TEST_SUITE(Contract, Scalars, CaseNames);

/// In double, and in float where differences can be told from rounding, that is without corners.
TYPED_TEST(Contract, GradientsAreTheDerivativesOfTheValue) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  constexpr bool is_double = sizeof(S) == sizeof(double);
  for (const Reduction reduction : all_reductions()) {
    for (const Subject<S>& subject : all_subjects<S>(9, 4, reduction)) {
      if (!is_double && !subject.smooth) continue;
      SCOPED_TRACE(subject.name + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Inputs x = subject.inputs;
      Inputs gradients;
      const double value = subject.gradients(x, gradients).value;
      EXPECT_EQ(value, subject.forward(x).value);
      std::vector<nearfar::CheckedInput<S>> checked;
      Index elements = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        checked.push_back({subject.input_names[k], x[k], gradients[k]});
        elements += x[k].size();
      }
      // Small steps meet few corners.
      nearfar::GradientCheckOptions options;
      if (is_double) options.step = 1e-5;
      const auto report =
          nearfar::check_gradient<S>([&] { return subject.forward(x).value; }, checked, options);
      EXPECT_TRUE(report.passed) << report;
      EXPECT_GE(report.checked, subject.smooth ? elements : elements - 4) << report;
    }
  }
}

/// What differences can't show in float: that it computes what double does, corners and all.
TEST(Scalars, FloatComputesWhatDoubleDoes) {
  for (const Reduction reduction : all_reductions()) {
    const auto singles = all_subjects<float>(33, 17, reduction);
    auto doubles = all_subjects<double>(33, 17, reduction);
    ASSERT_EQ(singles.size(), doubles.size());
    for (std::size_t n = 0; n < singles.size(); ++n) {
      SCOPED_TRACE(singles[n].name + ", reduction " + std::to_string(static_cast<int>(reduction)));
      typename Subject<double>::Inputs x;
      for (const Matrix<float>& m : singles[n].inputs) x.push_back(m.cast<double>());
      typename Subject<float>::Inputs got;
      typename Subject<double>::Inputs want;
      const double value = singles[n].gradients(singles[n].inputs, got).value;
      const double wanted = doubles[n].gradients(x, want).value;
      EXPECT_NEAR(value, wanted, 2e-5 * std::max(1.0, std::abs(wanted)));
      for (std::size_t k = 0; k < want.size(); ++k) {
        const oracle::Matrix exact = oracle::exact(want[k]);
        expect_near<float>(got[k], exact, 2e-4L * largest(exact),
                           singles[n].input_names[k].c_str());
      }
    }
  }
}

TYPED_TEST(Contract, DerivativesOfLearnableNumbersAreRight) {
  using S = TypeParam;
  int found = 0;
  for (const Reduction reduction : all_reductions()) {
    for (const Subject<S>& subject : all_subjects<S>(9, 4, reduction)) {
      SCOPED_TRACE(subject.name);
      for (const Scalar& scalar : subject.scalars(subject.inputs, subject.labels)) {
        const double h = sizeof(S) == sizeof(double) ? 1e-4 : 1e-2;
        const auto slope = [&](double step) {
          return (scalar.value(scalar.at + step) - scalar.value(scalar.at - step)) / (2 * step);
        };
        const double measured = (4 * slope(h / 2) - slope(h)) / 3;
        const double tolerance = sizeof(S) == sizeof(double) ? 1e-7 : 2e-3;
        EXPECT_NEAR(scalar.derivative, measured, tolerance * std::max(1.0, std::abs(measured)))
            << scalar.name;
        ++found;
      }
    }
  }
  EXPECT_GT(found, 200);
}

TYPED_TEST(Contract, UpstreamMultipliesGradients) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  const nearfar::Upstream minus_two(-2.0);
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean)) {
    SCOPED_TRACE(subject.name);
    Inputs plain;
    Inputs scaled;
    const double value = subject.gradients(subject.inputs, plain).value;
    EXPECT_EQ(subject.call(subject.inputs, subject.labels, &scaled, nullptr, &minus_two).value,
              value);
    for (std::size_t k = 0; k < plain.size(); ++k) {
      expect_same<S>(scaled[k], S(-2) * plain[k], subject.input_names[k].c_str());
    }
  }
}

TYPED_TEST(Contract, UpstreamOfRowsWeighsTheirValues) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::none)) {
    if (sizeof(S) == sizeof(float) && !subject.smooth) continue;
    SCOPED_TRACE(subject.name);
    const std::size_t rows = subject.forward(subject.inputs).values.size();
    const std::vector<double> weights = random_upstream(static_cast<Index>(rows), 3);
    const nearfar::Upstream upstream(weights);
    Inputs x = subject.inputs;
    Inputs g;
    subject.call(x, subject.labels, &g, nullptr, &upstream);
    const auto weighed = [&] {
      const std::vector<double> values = subject.forward(x).values;
      double sum = 0;
      for (std::size_t i = 0; i < rows; ++i) sum += weights[i] * values[i];
      return sum;
    };
    nearfar::GradientCheckOptions options;
    if (sizeof(S) == sizeof(double)) options.step = 1e-5;
    const auto report =
        nearfar::check_gradient<S>(weighed, {{subject.input_names[0], x[0], g[0]}}, options);
    EXPECT_TRUE(report.passed) << report;
  }
}

TYPED_TEST(Contract, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(230, 19, Reduction::mean)) {
    SCOPED_TRACE(subject.name);
    Workspace alone(1);
    Inputs want;
    const auto expected = subject.gradients(subject.inputs, want, &alone);
    for (const int threads : {2, 3, 4, 7, 16}) {
      Workspace workspace(threads);
      Inputs got;
      const auto result = subject.gradients(subject.inputs, got, &workspace);
      EXPECT_EQ(result.value, expected.value) << threads << " threads";
      expect_same_counts(result.diagnostics, expected.diagnostics);
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_TRUE(same_bits<S>(got[k], want[k])) << threads << " threads";
      }
    }
  }
}

TYPED_TEST(Contract, ASecondCallAllocatesNothing) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(40, 7, Reduction::mean)) {
    SCOPED_TRACE(subject.name);
    Workspace workspace(1);
    Inputs g;
    subject.gradients(subject.inputs, g, &workspace);
    const long before = allocations;
    subject.gradients(subject.inputs, g, &workspace);
    EXPECT_EQ(allocations - before, 0);
  }
}

TYPED_TEST(Contract, OrderOfRowsDoesNotMatter) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(40, 7, Reduction::mean)) {
    SCOPED_TRACE(subject.name);
    Inputs want;
    const double value = subject.gradients(subject.inputs, want).value;
    Inputs x = subject.inputs;
    auto labels = subject.labels;
    const std::size_t sets = x.size() - (subject.parametric ? 1 : 0);
    std::vector<std::vector<Index>> orders;
    for (std::size_t k = 0; k < sets; ++k) {
      // Sets of one size whose rows belong together move together.
      const bool follows = subject.paired && x[k].rows() == x[0].rows();
      orders.push_back(random_order(x[k].rows(), follows ? 77 : 78 + k));
      x[k] = reordered(subject.inputs[k], orders[k]);
      for (std::size_t i = 0; k < labels.size() && i < labels[k].size(); ++i) {
        labels[k][i] = subject.labels[k][static_cast<std::size_t>(orders[k][i])];
      }
    }
    Inputs got;
    const double moved = subject.call(x, labels, &got, nullptr, nullptr).value;
    EXPECT_NEAR(moved, value, Tolerance<S>::same * std::max(1.0, std::abs(value)));
    for (std::size_t k = 0; k < sets; ++k) {
      expect_same<S>(got[k], reordered(want[k], orders[k]), subject.input_names[k].c_str());
    }
  }
}

TYPED_TEST(Contract, HardInputsGiveFiniteResultsOrAClearError) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  const S tiny = sizeof(S) == sizeof(float) ? S(1e-20) : S(1e-160);
  const S huge = sizeof(S) == sizeof(float) ? S(1e18) : S(1e150);
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean)) {
    const std::size_t sets = subject.inputs.size() - (subject.parametric ? 1 : 0);
    const auto changed = [&](const std::function<void(Matrix<S>&)>& change) {
      Inputs x = subject.inputs;
      for (std::size_t k = 0; k < sets; ++k) change(x[k]);
      return x;
    };
    const std::pair<const char*, Inputs> cases[] = {
        {"all rows the same", changed([](Matrix<S>& m) { m.setConstant(S(0.3)); })},
        {"all zero", changed([](Matrix<S>& m) { m.setZero(); })},
        {"some zero", changed([](Matrix<S>& m) { m.topRows(3).setZero(); })},
        {"duplicates", changed([](Matrix<S>& m) { m.row(1) = m.row(0); })},
        {"tiny", changed([&](Matrix<S>& m) { m *= tiny; })},
        {"denormal",
         changed([](Matrix<S>& m) { m *= std::numeric_limits<S>::denorm_min() * S(8); })},
        {"huge", changed([&](Matrix<S>& m) { m *= huge; })},
        {"large", changed([](Matrix<S>& m) { m *= S(1e4); })},
    };
    for (const auto& [name, x] : cases) {
      SCOPED_TRACE(subject.name + ", " + name);
      Inputs g;
      try {
        const auto result = subject.gradients(x, g);
        EXPECT_TRUE(std::isfinite(result.value)) << result.value;
        for (std::size_t k = 0; k < g.size(); ++k) {
          EXPECT_TRUE(all_finite<S>(g[k])) << subject.input_names[k];
        }
      } catch (const std::domain_error& error) {
        EXPECT_NE(std::string(error.what()).find("overflow"), std::string::npos) << error.what();
      }
    }
  }
}

TYPED_TEST(Contract, EmptyAndSingleRowsAreAnswered) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean)) {
    for (const Index rows : {0, 1}) {
      SCOPED_TRACE(subject.name + ", rows " + std::to_string(rows));
      Inputs x = subject.inputs;
      auto labels = subject.labels;
      const std::size_t sets = x.size() - (subject.parametric ? 1 : 0);
      for (std::size_t k = 0; k < sets; ++k) {
        x[k] = Matrix<S>(x[k].topRows(rows));
        if (k < labels.size()) labels[k].resize(static_cast<std::size_t>(rows));
      }
      Inputs g;
      try {
        const double value = subject.call(x, labels, &g, nullptr, nullptr).value;
        EXPECT_TRUE(std::isfinite(value)) << value;
        if (rows == 0) {
          EXPECT_EQ(value, 0);
        }
        for (std::size_t k = 0; k < sets; ++k) {
          EXPECT_EQ(g[k].rows(), rows);
          EXPECT_TRUE(all_finite<S>(g[k]));
        }
      } catch (const std::invalid_argument& error) {
        EXPECT_EQ(rows, 1) << error.what();
        EXPECT_NE(std::string(error.what()).find("at least two rows"), std::string::npos)
            << error.what();
      }
    }
  }
}

}  // namespace
