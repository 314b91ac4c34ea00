#include <gtest/gtest.h>

#include <nearfar/loops/products.hpp>
#include <nearfar/loops/softmax.hpp>

#include "support/loops.hpp"

namespace {

using namespace nearfar::detail;
using nearfar::Index;
using support::Array;
using support::close;
using support::close_sum;
using support::loop_sizes;
using support::Sum;

template <class S>
class SoftmaxLoopsOf : public testing::Test {};
TYPED_TEST_SUITE(SoftmaxLoopsOf, support::Scalars);

/// Scores are in [-2, 2]: exponents of two in [-28, 0].
constexpr double temperature = 0.2;
constexpr double widest = 4;

/// Rounding errors of an exponential: those of its exponent, and its own.
constexpr double roundings = 64;

template <class S>
Array<S> scores(Index n, std::uint64_t seed) {
  return Array<S>::uniform(n, -widest / 2, widest / 2, seed);
}

/// 2^((nearness - reference) rate).
template <class S>
long double exponential(long double nearness, S reference, S rate) {
  const long double below = nearness - static_cast<long double>(reference);
  return std::exp2(below * static_cast<long double>(rate));
}

/// Scores of a row and its positives.
template <class S>
struct Row {
  Index n;
  int sign;
  Array<S> s;
  Array<S> key;
  S best;
  S rate = exponential_rate<S>(temperature);

  Row(Index count, int sign_of_nearness)
      : n(count), sign(sign_of_nearness), s(scores<S>(count, 1)), key(count), best(S(widest / 2)) {
    for (Index k = 0; k < n; ++k) key[k] = static_cast<S>(k * 5 % 3);
  }

  PositiveMask<S> mask() const { return {S(1), key.data()}; }
  bool positive(Index k) const { return key[k] == S(1); }
  long double near(Index k) const { return sign * s.exact(k); }
};

/// Calls body for similarities and distances, in all sizes.
template <class S, class Body>
void each_row(const Body& body) {
  for (const Index n : loop_sizes) {
    for (const int sign : {1, -1}) {
      SCOPED_TRACE(testing::Message() << n << " scores, sign " << sign);
      body(Row<S>(n, sign));
    }
  }
}

TYPED_TEST(SoftmaxLoopsOf, ExponentialSumIsTheSumOfExponentials) {
  using S = TypeParam;
  each_row<S>([](const Row<S>& row) {
    Sum want;
    for (Index k = 0; k < row.n; ++k) want += exponential(row.near(k), row.best, row.rate);
    const double got =
        softmax_loops<S>().exponential_sum(row.n, row.s.data(), row.sign, row.best, row.rate);
    EXPECT_TRUE(close_sum<S>(got, want, row.n, roundings));
  });
}

TYPED_TEST(SoftmaxLoopsOf, ExponentialsTakeTheScoresPlaceAndAreSummed) {
  using S = TypeParam;
  each_row<S>([](const Row<S>& row) {
    Array<S> s = row.s;
    Sum want;
    Sum want_moment;
    const ExponentialSums<S> got =
        softmax_loops<S>().exponentiate(row.n, s.data(), row.best, row.rate);
    for (Index k = 0; k < row.n; ++k) {
      const long double e = exponential(row.s.exact(k), row.best, row.rate);
      EXPECT_TRUE(close(s[k], e, e, roundings)) << k;
      want += e;
      want_moment += e * (row.s.exact(k) - static_cast<long double>(row.best));
    }
    EXPECT_TRUE(close_sum<S>(got.sum, want, row.n, roundings));
    EXPECT_TRUE(close_sum<S>(got.moment, want_moment, row.n, roundings));
    EXPECT_TRUE(s.intact());
  });
}

TYPED_TEST(SoftmaxLoopsOf, GradientIsTheFactorTimesExponentialsAndReturnsItsMoment) {
  using S = TypeParam;
  each_row<S>([](const Row<S>& row) {
    const S factor = S(-0.7);
    const S from = S(0.3);
    Array<S> g(row.n);
    const double got = softmax_loops<S>().gradient(row.n, row.s.data(), row.sign, row.best,
                                                   row.rate, factor, from, g.data());
    Sum want;
    for (Index k = 0; k < row.n; ++k) {
      const long double e =
          exponential(row.near(k), row.best, row.rate) * static_cast<long double>(factor);
      EXPECT_TRUE(close(g[k], e, std::abs(e), roundings)) << k;
      want += e * (row.s.exact(k) - static_cast<long double>(from));
    }
    // The rounding errors of differences are those of the scores.
    want.magnitude += 1;
    EXPECT_TRUE(close_sum<S>(got, want, row.n, roundings));
    EXPECT_TRUE(g.intact());
  });
}

TYPED_TEST(SoftmaxLoopsOf, SumsWithPositivesAreOfNegativesAndOfPositives) {
  using S = TypeParam;
  each_row<S>([](const Row<S>& row) {
    const PositiveSums<S> got = softmax_loops<S>().sums_with_positives(
        row.n, row.s.data(), row.sign, row.mask(), row.best, row.rate);
    Sum negatives;
    Sum positives;
    Sum positive_scores;
    for (Index k = 0; k < row.n; ++k) {
      const long double e = exponential(row.near(k), row.best, row.rate);
      (row.positive(k) ? positives : negatives) += e;
      if (row.positive(k)) positive_scores += row.near(k);
    }
    EXPECT_TRUE(close_sum<S>(got.negatives, negatives, row.n, roundings));
    EXPECT_TRUE(close_sum<S>(got.positives, positives, row.n, roundings));
    EXPECT_TRUE(close_sum<S>(got.scores, positive_scores, row.n, 2));
  });
}

TYPED_TEST(SoftmaxLoopsOf, LargestPositiveIsTheNearestOrTheLowestNumberOfNone) {
  using S = TypeParam;
  each_row<S>([](const Row<S>& row) {
    S want = std::numeric_limits<S>::lowest();
    for (Index k = 0; k < row.n; ++k) {
      if (row.positive(k)) want = std::max(want, static_cast<S>(row.near(k)));
    }
    EXPECT_EQ(softmax_loops<S>().largest_positive(row.n, row.s.data(), row.sign, row.mask()), want);
    const PositiveMask<S> none{S(9), row.key.data()};
    EXPECT_EQ(softmax_loops<S>().largest_positive(row.n, row.s.data(), row.sign, none),
              std::numeric_limits<S>::lowest());
  });
}

TYPED_TEST(SoftmaxLoopsOf, PositiveSumIsOfPositivesAloneEvenWhereNegativesLieAbove) {
  using S = TypeParam;
  each_row<S>([](Row<S> row) {
    // A negative far above the best positive, whose exponential would overflow.
    for (Index k = 0; k < row.n; k += 7) {
      if (!row.positive(k)) row.s[k] = static_cast<S>(row.sign) * S(1e6);
    }
    Sum want;
    for (Index k = 0; k < row.n; ++k) {
      if (row.positive(k)) want += exponential(row.near(k), row.best, row.rate);
    }
    const double got = softmax_loops<S>().positive_sum(row.n, row.s.data(), row.sign, row.mask(),
                                                       row.best, row.rate);
    EXPECT_TRUE(close_sum<S>(got, want, row.n, roundings));
  });
}

TYPED_TEST(SoftmaxLoopsOf, GradientWithPositivesHasFactorsAndAShareOfTheirOwnForPositives) {
  using S = TypeParam;
  each_row<S>([&](const Row<S>& row) {
    const SoftmaxShares<S> shares{row.best, S(1.9), S(0.4), S(-0.06), S(0.3), S(0.7)};
    Array<S> g(row.n);
    const double got = softmax_loops<S>().gradient_with_positives(
        row.n, row.s.data(), row.sign, row.mask(), row.rate, shares, g.data());
    Sum want;
    for (Index k = 0; k < row.n; ++k) {
      const bool positive = row.positive(k);
      const S top = positive ? shares.best_positive : shares.best;
      const S factor = positive ? shares.of_positives : shares.of_negatives;
      Sum out;
      out += exponential(row.near(k), top, row.rate) * static_cast<long double>(factor);
      if (positive) out += -static_cast<long double>(shares.share);
      EXPECT_TRUE(close(g[k], out.value, out.magnitude, roundings)) << k;
      const long double from = row.near(k) - static_cast<long double>(shares.from);
      want.value += out.value * from;
      want.magnitude += out.magnitude * (1 + std::abs(from));
    }
    EXPECT_TRUE(close_sum<S>(got, want, row.n, roundings));
    EXPECT_TRUE(g.intact());
  });
}

TYPED_TEST(SoftmaxLoopsOf, ScoresThatAreLeftOutHaveNoPart) {
  using S = TypeParam;
  const S rate = exponential_rate<S>(temperature);
  for (const Index n : loop_sizes) {
    Array<S> s(n);
    for (Index k = 0; k < n; ++k) s[k] = left_out<S>;
    EXPECT_EQ(softmax_loops<S>().exponential_sum(n, s.data(), 1, S(1), rate), 0) << n;
    const ExponentialSums<S> sums = softmax_loops<S>().exponentiate(n, s.data(), S(1), rate);
    EXPECT_EQ(sums.sum, 0) << n;
    EXPECT_EQ(sums.moment, 0) << n;
    for (Index k = 0; k < n; ++k) EXPECT_EQ(s[k], S(0)) << k << " of " << n;
  }
}

/// A tile whose padding is masked, and the class codes of its rows and columns.
template <class S>
struct Tile {
  Index count;
  Index columns;
  bool coded;
  Index padded_columns;
  Index stride;
  Array<S> s;
  Array<S> row_codes;
  Array<S> column_codes;
  S reference = S(widest / 2);
  S rate = exponential_rate<S>(temperature);

  Tile(Index rows, Index cols, bool has_codes)
      : count(rows),
        columns(cols),
        coded(has_codes),
        padded_columns(round_up(cols, product_loops<S>().lanes)),
        stride(padded_columns + 16),
        s(scores<S>(rows * stride, 3)),
        row_codes(rows),
        column_codes(cols) {
    for (Index r = 0; r < count; ++r) {
      row_codes[r] = static_cast<S>(r % 4);
      for (Index c = columns; c < padded_columns; ++c) s[r * stride + c] = left_out<S>;
    }
    for (Index c = 0; c < columns; ++c) column_codes[c] = static_cast<S>(c * 3 % 4);
    // A masked pair, like a row's one positive if codes do not define positives.
    if (!coded && count > 2 && columns > 3) s[2 * stride + 3] = left_out<S>;
  }

  ScoreTile<S> view() { return {s.data(), stride, count, columns}; }
  TileCodes<S> codes() const {
    return coded ? TileCodes<S>{row_codes.data(), column_codes.data()}
                 : TileCodes<S>{nullptr, nullptr};
  }
  bool positive(Index r, Index c) const { return coded && row_codes[r] == column_codes[c]; }
  bool skipped(Index r, Index c) const { return s[r * stride + c] == left_out<S>; }
};

template <class S, class Body>
void each_tile_of(const Body& body) {
  for (const Index count : {1, 2, 5, 48}) {
    for (const Index columns : loop_sizes) {
      for (const bool coded : {false, true}) {
        SCOPED_TRACE(testing::Message() << count << " x " << columns << (coded ? ", coded" : ""));
        Tile<S> tile(count, columns, coded);
        body(tile);
      }
    }
  }
}

TYPED_TEST(SoftmaxLoopsOf, TileSumsAreOfEachRowAndOfEachColumn) {
  using S = TypeParam;
  each_tile_of<S>([](Tile<S>& tile) {
    Array<S> rows(tile.count);
    Array<S> columns(tile.padded_columns);
    Array<S> row_positives(tile.count);
    Array<S> column_positives(tile.padded_columns);
    Array<S> lanes(2 * tile.count * product_loops<S>().lanes);
    const Array<S> before = tile.s;
    softmax_loops<S>().tile_sums(
        tile.view(), tile.reference, tile.rate, tile.codes(),
        {rows.data(), columns.data(), row_positives.data(), column_positives.data(), lanes.data()});
    const auto sums_of = [&](bool along_row, Index number) {
      Sum all;
      Sum positives;
      for (Index k = 0; k < (along_row ? tile.columns : tile.count); ++k) {
        const Index r = along_row ? number : k;
        const Index c = along_row ? k : number;
        if (tile.skipped(r, c)) continue;
        const long double s = tile.s.exact(r * tile.stride + c);
        all += exponential(s, tile.reference, tile.rate);
        if (tile.positive(r, c)) positives += s;
      }
      return std::pair(all, positives);
    };
    for (Index r = 0; r < tile.count; ++r) {
      const auto [all, positives] = sums_of(true, r);
      EXPECT_TRUE(close_sum<S>(rows[r], all, tile.columns, roundings)) << "row " << r;
      if (tile.coded) {
        EXPECT_TRUE(close_sum<S>(row_positives[r], positives, tile.columns, 0)) << "row " << r;
      }
    }
    for (Index c = 0; c < tile.columns; ++c) {
      const auto [all, positives] = sums_of(false, c);
      EXPECT_TRUE(close_sum<S>(columns[c], all, tile.count, roundings)) << "column " << c;
      if (tile.coded) {
        EXPECT_TRUE(close_sum<S>(column_positives[c], positives, tile.count, 0)) << "column " << c;
      }
    }
    for (Index k = 0; k < tile.s.size(); ++k) ASSERT_EQ(tile.s[k], before[k]) << "scores stay";
    EXPECT_TRUE(rows.intact() && columns.intact() && row_positives.intact() &&
                column_positives.intact() && lanes.intact());
  });
}

/// Factors of one side of a tile.
template <class S>
struct Side {
  Array<S> factors;
  Array<S> references;
  Array<S> shares;

  explicit Side(Index n) : factors(n), references(n), shares(n) {}
  static Side uniform(Index n, Index padded, std::uint64_t seed) {
    Side out(padded);
    for (Array<S>* each : {&out.factors, &out.references, &out.shares}) {
      const auto numbers = Array<S>::uniform(n, 0.1, 1, seed++);
      for (Index k = 0; k < padded; ++k) (*each)[k] = k < n ? numbers[k] : S(0);
    }
    return out;
  }
  TileFactors<S> view() { return {factors.data(), references.data(), shares.data()}; }
  bool intact() const { return factors.intact() && references.intact() && shares.intact(); }
};

TYPED_TEST(SoftmaxLoopsOf, TileWeightsAreExponentialsTimesBothFactorsLessShares) {
  using S = TypeParam;
  each_tile_of<S>([](Tile<S>& tile) {
    auto rows = Side<S>::uniform(tile.count, tile.count, 10);
    auto columns = Side<S>::uniform(tile.columns, tile.padded_columns, 20);
    const Tile<S> before = tile;
    const double got = softmax_loops<S>().tile_weights(tile.view(), tile.reference, tile.rate,
                                                       tile.codes(), rows.view(), columns.view());
    Sum want;
    for (Index r = 0; r < tile.count; ++r) {
      for (Index c = 0; c < tile.padded_columns; ++c) {
        const S weight = tile.s[r * tile.stride + c];
        if (before.skipped(r, c)) {
          EXPECT_EQ(weight, S(0)) << r << ", " << c;
          continue;
        }
        const long double s = before.s.exact(r * tile.stride + c);
        const long double e = exponential(s, tile.reference, tile.rate);
        Sum of_row;
        Sum of_column;
        of_row += e * rows.factors.exact(r);
        of_column += e * columns.factors.exact(c);
        if (before.positive(r, c)) {
          of_row += -rows.shares.exact(r);
          of_column += -columns.shares.exact(c);
        }
        EXPECT_TRUE(close(weight, of_row.value + of_column.value,
                          of_row.magnitude + of_column.magnitude, roundings))
            << r << ", " << c;
        const long double from_row = s - rows.references.exact(r);
        const long double from_column = s - columns.references.exact(c);
        want.value += of_row.value * from_row + of_column.value * from_column;
        want.magnitude +=
            of_row.magnitude * std::abs(from_row) + of_column.magnitude * std::abs(from_column);
      }
    }
    EXPECT_TRUE(close_sum<S>(got, want, tile.count * tile.columns, roundings));
    EXPECT_TRUE(tile.s.intact());
  });
}

TYPED_TEST(SoftmaxLoopsOf, TileFactorsAreRelativeToTheTilesReferenceAndZeroInPadding) {
  using S = TypeParam;
  const S reference = S(0.5);
  const S rate = exponential_rate<S>(temperature);
  for (const Index n : loop_sizes) {
    for (const bool shared : {false, true}) {
      SCOPED_TRACE(testing::Message() << n << (shared ? ", with shares" : ""));
      const auto top = Array<S>::uniform(n, -1, 2, 30);
      const auto factor = Array<S>::uniform(n, -1, 1, 31);
      const auto from = Array<S>::uniform(n, -1, 1, 32);
      const auto share = Array<S>::uniform(n, 0, 1, 33);
      const Index padded = round_up(n, product_loops<S>().lanes);
      Side<S> out(padded);
      softmax_loops<S>().tile_factors(
          n, padded, reference, rate,
          {top.data(), factor.data(), from.data(), shared ? share.data() : nullptr}, out.view());
      for (Index k = 0; k < padded; ++k) {
        const bool inside = k < n;
        const long double want =
            inside
                ? exponential(static_cast<long double>(reference), top[k], rate) * factor.exact(k)
                : 0;
        EXPECT_TRUE(close(out.factors[k], want, std::abs(want), roundings)) << k;
        EXPECT_EQ(out.references[k], inside ? from[k] : S(0)) << k;
        if (!shared) continue;
        EXPECT_EQ(out.shares[k], inside ? share[k] : S(0)) << k;
      }
      EXPECT_TRUE(out.intact());
    }
  }
}

}  // namespace
