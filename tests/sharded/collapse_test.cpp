#include <gtest/gtest.h>

#include <nearfar/sharded/collapse.hpp>

#include <limits>
#include <string>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Signs of collapse over shards against those of one process.

namespace {

using namespace support;
using nearfar::CollapseResult;
using nearfar::Exchange;

/// Sums in the order of rows have the bits of one process. The Gram matrix is summed piece by
/// piece: pieces end where shards do.
void expect_same(const CollapseResult& got, const CollapseResult& want) {
  EXPECT_EQ(got.rows, want.rows);
  EXPECT_EQ(got.zero_rows, want.zero_rows);
  EXPECT_EQ(got.mean_norm, want.mean_norm);
  EXPECT_EQ(got.norm_deviation, want.norm_deviation);
  EXPECT_EQ(got.mean_cosine, want.mean_cosine);
  EXPECT_NEAR(got.effective_rank, want.effective_rank, 1e-12 * want.effective_rank);
}

template <class S>
void check(const Matrix<S>& x) {
  const CollapseResult want = nearfar::collapse(x);
  for (const int processes : {1, 2, 3, 4}) {
    for (const Split split :
         {Split::even, Split::growing, Split::first_has_none, Split::last_has_all}) {
      if (processes == 1 && split != Split::even) continue;
      run_team(processes, [&](Exchange& e) {
        SCOPED_TRACE("process " + std::to_string(e.rank()) + " of " + std::to_string(processes));
        const Index first = first_row(split, e.rank(), processes, x.rows());
        const Index count = first_row(split, e.rank() + 1, processes, x.rows()) - first;
        const auto own = x.middleRows(first, count);
        expect_same(nearfar::sharded::collapse(e, own), want);
        const CollapseResult plain = nearfar::sharded::collapse(e, own, {.effective_rank = false});
        EXPECT_EQ(plain.mean_cosine, want.mean_cosine);
        EXPECT_EQ(plain.effective_rank, 0);
      });
    }
  }
}

template <class S>
class ShardedCollapse : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedCollapse, Scalars);

TYPED_TEST(ShardedCollapse, IsThatOfOneProcess) {
  using S = TypeParam;
  for (const Index n : {1, 3, 40, 500}) {
    SCOPED_TRACE(n);
    Matrix<S> x = random_rows<S>(n, 19, 3);
    check<S>(x);
    x.array() += S(0.7);  // nearly one direction
    if (n > 2) x.row(1).setZero();
    check<S>(x);
  }
  check<S>(Matrix<S>::Zero(7, 4));
}

/// Norms that only a double holds, and elements that it holds as its largest.
TYPED_TEST(ShardedCollapse, OfRowsOfAnySizeIsThatOfOneProcess) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(12, 6, 3);
  for (const S size : {std::numeric_limits<S>::min(), std::numeric_limits<S>::max() / 8}) {
    check<S>(size * x);
  }
  x.topRows(5) *= S(1e-20);
  check<S>(x);
}

TEST(ShardedCollapseCalls, TakeRowsIn16Bits) {
  using Rows16 = Eigen::Matrix<Eigen::bfloat16, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Rows16 x = random_rows<float>(60, 5, 2).cast<Eigen::bfloat16>();
  const CollapseResult want = nearfar::collapse(x);
  run_team(3, [&](Exchange& e) {
    const Index first = first_row(Split::growing, e.rank(), 3, 60);
    const Rows16 own = x.middleRows(first, first_row(Split::growing, e.rank() + 1, 3, 60) - first);
    expect_same(nearfar::sharded::collapse(e, own), want);
  });
}

TEST(ShardedCollapseCalls, OfNothingIsZero) {
  run_team(3, [&](Exchange& e) {
    const CollapseResult got = nearfar::sharded::collapse(e, Matrix<float>(0, e.rank()));
    EXPECT_EQ(got.rows, 0);
    EXPECT_EQ(got.effective_rank, 0);
  });
}

/// No row is sent, whatever their number.
TEST(ShardedCollapseCalls, SendSumsAlone) {
  constexpr Index cols = 24;
  for (const Index rows : {10, 300}) {
    for (const int size : {1, 2, 3}) {
      const auto bytes = [&](bool rank) {
        return static_cast<Index>(run_team(size, [&](Exchange& e) {
          nearfar::sharded::collapse(e, random_rows<float>(rows, cols, 1),
                                     {.effective_rank = rank});
        }));
      };
      const Index times = size > 1 ? 2 * size - 2 : 0;
      EXPECT_EQ(bytes(false), times * 8 * (2 + 2 * cols));
      // Rows of the Gram matrix are padded to whole cache lines.
      EXPECT_GE(bytes(true), times * 8 * (2 + 2 * cols + cols * cols));
      EXPECT_LE(bytes(true), times * 8 * (2 + 2 * cols + 2 * cols * (cols + 16)));
    }
  }
}

TEST(ShardedCollapseCalls, RefuseWhatDoesNotFitOnAllProcesses) {
  run_team(3, [&](Exchange& e) {
    using nearfar::sharded::collapse;
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(6, 4, 1);
    const double cosine = collapse(e, x).mean_cosine;
    const auto refused = [&](const auto& call, const std::string& text) {
      expect_error_everywhere(call, text);
      EXPECT_EQ(collapse(e, x).mean_cosine, cosine);
    };
    Matrix<float> bad = x;
    if (mine) bad(2, 3) = std::numeric_limits<float>::quiet_NaN();
    refused([&] { collapse(e, bad); },
            "nearfar: rank 1: x: wanted finite elements, got NaN at row 2, column 3");
    refused([&] { collapse(e, mine ? Matrix<float>(6, 0) : x); },
            "nearfar: rank 1: x: wanted rows of at least one element, got 0 columns");
    refused([&] { collapse(e, mine ? random_rows<float>(6, 5, 1) : x); },
            "nearfar: rank 1: columns: wanted 4 as on rank 0, got 5");
    refused([&] { collapse(e, x, {.effective_rank = mine}); },
            "nearfar: rank 1: effective_rank: wanted 0 as on rank 0, got 1");
    Matrix<float> d_parameter;
    refused([&] { collapse(e, x, {}, {.d_parameter = d_parameter}); },
            "d_parameter: wanted none, as metrics have no gradient");
  });
}

}  // namespace
