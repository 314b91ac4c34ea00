#include <gtest/gtest.h>

#include <nearfar/loops/scores.hpp>
#include <vector>

#include "support/loops.hpp"

namespace {

using nearfar::Index;
using nearfar::detail::PositiveMask;
using nearfar::detail::Range;
using nearfar::detail::score_loops;
using support::Array;
using support::close;
using support::close_sum;
using support::loop_sizes;
using support::Sum;

template <class S>
class ScoreLoopsOf : public testing::Test {};
TYPED_TEST_SUITE(ScoreLoopsOf, support::Scalars);

TYPED_TEST(ScoreLoopsOf, RangeHoldsTheSmallestAndTheLargestScoreWhereverTheyAre) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    for (Index k = 0; k < n; ++k) {
      auto s = Array<S>::uniform(n, -2, 2, 1);
      Range<S> want{S(n == 1 ? 5 : 0), S(5)};
      s[k] = S(5);
      if (n > 1) {
        want.smallest = S(-5);
        s[n - 1 - k == k ? 0 : n - 1 - k] = S(-5);
      }
      const Range<S> got = score_loops<S>().range(n, s.data());
      ASSERT_EQ(got.smallest, want.smallest) << k << " of " << n;
      ASSERT_EQ(got.largest, want.largest) << k << " of " << n;
    }
  }
}

/// Merits in a range, at its ends, and outside of it; with positives and without.
TYPED_TEST(ScoreLoopsOf, PlacesOfMeritsInARange) {
  using S = TypeParam;
  constexpr S infinite = std::numeric_limits<S>::infinity();
  for (const Index n : loop_sizes) {
    const auto s = Array<S>::uniform(n, -2, 2, 6);
    auto keys = Array<S>::uniform(n, 0, 1, 7);
    for (Index k = 0; k < n; ++k) keys[k] = S(k % 3);
    const PositiveMask<S> mask{S(1), keys.data()};
    const S end = n > 0 ? s[n / 2] : S(0);  // one of the scores, which is in the range
    for (const S factor : {S(1), S(-1)}) {
      for (const auto& [least, most] : std::vector<std::pair<S, S>>{{-infinite, infinite},
                                                                    {-infinite, S(-3)},
                                                                    {S(1.9), infinite},
                                                                    {S(3), infinite},
                                                                    {end * factor, S(1.5)},
                                                                    {S(-1.5), end * factor},
                                                                    {S(1), S(-1)}}) {
        for (const PositiveMask<S>* positives :
             {static_cast<const PositiveMask<S>*>(nullptr), &mask}) {
          std::vector<std::int32_t> want;
          for (Index k = 0; k < n; ++k) {
            const S merit = s[k] * factor;
            if (merit < least || merit > most || (positives != nullptr && k % 3 == 1)) continue;
            want.push_back(static_cast<std::int32_t>(k));
          }
          std::vector<std::int32_t> places(static_cast<std::size_t>(n) + 1, -7);
          const Index count = score_loops<S>().merits_in_range(n, {factor, least, most}, s.data(),
                                                               positives, places.data());
          EXPECT_EQ(places.back(), -7);
          places.resize(static_cast<std::size_t>(count));
          ASSERT_EQ(places, want) << n << ", from " << least << " to " << most;
        }
      }
    }
  }
}

TYPED_TEST(ScoreLoopsOf, ScoresAtMostZeroAreCounted) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto s = Array<S>::uniform(n, 0.5, 1, 2);
    Index want = 0;
    for (Index k = 0; k < n; k += 3) {
      s[k] = k % 2 == 0 ? S(0) : S(-1e-30);
      ++want;
    }
    EXPECT_EQ(score_loops<S>().count_zeros(n, s.data()), want) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, CosinesAreClampedToOne) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto u = Array<S>::uniform(n, -1.5, 1.5, 3);
    const auto before = u;
    score_loops<S>().clamp_cosines(n, u.data());
    for (Index k = 0; k < n; ++k) {
      EXPECT_EQ(u[k], std::min(std::max(before[k], S(-1)), S(1))) << k << " of " << n;
    }
    EXPECT_TRUE(u.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, SquaredDistancesComeFromNormsAndInnerProducts) {
  using S = TypeParam;
  const S x_norm = S(1.3);
  const S share = S(0.25);
  for (const Index n : loop_sizes) {
    const auto norms = Array<S>::uniform(n, 0.1, 2, 4);
    auto u = Array<S>::uniform(n, -1.5, 1.5, 5);  // some distances would be negative
    const auto before = u;
    const S nearest = score_loops<S>().squared_distances(n, x_norm, norms.data(), share, u.data());
    long double want_nearest = -std::numeric_limits<long double>::infinity();
    for (Index k = 0; k < n; ++k) {
      const long double sum = static_cast<long double>(x_norm) + norms.exact(k);
      const long double distance = sum - 2 * before.exact(k);
      EXPECT_TRUE(close(u[k], std::max(distance, 0.0L), sum + 3, 2)) << k << " of " << n;
      EXPECT_GE(u[k], S(0));
      want_nearest = std::max(want_nearest, static_cast<long double>(share) * sum - distance);
    }
    if (n > 0) {
      EXPECT_TRUE(close(nearest, want_nearest, 7.0L, 2)) << n;
    } else {
      EXPECT_EQ(nearest, -std::numeric_limits<S>::infinity());
    }
    EXPECT_TRUE(u.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, SquareRootsAreRoundedOnce) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    auto u = Array<S>::uniform(n, 0, 9, 6);
    if (n > 1) u[n / 2] = S(0);
    Array<S> s(n);
    score_loops<S>().square_roots(n, u.data(), s.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(s[k], std::sqrt(u[k])) << k << " of " << n;
    EXPECT_TRUE(s.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, OneMinusIsRoundedOnce) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto u = Array<S>::uniform(n, -1, 1, 7);
    Array<S> s(n);
    score_loops<S>().one_minus(n, u.data(), s.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(s[k], S(1) - u[k]) << k << " of " << n;
    EXPECT_TRUE(s.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, NegateChangesEverySign) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto g = Array<S>::uniform(n, -1, 1, 8);
    Array<S> w(n);
    score_loops<S>().negate(n, g.data(), w.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(w[k], -g[k]) << k << " of " << n;
    EXPECT_TRUE(w.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, WeightsOfSquaredDistancesAreMinusTwiceTheDerivatives) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto g = Array<S>::uniform(n, -1, 1, 9);
    Array<S> w(n);
    const double sum = score_loops<S>().distance_weights(n, g.data(), w.data());
    Sum want;
    for (Index k = 0; k < n; ++k) {
      EXPECT_EQ(w[k], S(-2) * g[k]) << k << " of " << n;
      want += -2 * g.exact(k);
    }
    EXPECT_TRUE(close_sum<S>(sum, want, n, 0)) << n;
    EXPECT_TRUE(w.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, WeightsOfDistancesAreDividedByThemAndZeroAtZero) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto g = Array<S>::uniform(n, -1, 1, 10);
    auto s = Array<S>::uniform(n, 0.1, 2, 11);
    for (Index k = 0; k < n; k += 5) s[k] = S(0);
    Array<S> w(n);
    const double sum = score_loops<S>().root_weights(n, g.data(), s.data(), w.data());
    Sum want;
    for (Index k = 0; k < n; ++k) {
      const long double weight = s[k] > 0 ? -g.exact(k) / s.exact(k) : 0.0L;
      EXPECT_TRUE(close(w[k], weight, std::abs(weight), 2)) << k << " of " << n;
      want += weight;
    }
    EXPECT_TRUE(close_sum<S>(sum, want, n, 2)) << n;
    EXPECT_TRUE(w.intact()) << n;
  }
}

TYPED_TEST(ScoreLoopsOf, WeightsMayTakeThePlaceOfDerivatives) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    const auto g = Array<S>::uniform(n, -1, 1, 12);
    const auto s = Array<S>::uniform(n, 0.1, 2, 13);
    Array<S> apart(n);
    auto in_place = g;
    score_loops<S>().root_weights(n, g.data(), s.data(), apart.data());
    score_loops<S>().root_weights(n, in_place.data(), s.data(), in_place.data());
    for (Index k = 0; k < n; ++k) EXPECT_EQ(in_place[k], apart[k]) << k << " of " << n;
  }
}

TYPED_TEST(ScoreLoopsOf, MatchIsOneWhereCodesAreEqual) {
  using S = TypeParam;
  for (const Index n : loop_sizes) {
    Array<S> key(n);
    for (Index k = 0; k < n; ++k) key[k] = static_cast<S>(k * 7 % 5);
    Array<S> out(n);
    score_loops<S>().match(n, S(3), key.data(), out.data());
    for (Index k = 0; k < n; ++k) {
      EXPECT_EQ(out[k], k * 7 % 5 == 3 ? S(1) : S(0)) << k << " of " << n;
    }
    EXPECT_TRUE(out.intact()) << n;
  }
}

}  // namespace
