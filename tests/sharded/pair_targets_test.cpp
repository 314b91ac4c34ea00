#include <gtest/gtest.h>

#include <nearfar/sharded/clip.hpp>
#include <nearfar/sharded/hard_negative.hpp>
#include <nearfar/sharded/info_nce.hpp>
#include <nearfar/sharded/nt_xent.hpp>
#include <nearfar/sharded/sig_lip.hpp>
#include <vector>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"
#include "support/team.hpp"

/// Losses of pairs with targets over a split batch, against those of one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::Targets;

constexpr Index n = 41;
constexpr Index dimensions = 6;

/// The first rows of processes; one process has no rows.
const std::vector<std::vector<Index>> splits = {{0, n}, {0, 20, n}, {0, 5, 5, 30, n}};

/// Ids that are equal within shards and across them.
std::vector<int> some_ids() {
  std::vector<int> out;
  for (Index i = 0; i < n; ++i) out.push_back(static_cast<int>(i % 4 == 1 ? i / 3 : 100 + i % 19));
  return out;
}

/// `whole(x, y, dx, dy)` runs on all rows, `part(exchange, first, x, y, dx, dy)` on a process's
/// rows from `first` on.
template <class S, class Whole, class Part>
void expect_same_on_shards(const Whole& whole, const Part& part) {
  const Matrix<S> x = random_rows<S>(n, dimensions, 1);
  const Matrix<S> y = random_rows<S>(n, dimensions, 2);
  Matrix<S> dx, dy;
  const auto want = whole(x, y, dx, dy);
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    for (const std::vector<Index>& begin : splits) {
      const int size = static_cast<int>(begin.size()) - 1;
      SCOPED_TRACE(std::to_string(size) + " processes, schedule " +
                   std::to_string(static_cast<int>(schedule)));
      Matrix<S> got_dx(n, dimensions);
      Matrix<S> got_dy(n, dimensions);
      run_team(size, [&](Exchange& exchange) {
        const auto rank = static_cast<std::size_t>(exchange.rank());
        const Index first = begin[rank];
        const Index count = begin[rank + 1] - first;
        const Matrix<S> own_x = x.middleRows(first, count);
        const Matrix<S> own_y = y.middleRows(first, count);
        Matrix<S> own_dx(count, dimensions), own_dy(count, dimensions);
        const auto got =
            part(nearfar::Sharding{exchange, schedule}, first, own_x, own_y, own_dx, own_dy);
        EXPECT_NEAR(got.value, want.value, Tolerance<S>::value * std::abs(want.value));
        expect_same_counts(got.diagnostics, want.diagnostics);
        got_dx.middleRows(first, count) = own_dx;
        got_dy.middleRows(first, count) = own_dy;
      });
      expect_same<S>(got_dx, dx, "dx");
      expect_same<S>(got_dy, dy, "dy");
    }
  }
}

template <class S>
class ShardedPairs : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedPairs, Scalars);

TYPED_TEST(ShardedPairs, LeaveOutPairsOfOneIdWhereverTheyAre) {
  using S = TypeParam;
  const std::vector<int> ids = some_ids();
  const auto check = [&](const auto& one, const auto& many) {
    expect_same_on_shards<S>(
        [&](const auto& x, const auto& y, auto& dx, auto& dy) {
          return one.forward_backward(x, y, Targets().ids(ids), dx, dy);
        },
        [&](const nearfar::Sharding& where, Index first, const auto& x, const auto& y, auto& dx,
            auto& dy) {
          const Targets own = Targets().ids(nearfar::Labels(ids.data() + first, x.rows()));
          const auto forward = many.forward(where, x, y, own);
          const auto got = many.forward_backward(where, x, y, own, dx, dy);
          EXPECT_NEAR(forward.value, got.value, Tolerance<S>::value * std::abs(got.value));
          return got;
        });
  };
  check(nearfar::Clip<S>({.logit_scale = 4}), nearfar::sharded::Clip<S>({.logit_scale = 4}));
  check(nearfar::SigLip<S>(), nearfar::sharded::SigLip<S>());
  check(nearfar::NtXent<S>(), nearfar::sharded::NtXent<S>());
  check(nearfar::NtXent<S, nearfar::Euclidean>(),
        nearfar::sharded::NtXent<S, nearfar::Euclidean>());
  check(nearfar::HardNegative<S>(), nearfar::sharded::HardNegative<S>());
}

TYPED_TEST(ShardedPairs, InfoNceTakesIdsOfQueriesAndOfKeys) {
  using S = TypeParam;
  const std::vector<int> ids = some_ids();
  std::vector<int> of_keys = ids;
  of_keys[7] = of_keys[30];
  std::vector<Index> positives;
  for (Index i = 0; i < n; ++i) positives.push_back((i * 5 + 2) % n);
  const nearfar::InfoNce<S> one({.temperature = 0.3});
  const nearfar::sharded::InfoNce<S> many({.temperature = 0.3});
  for (const bool by_number : {false, true}) {
    expect_same_on_shards<S>(
        [&](const auto& x, const auto& y, auto& dx, auto& dy) {
          const Targets queries = Targets().ids(ids);
          const Targets keys = Targets().ids(of_keys);
          return by_number ? one.forward_backward(x, y, positives, queries, keys, dx, dy)
                           : one.forward_backward(x, y, queries, keys, dx, dy);
        },
        [&](const nearfar::Sharding& where, Index first, const auto& x, const auto& y, auto& dx,
            auto& dy) {
          const Targets queries = Targets().ids(nearfar::Labels(ids.data() + first, x.rows()));
          const Targets keys = Targets().ids(nearfar::Labels(of_keys.data() + first, x.rows()));
          const nearfar::Labels own(positives.data() + first, x.rows());
          return by_number ? many.forward_backward(where, x, y, own, queries, keys, dx, dy)
                           : many.forward_backward(where, x, y, queries, keys, dx, dy);
        });
  }
}

/// Labels and sets, with ids and without; for SigLip also lists, which number all rows.
TYPED_TEST(ShardedPairs, TakeLabels) {
  using S = TypeParam;
  const std::vector<int> ids = some_ids();
  const std::vector<int> labels = random_labels(n, 17, 3);
  Random random(7);
  std::vector<std::uint64_t> sets;
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  for (Index i = 0; i < n; ++i) {
    sets.push_back(i == 3 ? 0 : std::uint64_t(1) << random.below(12));
    for (Index j = 0; j < n && i != 6; ++j) {
      if (i == j || random.below(6) == 0) columns.push_back(j);
    }
    offsets.push_back(static_cast<Index>(columns.size()));
  }
  enum class Kind { by_label, by_sets, by_lists };
  const auto check = [&](const auto& one, const auto& many, Kind kind, bool with_ids) {
    SCOPED_TRACE("kind " + std::to_string(static_cast<int>(kind)) + (with_ids ? ", ids" : ""));
    // body(targets of rows [first, first + count)).
    const auto with = [&](Index first, Index count, const auto& body) {
      const auto from = offsets.begin() + first;
      std::vector<Index> own_offsets(from, from + count + 1);
      for (Index& offset : own_offsets) offset -= *from;
      const std::span<const Index> own_columns(columns.data() + *from,
                                               static_cast<std::size_t>(own_offsets.back()));
      Targets own = nearfar::Labels(labels.data() + first, count);
      if (kind == Kind::by_sets) own = nearfar::MultiLabels{sets.data() + first, count, 1};
      if (kind == Kind::by_lists) own = nearfar::PositiveLists{own_offsets, own_columns};
      return body(with_ids ? own.ids(nearfar::Labels(ids.data() + first, count)) : own);
    };
    expect_same_on_shards<S>(
        [&](const auto& x, const auto& y, auto& dx, auto& dy) {
          return with(0, n,
                      [&](const Targets& all) { return one.forward_backward(x, y, all, dx, dy); });
        },
        [&](const nearfar::Sharding& where, Index first, const auto& x, const auto& y, auto& dx,
            auto& dy) {
          return with(first, x.rows(), [&](const Targets& own) {
            return many.forward_backward(where, x, y, own, dx, dy);
          });
        });
  };
  for (const bool with_ids : {false, true}) {
    for (const Kind kind : {Kind::by_label, Kind::by_sets, Kind::by_lists}) {
      check(nearfar::SigLip<S>(), nearfar::sharded::SigLip<S>(), kind, with_ids);
      if (kind == Kind::by_lists) continue;
      check(nearfar::Clip<S>({.logit_scale = 4}), nearfar::sharded::Clip<S>({.logit_scale = 4}),
            kind, with_ids);
    }
  }
  const Matrix<S> x = random_rows<S>(n, dimensions, 1);
  nearfar::Alone alone;
  expect_refused({"lists", Thrown::invalid_argument, {"targets: wanted labels or sets"}, [&] {
                    const nearfar::PositiveLists lists{offsets, columns};
                    nearfar::sharded::Clip<S>().forward(alone, x, x, Targets(lists));
                  }});
}

/// Rows in chunks, of one process.
TYPED_TEST(ShardedPairs, ChunksTakeIds) {
  using S = TypeParam;
  const std::vector<int> ids = some_ids();
  const Targets targets = Targets().ids(ids);
  const Matrix<S> x = random_rows<S>(n, dimensions, 1);
  const Matrix<S> y = random_rows<S>(n, dimensions, 2);
  Matrix<S> dx, dy, got_dx(n, dimensions), got_dy(n, dimensions);
  nearfar::Alone alone;
  const auto chunks = [](const Matrix<S>& rows, Matrix<S>& gradient) {
    nearfar::Chunks<S> out;
    out.add(rows.topRows(9), gradient.topRows(9));
    out.add(rows.bottomRows(n - 9), gradient.bottomRows(n - 9));
    return out;
  };
  const auto check = [&](double got, double want) {
    EXPECT_NEAR(got, want, Tolerance<S>::value * std::abs(want));
    expect_same<S>(got_dx, dx, "dx");
    expect_same<S>(got_dy, dy, "dy");
  };
  const auto both = [&](const auto& one, const auto& many) {
    const double want = one.forward_backward(x, y, targets, dx, dy).value;
    check(many.forward_backward(alone, chunks(x, got_dx), chunks(y, got_dy), targets).value, want);
  };
  both(nearfar::Clip<S>(), nearfar::sharded::Clip<S>());
  both(nearfar::SigLip<S>(), nearfar::sharded::SigLip<S>());
  both(nearfar::NtXent<S>(), nearfar::sharded::NtXent<S>());
  both(nearfar::HardNegative<S>(), nearfar::sharded::HardNegative<S>());
  const double want = nearfar::InfoNce<S>().forward_backward(x, y, targets, dx, dy).value;
  check(nearfar::sharded::InfoNce<S>()
            .forward_backward(alone, chunks(x, got_dx), chunks(y, got_dy), targets, targets)
            .value,
        want);
}

/// All processes throw the same error if one has too few ids, or one has none.
TYPED_TEST(ShardedPairs, RefuseIdsThatDoNotFit) {
  using S = TypeParam;
  const std::vector<int> ids = some_ids();
  const Matrix<S> x = random_rows<S>(4, dimensions, 1);
  run_team(2, [&](Exchange& exchange) {
    const auto with = [&](Index first, Index second) {
      const Index count = exchange.rank() == 0 ? first : second;
      return count < 0 ? Targets() : Targets().ids(nearfar::Labels(ids.data(), count));
    };
    const auto invalid = Thrown::invalid_argument;
    expect_refused({"too few", invalid, {"targets ids: wanted 4 labels", "got 3"}, [&] {
                      nearfar::sharded::Clip<S>().forward(exchange, x, x, with(4, 3));
                    }});
    expect_refused({"too few", invalid, {"targets ids: wanted 4 labels", "got 3"}, [&] {
                      nearfar::sharded::NtXent<S>().forward(exchange, x, x, with(4, 3));
                    }});
    expect_refused({"none", invalid, {"ids"}, [&] {
                      nearfar::sharded::SigLip<S>().forward(exchange, x, x, with(-1, 4));
                    }});
    expect_refused({"none", invalid, {"ids"}, [&] {
                      nearfar::sharded::InfoNce<S>().forward(exchange, x, x, with(4, -1),
                                                             with(4, -1));
                    }});
  });
}

}  // namespace
