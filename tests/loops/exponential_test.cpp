#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/loops/impl/exponential.hpp>
#include <vector>

namespace {

using namespace nearfar::detail;
using nearfar::Index;

template <class S>
class Exponential : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Exponential, Scalars);

/// Arguments for whole vectors and a remainder.
template <class S>
std::vector<S> arguments(S farthest) {
  std::vector<S> x(10007);
  for (std::size_t k = 0; k < x.size(); ++k) {
    x[k] = -farthest * static_cast<S>(k) / static_cast<S>(x.size());
  }
  return x;
}

template <class S>
std::vector<S> exponentials(const std::vector<S>& x, S rate) {
  std::vector<S> out(x.size());
  each_element<S>(static_cast<Index>(x.size()), [&]<class T>(Index k) {
    store(out.data() + k, exp_scaled(load<T>(x.data() + k), rate));
  });
  return out;
}

TYPED_TEST(Exponential, IsThatOfTheStandardLibrary) {
  using S = TypeParam;
  constexpr double rounding = std::numeric_limits<S>::epsilon();
  for (const double temperature : {0.05, 1.0, 30.0}) {
    const auto farthest = static_cast<S>(60 * temperature);
    const std::vector<S> x = arguments<S>(farthest);
    const std::vector<S> e = exponentials(x, exponential_rate<S>(temperature));
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double argument = static_cast<double>(x[k]) / temperature;
      const double want = std::exp(argument);
      // The rounding errors of the rate and, without a fused multiply-add, of the exponent grow
      // with it.
      const double most = (2 - 2 * argument) * rounding * want;
      ASSERT_NEAR(static_cast<double>(e[k]), want, most) << argument;
    }
  }
}

TYPED_TEST(Exponential, IsExactAtZeroAndZeroFarBelow) {
  using S = TypeParam;
  const S rate = exponential_rate<S>(1.0);
  EXPECT_EQ(exp_scaled(S(0), rate), S(1));
  EXPECT_EQ(exp_scaled(S(-1e4), rate), S(0));
  EXPECT_EQ(exp_scaled(std::numeric_limits<S>::lowest(), rate), S(0));
  EXPECT_EQ(exp_scaled(-std::numeric_limits<S>::infinity(), rate), S(0));
  // No denormal numbers: a result above 0 is at least the smallest normal number.
  const S last = static_cast<S>(std::log(static_cast<double>(std::numeric_limits<S>::min())));
  for (const S x : {last * S(0.999), last * S(1.0001), last * S(1.01)}) {
    const S e = exp_scaled(x, rate);
    EXPECT_TRUE(e == S(0) || e >= std::numeric_limits<S>::min() / 2) << x;
  }
}

TYPED_TEST(Exponential, HasTheSameBitsInAVectorAndInWhatIsLeftOver) {
  using S = TypeParam;
  const S rate = exponential_rate<S>(0.07);
  const std::vector<S> x = arguments<S>(S(8));
  const std::vector<S> e = exponentials(x, rate);
  for (std::size_t k = 0; k < x.size(); ++k) ASSERT_EQ(e[k], exp_scaled(x[k], rate)) << x[k];
}

TYPED_TEST(Exponential, NeverFalls) {
  using S = TypeParam;
  const std::vector<S> e = exponentials(arguments<S>(S(90)), exponential_rate<S>(1.0));
  for (std::size_t k = 1; k < e.size(); ++k) {
    ASSERT_LE(e[k], e[k - 1] * (1 + 4 * std::numeric_limits<S>::epsilon()));
  }
}

}  // namespace
