#include <gtest/gtest.h>

#include <nearfar/sharded.hpp>

#include "nearfar/engine/square_products.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Options of calls: scales of gradients, upstream, reductions, ids, positives by number, gradients
/// that some processes do not want, chunks.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::GradientScale;
using nearfar::InfoNceOptions;
using nearfar::no_gradient;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Sharding;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

/// Three processes with 10, 0 and 14 rows.
constexpr int processes = 3;
constexpr Index n = 24;
Index first_of(int rank) { return rank == 0 ? 0 : rank < processes ? 10 : n; }

struct Pair {
  Matrix<double> queries = random_rows<double>(n, 6, 1);
  Matrix<double> keys = random_rows<double>(n, 6, 2);
};

Matrix<double> own(const Matrix<double>& x, const Exchange& e) {
  const Index first = first_of(e.rank());
  return x.middleRows(first, first_of(e.rank() + 1) - first);
}

void expect_close(const Matrix<double>& got, const Matrix<double>& want) {
  ASSERT_EQ(got.rows(), want.rows());
  if (want.size() == 0) return;
  EXPECT_LE((got - want).cwiseAbs().maxCoeff(), 1e-13) << got << "\n\n" << want;
}

TEST(ShardedCalls, ForAveragingGradientsAreTimesTheProcesses) {
  const Pair all;
  run_team(processes, [&](Exchange& e) {
    const nearfar::sharded::InfoNce<double> loss;
    const Matrix<double> q = own(all.queries, e);
    const Matrix<double> k = own(all.keys, e);
    for (const Schedule schedule : schedules) {
      Matrix<double> dq, dk, dq_times, dk_times;
      const auto sum = loss.forward_backward({e, schedule}, q, k, dq, dk);
      const auto times = loss.forward_backward({e, schedule, GradientScale::for_averaging}, q, k,
                                               dq_times, dk_times);
      EXPECT_EQ(times.value, sum.value);
      EXPECT_EQ(times.d_temperature, sum.d_temperature);
      expect_close(dq_times, dq * processes);
      expect_close(dk_times, dk * processes);
    }
  });
}

TEST(ShardedCalls, UpstreamAndReductionsAreTheGlobalOnes) {
  const Pair all;
  const std::vector<double> upstream = random_upstream(n, 3);
  const auto check = [&](Reduction reduction, const auto& one, const auto& many) {
    const bool each = reduction == Reduction::none;
    Matrix<double> dq, dk;
    const auto want = one.forward_backward(
        all.queries, all.keys, dq, dk,
        {.upstream = each ? nearfar::Upstream(upstream) : nearfar::Upstream(1.5)});
    run_team(processes, [&](Exchange& e) {
      const Index first = first_of(e.rank());
      const Index end = first_of(e.rank() + 1);
      const nearfar::Upstream own_upstream =
          each ? nearfar::Upstream(upstream.data() + first, end - first) : nearfar::Upstream(1.5);
      for (const Schedule schedule : schedules) {
        Matrix<double> own_dq, own_dk;
        const auto got = many.forward_backward({e, schedule}, own(all.queries, e), own(all.keys, e),
                                               own_dq, own_dk, {.upstream = own_upstream});
        EXPECT_NEAR(got.value, want.value, 1e-13 * std::abs(want.value));
        EXPECT_NEAR(got.d_temperature, want.d_temperature, 1e-12);
        expect_close(own_dq, own(dq, e));
        expect_close(own_dk, own(dk, e));
        ASSERT_EQ(got.values.size(), each ? static_cast<std::size_t>(end - first) : 0u);
        for (std::size_t i = 0; i < got.values.size(); ++i) {
          EXPECT_NEAR(got.values[i], want.values[static_cast<std::size_t>(first) + i], 1e-12);
        }
      }
    });
  };
  for (const Reduction reduction :
       {Reduction::sum, Reduction::mean_nonzero, Reduction::none, Reduction::mean}) {
    const InfoNceOptions options{.temperature = 0.4, .reduction = reduction};
    check(reduction, nearfar::InfoNce<double>(options), nearfar::sharded::InfoNce<double>(options));
    const nearfar::MatryoshkaOptions prefixes = {
        .prefixes = {2, 3, 6}, .weights = {1, 0, 2}, .temperature = 0.4, .reduction = reduction};
    check(reduction, nearfar::MatryoshkaInfoNce<double>(prefixes),
          nearfar::sharded::MatryoshkaInfoNce<double>(prefixes));
  }
}

TEST(ShardedCalls, PositivesMayBeOnOtherProcesses) {
  const Pair all;
  std::vector<Index> positives;
  for (Index i = 0; i < n; ++i) positives.push_back((5 * i + 3) % n);
  Matrix<double> dq, dk;
  const auto want = nearfar::InfoNce<double>().forward_backward(all.queries, all.keys,
                                                                nearfar::Labels(positives), dq, dk);
  run_team(processes, [&](Exchange& e) {
    const Index first = first_of(e.rank());
    const nearfar::Labels mine(positives.data() + first, first_of(e.rank() + 1) - first);
    for (const Schedule schedule : schedules) {
      const nearfar::sharded::InfoNce<double> loss;
      Matrix<double> own_dq, own_dk;
      const auto got = loss.forward_backward({e, schedule}, own(all.queries, e), own(all.keys, e),
                                             mine, own_dq, own_dk);
      EXPECT_NEAR(got.value, want.value, 1e-13);
      EXPECT_NEAR(loss.forward({e, schedule}, own(all.queries, e), own(all.keys, e), mine).value,
                  want.value, 1e-13);
      expect_close(own_dq, own(dq, e));
      expect_close(own_dk, own(dk, e));
    }
  });
}

/// Keys without a query of their own are negatives of all queries.
TEST(ShardedCalls, AProcessMayHaveMoreKeysThanQueries) {
  const Pair all;
  const Matrix<double> extra = random_rows<double>(3, 6, 7);
  Matrix<double> keys(n + 3, 6);
  keys << all.keys, extra;
  const auto check = [&](const auto& one, const auto& many) {
    Matrix<double> dq, dk;
    const auto want = one.forward_backward(all.queries, keys, dq, dk);
    run_team(processes, [&](Exchange& e) {
      Matrix<double> own_keys = own(all.keys, e);
      if (e.rank() == 0) {
        own_keys.conservativeResize(13, 6);
        own_keys.bottomRows(3) = extra;
      }
      for (const Schedule schedule : schedules) {
        Matrix<double> own_dq, own_dk;
        const auto got =
            many.forward_backward({e, schedule}, own(all.queries, e), own_keys, own_dq, own_dk);
        EXPECT_NEAR(got.value, want.value, 1e-13 * std::abs(want.value));
        expect_close(own_dq, own(dq, e));
        if (e.rank() == 0) expect_close(own_dk.bottomRows(3), dk.bottomRows(3));
      }
    });
  };
  check(nearfar::InfoNce<double>(), nearfar::sharded::InfoNce<double>());
  const nearfar::MatryoshkaOptions prefixes = {.prefixes = {2, 3, 6}};
  check(nearfar::MatryoshkaInfoNce<double>(prefixes),
        nearfar::sharded::MatryoshkaInfoNce<double>(prefixes));
}

TEST(ShardedCalls, RowsOfOneIdAreNotComparedWhereverTheyAre) {
  const Matrix<double> x = random_rows<double>(n, 6, 1);
  const std::vector<int> labels = random_labels(n, 3, 4);
  std::vector<int> ids;
  for (Index i = 0; i < n; ++i) ids.push_back(static_cast<int>(i % 13));
  const auto check = [&](const auto& one, const auto& many) {
    Matrix<double> dx;
    const auto want = one.forward_backward(x, nearfar::Targets(labels).ids(ids), dx);
    run_team(processes, [&](Exchange& e) {
      const Index first = first_of(e.rank());
      const Index count = first_of(e.rank() + 1) - first;
      const nearfar::Labels own_labels(labels.data() + first, count);
      const nearfar::Labels own_ids(ids.data() + first, count);
      for (const Schedule schedule : schedules) {
        Matrix<double> own_dx;
        const auto got = many.forward_backward({e, schedule}, own(x, e),
                                               nearfar::Targets(own_labels).ids(own_ids), own_dx);
        EXPECT_NEAR(got.value, want.value, 1e-13 * std::abs(want.value));
        expect_same_counts(got.diagnostics, want.diagnostics);
        expect_close(own_dx, own(dx, e));
      }
    });
  };
  check(nearfar::SupCon<double>(), nearfar::sharded::SupCon<double>());
  check(nearfar::HadsellContrastive<double>(), nearfar::sharded::HadsellContrastive<double>());
  for (const nearfar::Mining mining :
       {nearfar::Mining::batch_hard, nearfar::Mining::all, nearfar::Mining::semihard}) {
    const nearfar::MinedTripletOptions options{.mining = mining};
    check(nearfar::MinedTriplet<double>(options), nearfar::sharded::MinedTriplet<double>(options));
  }
}

/// All processes compute the gradients that some processes want.
TEST(ShardedCalls, GradientsMayBeLeftOutOnSomeProcesses) {
  const Pair all;
  Matrix<double> dq, dk;
  nearfar::InfoNce<double>().forward_backward(all.queries, all.keys, dq, dk);
  run_team(processes, [&](Exchange& e) {
    const nearfar::sharded::InfoNce<double> loss;
    const Matrix<double> q = own(all.queries, e);
    const Matrix<double> k = own(all.keys, e);
    for (const Schedule schedule : schedules) {
      Matrix<double> own_dq = Matrix<double>::Constant(q.rows(), 6, 0.5);
      Matrix<double> own_dk;
      if (e.rank() == 0) {
        loss.forward_backward({e, schedule}, q, k, nearfar::accumulate(own_dq), no_gradient);
        expect_close(own_dq, (own(dq, e).array() + 0.5).matrix());
      } else {
        loss.forward_backward({e, schedule}, q, k, no_gradient, own_dk);
        expect_close(own_dk, own(dk, e));
      }
    }
  });
}

TEST(ShardedCalls, ChunksAreAsOneMatrix) {
  const Pair all;
  const std::vector<int> labels = random_labels(n, 4, 4);
  nearfar::Alone alone;
  for (const Schedule schedule : schedules) {
    const Sharding where(alone, schedule);
    const auto together = [](const std::vector<Matrix<double>>& parts) {
      Matrix<double> out(n, 6);
      Index first = 0;
      for (const Matrix<double>& part : parts) {
        out.middleRows(first, part.rows()) = part;
        first += part.rows();
      }
      return out;
    };
    const auto check_pairs = [&](const auto& loss, const auto&... others) {
      Matrix<double> dq, dk;
      const auto want = loss.forward_backward(where, all.queries, all.keys, others..., dq, dk);
      std::vector<Matrix<double>> chunked_dq, chunked_dk;
      const auto got =
          loss.forward_backward(where, in_chunks(all.queries, {5, 5, 11, n}, chunked_dq),
                                in_chunks(all.keys, {16, n}, chunked_dk), others...);
      EXPECT_EQ(got.value, want.value);
      EXPECT_TRUE(same_bits(together(chunked_dq), dq));
      EXPECT_TRUE(same_bits(together(chunked_dk), dk));
    };
    check_pairs(nearfar::sharded::InfoNce<double>());
    check_pairs(nearfar::sharded::InBatchInfoNce<double>({.query_to_query = true}));
    check_pairs(nearfar::sharded::NtXent<double>());
    check_pairs(nearfar::sharded::Clip<double>());
    check_pairs(nearfar::sharded::SigLip<double>());
    check_pairs(nearfar::sharded::VicReg<double>());
    const std::vector<double> scores(labels.begin(), labels.end());
    check_pairs(nearfar::sharded::CoSent<double>(), scores);
    check_pairs(nearfar::sharded::Angle<double>(), scores);
    const auto check_rows = [&](const auto& loss, const auto&... others) {
      Matrix<double> dx;
      std::vector<Matrix<double>> chunked;
      const auto want = loss.forward_backward(where, all.queries, others..., dx);
      const auto got =
          loss.forward_backward(where, in_chunks(all.queries, {1, 20, n}, chunked), others...);
      EXPECT_EQ(got.value, want.value);
      EXPECT_TRUE(same_bits(together(chunked), dx));
    };
    check_rows(nearfar::sharded::SupCon<double>(), labels);
    check_rows(nearfar::sharded::SigReg<double>(), random_rows<double>(5, 6, 7));
    check_rows(nearfar::sharded::Uniformity<double>());
    check_rows(nearfar::sharded::KoLeo<double>());
  }
}

TEST(ShardedCalls, WithoutARowAnywhereAreZero) {
  run_team(2, [&](Exchange& e) {
    for (const Schedule schedule : schedules) {
      const Matrix<double> none(0, 0);
      Matrix<double> dq, dk;
      const auto result =
          nearfar::sharded::InfoNce<double>().forward_backward({e, schedule}, none, none, dq, dk);
      EXPECT_EQ(result.value, 0);
      EXPECT_EQ(dq.rows(), 0);
    }
  });
}

/// Upstreams a row that no float holds, on one process alone: as in one process, gradients are
/// found in a unit of the largest, and saturate.
TEST(ShardedCalls, UpstreamsBeyondTheRangeOfFloatAreTakenAsInOneProcess) {
  const Matrix<float> x = random_rows<float>(n, 6, 1);
  const Matrix<float> y = random_rows<float>(n, 6, 2);
  const std::vector<int> labels = random_labels(n, 4, 3);
  const auto part = [](const Matrix<float>& all, const Exchange& e) {
    const Index first = first_of(e.rank());
    return Matrix<float>(all.middleRows(first, first_of(e.rank() + 1) - first));
  };
  for (const double size : {1e-60, 1e-30, 1e30, 1e60}) {
    SCOPED_TRACE(size);
    std::vector<double> upstream(static_cast<std::size_t>(n), 1.0);
    for (std::size_t i = 0; i < 5; ++i) upstream[i] = size * static_cast<double>(i + 1);
    if (size < 1) std::fill(upstream.begin() + 5, upstream.end(), 0.0);
    const auto expect = [&](const Matrix<float>& got, const Matrix<float>& want, Exchange& e) {
      const Matrix<float> own_want = part(want, e);
      ASSERT_EQ(got.rows(), own_want.rows());
      if (got.size() == 0) return;
      EXPECT_TRUE(got.allFinite());
      const double largest = static_cast<double>(want.cwiseAbs().maxCoeff());
      const double off = (got.cast<double>() - own_want.cast<double>()).cwiseAbs().maxCoeff();
      EXPECT_LE(off, 1e-6 * largest);
    };
    const auto check = [&](const auto& one, const auto& many) {
      Matrix<float> dx;
      one.forward_backward(x, labels, dx, {.upstream = upstream});
      run_team(processes, [&](Exchange& e) {
        const Index first = first_of(e.rank());
        const Index count = first_of(e.rank() + 1) - first;
        const nearfar::Labels own_labels(labels.data() + first, count);
        const nearfar::Upstream own_upstream(upstream.data() + first, count);
        for (const Schedule schedule : schedules) {
          Matrix<float> own_dx;
          many.forward_backward({e, schedule}, part(x, e), own_labels, own_dx,
                                {.upstream = own_upstream});
          expect(own_dx, dx, e);
        }
      });
    };
    using namespace nearfar;
    constexpr Reduction none = Reduction::none;
    check(SupCon<float>({.reduction = none}), sharded::SupCon<float>({.reduction = none}));
    check(LinearContrastive<float>({.reduction = none}),
          sharded::LinearContrastive<float>({.reduction = none}));
    check(MultiSimilarity<float>({.reduction = none}),
          sharded::MultiSimilarity<float>({.reduction = none}));
    check(LiftedStructure<float>({.reduction = none}),
          sharded::LiftedStructure<float>({.reduction = none}));
    Matrix<float> dq, dk;
    InfoNce<float>({.reduction = none}).forward_backward(x, y, dq, dk, {.upstream = upstream});
    run_team(processes, [&](Exchange& e) {
      const Index first = first_of(e.rank());
      const Upstream own_upstream(upstream.data() + first, first_of(e.rank() + 1) - first);
      Matrix<float> own_dq, own_dk;
      sharded::InfoNce<float>({.reduction = none})
          .forward_backward(e, part(x, e), part(y, e), own_dq, own_dk, {.upstream = own_upstream});
      expect(own_dq, dq, e);
      expect(own_dk, dk, e);
    });
  }
}

/// The bytes between `size` processes in call(exchange, x, dx, dy), with x of each rows x cols.
template <class Call>
Index bytes_sent(int size, Index rows, Index cols, const Call& call) {
  return static_cast<Index>(run_team(size, [&](Exchange& e) {
    const Matrix<float> x = random_rows<float>(rows, cols, 1);
    Matrix<float> dx, dy;
    call(e, x, dx, dy);
  }));
}

/// The bytes between processes are those of docs/sharded.md.
TEST(ShardedCalls, SendWhatTheModelSays) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  const auto bytes = [&](const auto& loss, int size, Schedule schedule, bool gradients) {
    return bytes_sent(size, rows, cols, [&](Exchange& e, const auto& x, auto& dq, auto& dk) {
      if (gradients) {
        loss.forward_backward({e, schedule}, x, x, dq, dk);
      } else {
        loss.forward({e, schedule}, x, x);
      }
    });
  };
  constexpr Index shard = rows * cols * 4;
  const nearfar::sharded::InfoNce<float> info_nce;
  const nearfar::sharded::SigLip<float> sig_lip;
  for (const int size : {1, 2, 3, 5}) {
    SCOPED_TRACE(size);
    const Index hops = Index(size) * (size - 1);
    // With all_gather a number is summed in the order of ranks: to the last process, and from it to
    // all others.
    const Index sum = size > 1 ? 8 * (2 * size - 2) : 0;
    EXPECT_EQ(bytes(info_nce, size, Schedule::ring, false), hops * shard);
    EXPECT_EQ(bytes(info_nce, size, Schedule::ring, true), 3 * hops * shard);
    EXPECT_EQ(bytes(info_nce, size, Schedule::all_gather, true), 2 * hops * shard + 2 * sum);
    EXPECT_EQ(bytes(sig_lip, size, Schedule::ring, false), hops * shard);
    EXPECT_EQ(bytes(sig_lip, size, Schedule::ring, true), 2 * hops * shard);
    EXPECT_EQ(bytes(sig_lip, size, Schedule::all_gather, true), 2 * hops * shard + 3 * sum);
  }
}

/// Losses of sums over rows send their sums, to the last process and from it to all others, and no
/// rows.
TEST(ShardedCalls, SendSumsOfStatisticsInsteadOfRows) {
  constexpr Index cols = 20;
  constexpr Index slices = 7;
  constexpr Index knots = 5;
  const Matrix<float> directions = random_rows<float>(slices, cols, 3);
  for (const int size : {1, 2, 3, 5}) {
    for (const Index rows : {6, 60}) {
      SCOPED_TRACE(size);
      const auto bytes = [&](const auto& call) { return bytes_sent(size, rows, cols, call); };
      const auto views = [&](const auto& loss) {
        return bytes([&](Exchange& e, const auto& x, auto& dx, auto& dy) {
          loss.forward_backward(e, x, x, dx, dy);
        });
      };
      const Index twice = 2 * size - 2;
      const auto square = [&]<class S>(S) {
        return Index(sizeof(S)) *
               nearfar::detail::SquareMatrix<S>{nullptr, cols,
                                                nearfar::detail::padded_stride<S>(cols)}
                   .count();
      };
      using namespace nearfar::sharded;
      EXPECT_EQ(views(VicReg<float>()), twice * (2 * 3 * cols * 8 + 2 * square(0.f)));
      EXPECT_EQ(views(BarlowTwins<float>()), twice * (7 * cols * 8 + square(0.f)));
      EXPECT_EQ(views(Alignment<float>()), 0);
      EXPECT_EQ(bytes([&](Exchange& e, const auto& x, auto& dx, auto&) {
                  Gor<float>().forward_backward(e, x, dx);
                }),
                twice * (2 * cols * 8 + square(0.) + 8));
      EXPECT_EQ(bytes([&](Exchange& e, const auto& x, auto& dx, auto&) {
                  SigReg<float>({.knots = knots}).forward_backward(e, x, directions, dx);
                }),
                twice * 2 * slices * knots * 8);
    }
  }
}

/// Pairs with target scores send a score and a target each, and no rows; and two numbers are summed
/// in the order of ranks, with gradients two more.
TEST(ShardedCalls, SendScoresOfPairsInsteadOfRows) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  const std::vector<int> labels = random_labels(rows, 4, 2);
  const std::vector<float> scores(labels.begin(), labels.end());
  for (const int size : {1, 2, 3, 5}) {
    for (const Schedule schedule : {Schedule::ring, Schedule::all_gather}) {
      SCOPED_TRACE(size);
      const Index sums = 2 * 8 * (2 * size - 2);
      const auto check = [&](const auto& loss) {
        for (const bool gradients : {false, true}) {
          const auto call = [&](Exchange& e, const auto& x, auto& dx, auto& dy) {
            const Matrix<float> y = random_rows<float>(rows, cols, 2);
            if (gradients) {
              loss.forward_backward({e, schedule}, x, y, scores, dx, dy);
            } else {
              loss.forward({e, schedule}, x, y, scores);
            }
          };
          // With all_gather d_scale is a sum in the order of ranks, too.
          const Index more = gradients && schedule == Schedule::all_gather ? sums / 2 : 0;
          EXPECT_EQ(bytes_sent(size, rows, cols, call),
                    Index(size) * (size - 1) * rows * 16 + (gradients ? 2 * sums : sums) + more);
        }
      };
      check(nearfar::sharded::CoSent<float>());
      check(nearfar::sharded::Angle<float>());
    }
  }
}

/// The same for the data that accompanies rows: labels, unless anchors list their positives, and
/// the loss's own numbers.
TEST(ShardedCalls, SendWithTheirRowsWhatTheModelSays) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  constexpr int size = 3;
  constexpr Index hops = size * (size - 1);
  // The centre is summed in the order of ranks, and with all_gather the loss.
  constexpr Index sum = 8 * (2 * size - 2);
  constexpr Index shard = rows * cols * 4;
  constexpr Index label = rows * 8;
  const std::vector<int> labels = random_labels(rows, 4, 2);
  const std::vector<Index> no_positives(rows + 1, 0);
  const auto bytes = [&](const auto& loss, const nearfar::Targets& targets, Schedule schedule) {
    return bytes_sent(size, rows, cols, [&](Exchange& e, const auto& x, auto& dx, auto&) {
      loss.forward_backward({e, schedule}, x, targets, dx);
    });
  };
  const nearfar::sharded::SupCon<float> sup_con;
  EXPECT_EQ(bytes(sup_con, labels, Schedule::all_gather), hops * (2 * shard + 2 * label) + 2 * sum);
  const nearfar::PositiveLists lists{no_positives, {}};
  EXPECT_EQ(bytes(sup_con, lists, Schedule::ring), hops * 3 * shard);
  // Labels with two rounds of rows and one of their own, two numbers with the rows, a weight with
  // the gradients, and four numbers an element for the common centre.
  const nearfar::sharded::LiftedStructure<float> lifted;
  const Index numbers = 2 * label;
  EXPECT_EQ(bytes(lifted, labels, Schedule::all_gather),
            hops * (2 * shard + 2 * label + 2 * numbers + label) + sum + 4 * cols * sum);
}

/// Where each pair of shards meets once: rows that visit other processes, how often, and what goes
/// there and back with each.
TEST(ShardedCalls, SendRowsThatVisitAndWhatTheyFindAsTheModelSays) {
  constexpr Index rows = 24;
  constexpr Index cols = 6;
  constexpr Index row = cols * 4;
  constexpr Index label = 8;
  const std::vector<int> labels = random_labels(rows, 4, 2);
  for (const int size : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(size);
    const auto bytes = [&](const auto& call) { return bytes_sent(size, rows, cols, call); };
    const auto labelled = [&](const auto& loss) {
      return bytes([&](Exchange& e, const auto& x, auto& dx, auto&) {
        loss.forward_backward(e, x, labels, dx);
      });
    };
    const auto pairs = [&](const auto& loss) {
      return bytes([&](Exchange& e, const auto& x, auto& dx, auto& dy) {
        loss.forward_backward(e, x, x, dx, dy);
      });
    };
    const Index sum = size > 1 ? 8 * (2 * size - 2) : 0;
    const Index centre = 4 * cols * sum;
    // Rows that go to each other process, and to half of the others: of two that are opposite each
    // other one sends all of its rows, the other half of them.
    const Index all = Index(size) * (size - 1) * rows;
    const Index visitors =
        Index(size) * ((size - 1) / 2) * rows + (size % 2 == 0 ? size / 2 * (rows + rows / 2) : 0);
    using namespace nearfar::sharded;
    // Rows twice and a gradient, statistics of open rows and of closed ones.
    EXPECT_EQ(pairs(Clip<float>()), all * (3 * row + 24 + 16));
    EXPECT_EQ(pairs(NtXent<float>()), 2 * visitors * (3 * row + 24 + 16));
    EXPECT_EQ(pairs(Dclw<float>()), 2 * visitors * (3 * row + 24 + 16));
    EXPECT_EQ(pairs(Dhel<float>()), 2 * visitors * (3 * row + 24 + 16));
    EXPECT_EQ(pairs(HardNegative<float>()), 2 * visitors * (3 * row + 32 + 16));
    // Twice with the weight of the row's softmax.
    EXPECT_EQ(pairs(RinceViews<float>()), 2 * visitors * (3 * row + 24 + 16 + 2 * 8));
    // Keys go round, and no row visits.
    EXPECT_EQ(pairs(Rince<float>()), all * 3 * row);
    // The log sum over pairs that are not joint is summed in the order of ranks.
    using enum nearfar::MutualInformationBound;
    EXPECT_EQ(pairs(MutualInformation<float>({.bound = info_nce})), all * 3 * row);
    EXPECT_EQ(pairs(MutualInformation<float>({.bound = nwj})), all * 3 * row + 2 * sum);
    EXPECT_EQ(pairs(MutualInformation<float>({.bound = donsker_varadhan})),
              all * 3 * row + 2 * sum);
    EXPECT_EQ(pairs(MutualInformation<float>({.bound = club})), all * 2 * row);
    // Rows go round once for all of their prefixes.
    EXPECT_EQ(pairs(MatryoshkaInfoNce<float>({.prefixes = {1, 2, 4, cols}})), all * 3 * row);
    EXPECT_EQ(labelled(FastAp<float>()), all * (3 * row + 3 * label));
    // Labels go once to all, to count positives, whose number rows take along.
    EXPECT_EQ(labelled(SupCon<float>()),
              visitors * (3 * row + 2 * label + 2 * 8 + 32 + 40) + all * label);
    EXPECT_EQ(labelled(MultiSimilarity<float>({.epsilon = {}})),
              visitors * (3 * row + 2 * label + 32 + 16) + all * label);
    // Once more for the sums over negatives, which rows then take along.
    EXPECT_EQ(labelled(Sincere<float>()),
              visitors * (4 * row + 3 * label + 8 + 2 * 24 + 2 * 48 + 24) + all * label);
    // Sums of scores, then those of hinges; gradients need no more of a row.
    EXPECT_EQ(labelled(IntraPairVariance<float>()),
              visitors * (4 * row + 3 * label + 3 * 48) + all * label);
    // With the gradients of distances a weight.
    EXPECT_EQ(labelled(Nca<float>()),
              visitors * (3 * row + 2 * label + 2 * 8 + 32 + 40 + 8) + all * label + centre);
    EXPECT_EQ(labelled(GeneralizedLiftedStructure<float>()),
              visitors * (3 * row + 2 * label + 32 + 16 + 8) + all * label + centre);
    EXPECT_EQ(labelled(RankedList<float>()),
              visitors * (3 * row + 2 * label + 48 + 16 + 8) + all * label + centre);
    // One round, and with the gradients of distances a weight.
    EXPECT_EQ(labelled(HadsellContrastive<float>()),
              visitors * (2 * row + label + 8 + 16) + all * label + centre);
    EXPECT_EQ(labelled(SnrContrastive<float>({.reduction = nearfar::Reduction::mean})),
              visitors * (2 * row + label + 8 + 8 + 32) + all * label + centre);
    // Rows take along their margins, and how many positives and negatives they have.
    EXPECT_EQ(labelled(MarginLoss<float>()),
              visitors * (2 * row + label + 8 + 4 * 8 + 32) + all * label + centre);
    // The gradient of boundaries is summed in the order of ranks.
    const Matrix<float> boundaries = Matrix<float>::Ones(4, 1);
    EXPECT_EQ(bytes([&](Exchange& e, const auto& x, auto& dx, auto& d_boundaries) {
                MarginLoss<float>().forward_backward(e, x, labels, boundaries, dx, d_boundaries);
              }),
              visitors * (2 * row + label + 8 + 4 * 8 + 32) + all * label + centre + 4 * sum);
    // Three rounds, two of them with log sums and factors from above.
    EXPECT_EQ(labelled(LiftedStructure<float>()),
              visitors * (4 * row + 3 * label + 2 * 16 + 16 + 24 + 8 + 8) + all * label + centre);
    // Keys are chosen with visitors; gradients go to all.
    EXPECT_EQ(labelled(MinedTriplet<float>({.mining = nearfar::Mining::batch_hard})),
              visitors * (row + label + 24) + all * (2 * row + 2 * label + 8) + centre);
    // Directions, after the centre of all and that of what is relative to it.
    const auto unlabelled = [&](const auto& loss) {
      return bytes(
          [&](Exchange& e, const auto& x, auto& dx, auto&) { loss.forward_backward(e, x, dx); });
    };
    EXPECT_EQ(unlabelled(Uniformity<float>()), visitors * (2 * row + 8 + 16) + 2 * centre);
    EXPECT_EQ(unlabelled(Uniformity<float>({.t = 40})),
              visitors * (3 * row + 8 + 2 * 16) + 2 * centre);
    // Directions to all, and then rows with their gradients.
    EXPECT_EQ(unlabelled(KoLeo<float>()), 3 * all * row + 2 * centre);
  }
}

}  // namespace
