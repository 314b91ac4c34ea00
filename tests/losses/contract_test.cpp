#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/check/gradient_check.hpp>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/kernel_cases.hpp"
#include "support/subjects.hpp"

/// Promises of every loss, tested for every loss, kernel and form, in both scalar types: gradients
/// are the derivatives of the value, any number of threads gives the same bits, memory is allocated
/// once, the order of rows does not matter, results are finite.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::Workspace;

template <class S>
class Contract : public testing::Test {};
TYPED_TEST_SUITE(Contract, Scalars, CaseNames);

/// In double, and in float if there are no kinks, so that differences are larger than rounding
/// errors.
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
      // Small steps cross few kinks.
      nearfar::GradientCheckOptions options;
      if (is_double) options.step = 1e-5;
      const auto report =
          nearfar::check_gradient<S>([&] { return subject.forward(x).value; }, checked, options);
      EXPECT_TRUE(report.passed) << report;
      EXPECT_GE(report.checked, subject.smooth ? elements : elements - 4) << report;
    }
  }
}

/// Differences cannot show this for float: it computes the same as double, including kinks.
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
      // The large steps of float cross kinks.
      if (sizeof(S) == sizeof(float) && !subject.smooth) continue;
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

/// An order of groups of `size` rows each, as an order of rows.
std::vector<Index> in_groups(const std::vector<Index>& order, Index size) {
  std::vector<Index> out;
  for (const Index group : order) {
    for (Index k = 0; k < size; ++k) out.push_back(group * size + k);
  }
  return out;
}

TYPED_TEST(Contract, OrderOfRowsDoesNotMatter) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(40, 7, Reduction::mean)) {
    if (subject.in_sets) continue;
    SCOPED_TRACE(subject.name);
    Inputs want;
    const double value = subject.gradients(subject.inputs, want).value;
    Inputs x = subject.inputs;
    auto labels = subject.labels;
    const std::size_t sets = x.size() - (subject.parametric ? 1 : 0);
    std::vector<std::vector<Index>> orders;
    for (std::size_t k = 0; k < sets; ++k) {
      // Sets of equal size whose rows belong together move together.
      const bool follows = subject.paired && x[k].rows() == x[0].rows();
      const Index centers = k == 1 ? std::max<Index>(subject.centers, 1) : 1;
      const std::vector<Index> order = random_order(x[k].rows() / centers, follows ? 77 : 78 + k);
      orders.push_back(in_groups(order, centers));
      if (k == 1 && subject.centers > 0) {  // labels are positions of the rows that moved
        for (int& label : labels[0]) {
          label = static_cast<int>(std::find(order.begin(), order.end(), label) - order.begin());
        }
      }
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

/// Value and gradients are finite, or, if `may_overflow`, the call throws an error that says so.
template <class S>
void expect_finite(const Subject<S>& subject, const typename Subject<S>::Inputs& x,
                   const typename Subject<S>::AllLabels& labels, bool may_overflow) {
  typename Subject<S>::Inputs g;
  try {
    const auto result = subject.call(x, labels, &g, nullptr, nullptr);
    EXPECT_TRUE(std::isfinite(result.value)) << result.value;
    for (std::size_t k = 0; k < g.size(); ++k) {
      EXPECT_TRUE(all_finite<S>(g[k])) << subject.input_names[k];
    }
  } catch (const std::domain_error& error) {
    EXPECT_TRUE(may_overflow) << error.what();
    EXPECT_NE(std::string(error.what()).find("overflow"), std::string::npos) << error.what();
  }
}

/// A loss that contains exponentials of scores without a logarithm.
template <class S>
bool is_exponential(const Subject<S>& subject) {
  return subject.name.find("bound nwj") != std::string::npos || subject.name.find("Rince") == 0;
}

TYPED_TEST(Contract, HardInputsGiveFiniteResultsOrAClearError) {
  using S = TypeParam;
  const S tiny = sizeof(S) == sizeof(float) ? S(1e-20) : S(1e-160);
  const S huge = sizeof(S) == sizeof(float) ? S(1e18) : S(1e150);
  struct Case {
    const char* name;
    bool may_overflow;
    std::function<void(Matrix<S>&)> change;
  };
  const Case cases[] = {
      {"all rows the same", false, [](auto& m) { m.setConstant(S(0.3)); }},
      {"all zero", false, [](auto& m) { m.setZero(); }},
      {"some zero", false, [](auto& m) { m.topRows(std::min<Index>(3, m.rows())).setZero(); }},
      {"duplicates", false, [](auto& m) { m.row(1) = m.row(0); }},
      {"tiny", false, [&](auto& m) { m *= tiny; }},
      {"denormal", false, [](auto& m) { m *= std::numeric_limits<S>::denorm_min() * S(8); }},
      {"tiny and huge", true, [&](auto& m) { m.row(0) *= huge, m.row(1) *= tiny; }},
      {"huge", true, [&](auto& m) { m *= huge; }},
      {"large", false, [](auto& m) { m *= S(1e4); }},
      {"a cluster far from the origin", false,
       [](auto& m) { m = m * S(1e-2) + Matrix<S>::Constant(m.rows(), m.cols(), S(1e4)); }},
  };
  for (const Index cols : {4, 1}) {
    for (const Subject<S>& subject : all_subjects<S>(9, cols, Reduction::mean)) {
      for (const Case& c : cases) {
        SCOPED_TRACE(subject.name + ", " + c.name + ", columns " + std::to_string(cols));
        typename Subject<S>::Inputs x = subject.inputs;
        const std::size_t sets = x.size() - (subject.parametric ? 1 : 0);
        for (std::size_t k = 0; k < sets; ++k) c.change(x[k]);
        expect_finite(subject, x, subject.labels, c.may_overflow || is_exponential(subject));
      }
    }
  }
}

/// Temperatures from 1000 to 0.001, and one at which cosines give logits of +-100 000.
TYPED_TEST(Contract, SharpLogitsGiveFiniteResults) {
  using S = TypeParam;
  for (const double temperature : {1e3, 1e-3, 1e-5}) {
    for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean, 0.5 / temperature)) {
      SCOPED_TRACE(subject.name + ", temperature " + std::to_string(temperature));
      expect_finite(subject, subject.inputs, subject.labels, is_exponential(subject));
      typename Subject<S>::Inputs opposite = subject.inputs;
      const std::size_t sets = opposite.size() - (subject.parametric ? 1 : 0);
      for (std::size_t k = 0; k < sets; ++k) {
        for (Index i = 0; i < opposite[k].rows(); ++i) {
          opposite[k].row(i).setConstant((i + Index(k)) % 2 == 0 ? S(1) : S(-1));
        }
      }
      expect_finite(subject, opposite, subject.labels, is_exponential(subject));
    }
  }
}

TYPED_TEST(Contract, LabelsThatAreAllTheSameOrAllDifferentGiveFiniteResults) {
  using S = TypeParam;
  for (const Reduction reduction : all_reductions()) {
    for (const Subject<S>& subject : all_subjects<S>(9, 4, reduction)) {
      if (subject.labels.empty()) continue;
      for (const bool same : {true, false}) {
        SCOPED_TRACE(subject.name + (same ? ", all the same" : ", all different"));
        auto labels = subject.labels;
        int next = 0;
        for (auto& of_set : labels) {
          for (int& label : of_set) label = same ? 7 : next++;
        }
        expect_finite(subject, subject.inputs, labels, false);
      }
    }
  }
}

/// One query or none against many keys, and many queries against one key or none.
TYPED_TEST(Contract, SetsOfUnequalSizeGiveFiniteResults) {
  using S = TypeParam;
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean)) {
    const std::size_t sets = subject.inputs.size() - (subject.parametric ? 1 : 0);
    // The last set may have any size if it has labels of its own, or shared negatives.
    const Index last = subject.inputs[sets - 1].rows();
    if (sets < 2 || last == subject.inputs[0].rows() || subject.centers > 0) continue;
    for (const auto& [first, others] :
         {std::pair<Index, Index>(1, last), {9, 1}, {9, 0}, {0, last}, {1, 0}}) {
      SCOPED_TRACE(subject.name + ", " + std::to_string(first) + " against " +
                   std::to_string(others));
      typename Subject<S>::Inputs x = subject.inputs;
      auto labels = subject.labels;
      for (std::size_t k = 0; k < sets; ++k) {
        x[k] = Matrix<S>(x[k].topRows(k + 1 == sets ? others : first));
        if (k < labels.size()) labels[k].resize(static_cast<std::size_t>(x[k].rows()));
      }
      expect_finite(subject, x, labels, false);
    }
  }
}

TYPED_TEST(Contract, NoRowAndOneRowGiveFiniteResultsOrAClearError) {
  using S = TypeParam;
  using Inputs = typename Subject<S>::Inputs;
  for (const Subject<S>& subject : all_subjects<S>(9, 4, Reduction::mean)) {
    for (const Index rows : {0, 1}) {
      if (subject.centers > 1) continue;  // one row makes no class
      SCOPED_TRACE(subject.name + ", rows " + std::to_string(rows));
      Inputs x = subject.inputs;
      auto labels = subject.labels;
      if (subject.centers > 0) labels[0][0] = 0;
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
