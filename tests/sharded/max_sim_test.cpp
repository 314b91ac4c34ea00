#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/losses/max_sim.hpp>
#include <nearfar/sharded.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/max_sim_oracle.hpp"
#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// MaxSimInfoNce of queries and documents that are split over processes, against one process with
/// all of them and against plain loops.

namespace {

using namespace support;
using nearfar::Alone;
using nearfar::Exchange;
using nearfar::MaxSimInfoNceOptions;
using nearfar::no_gradient;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Sharding;
using Offsets = std::vector<Index>;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};
constexpr Index depth = 6;

/// Sets of tokens.
template <class S>
struct Tokens {
  Matrix<S> rows;
  Offsets offsets = {0};

  Index count() const { return static_cast<Index>(offsets.size()) - 1; }

  /// Sets `numbers` of these, one after another.
  Tokens only(const Offsets& numbers) const {
    Tokens out;
    out.rows = Matrix<S>(0, rows.cols());
    for (const Index k : numbers) {
      const auto at = static_cast<std::size_t>(k);
      const Index size = offsets[at + 1] - offsets[at];
      Matrix<S> longer(out.rows.rows() + size, rows.cols());
      longer << out.rows, rows.middleRows(offsets[at], size);
      out.rows = longer;
      out.offsets.push_back(longer.rows());
    }
    return out;
  }
};

template <class S>
Tokens<S> random_tokens(const Offsets& sizes, std::uint64_t seed) {
  Tokens<S> out;
  for (const Index size : sizes) out.offsets.push_back(out.offsets.back() + size);
  out.rows = random_rows<S>(out.offsets.back(), depth, seed);
  return out;
}

Offsets numbers(Index first, Index end) {
  Offsets out;
  for (Index k = first; k < end; ++k) out.push_back(k);
  return out;
}

/// Queries, some of them without tokens and one longer than a panel, and documents, one of them
/// longer than a tile, of which the last are the positive of no query.
template <class S>
struct Corpus {
  Tokens<S> queries;
  Tokens<S> documents;
};

template <class S>
Corpus<S> corpus(Index queries, Index more_documents) {
  Offsets of_queries;
  Offsets of_documents;
  for (Index i = 0; i < queries; ++i) of_queries.push_back(i == 3 ? 70 : (i * 5) % 4);
  for (Index k = 0; k < queries + more_documents; ++k) {
    of_documents.push_back(k == 5 ? 300 : 1 + (k * 7) % 6);
  }
  return {random_tokens<S>(of_queries, 1), random_tokens<S>(of_documents, 2)};
}

/// What a process has: queries, their documents, and some of the other documents. These are in all
/// shards but those of the first process; numbers are those of the corpus.
struct Shares {
  Offsets queries;
  Offsets documents;
};

Shares shares_of(Split split, int rank, int size, Index queries, Index documents) {
  Shares out;
  out.queries =
      numbers(first_row(split, rank, size, queries), first_row(split, rank + 1, size, queries));
  out.documents = out.queries;
  const Index more = documents - queries;
  const Index sharing = std::max(size - 1, 1);
  const Index place = std::max(rank - 1, 0);
  if (rank == 0 && size > 1) return out;
  for (Index k = more * place / sharing; k < more * (place + 1) / sharing; ++k) {
    out.documents.push_back(queries + k);
  }
  return out;
}

template <class S>
constexpr double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;

template <class S>
void expect_sets(const Matrix<S>& got, const Tokens<S>& want, const Offsets& numbers,
                 const char* what) {
  const Matrix<S> own = want.only(numbers).rows;
  ASSERT_EQ(got.rows(), own.rows()) << what;
  if (own.rows() == 0) return;
  const double off = static_cast<double>((got - own).cwiseAbs().maxCoeff());
  EXPECT_LE(off, promised<S> * static_cast<double>(want.rows.cwiseAbs().maxCoeff())) << what;
}

template <class S, class K>
void expect_as_one_process(const MaxSimInfoNceOptions& options, const Corpus<S>& all) {
  const Index n = all.queries.count();
  const bool each = options.reduction == Reduction::none;
  const std::vector<double> upstream = random_upstream(n, 8);
  Tokens<S> dq{{}, all.queries.offsets};
  Tokens<S> dd{{}, all.documents.offsets};
  const auto want = nearfar::MaxSimInfoNce<S, K>(options).forward_backward(
      all.queries.rows, all.queries.offsets, all.documents.rows, all.documents.offsets, dq.rows,
      dd.rows, {.upstream = each ? nearfar::Upstream(upstream) : nearfar::Upstream(1.5)});
  const nearfar::sharded::MaxSimInfoNce<S, K> many(options);
  const auto near = [&](double a, double b) {
    EXPECT_LE(std::abs(a - b), promised<S> * std::max(1.0, std::abs(b))) << a << " and " << b;
  };
  const std::pair<int, Split> splits[] = {{1, Split::even},
                                          {2, Split::even},
                                          {3, Split::first_has_none},
                                          {4, Split::growing},
                                          {3, Split::last_has_all}};
  for (const auto& [size, split] : splits) {
    for (const Schedule schedule : schedules) {
      run_team(size, [&, size = size, split = split](Exchange& e) {
        SCOPED_TRACE("process " + std::to_string(e.rank()) + " of " + std::to_string(size) +
                     ", schedule " + std::to_string(static_cast<int>(schedule)));
        const Shares shares = shares_of(split, e.rank(), size, n, all.documents.count());
        const Tokens<S> q = all.queries.only(shares.queries);
        const Tokens<S> d = all.documents.only(shares.documents);
        const Index first = shares.queries.empty() ? 0 : shares.queries.front();
        Matrix<S> own_dq;
        Matrix<S> own_dd;
        const auto got = many.forward_backward(
            {e, schedule}, q.rows, q.offsets, d.rows, d.offsets, own_dq, own_dd,
            {.upstream = each ? nearfar::Upstream(upstream.data() + first, q.count())
                              : nearfar::Upstream(1.5)});
        near(got.value, want.value);
        near(many.forward({e, schedule}, q.rows, q.offsets, d.rows, d.offsets).value, want.value);
        near(got.d_temperature, want.d_temperature);
        expect_same_counts(got.diagnostics, want.diagnostics);
        expect_scores(got.diagnostics, want.diagnostics, near);
        ASSERT_EQ(got.values.size(), each ? shares.queries.size() : 0u);
        for (std::size_t i = 0; i < got.values.size(); ++i) {
          near(got.values[i], want.values[static_cast<std::size_t>(shares.queries[i])]);
        }
        expect_sets(own_dq, dq, shares.queries, "d_queries");
        expect_sets(own_dd, dd, shares.documents, "d_documents");
      });
    }
  }
}

template <class S>
class ShardedMaxSim : public testing::Test {};
TYPED_TEST_SUITE(ShardedMaxSim, Scalars, CaseNames);

TYPED_TEST(ShardedMaxSim, IsThatOfOneProcess) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(21, 7);
  for (const Reduction reduction :
       {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
    expect_as_one_process<S, nearfar::Cosine>({.temperature = 0.7, .reduction = reduction}, all);
  }
  expect_as_one_process<S, nearfar::InnerProduct>({.temperature = 3}, all);
  // Softmaxes of one document: values that underflow, and large ones.
  expect_as_one_process<S, nearfar::Cosine>({.temperature = 0.01}, all);
}

/// Of no query, without and with documents, of a single one, and of single documents.
TYPED_TEST(ShardedMaxSim, OfFewIsThatOfOneProcess) {
  using S = TypeParam;
  for (const auto& [queries, more] :
       {std::pair<Index, Index>(0, 0), {0, 3}, {1, 0}, {1, 1}, {2, 0}, {3, 2}}) {
    SCOPED_TRACE(std::to_string(queries) + " queries and " + std::to_string(more) +
                 " more documents");
    expect_as_one_process<S, nearfar::Cosine>({.temperature = 0.5}, corpus<S>(queries, more));
  }
}

TYPED_TEST(ShardedMaxSim, EqualsTheFormula) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(13, 5);
  const oracle::Matrix s =
      max_sim_scores(oracle::Cosine(), oracle::exact(all.queries.rows), all.queries.offsets,
                     oracle::exact(all.documents.rows), all.documents.offsets);
  constexpr oracle::Real tau = 0.5L;
  oracle::Real want = 0;
  for (Index i = 0; i < 13; ++i) want += max_sim_value(s, i, i, tau) / 13;
  for (const Schedule schedule : schedules) {
    run_team(3, [&](Exchange& e) {
      const Shares shares = shares_of(Split::growing, e.rank(), 3, 13, 18);
      const Tokens<S> q = all.queries.only(shares.queries);
      const Tokens<S> d = all.documents.only(shares.documents);
      const nearfar::sharded::MaxSimInfoNce<S> loss(
          {.temperature = static_cast<double>(tau), .reduction = Reduction::mean});
      const auto got = loss.forward({e, schedule}, q.rows, q.offsets, d.rows, d.offsets);
      EXPECT_LE(std::abs(got.value - want), Tolerance<S>::value * want);
      EXPECT_LE(std::abs(got.diagnostics.smallest_score - s.minCoeff()), 1e-4);
      EXPECT_LE(std::abs(got.diagnostics.largest_score - s.maxCoeff()), 1e-4);
    });
  }
}

/// Value, derivative of the temperature, and gradients of all processes.
template <class S>
struct Whole {
  double value = 0;
  double d_temperature = 0;
  std::vector<double> values;
  Matrix<S> dq;
  Matrix<S> dd;
};

/// Query i is that of the process with the first end above i; so is document i.
template <class S>
Whole<S> all_together(const Corpus<S>& all, const Offsets& ends, Schedule schedule,
                      int threads = 1) {
  Whole<S> out;
  out.dq.resize(all.queries.rows.rows(), depth);
  out.dd.resize(all.documents.rows.rows(), depth);
  std::vector<std::vector<double>> values(ends.size());
  run_team(static_cast<int>(ends.size()), [&](Exchange& e) {
    const auto rank = static_cast<std::size_t>(e.rank());
    const Offsets own = numbers(rank == 0 ? 0 : ends[rank - 1], ends[rank]);
    const Tokens<S> q = all.queries.only(own);
    const Tokens<S> d = all.documents.only(own);
    nearfar::Workspace workspace(threads);
    Matrix<S> dq;
    Matrix<S> dd;
    const nearfar::sharded::MaxSimInfoNce<S> loss(
        {.temperature = 0.4, .reduction = Reduction::none});
    const std::vector<double> ones(own.size(), 1.0);
    const auto got = loss.forward_backward({e, schedule}, q.rows, q.offsets, d.rows, d.offsets, dq,
                                           dd, {.workspace = &workspace, .upstream = ones});
    values[rank] = got.values;
    if (own.empty()) return;
    const auto first = static_cast<std::size_t>(own.front());
    out.dq.middleRows(all.queries.offsets[first], dq.rows()) = dq;
    out.dd.middleRows(all.documents.offsets[first], dd.rows()) = dd;
    if (rank + 1 < ends.size()) return;
    out.value = got.value;
    out.d_temperature = got.d_temperature;
  });
  for (const auto& some : values) out.values.insert(out.values.end(), some.begin(), some.end());
  return out;
}

template <class S>
void expect_same_bits(const Whole<S>& got, const Whole<S>& want) {
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.d_temperature, want.d_temperature);
  EXPECT_EQ(got.values, want.values);
  EXPECT_TRUE(same_bits(got.dq, want.dq));
  EXPECT_TRUE(same_bits(got.dd, want.dd));
}

TYPED_TEST(ShardedMaxSim, InOrderHasTheBitsOfAnySplit) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(150, 0);
  const Whole<S> want = all_together(all, {150}, Schedule::ordered);
  expect_same_bits(all_together(all, {2, 150}, Schedule::ordered), want);
  expect_same_bits(all_together(all, {0, 71, 150}, Schedule::ordered), want);
  expect_same_bits(all_together(all, {4, 50, 50, 99, 150}, Schedule::ordered), want);
}

TYPED_TEST(ShardedMaxSim, BitsAreTheSameFromRunToRunAndAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(150, 0);
  for (const Schedule schedule : schedules) {
    const Whole<S> want = all_together(all, {40, 150}, schedule);
    for (const int threads : {1, 2, 5}) {
      expect_same_bits(all_together(all, {40, 150}, schedule, threads), want);
    }
  }
}

/// With `all_gather`, results of own queries have the bits of one process.
TYPED_TEST(ShardedMaxSim, AllGatherHasOneProcessBitsExceptDocumentGradients) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(60, 0);
  Whole<S> want;
  const std::vector<double> ones(60, 1.0);
  const auto result =
      nearfar::MaxSimInfoNce<S>({.temperature = 0.4, .reduction = Reduction::none})
          .forward_backward(all.queries.rows, all.queries.offsets, all.documents.rows,
                            all.documents.offsets, want.dq, want.dd, {.upstream = ones});
  const Whole<S> got = all_together(all, {13, 40, 60}, Schedule::all_gather);
  EXPECT_EQ(got.value, result.value);
  EXPECT_EQ(got.d_temperature, result.d_temperature);
  EXPECT_EQ(got.values, result.values);
  EXPECT_TRUE(same_bits(got.dq, want.dq));
}

/// Of equally near tokens of a document the first has the gradient, on whatever process.
TYPED_TEST(ShardedMaxSim, TiesGoToTheFirst) {
  using S = TypeParam;
  const Matrix<S> token = random_rows<S>(1, depth, 8);
  const Offsets of_query = {0, 1};
  const Offsets of_document = {0, 3};
  for (const Schedule schedule : schedules) {
    run_team(2, [&](Exchange& e) {
      const Matrix<S> q = random_rows<S>(1, depth, static_cast<std::uint64_t>(e.rank()));
      const Matrix<S> d = token.replicate(3, 1);
      Matrix<S> dq;
      Matrix<S> dd;
      const auto got = nearfar::sharded::MaxSimInfoNce<S, nearfar::InnerProduct>().forward_backward(
          {e, schedule}, q, of_query, d, of_document, dq, dd);
      EXPECT_NEAR(got.value, std::log(2.0), 1e-6);
      EXPECT_GT(dd.row(0).norm(), 0);
      EXPECT_EQ(dd.bottomRows(2).norm(), 0);
    });
  }
}

TYPED_TEST(ShardedMaxSim, GradientsAreScaledAddedOrLeftOut) {
  using S = TypeParam;
  const Corpus<S> all = corpus<S>(9, 2);
  const nearfar::sharded::MaxSimInfoNce<S> loss({.temperature = 0.4});
  for (const Schedule schedule : schedules) {
    run_team(3, [&](Exchange& e) {
      const Shares shares = shares_of(Split::even, e.rank(), 3, 9, 11);
      const Tokens<S> q = all.queries.only(shares.queries);
      const Tokens<S> d = all.documents.only(shares.documents);
      const auto run = [&](const Sharding& where, auto&& dq, auto&& dd) {
        return loss.forward_backward(where, q.rows, q.offsets, d.rows, d.offsets, dq, dd);
      };
      Matrix<S> dq, dd, times_dq, times_dd, only;
      const auto want = run({e, schedule}, dq, dd);
      const auto times =
          run({e, schedule, nearfar::GradientScale::for_averaging}, times_dq, times_dd);
      EXPECT_EQ(times.d_temperature, want.d_temperature);
      const S allowed = static_cast<S>(4 * promised<S>);
      EXPECT_TRUE(times_dq.isApprox(S(3) * dq, allowed));
      EXPECT_TRUE(times_dd.isApprox(S(3) * dd, allowed));
      Matrix<S> more = Matrix<S>::Constant(d.rows.rows(), depth, S(0.5));
      // One process wants no gradients of documents; others get theirs.
      if (e.rank() == 1) {
        run({e, schedule}, only, no_gradient);
        EXPECT_TRUE(same_bits(only, dq));
      } else {
        run({e, schedule}, no_gradient, nearfar::accumulate(more));
        EXPECT_TRUE(more.isApprox((dd.array() + S(0.5)).matrix(), allowed));
      }
      // No process wants those of documents.
      EXPECT_EQ(run({e, schedule}, only, no_gradient).value, want.value);
      EXPECT_TRUE(same_bits(only, dq));
    });
  }
}

TEST(ShardedMaxSimCalls, ChunksAreAsOneMatrix) {
  const Corpus<double> all = corpus<double>(12, 3);
  const nearfar::sharded::MaxSimInfoNce<double> loss;
  Alone alone;
  const auto expect_parts = [](const std::vector<Matrix<double>>& parts,
                               const Matrix<double>& whole) {
    Index first = 0;
    for (const Matrix<double>& part : parts) {
      EXPECT_TRUE(same_bits<double>(part, whole.middleRows(first, part.rows())));
      first += part.rows();
    }
    EXPECT_EQ(first, whole.rows());
  };
  for (const Schedule schedule : schedules) {
    Matrix<double> dq, dd;
    const auto want =
        loss.forward_backward({alone, schedule}, all.queries.rows, all.queries.offsets,
                              all.documents.rows, all.documents.offsets, dq, dd);
    // Chunks end within sets.
    std::vector<Matrix<double>> parts_q, parts_d;
    const auto got = loss.forward_backward(
        {alone, schedule}, in_chunks(all.queries.rows, {8, 8, dq.rows()}, parts_q),
        all.queries.offsets, in_chunks(all.documents.rows, {100, dd.rows()}, parts_d),
        all.documents.offsets);
    EXPECT_EQ(got.value, want.value);
    expect_parts(parts_q, dq);
    expect_parts(parts_d, dd);
  }
}

/// Tokens of documents, each with a number of 8 bytes, go round as docs/sharded.md says.
TEST(ShardedMaxSimCalls, SendWhatTheModelSays) {
  const Corpus<float> all = corpus<float>(8, 2);
  const Index token = depth * Index(sizeof(float));
  const Index tokens = all.documents.rows.rows();
  for (const int size : {1, 2, 3, 5}) {
    SCOPED_TRACE(size);
    const auto bytes = [&](Schedule schedule, bool gradients) {
      return static_cast<Index>(run_team(size, [&](Exchange& e) {
        const auto& [q, d] = all;
        const nearfar::sharded::MaxSimInfoNce<float> loss;
        Matrix<float> dq, dd;
        if (gradients) {
          loss.forward_backward({e, schedule}, q.rows, q.offsets, d.rows, d.offsets, dq, dd);
        } else {
          loss.forward({e, schedule}, q.rows, q.offsets, d.rows, d.offsets);
        }
      }));
    };
    const Index hops = Index(size) * (size - 1) * tokens;
    // With all_gather the values and the derivatives are summed in the order of ranks.
    const Index sum = size > 1 ? 8 * (2 * size - 2) : 0;
    EXPECT_EQ(bytes(Schedule::ring, false), hops * (token + 8));
    EXPECT_EQ(bytes(Schedule::ring, true), hops * (3 * token + 2 * 8));
    EXPECT_EQ(bytes(Schedule::all_gather, false), hops * (token + 8) + sum);
    EXPECT_EQ(bytes(Schedule::all_gather, true), hops * (2 * token + 8) + 2 * sum);
  }
}

TEST(ShardedMaxSimCalls, RefuseWhatDoesNotFitOnAllProcesses) {
  for (const Schedule schedule : schedules) {
    run_team(2, [&](Exchange& e) {
      const bool mine = e.rank() == 1;
      const Sharding where(e, schedule);
      const Matrix<float> x = random_rows<float>(4, 3, 1);
      const Offsets good = {0, 2, 4};
      const nearfar::sharded::MaxSimInfoNce<float> loss;
      const double value = loss.forward(where, x, good, x, good).value;
      const auto refused = [&](const MaxSimInfoNceOptions& options, const Matrix<float>& queries,
                               const Offsets& of_queries, const Matrix<float>& documents,
                               const Offsets& of_documents, const std::string& text) {
        Matrix<float> dq = Matrix<float>::Constant(1, 1, 7);
        Matrix<float> dd = Matrix<float>::Constant(1, 1, 7);
        expect_error_everywhere(
            [&] {
              nearfar::sharded::MaxSimInfoNce<float>(options).forward_backward(
                  where, queries, of_queries, documents, of_documents, dq, dd);
            },
            text);
        EXPECT_EQ(dq, Matrix<float>::Constant(1, 1, 7));
        EXPECT_EQ(dd, Matrix<float>::Constant(1, 1, 7));
        EXPECT_EQ(loss.forward(where, x, good, x, good).value, value) << "after: " << text;
      };
      const std::string rank = "nearfar: rank 1: ";
      Matrix<float> with_nan = x;
      if (mine) with_nan(3, 1) = std::numeric_limits<float>::quiet_NaN();
      refused({}, with_nan, good, x, good,
              rank + "queries: wanted finite elements, got NaN at row 3, column 1");
      refused({}, x, good, with_nan, good,
              rank + "documents: wanted finite elements, got NaN at row 3, column 1");
      const Matrix<float> wide = random_rows<float>(4, mine ? 5 : 3, 1);
      refused({}, wide, good, wide, good, rank + "columns: wanted 3 as on rank 0, got 5");
      refused({}, x, mine ? Offsets{} : good, x, good,
              rank + "query_offsets: wanted one number more than sets of tokens, got none");
      refused({}, x, good, x, mine ? Offsets{0, 3} : good,
              rank + "document_offsets: wanted offsets from 0 to the number of tokens, 4");
      refused({}, x, good, x, mine ? Offsets{0, 3, 2, 4} : good,
              rank + "document_offsets: wanted offsets in ascending order, got 2 after 3");
      refused({}, x, good, x, mine ? Offsets{0, 2, 2, 4} : good,
              rank +
                  "document_offsets: wanted at least one token for each document, got none for "
                  "document 1");
      refused({}, x, good, x, mine ? Offsets{0, 4} : good,
              rank + "documents: wanted a document for each of 2 queries, got 1 documents");
      refused({.temperature = mine ? 0.5 : 1}, x, good, x, good,
              rank + "temperature: wanted 1 as on rank 0, got 0.5");
      const Matrix<float> none(0, 3);
      const Matrix<float>& alone = mine ? x : none;
      const Offsets single = mine ? Offsets{0, 4} : Offsets{0};
      refused({.unusable_anchors = nearfar::UnusableAnchor::error}, alone, single, alone, single,
              "got 1 anchors without a negative");
      expect_error_everywhere(
          [&] {
            const Matrix<float> far = x * 1e25f;
            nearfar::sharded::MaxSimInfoNce<float, nearfar::InnerProduct>().forward(
                where, mine ? far : x, good, mine ? far : x, good);
          },
          "nearfar: queries and documents: wanted rows whose inner products fit");
      expect_error_everywhere(
          [&] {
            if (mine) {
              nearfar::sharded::InfoNce<float>().forward(where, x, x);
            } else {
              loss.forward(where, x, good, x, good);
            }
          },
          rank + "call: wanted MaxSimInfoNce as on rank 0, got InfoNce");
    });
  }
}

TEST(ShardedMaxSimCalls, TakeTheOptionsOfOneProcess) {
  const nearfar::sharded::MaxSimInfoNce<float> loss({.temperature = 0.2});
  EXPECT_EQ(loss.options().temperature, 0.2);
  EXPECT_THROW(nearfar::sharded::MaxSimInfoNce<float>({.temperature = 0}), std::invalid_argument);
}

}  // namespace
