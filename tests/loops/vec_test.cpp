#include <gtest/gtest.h>

#include <nearfar/loops/impl/vec.hpp>

#include "support/loops.hpp"

namespace {

using nearfar::Index;
using support::Array;
using support::close;
using support::close_sum;
using support::loop_sizes;
using support::Sum;

// Vectors and single numbers have functions of the same names; std has none for vectors.
namespace vec = nearfar::detail;
using vec::Vec;

template <class S>
class VecOf : public testing::Test {};
TYPED_TEST_SUITE(VecOf, support::Scalars);

/// A function of one to four numbers, for vectors and single numbers.
struct Exp {
  template <class T>
  T operator()(T a, T, T, T) const {
    return vec::exp(a);
  }
};
struct Log1p {
  template <class T>
  T operator()(T a, T, T, T) const {
    return vec::log1p(vec::abs(a));
  }
};
struct SquareRoot {
  template <class T>
  T operator()(T a, T, T, T) const {
    return sqrt(vec::abs(a));
  }
  float operator()(float a, float, float, float) const { return vec::sqrt(vec::abs(a)); }
  double operator()(double a, double, double, double) const { return vec::sqrt(vec::abs(a)); }
};
struct Arithmetic {
  template <class T>
  T operator()(T a, T b, T c, T d) const {
    return (a + b) * c - a / d;
  }
};
struct MultiplyAdd {
  template <class T>
  T operator()(T a, T b, T c, T) const {
    using vec::multiply_add;
    return multiply_add(a, b, c);
  }
};
struct Smaller {
  template <class T>
  T operator()(T a, T b, T, T) const {
    using vec::min;
    return min(a, b);
  }
};
struct Larger {
  template <class T>
  T operator()(T a, T b, T, T) const {
    using vec::max;
    return max(a, b);
  }
};
struct SelectEqual {
  template <class T>
  T operator()(T a, T b, T c, T d) const {
    using vec::select_equal;
    return select_equal(a, b, c, d);
  }
};
struct SelectLess {
  template <class T>
  T operator()(T a, T b, T c, T d) const {
    using vec::select_less;
    return select_less(a, b, c, d);
  }
};
struct ReciprocalOrZero {
  template <class T>
  T operator()(T a, T, T, T) const {
    return vec::reciprocal_or_zero(a);
  }
};
struct OneIfLess {
  template <class T>
  T operator()(T a, T b, T, T) const {
    return vec::one_if_less(a, b);
  }
};

/// Numbers of all sizes, and special ones, in every lane in turn.
template <class S>
Array<S> any_numbers(Index n, std::uint64_t seed) {
  constexpr S special[] = {S(0),
                           -S(0),
                           S(1),
                           S(-1),
                           std::numeric_limits<S>::min(),
                           std::numeric_limits<S>::max(),
                           std::numeric_limits<S>::lowest(),
                           std::numeric_limits<S>::epsilon(),
                           std::numeric_limits<S>::infinity(),
                           -std::numeric_limits<S>::infinity(),
                           std::numeric_limits<S>::quiet_NaN()};
  constexpr Index specials = std::size(special);
  support::Random random(seed);
  Array<S> out(n);
  for (Index k = 0; k < n; ++k) {
    const double exponent = 20 * random.uniform();
    const double v = random.uniform() * std::exp2(exponent);
    out[k] = random.below(3) == 0 ? special[random.below(specials)] : static_cast<S>(v);
  }
  return out;
}

template <class S, class F>
void expect_same_bits(const char* name, const F& f) {
  constexpr Index lanes = Vec<S>::lanes;
  const Index n = 4096;
  const auto a = any_numbers<S>(n, 1);
  auto b = any_numbers<S>(n, 2);
  const auto c = any_numbers<S>(n, 3);
  const auto d = any_numbers<S>(n, 4);
  for (Index k = 0; k < n; k += 5) b[k] = a[k];  // equal ones
  for (Index k = 0; k < n; k += lanes) {
    S out[lanes];
    f(Vec<S>::load(a.data() + k), Vec<S>::load(b.data() + k), Vec<S>::load(c.data() + k),
      Vec<S>::load(d.data() + k))
        .store(out);
    for (Index l = 0; l < lanes; ++l) {
      const S alone = f(a[k + l], b[k + l], c[k + l], d[k + l]);
      if (std::isnan(alone)) {  // there are many NaNs
        ASSERT_TRUE(std::isnan(out[l])) << name << " of " << a[k + l] << ", " << b[k + l];
      } else {
        ASSERT_EQ(vec::bits_of(out[l]), vec::bits_of(alone))
            << name << " of " << a[k + l] << ", " << b[k + l] << ", " << c[k + l] << ", "
            << d[k + l] << ": " << out[l] << " in a vector, " << alone << " alone";
      }
    }
  }
}

TYPED_TEST(VecOf, AnElementHasTheSameBitsInAVectorAndAlone) {
  using S = TypeParam;
  expect_same_bits<S>("exp", Exp());
  expect_same_bits<S>("log1p", Log1p());
  expect_same_bits<S>("sqrt", SquareRoot());
  expect_same_bits<S>("arithmetic", Arithmetic());
  expect_same_bits<S>("multiply_add", MultiplyAdd());
  expect_same_bits<S>("min", Smaller());
  expect_same_bits<S>("max", Larger());
  expect_same_bits<S>("select_equal", SelectEqual());
  expect_same_bits<S>("select_less", SelectLess());
  expect_same_bits<S>("reciprocal_or_zero", ReciprocalOrZero());
  expect_same_bits<S>("one_if_less", OneIfLess());
}

TYPED_TEST(VecOf, ExpIsThatOfLongDouble) {
  using S = TypeParam;
  // As long as e^x is a normal number.
  const double lowest = std::log(static_cast<double>(std::numeric_limits<S>::min())) + 0.1;
  const double highest = std::log(static_cast<double>(std::numeric_limits<S>::max())) - 0.1;
  const auto x = Array<S>::uniform(20000, lowest, highest, 5);
  for (Index k = 0; k < x.size(); ++k) {
    const long double want = std::exp(x.exact(k));
    ASSERT_TRUE(close(vec::exp(x[k]), want, want, 2)) << "e^" << x[k];
  }
}

TYPED_TEST(VecOf, ExpIsExactAtZeroAndEndsInZeroInfinityAndNaN) {
  using S = TypeParam;
  constexpr S infinity = std::numeric_limits<S>::infinity();
  EXPECT_EQ(vec::exp(S(0)), S(1));
  EXPECT_EQ(vec::exp(S(-1e4)), S(0));
  EXPECT_EQ(vec::exp(-infinity), S(0));
  EXPECT_EQ(vec::exp(S(1e4)), infinity);
  EXPECT_EQ(vec::exp(infinity), infinity);
  EXPECT_TRUE(std::isnan(vec::exp(std::numeric_limits<S>::quiet_NaN())));
}

TYPED_TEST(VecOf, Log1pIsThatOfLongDoubleFromTinyToHuge) {
  using S = TypeParam;
  const double widest = std::numeric_limits<S>::max_exponent - 1;
  const auto exponent = Array<double>::uniform(20000, -widest + 2, widest, 6);
  for (Index k = 0; k < exponent.size(); ++k) {
    const S a = static_cast<S>(std::exp2(exponent[k]));
    const long double want = std::log1p(static_cast<long double>(a));
    ASSERT_TRUE(close(vec::log1p(a), want, want, 2)) << "log1p(" << a << ")";
  }
  const auto near_one = Array<S>::uniform(20000, 0, 4, 7);
  for (Index k = 0; k < near_one.size(); ++k) {
    const long double want = std::log1p(near_one.exact(k));
    ASSERT_TRUE(close(vec::log1p(near_one[k]), want, want, 2)) << "log1p(" << near_one[k] << ")";
  }
}

TYPED_TEST(VecOf, Log1pIsExactAtZeroAndKeepsInfinityAndNaN) {
  using S = TypeParam;
  constexpr S infinity = std::numeric_limits<S>::infinity();
  EXPECT_EQ(vec::log1p(S(0)), S(0));
  EXPECT_EQ(vec::log1p(infinity), infinity);
  EXPECT_TRUE(std::isnan(vec::log1p(std::numeric_limits<S>::quiet_NaN())));
}

TYPED_TEST(VecOf, SelectTakesEitherNumberLaneByLane) {
  using S = TypeParam;
  constexpr S nan = std::numeric_limits<S>::quiet_NaN();
  EXPECT_EQ(vec::select_less(S(1), S(2), S(3), S(4)), S(3));
  EXPECT_EQ(vec::select_less(S(2), S(2), S(3), S(4)), S(4));
  EXPECT_EQ(vec::select_less(nan, S(2), S(3), S(4)), S(4));
  EXPECT_EQ(vec::select_equal(S(2), S(2), S(3), S(4)), S(3));
  EXPECT_EQ(vec::select_equal(S(1), S(2), S(3), S(4)), S(4));
  EXPECT_EQ(vec::select_equal(nan, nan, S(3), S(4)), S(4));
  EXPECT_EQ(vec::one_if_less(S(1), S(2)), S(1));
  EXPECT_EQ(vec::one_if_less(S(2), S(2)), S(0));
  EXPECT_EQ(vec::reciprocal_or_zero(S(4)), S(0.25));
  EXPECT_EQ(vec::reciprocal_or_zero(S(0)), S(0));
  EXPECT_EQ(vec::reciprocal_or_zero(S(-1)), S(0));
}

TYPED_TEST(VecOf, MinAndMaxTakeTheFirstOfUnorderedNumbers) {
  using S = TypeParam;
  constexpr S nan = std::numeric_limits<S>::quiet_NaN();
  EXPECT_EQ(vec::min(S(1), S(2)), S(1));
  EXPECT_EQ(vec::min(S(2), S(1)), S(1));
  EXPECT_EQ(vec::max(S(1), S(2)), S(2));
  EXPECT_EQ(vec::max(S(2), S(1)), S(2));
  EXPECT_EQ(vec::min(S(1), nan), S(1));
  EXPECT_EQ(vec::max(S(1), nan), S(1));
  EXPECT_TRUE(std::isnan(vec::min(nan, S(1))));
  EXPECT_TRUE(std::isnan(vec::max(nan, S(1))));
}

TYPED_TEST(VecOf, AVectorsSumLargestAndSmallestAreOfAllLanes) {
  using S = TypeParam;
  constexpr Index lanes = Vec<S>::lanes;
  for (Index k = 0; k < lanes; ++k) {
    S v[lanes] = {};
    v[k] = S(3);
    EXPECT_EQ(Vec<S>::load(v).sum(), S(3)) << k;
    EXPECT_EQ(Vec<S>::load(v).largest(), S(3)) << k;
    v[k] = S(-3);
    EXPECT_EQ(Vec<S>::load(v).smallest(), S(-3)) << k;
  }
}

TYPED_TEST(VecOf, ElementSumAddsVectorsAndWhatIsLeftOver) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto x = Array<S>::uniform(n, -1, 2, 8);
    vec::ElementSum<S> sum;
    vec::ElementSum<S> squares;
    vec::each_element<S>(n, [&]<class T>(Index k) {
      const T v = vec::load<T>(x.data() + k);
      sum += v;
      squares.add(v, v);
    });
    Sum want;
    Sum want_squares;
    for (Index k = 0; k < n; ++k) {
      want += x.exact(k);
      want_squares += x.exact(k) * x.exact(k);
    }
    EXPECT_TRUE(close_sum<S>(sum.total(), want, n, 0)) << n;
    EXPECT_TRUE(close_sum<S>(squares.total(), want_squares, n, 1)) << n;
  }
}

TYPED_TEST(VecOf, ElementMaxIsFoundAtEveryPlace) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto x = Array<S>::uniform(n, -2, -1, 9);
    const auto largest = [&] {
      vec::ElementMax<S> out;
      vec::each_element<S>(n, [&]<class T>(Index k) { out.see(vec::load<T>(x.data() + k)); });
      return out.value();
    };
    if (n == 0) {
      EXPECT_EQ(largest(), -std::numeric_limits<S>::infinity());
    }
    for (Index k = 0; k < n; ++k) {
      const S before = x[k];
      x[k] = S(-0.5);
      ASSERT_EQ(largest(), S(-0.5)) << k << " of " << n;
      x[k] = before;
    }
  }
}

TYPED_TEST(VecOf, EachElementIsVisitedOnceAndInOrder) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    Index next = 0;
    vec::each_element<S>(n, [&]<class T>(Index k) {
      EXPECT_EQ(k, next) << n;
      next += std::is_same_v<T, S> ? 1 : Vec<S>::lanes;
    });
    EXPECT_EQ(next, n);
    next = 0;
    vec::each_element<S, false>(n, [&]<class T>(Index k) {
      EXPECT_EQ(k, next) << n;
      next += std::is_same_v<T, S> ? 1 : Vec<S>::lanes;
      EXPECT_TRUE((std::is_same_v<T, S>)) << "numbers only";
    });
    EXPECT_EQ(next, n);
  }
}

TYPED_TEST(VecOf, ASquareIsTransposed) {
  using S = TypeParam;
  constexpr Index lanes = Vec<S>::lanes;
  constexpr Index from_stride = lanes + 3;
  constexpr Index to_stride = lanes + 1;
  Array<S> from(lanes * from_stride);
  for (Index k = 0; k < from.size(); ++k) from[k] = static_cast<S>(k);
  Array<S> to(lanes * to_stride);
  vec::transpose_square(from.data(), from_stride, to.data(), to_stride);
  for (Index i = 0; i < lanes; ++i) {
    for (Index j = 0; j < lanes; ++j) {
      EXPECT_EQ(to[j * to_stride + i], from[i * from_stride + j]) << i << ", " << j;
    }
  }
  EXPECT_TRUE(to.intact());
}

}  // namespace
