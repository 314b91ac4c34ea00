#include <gtest/gtest.h>

#include <Eigen/Core>
#include <bit>
#include <cmath>
#include <cstdint>
#include <nearfar/loops/rows.hpp>
#include <vector>

#include "support/loops.hpp"

namespace {

using nearfar::Index;
using nearfar::detail::row_loops;
using support::Array;
using support::close;
using support::close_sum;
using support::loop_sizes;
using support::Sum;

template <class S>
class RowLoopsOf : public testing::Test {};
TYPED_TEST_SUITE(RowLoopsOf, support::Scalars);

template <class S>
Array<S> uniform(Index n, std::uint64_t seed) {
  return Array<S>::uniform(n, -2, 2, seed);
}

TYPED_TEST(RowLoopsOf, DotIsTheSumOfProducts) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 1);
    const auto y = uniform<S>(n, 2);
    Sum want;
    for (Index k = 0; k < n; ++k) want += x.exact(k) * y.exact(k);
    EXPECT_TRUE(close_sum<S>(row_loops<S>().dot(n, x.data(), y.data()), want, n, 2)) << n;
    EXPECT_TRUE(close_sum<double>(row_loops<S>().dot_in_double(n, x.data(), y.data()), want, n, 2))
        << n;
  }
}

TEST(RowLoopsOfFloat, DotInDoubleHoldsSumsThatOverflowFloat) {
  const float large = std::numeric_limits<float>::max() / 2;
  const float x[] = {large, large, large};
  const double want = 3 * static_cast<double>(large) * static_cast<double>(large);
  EXPECT_EQ(row_loops<float>().dot_in_double(3, x, x), want);
}

TYPED_TEST(RowLoopsOf, SquaredDistanceIsTheSumOfSquaredDifferences) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 3);
    const auto y = uniform<S>(n, 4);
    Sum want;
    for (Index k = 0; k < n; ++k) {
      const long double difference = x.exact(k) - y.exact(k);
      want += difference * difference;
    }
    EXPECT_TRUE(close_sum<S>(row_loops<S>().squared_distance(n, x.data(), y.data()), want, n, 4))
        << n;
    EXPECT_EQ(row_loops<S>().squared_distance(n, x.data(), x.data()), S(0)) << n;
  }
}

TYPED_TEST(RowLoopsOf, LargestMagnitudeIsFoundAtEveryPlaceAndSign) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto x = uniform<S>(n, 5);
    for (Index k = 0; k < n; ++k) {
      const S before = x[k];
      for (const S large : {S(7), S(-7)}) {
        x[k] = large;
        ASSERT_EQ(row_loops<S>().largest_magnitude(n, x.data()), S(7)) << k << " of " << n;
      }
      x[k] = before;
    }
  }
}

TYPED_TEST(RowLoopsOf, OneElementThatIsNotFiniteIsFoundAtEveryPlace) {
  using S = TypeParam;
  constexpr S infinity = std::numeric_limits<S>::infinity();
  constexpr S most = std::numeric_limits<S>::max();
  for (const Index n : loop_sizes) {
    auto x = uniform<S>(n, 6);
    EXPECT_TRUE(row_loops<S>().all_finite(n, x.data())) << n;
    for (Index k = 0; k < n; ++k) {
      const S before = x[k];
      for (const S large : {most, -most}) {
        x[k] = large;
        ASSERT_TRUE(row_loops<S>().all_finite(n, x.data())) << k << " of " << n;
      }
      for (const S wrong : {infinity, -infinity, std::numeric_limits<S>::quiet_NaN()}) {
        x[k] = wrong;
        ASSERT_FALSE(row_loops<S>().all_finite(n, x.data())) << k << " of " << n;
      }
      x[k] = before;
    }
  }
}

TYPED_TEST(RowLoopsOf, SubtractTakesTheCentreOffEachElement) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto x = uniform<S>(n, 7);
    const auto centre = uniform<S>(n, 8);
    Array<S> out(n);
    row_loops<S>().subtract(n, x.data(), centre.data(), out.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(out[k], x[k] - centre[k]) << k << " of " << n;
    EXPECT_TRUE(out.intact()) << n;
    row_loops<S>().subtract(n, x.data(), centre.data(), x.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(x[k], out[k]) << "in place, " << k << " of " << n;
  }
}

TYPED_TEST(RowLoopsOf, ScaleMultipliesEachElement) {
  using S = TypeParam;
  const S factor = S(-0.3);
  for (const Index n : loop_sizes) {
    auto x = uniform<S>(n, 9);
    Array<S> out(n);
    row_loops<S>().scale(n, factor, x.data(), out.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(out[k], factor * x[k]) << k << " of " << n;
    EXPECT_TRUE(out.intact()) << n;
    row_loops<S>().scale(n, factor, x.data(), x.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(x[k], out[k]) << "in place, " << k << " of " << n;
  }
}

TYPED_TEST(RowLoopsOf, ScaleInDoubleRoundsTheProductOnce) {
  using S = TypeParam;
  struct Case {
    double size;
    double factor;
  };
  // A factor of more digits than float has, and factors beyond its range.
  for (const Case& c : {Case{1, 1 / 3.0}, Case{1e-30, 1e45}, Case{1e30, 1e-50}}) {
    for (const Index n : loop_sizes) {
      auto x = Array<S>::uniform(n, -c.size, c.size, 10);
      const auto before = x;
      row_loops<S>().scale_in_double(n, c.factor, x.data(), x.data());
      for (Index k = 0; k < n; ++k) {
        EXPECT_EQ(x[k], static_cast<S>(static_cast<double>(before[k]) * c.factor))
            << k << " of " << n;
      }
      EXPECT_TRUE(x.intact()) << n;
    }
  }
}

TYPED_TEST(RowLoopsOf, ScaleByPartsHasAFactorOfMoreDigits) {
  using S = TypeParam;
  const long double factor = 1 / 3.0L;
  const auto high = static_cast<S>(factor);
  const auto low = static_cast<S>(factor - static_cast<long double>(high));
  for (const Index n : loop_sizes) {
    const auto x = Array<S>::uniform(n, -2, 2, 10);
    auto out = Array<S>(n);
    row_loops<S>().scale_by_parts(n, high, low, x.data(), out.data());
    for (Index k = 0; k < n; ++k) {
      const long double want = factor * static_cast<long double>(x[k]);
      const long double error = std::abs(static_cast<long double>(out[k]) - want);
      EXPECT_LE(error, std::abs(want) * std::numeric_limits<S>::epsilon()) << k << " of " << n;
    }
    EXPECT_TRUE(out.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, DotByFoursErrsByLessThanARoundingOfFloat) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = Array<S>::uniform(n, -2, 2, 11);
    const auto y = Array<S>::uniform(n, -2, 2, 12);
    long double want = 0;
    long double size = 0;
    for (Index k = 0; k < n; ++k) {
      const long double product = static_cast<long double>(x[k]) * static_cast<long double>(y[k]);
      want += product;
      size += std::abs(product);
    }
    // Double has no wider type for its sums.
    const long double roundings = std::is_same_v<S, float> ? 0.5L : static_cast<long double>(n);
    const double dot = row_loops<S>().dot_by_fours(n, x.data(), y.data());
    EXPECT_LE(std::abs(static_cast<long double>(dot) - want),
              size * roundings * std::numeric_limits<S>::epsilon())
        << n;
  }
}

TYPED_TEST(RowLoopsOf, DivideDividesEachElement) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto x = uniform<S>(n, 11);
    const auto before = x;
    row_loops<S>().divide(n, S(3), x.data(), x.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(x[k], before[k] / S(3)) << k << " of " << n;
    EXPECT_TRUE(x.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, NormaliseRowsDividesRowsByTheirLengths) {
  using S = TypeParam;
  constexpr Index rows = 5;
  const long double epsilon = std::numeric_limits<S>::epsilon();
  for (const Index n : loop_sizes) {
    if (n == 0) continue;
    const Index x_stride = n + 3;
    const Index out_stride = n + 5;
    const auto x = uniform<S>(rows * x_stride, 31);
    auto out = uniform<S>(rows * out_stride, 32);
    const auto before = out;
    double inverse[rows];
    ASSERT_EQ(
        row_loops<S>().normalise_rows(rows, n, x.data(), x_stride, out.data(), out_stride, inverse),
        rows);
    EXPECT_TRUE(out.intact()) << n;
    for (Index i = 0; i < rows; ++i) {
      long double sum = 0;
      for (Index k = 0; k < n; ++k) {
        const long double v = x.exact(i * x_stride + k);
        sum += v * v;
      }
      const long double length = std::sqrt(sum);
      EXPECT_NEAR(static_cast<double>(inverse[i] * length), 1, sizeof(S) == 4 ? 1e-7 : 1e-14) << n;
      for (Index k = 0; k < n; ++k) {
        const long double want = x.exact(i * x_stride + k) / length;
        EXPECT_LE(std::abs(out.exact(i * out_stride + k) - want), 2 * epsilon * std::abs(want))
            << i << ", " << k << " of " << n;
      }
      for (Index k = n; k < out_stride; ++k) {
        EXPECT_EQ(out[i * out_stride + k], before[i * out_stride + k]) << n;
      }
    }
  }
}

TYPED_TEST(RowLoopsOf, NormaliseRowsStopsAtARowWhoseSquaresAreNotSafe) {
  using S = TypeParam;
  const bool is_float = sizeof(S) == sizeof(float);
  const S infinity = std::numeric_limits<S>::infinity();
  for (const S bad : {S(0), is_float ? S(1e-13) : S(1e-152), is_float ? S(1e19) : S(1e160),
                      infinity, -infinity, std::numeric_limits<S>::quiet_NaN()}) {
    for (const Index n : {Index(1), Index(7), Index(64), Index(65)}) {
      for (const Index row : {Index(0), Index(2)}) {
        auto x = uniform<S>(4 * n, 33);
        for (Index k = 0; k < n; ++k) x[row * n + k] = 0;
        x[row * n + n - 1] = bad;
        double inverse[4] = {};
        EXPECT_EQ(row_loops<S>().normalise_rows(4, n, x.data(), n, x.data(), n, inverse), row)
            << bad << " of " << n;
      }
    }
  }
}

TYPED_TEST(RowLoopsOf, AddAddsToEachElement) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 12);
    auto to = uniform<S>(n, 13);
    const auto before = to;
    row_loops<S>().add(n, x.data(), to.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(to[k], before[k] + x[k]) << k << " of " << n;
    EXPECT_TRUE(to.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, AddInDoubleKeepsTheDigitsOfDouble) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 14);
    auto to = Array<double>::uniform(n, 1e6, 2e6, 15);
    const auto before = to;
    row_loops<S>().add_in_double(n, x.data(), to.data());
    for (Index k = 0; k < n; ++k) {
      EXPECT_EQ(to[k], before[k] + static_cast<double>(x[k])) << k << " of " << n;
    }
    EXPECT_TRUE(to.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, AddScaledAddsTheProduct) {
  using S = TypeParam;
  const S factor = S(-1.7);
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 16);
    auto to = uniform<S>(n, 17);
    const auto before = to;
    row_loops<S>().add_scaled(n, factor, x.data(), to.data());
    for (Index k = 0; k < n; ++k) {
      Sum want;
      want += before.exact(k);
      want += static_cast<long double>(factor) * x.exact(k);
      EXPECT_TRUE(close(to[k], want.value, want.magnitude, 1)) << k << " of " << n;
    }
    EXPECT_TRUE(to.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, AddProductRoundsTheProductSoThatTwoOfThemCommute) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 18);
    const auto y = uniform<S>(n, 19);
    auto one = uniform<S>(n, 20);
    auto other = one;
    for (Index k = 0; k < n; ++k) one[k] = other[k] = S(0);
    row_loops<S>().add_product(n, S(0.6), x.data(), one.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(one[k], S(0.6) * x[k]) << k << " of " << n;
    row_loops<S>().add_product(n, S(-0.3), y.data(), one.data());
    row_loops<S>().add_product(n, S(-0.3), y.data(), other.data());
    row_loops<S>().add_product(n, S(0.6), x.data(), other.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(one[k], other[k]) << k << " of " << n;
    EXPECT_TRUE(one.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, AddScaledDifferenceAddsTheProductWithTheDifference) {
  using S = TypeParam;
  const S factor = S(0.6);
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 18);
    const auto y = uniform<S>(n, 19);
    auto to = uniform<S>(n, 20);
    const auto before = to;
    row_loops<S>().add_scaled_difference(n, factor, x.data(), y.data(), to.data());
    for (Index k = 0; k < n; ++k) {
      Sum want;
      want += before.exact(k);
      want += static_cast<long double>(factor) * (x.exact(k) - y.exact(k));
      EXPECT_TRUE(close(to[k], want.value, want.magnitude, 2)) << k << " of " << n;
    }
    EXPECT_TRUE(to.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, ChainScalesTheGradientAndItsPartAlongTheRow) {
  using S = TypeParam;
  const S factor = S(2.5);
  const S along = S(-0.4);
  for (const Index n : loop_sizes) {
    const auto x = uniform<S>(n, 21);
    auto g = uniform<S>(n, 22);
    const auto before = g;
    row_loops<S>().chain(n, factor, along, x.data(), g.data(), g.data());
    for (Index k = 0; k < n; ++k) {
      Sum want;
      want += static_cast<long double>(factor) * before.exact(k);
      want += static_cast<long double>(factor) * static_cast<long double>(along) * x.exact(k);
      EXPECT_TRUE(close(g[k], want.value, want.magnitude, 2)) << k << " of " << n;
    }
    EXPECT_TRUE(g.intact()) << n;
  }
}

TYPED_TEST(RowLoopsOf, ChainSaturatesAtTheLargestFiniteNumber) {
  using S = TypeParam;
  constexpr S most = std::numeric_limits<S>::max();
  for (const Index n : loop_sizes) {
    const Array<S> x = Array<S>::uniform(n, 0, 0, 1);
    Array<S> g(n);
    for (Index k = 0; k < n; ++k) g[k] = k % 2 == 0 ? most / 2 : -most / 2;
    row_loops<S>().chain(n, S(4), S(1), x.data(), g.data(), g.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(g[k], k % 2 == 0 ? most : -most) << k << " of " << n;
  }
}

/// Elements in 16 bits by their bits, beside Eigen's own conversions of single numbers.
template <class T>
struct Stored;
template <>
struct Stored<Eigen::bfloat16> {
  static constexpr auto element = nearfar::detail::Element::bfloat16;
  static constexpr float beyond = std::numeric_limits<float>::infinity();
};
template <>
struct Stored<Eigen::half> {
  static constexpr auto element = nearfar::detail::Element::half;
  static constexpr float beyond = 65520;
};

template <class T>
T of_bits(std::uint16_t bits) {
  return Eigen::numext::bit_cast<T>(bits);
}
template <class T>
std::uint16_t bits_of(T v) {
  return Eigen::numext::bit_cast<std::uint16_t>(v);
}

template <class T>
class ElementsIn16Bits : public testing::Test {};
using StoredTypes = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(ElementsIn16Bits, StoredTypes);

TYPED_TEST(ElementsIn16Bits, AreWidenedExactly) {
  using T = TypeParam;
  std::vector<std::uint16_t> all;  // infinities and NaNs, too
  for (unsigned bits = 0; bits < 0x10000u; ++bits) all.push_back(static_cast<std::uint16_t>(bits));
  // At places in vectors, and in what is left over at a row's end.
  for (const std::size_t offset : {0u, 1u, 5u, 15u}) {
    std::vector<float> got(all.size() - offset);
    row_loops<float>().widen(Stored<T>::element, static_cast<Index>(got.size()),
                             all.data() + offset, got.data());
    for (std::size_t k = 0; k < got.size(); ++k) {
      const auto want = static_cast<float>(of_bits<T>(all[offset + k]));
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got[k])) << all[offset + k];
        continue;
      }
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[k]), std::bit_cast<std::uint32_t>(want))
          << all[offset + k];
    }
  }
}

TYPED_TEST(ElementsIn16Bits, AreRoundedToNearestWithTiesToEven) {
  using T = TypeParam;
  std::vector<float> all;
  const auto add = [&](float v) {
    const float most = static_cast<float>(std::numeric_limits<T>::max());
    if (std::abs(v) < Stored<T>::beyond && !(std::isinf(Stored<T>::beyond) && std::abs(v) > most)) {
      all.push_back(v);
    }
  };
  for (unsigned bits = 0; bits < 0x10000u; ++bits) {
    const T one = of_bits<T>(static_cast<std::uint16_t>(bits));
    const T next = of_bits<T>(static_cast<std::uint16_t>(bits + 1));
    if (!Eigen::numext::isfinite(one) || !Eigen::numext::isfinite(next)) continue;
    // Both, the tie between them, and its neighbours.
    const float tie =
        static_cast<float>(one) + (static_cast<float>(next) - static_cast<float>(one)) / 2;
    for (const float v : {static_cast<float>(one), tie, std::nextafter(tie, 0.0f),
                          std::nextafter(tie, std::numeric_limits<float>::max())}) {
      add(v);
    }
  }
  for (const float v : {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-38f, 65519.996f, -65519.996f}) add(v);
  for (const std::size_t offset : {0u, 3u, 7u}) {
    std::vector<std::uint16_t> got(all.size() - offset);
    row_loops<float>().narrow(Stored<T>::element, static_cast<Index>(got.size()),
                              all.data() + offset, got.data());
    for (std::size_t k = 0; k < got.size(); ++k) {
      ASSERT_EQ(got[k], bits_of(static_cast<T>(all[offset + k]))) << all[offset + k];
    }
  }
}

TEST(ElementsInBfloat16, AreAtMostTheLargest) {
  using T = Eigen::bfloat16;
  const float most = std::numeric_limits<float>::max();
  std::vector<float> x(37, most);
  x[20] = x[36] = -most;
  std::vector<std::uint16_t> got(x.size());
  row_loops<float>().narrow(Stored<T>::element, 37, x.data(), got.data());
  for (std::size_t k = 0; k < x.size(); ++k) {
    const T largest = std::numeric_limits<T>::max();
    EXPECT_EQ(got[k], bits_of(x[k] > 0 ? largest : T(-largest))) << k;
  }
}

TYPED_TEST(ElementsIn16Bits, KeepInfinityAndNaN) {
  using T = TypeParam;
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x(37, infinity);
  x[20] = x[36] = -infinity;
  x[21] = x[35] = std::numeric_limits<float>::quiet_NaN();
  if (std::is_same_v<T, Eigen::half>) x[3] = x[34] = 65520;
  std::vector<std::uint16_t> got(x.size());
  row_loops<float>().narrow(Stored<T>::element, 37, x.data(), got.data());
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (std::isnan(x[k])) {
      EXPECT_TRUE(Eigen::numext::isnan(of_bits<T>(got[k]))) << k;
    } else {
      EXPECT_EQ(static_cast<float>(of_bits<T>(got[k])), x[k] > 0 ? infinity : -infinity) << k;
    }
  }
}

TYPED_TEST(ElementsIn16Bits, AreFoundWhereTheyAreNotFinite) {
  using T = TypeParam;
  const auto finite = [](const std::vector<T>& x) {
    return row_loops<float>().all_finite_stored(Stored<T>::element, static_cast<Index>(x.size()),
                                                x.data());
  };
  for (const Index n : loop_sizes) {
    std::vector<T> x(static_cast<std::size_t>(n), std::numeric_limits<T>::max());
    EXPECT_TRUE(finite(x)) << n;
    for (T& one : x) {
      const T before = one;
      for (const T bad :
           {std::numeric_limits<T>::infinity(), T(-std::numeric_limits<T>::infinity()),
            std::numeric_limits<T>::quiet_NaN()}) {
        one = bad;
        ASSERT_FALSE(finite(x)) << n;
      }
      one = T(-before);
      ASSERT_TRUE(finite(x)) << n;
    }
  }
}

}  // namespace
