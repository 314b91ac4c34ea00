#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// InBatchInfoNce of pairs, ids, probabilities and negatives that are split over processes, against
/// one process with all of them.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::FalseNegatives;
using nearfar::Hardness;
using nearfar::InBatchExtras;
using nearfar::InBatchInfoNceOptions;
using nearfar::Negatives;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Targets;

enum class Owners { none, all_queries, each_query, ragged };

/// What a batch has besides pairs.
struct With {
  std::string name;
  Owners owners = Owners::none;
  bool ids = false;
  bool ids_of_negatives = false;
  bool log_q = false;
};

constexpr Index n = 41;
constexpr Index m = 33;
constexpr Index depth = 7;

/// Pairs [first, first + count) of a batch, with negatives from first_negative on.
template <class S>
struct Part {
  Index first = 0;
  Index count = n;
  Index first_negative = 0;
  Index negatives = 0;
  Matrix<S> q, k, rows;
  std::vector<int> ids, of_negatives;
  std::vector<double> log_q, log_q_negatives;
  std::vector<Index> offsets;

  InBatchExtras<S> extras(const With& with) const {
    InBatchExtras<S> out;
    if (with.owners != Owners::none) {
      out.negatives = with.owners == Owners::all_queries ? Negatives<S>(rows)
                      : with.owners == Owners::ragged    ? nearfar::per_query(rows, offsets)
                                                         : nearfar::per_query(rows);
      if (with.ids_of_negatives) out.negatives = out.negatives.ids(of_negatives, ids);
    }
    if (with.ids) out.targets = Targets().ids(ids);
    if (with.log_q) {
      out.log_q = log_q;
      if (with.owners != Owners::none) out.log_q_negatives = log_q_negatives;
    }
    return out;
  }
};

template <class S>
Part<S> whole(const With& with) {
  Part<S> out;
  out.q = random_rows<S>(n, depth, 1);
  out.k = out.q + random_rows<S>(n, depth, 2);
  for (Index i = 0; i < n; ++i) out.ids.push_back(static_cast<int>(i % 29));
  out.offsets.push_back(0);
  for (Index i = 0; i < n; ++i) out.offsets.push_back(out.offsets.back() + (i * 7) % 4);
  out.negatives = with.owners == Owners::none          ? 0
                  : with.owners == Owners::all_queries ? m
                  : with.owners == Owners::each_query  ? 2 * n
                                                       : out.offsets.back();
  out.rows = random_rows<S>(out.negatives, depth, 3);
  for (Index j = 0; j < out.negatives; ++j) out.of_negatives.push_back(static_cast<int>(j % 31));
  Random random(5);
  const auto some = [&](Index count) {
    std::vector<double> log_q;
    for (Index j = 0; j < count; ++j) log_q.push_back(-1 - random.uniform());
    return log_q;
  };
  out.log_q = some(n);
  out.log_q_negatives = some(out.negatives);
  return out;
}

template <class S>
Part<S> part_of(const Part<S>& all, const With& with, Split split, const Exchange& e) {
  const auto from = [&](int rank) { return first_row(split, rank, e.size(), n); };
  const auto negative_from = [&](int rank) {
    const Index first = from(rank);
    switch (with.owners) {
      case Owners::none:
        return Index(0);
      case Owners::all_queries:  // not split as pairs are
        return m * rank / e.size();
      case Owners::each_query:
        return 2 * first;
      case Owners::ragged:
        return all.offsets[static_cast<std::size_t>(first)];
    }
    return Index(0);
  };
  Part<S> out;
  out.first = from(e.rank());
  out.count = from(e.rank() + 1) - out.first;
  out.first_negative = negative_from(e.rank());
  out.negatives = negative_from(e.rank() + 1) - out.first_negative;
  out.q = all.q.middleRows(out.first, out.count);
  out.k = all.k.middleRows(out.first, out.count);
  out.rows = all.rows.middleRows(out.first_negative, out.negatives);
  const auto of_pairs = [&](const auto& some) {
    return std::decay_t<decltype(some)>(some.begin() + out.first,
                                        some.begin() + out.first + out.count);
  };
  const auto of_negatives = [&](const auto& some) {
    return std::decay_t<decltype(some)>(some.begin() + out.first_negative,
                                        some.begin() + out.first_negative + out.negatives);
  };
  out.ids = of_pairs(all.ids);
  out.log_q = of_pairs(all.log_q);
  out.of_negatives = of_negatives(all.of_negatives);
  out.log_q_negatives = of_negatives(all.log_q_negatives);
  for (Index i = out.first; i <= out.first + out.count; ++i) {
    out.offsets.push_back(all.offsets[static_cast<std::size_t>(i)] -
                          all.offsets[static_cast<std::size_t>(out.first)]);
  }
  return out;
}

template <class S>
void expect_rows(const Matrix<S>& got, const Matrix<S>& want, Index first, Index count,
                 const char* what) {
  ASSERT_EQ(got.rows(), count) << what;
  if (count == 0) return;
  const double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;
  const auto off = (got - want.middleRows(first, count)).cwiseAbs().maxCoeff();
  EXPECT_LE(static_cast<double>(off), promised * static_cast<double>(want.cwiseAbs().maxCoeff()))
      << what;
}

template <class S, class K>
void expect_as_one_process(const InBatchInfoNceOptions& options, const K& kernel,
                           const With& with) {
  const double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;
  const Part<S> all = whole<S>(with);
  const std::vector<double> upstream = random_upstream(n, 8);
  const bool each = options.reduction == Reduction::none;
  const nearfar::InBatchInfoNce<S, K> one(options, kernel);
  Matrix<S> dq, dk, dn, d_parameter;
  nearfar::CallOptions<S> call{.upstream =
                                   each ? nearfar::Upstream(upstream) : nearfar::Upstream(1.5)};
  if constexpr (nearfar::ParametricKernel<K>) call.d_parameter = d_parameter;
  const auto want = one.forward_backward(all.q, all.k, all.extras(with), dq, dk, dn, call);
  struct Case {
    int processes;
    Split split;
  };
  for (const Case at : {Case{1, Split::even}, Case{2, Split::even}, Case{3, Split::first_has_none},
                        Case{4, Split::growing}, Case{3, Split::last_has_all}}) {
    for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
      run_team(at.processes, [&](Exchange& e) {
        SCOPED_TRACE(with.name + ", process " + std::to_string(e.rank()) + " of " +
                     std::to_string(e.size()) + ", schedule " +
                     std::to_string(static_cast<int>(schedule)));
        const Part<S> own = part_of(all, with, at.split, e);
        const nearfar::sharded::InBatchInfoNce<S, K> many(options, kernel);
        Matrix<S> own_dq, own_dk, own_dn, own_d_parameter;
        nearfar::CallOptions<S> own_call{
            .upstream = each ? nearfar::Upstream(upstream.data() + own.first, own.count)
                             : nearfar::Upstream(1.5)};
        if constexpr (nearfar::ParametricKernel<K>) own_call.d_parameter = own_d_parameter;
        const auto got = many.forward_backward({e, schedule}, own.q, own.k, own.extras(with),
                                               own_dq, own_dk, own_dn, own_call);
        const auto near = [&](double a, double b) {
          EXPECT_LE(std::abs(a - b), promised * std::max(1.0, std::abs(b))) << a << " and " << b;
        };
        near(got.value, want.value);
        near(many.forward({e, schedule}, own.q, own.k, own.extras(with)).value, want.value);
        near(got.d_temperature, want.d_temperature);
        expect_same_counts(got.diagnostics, want.diagnostics);
        EXPECT_EQ(got.diagnostics.false_negatives, want.diagnostics.false_negatives);
        expect_scores(got.diagnostics, want.diagnostics, near);
        ASSERT_EQ(got.values.size(), each ? static_cast<std::size_t>(own.count) : 0u);
        for (std::size_t i = 0; i < got.values.size(); ++i) {
          near(got.values[i], want.values[static_cast<std::size_t>(own.first) + i]);
        }
        expect_rows(own_dq, dq, own.first, own.count, "d_queries");
        expect_rows(own_dk, dk, own.first, own.count, "d_keys");
        expect_rows(own_dn, dn, own.first_negative, own.negatives, "d_negatives");
        if constexpr (nearfar::ParametricKernel<K>) {
          expect_rows(own_d_parameter, d_parameter, 0, d_parameter.rows(), "d_parameter");
        }
      });
    }
  }
}

const With kinds[] = {
    {"pairs"},
    {"ids", Owners::none, true},
    {"probabilities", Owners::none, false, false, true},
    {"negatives", Owners::all_queries},
    {"negatives with ids", Owners::all_queries, true, true, true},
    {"negatives without ids", Owners::all_queries, true},
    {"own negatives", Owners::each_query},
    {"own negatives with ids", Owners::ragged, false, true, true},
};

template <class S>
class ShardedInBatch : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedInBatch, Scalars);

TYPED_TEST(ShardedInBatch, OfEachKindOfInputIsThatOfOneProcess) {
  using S = TypeParam;
  for (const With& with : kinds) {
    const InBatchInfoNceOptions all{.temperature = 0.3,
                                    .query_to_query = true,
                                    .key_to_query = true,
                                    .key_to_key = true,
                                    .reduction = Reduction::none};
    expect_as_one_process<S>(all, nearfar::Cosine(), with);
    expect_as_one_process<S>(all, nearfar::Euclidean(), with);
    expect_as_one_process<S>({.temperature = 4, .key_to_key = true}, nearfar::InnerProduct(), with);
    expect_as_one_process<S>({.temperature = 0.3, .key_to_query = true}, nearfar::Cosine(), with);
    expect_as_one_process<S>({.temperature = 0.3}, nearfar::Cosine(), with);
  }
}

TYPED_TEST(ShardedInBatch, HardAndFalseNegativesAreThoseOfOneProcess) {
  using S = TypeParam;
  for (const With& with : kinds) {
    for (const Hardness hardness :
         {Hardness::in_batch_negatives, Hardness::hard_negatives, Hardness::all_negatives}) {
      if (hardness == Hardness::hard_negatives && with.owners == Owners::all_queries) continue;
      expect_as_one_process<S>(
          {.temperature = 0.3, .key_to_key = true, .hardness = hardness, .hardness_strength = 1.5},
          nearfar::Cosine(), with);
    }
    for (const FalseNegatives rule : {FalseNegatives::drop, FalseNegatives::drop_relative}) {
      expect_as_one_process<S>({.temperature = 0.3,
                                .query_to_query = true,
                                .key_to_query = true,
                                .key_to_key = true,
                                .partition = nearfar::Partition::per_direction,
                                .false_negatives = rule,
                                .margin = 0.1},
                               nearfar::Cosine(), with);
    }
  }
}

TYPED_TEST(ShardedInBatch, OfKernelsWithAMatrixIsThatOfOneProcess) {
  using S = TypeParam;
  const Matrix<S> w = random_rows<S>(depth, depth, 71);
  const Matrix<S> transform = random_rows<S>(5, depth, 72);
  for (const With& with : {kinds[0], kinds[4], kinds[7]}) {
    expect_as_one_process<S>({.temperature = 4}, nearfar::Bilinear<S>(w), with);
    expect_as_one_process<S>({.temperature = 4, .query_to_query = true, .key_to_key = true},
                             nearfar::Mahalanobis<S>(transform), with);
  }
}

/// Of shards of whole tiles, with negatives and probabilities.
TYPED_TEST(ShardedInBatch, InOrderHasTheBitsOfAnyNumberOfProcesses) {
  using S = TypeParam;
  constexpr Index grid = 384;
  constexpr Index rows = 2 * grid + 30;
  const Matrix<S> q = random_rows<S>(rows, 5, 1);
  const Matrix<S> k = random_rows<S>(rows, 5, 2);
  const Matrix<S> hard = random_rows<S>(rows, 5, 3);
  const std::vector<double> log_q(static_cast<std::size_t>(rows), -1.5);
  const nearfar::sharded::InBatchInfoNce<S, nearfar::Euclidean> loss(
      {.query_to_query = true, .key_to_query = true, .key_to_key = true});
  const auto run = [&](int processes) {
    std::vector<Matrix<S>> out(3, Matrix<S>(rows, 5));
    double value = 0;
    run_team(processes, [&](Exchange& e) {
      const Index first = std::min(rows, grid * e.rank());
      const Index count = e.rank() + 1 == processes ? rows - first : grid;
      Matrix<S> dq, dk, dn;
      const Matrix<S> own_hard = hard.middleRows(first, count);
      const nearfar::Numbers<double> own_log_q(log_q.data(), count);
      const auto result = loss.forward_backward({e, Schedule::ordered}, q.middleRows(first, count),
                                                k.middleRows(first, count),
                                                {.negatives = nearfar::per_query(own_hard),
                                                 .log_q = own_log_q,
                                                 .log_q_negatives = own_log_q},
                                                dq, dk, dn);
      if (e.rank() == 0) value = result.value;
      out[0].middleRows(first, count) = dq;
      out[1].middleRows(first, count) = dk;
      out[2].middleRows(first, count) = dn;
    });
    return std::pair(value, out);
  };
  const auto want = run(1);
  for (const int processes : {2, 3}) {
    const auto got = run(processes);
    EXPECT_EQ(got.first, want.first);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(got.second[i], want.second[i])) << i;
  }
}

/// The bytes between processes are those of docs/sharded.md.
TEST(ShardedInBatchCalls, SendWhatTheModelSays) {
  constexpr Index rows = 20;
  constexpr Index cols = 6;
  constexpr Index shard = rows * cols * 4;
  const std::vector<int> ids = random_labels(rows, 15, 3);
  const std::vector<double> log_q(rows, -1.0);
  const auto bytes = [&](const InBatchInfoNceOptions& options, int size, Schedule schedule,
                         bool gradients, bool extras = false) {
    return static_cast<Index>(run_team(size, [&](Exchange& e) {
      const Matrix<float> x = random_rows<float>(rows, cols, 1);
      const nearfar::sharded::InBatchInfoNce<float> loss(options);
      InBatchExtras<float> with;
      if (extras) {
        with = {.negatives = nearfar::per_query(x),
                .targets = Targets().ids(ids),
                .log_q = log_q,
                .log_q_negatives = log_q};
      }
      Matrix<float> dq, dk, dn;
      if (gradients) {
        loss.forward_backward({e, schedule}, x, x, with, dq, dk, dn);
      } else {
        loss.forward({e, schedule}, x, x, with);
      }
    }));
  };
  const InBatchInfoNceOptions keys{.key_to_key = true};
  const InBatchInfoNceOptions all{.query_to_query = true, .key_to_query = true, .key_to_key = true};
  for (const int size : {1, 2, 3, 5}) {
    SCOPED_TRACE(size);
    const Index hops = Index(size) * (size - 1);
    // With all_gather two numbers are summed in the order of ranks.
    const Index sums = size > 1 ? 2 * 8 * (2 * size - 2) : 0;
    EXPECT_EQ(bytes({}, size, Schedule::ring, false), hops * shard);
    EXPECT_EQ(bytes({}, size, Schedule::ring, true), 3 * hops * shard);
    EXPECT_EQ(bytes(keys, size, Schedule::ring, true), 3 * hops * shard);
    EXPECT_EQ(bytes(all, size, Schedule::ring, false), 2 * hops * shard);
    EXPECT_EQ(bytes(all, size, Schedule::ring, true), 6 * hops * shard);
    EXPECT_EQ(bytes(all, size, Schedule::all_gather, true), 4 * hops * shard + sums);
    // Negatives as well; ids of pairs, and a number for each key and negative.
    const Index label = rows * 8;
    EXPECT_EQ(bytes(all, size, Schedule::ring, true, true),
              hops * (9 * shard + 2 * 2 * label + 2 * 2 * label));
  }
}

/// The memory of a process, without scores that it keeps, does not grow with their number.
TEST(ShardedInBatchCalls, HoldOneShardOfTheOthers) {
  constexpr Index rows = 900;  // a workspace grows by 64 kB, less than the bound leaves
  const auto bytes = [&](int size, Schedule schedule) {
    std::size_t of_first = 0;
    run_team(size, [&](Exchange& e) {
      const Matrix<float> x = random_rows<float>(rows, 24, static_cast<std::uint64_t>(e.rank()));
      nearfar::Workspace workspace(1);
      Matrix<float> dq, dk, dn;
      nearfar::sharded::InBatchInfoNce<float>(
          {.query_to_query = true, .key_to_query = true, .key_to_key = true})
          .forward_backward({e, schedule, nearfar::GradientScale::for_summing, 0}, x, x,
                            {.negatives = nearfar::per_query(x)}, dq, dk, dn,
                            {.workspace = &workspace});
      if (e.rank() == 0) of_first = workspace.bytes();
    });
    return static_cast<double>(of_first);
  };
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered}) {
    EXPECT_LT(bytes(8, schedule), 1.02 * bytes(2, schedule));
  }
}

TEST(ShardedInBatchCalls, RefuseWhatDoesNotFitOnAllProcesses) {
  run_team(2, [](Exchange& e) {
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(6, 4, 1);
    const std::vector<int> ids = {0, 1, 2, 3, 4, 5};
    const std::vector<double> log_q(6, -1.0);
    const nearfar::sharded::InBatchInfoNce<float> loss({.false_negatives = FalseNegatives::drop});
    const double value = loss.forward(e, x, x).value;
    const auto refused = [&](const InBatchExtras<float>& extras, const std::string& text) {
      Matrix<float> dq, dk, dn;
      for (Matrix<float>* d : {&dq, &dk, &dn}) *d = Matrix<float>::Constant(1, 1, 7);
      expect_error_everywhere([&] { loss.forward_backward(e, x, x, extras, dq, dk, dn); }, text);
      for (const Matrix<float>* d : {&dq, &dk, &dn}) {
        EXPECT_EQ(*d, Matrix<float>::Constant(1, 1, 7));
      }
      EXPECT_EQ(loss.forward(e, x, x).value, value);
    };
    const std::string rank = "nearfar: rank 1: ";
    InBatchExtras<float> extras;
    if (mine) extras.guide_queries = extras.guide_keys = x;
    refused(extras, rank + "guide_queries: wanted none, on shards, got a guide");
    extras = {};
    if (mine) extras.targets = Targets().ids(ids);
    refused(extras, rank + "ids: wanted 0 as on rank 0, got 1");
    refused({.targets = Targets(ids)}, "targets: wanted ids alone");
    refused({.targets = Targets().ids(ids).unlabelled(3)},
            "targets: wanted ids of pairs that all take part");
    extras = {};
    if (!mine) extras.log_q = log_q;
    refused(extras, rank + "log_q: wanted 6 numbers, one a row, got 0");
    refused({.negatives = mine ? Negatives<float>(x) : nearfar::per_query(x)},
            rank + "negatives of own queries: wanted 1 as on rank 0, got 0");
    refused({.negatives = x, .log_q = log_q},
            "log_q: wanted probabilities of keys and of negatives, or none");
    const Matrix<float> five = x.topRows(5);
    refused({.negatives = mine ? nearfar::per_query(five) : nearfar::per_query(x)},
            rank + "negatives: wanted as many for each of 6 queries, got 5 rows");
    const Matrix<float> wide = random_rows<float>(6, 5, 1);
    refused({.negatives = mine ? wide : x}, rank + "negatives: wanted 6 x 4, got 6 x 5");
    expect_error_everywhere([&] { loss.forward(e, x, mine ? five : x); },
                            rank + "keys: wanted one key for each of 6 queries, got 5 keys");
    const Matrix<float> far = x * 1e25f;
    const Matrix<float> near = x * 1e-25f;
    expect_error_everywhere(
        [&] {
          nearfar::sharded::InBatchInfoNce<float, nearfar::InnerProduct>({.query_to_query = true})
              .forward(e, mine ? far : x, near);
        },
        "nearfar: queries and queries: wanted rows whose inner products fit");
  });
}

}  // namespace
