#include <gtest/gtest.h>

#include <limits>
#include <mutex>
#include <nearfar/sharded.hpp>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Rows without a label on shards: the results of a process have the bits of a call in which no
/// process has these rows.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Sharding;
using nearfar::Targets;

using Integers = std::vector<std::int64_t>;

/// The rows of one process, of which some have no label, and the labelled ones. On rank 1 none has
/// a label.
template <class S>
struct Shard {
  Matrix<S> x, y;
  Matrix<S> some_x, some_y;
  Integers labels, some_labels;
  Integers ids, some_ids;
  std::vector<double> weights, some_weights;
  std::vector<Index> kept;

  explicit Shard(int rank) {
    const Index n = 9 + 4 * rank;
    x = random_rows<S>(n, 5, 100 + static_cast<std::uint64_t>(rank));
    y = random_rows<S>(n, 5, 200 + static_cast<std::uint64_t>(rank));
    Random random(300 + static_cast<std::uint64_t>(rank));
    some_x.resize(n, 5);
    some_y.resize(n, 5);
    for (Index i = 0; i < n; ++i) {
      const bool none = rank == 1 || random.below(3) == 0;
      labels.push_back(none ? -1 : random.below(4));
      ids.push_back(none ? -1 : 100 * rank + i - i % 5 / 4);
      weights.push_back(0.5 + 0.25 * static_cast<double>(i % 3));
      if (none) {
        x.row(i).setConstant(std::numeric_limits<S>::quiet_NaN());
        y.row(i).setConstant(std::numeric_limits<S>::quiet_NaN());
        continue;
      }
      some_x.row(static_cast<Index>(kept.size())) = x.row(i);
      some_y.row(static_cast<Index>(kept.size())) = y.row(i);
      kept.push_back(i);
      some_labels.push_back(labels.back());
      some_ids.push_back(ids.back());
      some_weights.push_back(weights.back());
    }
    some_x.conservativeResize(static_cast<Index>(kept.size()), 5);
    some_y.conservativeResize(static_cast<Index>(kept.size()), 5);
  }

  Matrix<S> spread(const Matrix<S>& g) const {
    Matrix<S> out = Matrix<S>::Zero(x.rows(), x.cols());
    for (std::size_t k = 0; k < kept.size(); ++k) out.row(kept[k]) = g.row(static_cast<Index>(k));
    return out;
  }
  std::vector<double> spread(const std::vector<double>& values, std::size_t views) const {
    std::vector<double> out(values.empty() && !kept.empty() ? 0 : views * labels.size());
    for (std::size_t at = 0; at < values.size(); ++at) {
      const std::size_t view = at / kept.size();
      out[view * labels.size() + static_cast<std::size_t>(kept[at % kept.size()])] = values[at];
    }
    return out;
  }
};

template <class S>
void expect_same(const Shard<S>& own, const nearfar::Result& got, const nearfar::Result& want,
                 Reduction reduction, std::size_t views = 1) {
  EXPECT_EQ(got.value, want.value);
  expect_same_counts(got.diagnostics, want.diagnostics);
  if (reduction == Reduction::none) {
    EXPECT_EQ(got.values, own.spread(want.values, views));
  }
}

template <class S, class Loss>
void expect_of_labels(const Sharding& where, const Shard<S>& own, const Loss& loss) {
  Matrix<S> got, want;
  for (const bool with_more : {false, true}) {
    Targets of_all = Targets(own.labels).unlabelled(-1);
    Targets of_some = Targets(own.some_labels);
    if (with_more) {
      of_all = of_all.ids(own.ids).weights(own.weights);
      of_some = of_some.ids(own.some_ids).weights(own.some_weights);
    }
    const auto a = loss.forward_backward(where, own.x, of_all, got);
    const auto b = loss.forward_backward(where, own.some_x, of_some, want);
    expect_same(own, a, b, loss.options().reduction);
    EXPECT_TRUE(same_bits(got, own.spread(want)));
  }
}

/// Compares the calls run(x, y, targets, dx, dy).
template <class S, class Run>
void expect_of_calls(const Shard<S>& own, Reduction reduction, std::size_t views,
                     const Targets& of_all, const Targets& of_some, const Run& run) {
  Matrix<S> got_dx, got_dy, want_dx, want_dy;
  const auto got = run(own.x, own.y, of_all, got_dx, got_dy);
  const auto want = run(own.some_x, own.some_y, of_some, want_dx, want_dy);
  expect_same(own, got, want, reduction, views);
  EXPECT_TRUE(same_bits(got_dx, own.spread(want_dx)));
  EXPECT_TRUE(same_bits(got_dy, own.spread(want_dy)));
}

template <class S, class Loss>
void expect_of_pairs(const Sharding& where, const Shard<S>& own, const Loss& loss,
                     const Targets& of_all, const Targets& of_some, std::size_t views = 1) {
  expect_of_calls(
      own, loss.options().reduction, views, of_all, of_some,
      [&](const Matrix<S>& x, const Matrix<S>& y, const Targets& targets, Matrix<S>& dx,
          Matrix<S>& dy) { return loss.forward_backward(where, x, y, targets, dx, dy); });
}

template <class S>
void expect_all(const Sharding& where, const Shard<S>& own, Reduction reduction) {
  using namespace nearfar::sharded;
  expect_of_labels(where, own, SupCon<S>({.reduction = reduction}));
  expect_of_labels(where, own, MultiSimilarity<S>({.reduction = reduction}));
  expect_of_labels(where, own, Circle<S>({.reduction = reduction}));
  expect_of_labels(where, own, HadsellContrastive<S>({.reduction = reduction}));
  expect_of_labels(where, own, LinearContrastive<S>());
  expect_of_labels(where, own, LiftedStructure<S>({.reduction = reduction}));
  expect_of_labels(where, own, GeneralizedLiftedStructure<S>({.reduction = reduction}));
  expect_of_labels(where, own, Nca<S>({.reduction = reduction}));
  expect_of_labels(where, own, Sincere<S>({.reduction = reduction}));
  expect_of_labels(where, own, TupletMargin<S>({.reduction = reduction}));
  expect_of_labels(where, own, RankedList<S>({.reduction = reduction}));
  expect_of_labels(where, own, FastAp<S>({.reduction = reduction}));
  expect_of_labels(where, own, MarginLoss<S>({.nu = 0.5, .reduction = reduction}));
  expect_of_labels(where, own, IntraPairVariance<S>({.reduction = reduction}));
  expect_of_labels(where, own, SnrContrastive<S>({.reduction = reduction}));
  for (const nearfar::Mining mining : {nearfar::Mining::batch_hard, nearfar::Mining::all}) {
    expect_of_labels(where, own, MinedTriplet<S>({.mining = mining, .reduction = reduction}));
  }
  const Targets labels = Targets(own.labels).unlabelled(-1);
  const Targets ids = Targets().ids(own.ids).unlabelled(-1);
  const Targets some_ids = Targets().ids(own.some_ids);
  expect_of_pairs(where, own, Clip<S>({.reduction = reduction}), labels, own.some_labels);
  expect_of_pairs(where, own, SigLip<S>({.reduction = reduction}), labels, own.some_labels);
  expect_of_pairs(where, own, Clip<S>({.reduction = reduction}), ids, some_ids);
  expect_of_pairs(where, own, SigLip<S>({.reduction = reduction}), ids, some_ids);
  expect_of_pairs(where, own, NtXent<S>({.reduction = reduction}), ids, some_ids, 2);
  const InfoNce<S> info_nce({.reduction = reduction});
  expect_of_calls(own, reduction, 1, ids, some_ids,
                  [&](const Matrix<S>& x, const Matrix<S>& y, const Targets& targets, Matrix<S>& dx,
                      Matrix<S>& dy) {
                    return info_nce.forward_backward(where, x, y, targets, targets, dx, dy);
                  });
}

TEST(ShardedUnlabelled, RowsAreAsIfTheyWereNotThere) {
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      run_team(3, [&](nearfar::Exchange& exchange) {
        expect_all({exchange, schedule}, Shard<float>(exchange.rank()), reduction);
        expect_all({exchange, schedule}, Shard<double>(exchange.rank()), reduction);
      });
    }
  }
}

TEST(ShardedUnlabelled, WhatShardsDoNotHaveIsRefusedOnAllOfThem) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const Shard<float> own(2);
    const Sharding where(exchange);
    using nearfar::UnlabelledRows;
    expect_error_everywhere(
        [&] {
          nearfar::sharded::SupCon<float>().forward(
              where, own.x, Targets(own.labels).unlabelled(-1, UnlabelledRows::negatives));
        },
        "targets: wanted unlabelled rows that are left out, on shards");
    const Matrix<float> x = random_rows<float>(own.x.rows(), 5, 9);
    Integers others = own.ids;
    for (std::int64_t& id : others) id = id == -1 ? 7 : id;
    const Targets ids = Targets().ids(own.ids).unlabelled(-1);
    expect_error_everywhere(
        [&] {
          nearfar::sharded::InfoNce<float>().forward(where, x, x, ids,
                                                     Targets().ids(others).unlabelled(-1));
        },
        "key_targets: wanted a query and its positive to be unlabelled together");
    const std::vector<Index> numbers(others.size(), 0);
    expect_error_everywhere(
        [&] {
          nearfar::sharded::InfoNce<float>().forward(where, own.some_x, own.some_x,
                                                     nearfar::Labels(own.some_ids),
                                                     Targets().ids(own.some_ids).unlabelled(-1),
                                                     Targets().ids(own.some_ids).unlabelled(-1));
        },
        "positives: wanted no numbers where keys may be unlabelled, on shards");
    expect_error_everywhere(
        [&] {
          nearfar::sharded::Retrieval<float>().evaluate(where, own.some_x,
                                                        Targets(own.some_labels).unlabelled(-1));
        },
        "labels: wanted no unlabelled rows where references are split over processes");
  });
}

}  // namespace
