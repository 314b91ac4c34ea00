#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Losses of rows without labels on shards: rows that are hard for them, and the options of calls,
/// against one process with all rows.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Sharding;

template <class S>
class ShardedWholeSets : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedWholeSets, Scalars);

template <class S>
constexpr double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;

/// one(x, dx, upstream) and many(where, x, dx, upstream), with an upstream of the rows of x.
template <class S, class One, class Many>
void expect_same(const Matrix<S>& x, const One& one, const Many& many) {
  const Matrix<double> upstream = random_rows<double>(1, x.rows(), 8);
  Matrix<S> want_dx = Matrix<S>::Constant(x.rows(), x.cols(), S(0.25));
  const nearfar::Result want = one(x, want_dx, upstream.data());
  const double largest = static_cast<double>((want_dx.array() - S(0.25)).abs().maxCoeff());
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    for (const int processes : {1, 2, 3, 4}) {
      for (const Split split : {Split::even, Split::growing, Split::last_has_all}) {
        run_team(processes, [&](Exchange& e) {
          SCOPED_TRACE("rank " + std::to_string(e.rank()) + " of " + std::to_string(processes));
          const Index first = first_row(split, e.rank(), processes, x.rows());
          const Index count = first_row(split, e.rank() + 1, processes, x.rows()) - first;
          const Matrix<S> own = x.middleRows(first, count);
          Matrix<S> dx = Matrix<S>::Constant(count, x.cols(), S(0.25));
          const nearfar::Result got = many(Sharding(e, schedule), own, dx, upstream.data() + first);
          EXPECT_NEAR(got.value, want.value, promised<S> * std::max(1.0, std::abs(want.value)));
          expect_same_counts(got.diagnostics, want.diagnostics);
          for (std::size_t i = 0; i < got.values.size(); ++i) {
            EXPECT_NEAR(got.values[i], want.values[static_cast<std::size_t>(first) + i],
                        promised<S> * std::max(1.0, std::abs(got.values[i])));
          }
          ASSERT_EQ(dx.rows(), count);
          if (count == 0) return;
          const double off =
              static_cast<double>((dx - want_dx.middleRows(first, count)).cwiseAbs().maxCoeff());
          EXPECT_LE(off, promised<S> * std::max(0.25, largest));
        });
      }
    }
  }
}

/// Adds the gradient to a buffer.
template <class S, class One, class Many>
void expect_same(const Matrix<S>& x, const One& one, const Many& many) requires requires {
  one.options();
}
{
  expect_same(
      x,
      [&](const Matrix<S>& rows, Matrix<S>& dx, const double*) {
        return one.forward_backward(rows, nearfar::accumulate(dx), {.upstream = 1.5});
      },
      [&](const Sharding& where, const Matrix<S>& rows, Matrix<S>& dx, const double*) {
        return many.forward_backward(where, rows, nearfar::accumulate(dx), {.upstream = 1.5});
      });
}

template <class S>
void expect_all_same(const Matrix<S>& x) {
  using namespace nearfar;
  expect_same(x, Gor<S>(), sharded::Gor<S>());
  for (const double t : {2.0, 1e3}) {
    expect_same(x, Uniformity<S>({.t = t}), sharded::Uniformity<S>({.t = t}));
  }
  expect_same(x, KoLeo<S>(), sharded::KoLeo<S>());
}

TYPED_TEST(ShardedWholeSets, WithZeroRowsAreThoseOfOneProcess) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(23, 7, 3);
  for (const Index i : {0, 9, 22}) x.row(i).setZero();
  expect_all_same<S>(x);
  const Matrix<S> zero = Matrix<S>::Zero(9, 4);
  expect_all_same<S>(zero);
  Matrix<S> one_direction = zero;
  one_direction(4, 1) = 2;
  expect_all_same<S>(one_direction);
}

/// Copies of a row on several processes: distances of 0, and several nearest rows.
TYPED_TEST(ShardedWholeSets, WithCopiesOfRowsAreThoseOfOneProcess) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(24, 7, 3);
  for (const Index i : {2, 11, 21}) x.row(i) = x.row(6);
  expect_all_same<S>(x);
  // Each row has two nearest ones; the first counts.
  Matrix<S> circle(12, 2);
  const S corners[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  for (Index i = 0; i < 12; ++i) circle.row(i) << corners[i % 4][0], corners[i % 4][1];
  expect_same(Matrix<S>(circle.topRows(4)), nearfar::KoLeo<S>(), nearfar::sharded::KoLeo<S>());
  expect_same(circle, nearfar::KoLeo<S>(), nearfar::sharded::KoLeo<S>());
}

/// Cosines of 1 to the last digit.
TYPED_TEST(ShardedWholeSets, OfNearlyEqualDirectionsAreThoseOfOneProcess) {
  using S = TypeParam;
  Matrix<S> x = S(1e-3) * random_rows<S>(30, 12, 3);
  x.array() += S(1);
  const nearfar::Uniformity<S> one;
  const nearfar::sharded::Uniformity<S> many;
  expect_same(x, one, many);
  const double value = one.forward(x).value;
  ASSERT_LT(value, 0);
  run_team(3, [&](Exchange& e) {
    const Matrix<S> own = x.middleRows(10 * e.rank(), 10);
    const double got = many.forward(e, own).value;
    EXPECT_NEAR(got, value, 1e-6 * -value);  // of a value near 0
  });
  expect_same(x, nearfar::KoLeo<S>(), nearfar::sharded::KoLeo<S>());
}

TYPED_TEST(ShardedWholeSets, TakeAnUpstreamForEachTerm) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(23, 7, 3);
  const auto call = [](const double* upstream, Index rows) {
    return nearfar::CallOptions<S>{.upstream = nearfar::Upstream(upstream, rows)};
  };
  const auto check = [&](const auto& one, const auto& many) {
    expect_same(
        x,
        [&](const Matrix<S>& rows, Matrix<S>& dx, const double* upstream) {
          return one.forward_backward(rows, dx, call(upstream, rows.rows()));
        },
        [&](const Sharding& where, const Matrix<S>& rows, Matrix<S>& dx, const double* upstream) {
          return many.forward_backward(where, rows, dx, call(upstream, rows.rows()));
        });
  };
  check(nearfar::KoLeo<S>({.reduction = Reduction::none}),
        nearfar::sharded::KoLeo<S>({.reduction = Reduction::none}));
}

/// Gradients are multiplied by the number of processes, once, for frameworks that average them.
TYPED_TEST(ShardedWholeSets, ScaleGradientsForAveragingOnce) {
  using S = TypeParam;
  run_team(4, [&](Exchange& e) {
    const Matrix<S> x = random_rows<S>(6, 5, static_cast<std::uint64_t>(e.rank()));
    const Matrix<S> y = random_rows<S>(6, 5, 10 + static_cast<std::uint64_t>(e.rank()));
    const auto check = [&](const auto& gradient) {
      const Matrix<S> sum = gradient(Sharding(e, Schedule::ring));
      const Matrix<S> average =
          gradient(Sharding(e, Schedule::ring, nearfar::GradientScale::for_averaging));
      EXPECT_GT(sum.cwiseAbs().maxCoeff(), S(0));
      EXPECT_TRUE(average.isApprox(4 * sum, static_cast<S>(10 * promised<S>)));
    };
    const auto of_rows = [&](const auto& loss) {
      check([&](const Sharding& where) {
        Matrix<S> dx;
        loss.forward_backward(where, x, dx);
        return dx;
      });
    };
    const auto of_pairs = [&](const auto& loss) {
      check([&](const Sharding& where) {
        Matrix<S> dx;
        loss.forward_backward(where, x, y, dx, nearfar::no_gradient);
        return dx;
      });
    };
    using namespace nearfar::sharded;
    of_rows(Gor<S>());
    of_rows(Uniformity<S>());
    of_rows(KoLeo<S>());
    of_pairs(VicReg<S>());
    of_pairs(BarlowTwins<S>());
    of_pairs(Alignment<S>());
  });
}

}  // namespace
