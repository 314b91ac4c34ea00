#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <nearfar/core/reduce.hpp>
#include <nearfar/core/result.hpp>
#include <nearfar/losses/info_nce.hpp>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/kernel_cases.hpp"

/// dL/d(value), the factor of gradients: one number, or one a row with Reduction::none.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::Upstream;
using nearfar::detail::check_upstream;

constexpr Reduction of_one_value[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero};

TEST(Upstream, IsOneForEachRowUnlessGiven) {
  const Upstream none = {};
  EXPECT_FALSE(none.is_given());
  EXPECT_TRUE(none.is_scalar());
  EXPECT_EQ(none.scalar(), 1);
  for (const Index i : {0, 1, 1000000}) {
    EXPECT_EQ(none[i], 1);
    EXPECT_EQ(none.weight(i), 1);
    EXPECT_EQ(nearfar::detail::row_upstream(none, i), 1);
  }
  EXPECT_FALSE(nearfar::CallOptions<float>().upstream.is_given());
}

TEST(Upstream, OfOneNumberIsThatNumber) {
  const Upstream one = -2.5;
  EXPECT_TRUE(one.is_given());
  EXPECT_TRUE(one.is_scalar());
  EXPECT_EQ(one.scalar(), -2.5);
  // The number multiplies the sum, and not each row again.
  EXPECT_EQ(nearfar::detail::row_upstream(one, 3), 1);
  nearfar::Diagnostics counts;
  counts.terms = 5;
  counts.active_terms = 4;
  using nearfar::detail::gradient_scale;
  EXPECT_EQ(gradient_scale(Reduction::sum, counts, one), -2.5);
  EXPECT_EQ(gradient_scale(Reduction::mean, counts, one), -2.5 * (1.0 / 5));
  EXPECT_EQ(gradient_scale(Reduction::mean_nonzero, counts, one), -2.5 * (1.0 / 4));
  EXPECT_EQ(gradient_scale(Reduction::mean, counts, {}), 1.0 / 5);
}

TEST(Upstream, OfRowsIsAViewOfTheNumbers) {
  std::vector<double> numbers = {1, -2, 0.5};
  const Upstream rows = numbers;
  const Upstream same(numbers.data(), 3);
  numbers[1] = 7;
  for (const Upstream& one : {rows, same}) {
    EXPECT_TRUE(one.is_given());
    EXPECT_FALSE(one.is_scalar());
    EXPECT_EQ(one.size(), 3);
    EXPECT_EQ(one[0], 1);
    EXPECT_EQ(one[1], 7);
    EXPECT_EQ(nearfar::detail::row_upstream(one, 2), 0.5);
    EXPECT_EQ(nearfar::detail::gradient_scale(Reduction::none, {}, one), 1);
  }
}

TEST(Upstream, AnEmptyListIsAPerRowUpstream) {
  const std::vector<double> none;
  const Upstream rows = none;
  EXPECT_TRUE(rows.is_given());
  EXPECT_FALSE(rows.is_scalar());
  EXPECT_EQ(rows.size(), 0);
  EXPECT_NO_THROW(check_upstream(rows, Reduction::none, 0));
}

TEST(Upstream, WeightsAreOneMoreFactorOfARow) {
  const std::vector<double> numbers = {2, 3};
  const std::array<double, 2> weights = {0.5, -1};
  const auto factor = [](const Upstream& upstream, Index i) {
    return nearfar::detail::row_upstream(upstream, i) * upstream.unit();
  };
  const Upstream rows = Upstream(numbers).weighted(weights.data(), 2);
  EXPECT_EQ(factor(rows, 0), 1);
  EXPECT_EQ(factor(rows, 1), -3);
  const Upstream one = Upstream(4.0).weighted(weights.data(), 2);
  EXPECT_EQ(factor(one, 1), -1) << "one number multiplies the sum";
  const Upstream none = Upstream().weighted(weights.data(), 2);
  EXPECT_FALSE(none.is_given());
  EXPECT_EQ(factor(none, 1), -1);
}

TEST(Upstream, ScalesWeightsIntoFloatRangeWithACommonUnit) {
  for (const double size : {5e-324, 1e-46, 1e-3, 1.0, 1e39, 1e308}) {
    const std::array<double, 3> weights = {0, size, size / 2};
    const Upstream all = Upstream().weighted(weights.data(), 3);
    EXPECT_EQ(nearfar::detail::row_upstream(all, 0), 0);
    EXPECT_GE(nearfar::detail::row_upstream(all, 1), 0x1p-60) << size;
    EXPECT_LT(nearfar::detail::row_upstream(all, 1), 0x1p61) << size;
    EXPECT_EQ(all.unit() == 1, size >= 0x1p-60 && size < 0x1p61) << size;
    for (const Index i : {1, 2}) {
      EXPECT_EQ(nearfar::detail::row_upstream(all, i) * all.unit(),
                weights[static_cast<std::size_t>(i)]);
    }
    EXPECT_EQ(nearfar::detail::gradient_scale(Reduction::sum, {}, all), all.unit());
  }
  const std::array<double, 2> none = {0, 0};
  EXPECT_EQ(Upstream().weighted(none.data(), 2).unit(), 1);
}

TEST(Upstream, IsOneNumberForOneValueAndOneARowForOneARow) {
  const std::vector<double> three = {1, 2, 3};
  for (const Reduction reduction : of_one_value) {
    EXPECT_NO_THROW(check_upstream({}, reduction, 3));
    EXPECT_NO_THROW(check_upstream(0.0, reduction, 3));
    EXPECT_NO_THROW(check_upstream(-4.0, reduction, 0));
    expect_refused({"rows for one value",
                    Thrown::invalid_argument,
                    {"upstream: wanted one number, got 3 numbers"},
                    [&] { check_upstream(three, reduction, 3); }});
  }
  EXPECT_NO_THROW(check_upstream({}, Reduction::none, 3));
  EXPECT_NO_THROW(check_upstream(three, Reduction::none, 3));
  expect_refused({"one number for rows",
                  Thrown::invalid_argument,
                  {"upstream: wanted 3 numbers, one a row (Reduction::none), got one number"},
                  [&] { check_upstream(1.0, Reduction::none, 3); }});
  for (const Index rows : {0, 2, 4}) {
    expect_refused({"another number of rows",
                    Thrown::invalid_argument,
                    {"upstream: wanted " + std::to_string(rows) + " numbers", "got 3 numbers"},
                    [&] { check_upstream(three, Reduction::none, rows); }});
  }
}

TEST(Upstream, IsFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    for (const Reduction reduction : of_one_value) {
      expect_refused(
          {"one number", Thrown::domain_error, {"upstream: wanted finite", "row 0"}, [&] {
             check_upstream(bad, reduction, 3);
           }});
    }
    for (const std::size_t at : {std::size_t(0), std::size_t(2)}) {
      std::vector<double> numbers = {1, 2, 3};
      numbers[at] = bad;
      expect_refused({"a row's",
                      Thrown::domain_error,
                      {"upstream: wanted finite", "row " + std::to_string(at)},
                      [&] { check_upstream(numbers, Reduction::none, 3); }});
    }
  }
}

// ---- of a loss ---------------------------------------------------------------------------------

template <class S>
class UpstreamOfALoss : public testing::Test {
 protected:
  static constexpr Index n = 6;
  const Matrix<S> queries = random_rows<S>(n, 4, 1);
  const Matrix<S> keys = random_rows<S>(n, 4, 2);

  static nearfar::InfoNce<S> loss(Reduction reduction) {
    return nearfar::InfoNce<S>({.temperature = 0.5, .reduction = reduction});
  }
  /// The gradient of the queries.
  Matrix<S> gradient(Reduction reduction, const Upstream& upstream) const {
    Matrix<S> out;
    loss(reduction).forward_backward(queries, keys, out, nearfar::no_gradient,
                                     {.upstream = upstream});
    return out;
  }
};
TYPED_TEST_SUITE(UpstreamOfALoss, Scalars, CaseNames);

TYPED_TEST(UpstreamOfALoss, LeftOutIsOne) {
  using S = TypeParam;
  for (const Reduction reduction : of_one_value) {
    EXPECT_TRUE(same_bits<S>(this->gradient(reduction, {}), this->gradient(reduction, 1.0)));
  }
  const std::vector<double> ones(6, 1.0);
  const Matrix<S> of_rows = this->gradient(Reduction::none, {});
  EXPECT_TRUE(same_bits<S>(of_rows, this->gradient(Reduction::none, ones)));
  expect_same<S>(of_rows, this->gradient(Reduction::sum, {}), "of ones and of the sum");
}

TYPED_TEST(UpstreamOfALoss, ScalesGradientsAndNeverTheValue) {
  using S = TypeParam;
  const std::vector<double> numbers = {1, -2, 0, 4, 0.5, -1};
  Matrix<S> dx;
  for (const Reduction reduction : of_one_value) {
    const double value = this->loss(reduction).forward(this->queries, this->keys).value;
    const auto got = this->loss(reduction).forward_backward(
        this->queries, this->keys, dx, nearfar::no_gradient, {.upstream = -4.0});
    EXPECT_EQ(got.value, value);
    EXPECT_TRUE(same_bits<S>(dx, this->gradient(reduction, {}) * S(-4)));
  }
  const Matrix<S> of_ones = this->gradient(Reduction::none, {});
  const Matrix<S> got = this->gradient(Reduction::none, numbers);
  const nearfar::Result none =
      this->loss(Reduction::none).forward(this->queries, this->keys, {.upstream = numbers});
  EXPECT_EQ(none.value, this->loss(Reduction::sum).forward(this->queries, this->keys).value);
  for (Index i = 0; i < of_ones.rows(); ++i) {  // a query's gradient depends on its own term alone
    const Matrix<S> want = of_ones.row(i) * static_cast<S>(numbers[static_cast<std::size_t>(i)]);
    expect_same<S>(got.row(i), want, "a query's gradient");
  }
}

/// forward computes no gradients.
TYPED_TEST(UpstreamOfALoss, DoesNotMatterToForward) {
  const double value = this->loss(Reduction::mean).forward(this->queries, this->keys).value;
  for (const double upstream : {0.0, 3.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(this->loss(Reduction::mean)
                  .forward(this->queries, this->keys, {.upstream = upstream})
                  .value,
              value);
  }
}

TYPED_TEST(UpstreamOfALoss, IsCheckedBeforeAnyOutputIsTouched) {
  using S = TypeParam;
  const std::vector<double> numbers(5, 1.0);
  Matrix<S> dx = Matrix<S>::Constant(6, 4, S(3));
  const auto call = [&](Reduction reduction, const Upstream& upstream) {
    this->loss(reduction).forward_backward(this->queries, this->keys, dx, nearfar::no_gradient,
                                           {.upstream = upstream});
  };
  const BadCall table[] = {
      {"rows for one value",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 5 numbers"},
       [&] { call(Reduction::mean, numbers); }},
      {"one number for rows",
       Thrown::invalid_argument,
       {"upstream: wanted 6 numbers, one a row (Reduction::none), got one number"},
       [&] { call(Reduction::none, 1.0); }},
      {"too few",
       Thrown::invalid_argument,
       {"upstream: wanted 6 numbers", "got 5 numbers"},
       [&] { call(Reduction::none, numbers); }},
      {"NaN",
       Thrown::domain_error,
       {"upstream: wanted finite"},
       [&] { call(Reduction::sum, std::numeric_limits<double>::quiet_NaN()); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_TRUE(same_bits<S>(dx, Matrix<S>::Constant(6, 4, S(3)))) << bad.name;
  }
}

}  // namespace
