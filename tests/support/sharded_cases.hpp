#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <nearfar/sharded/chunks.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/sharded_subjects.hpp"

/// \file
/// Promises of every sharded loss, for a process of any exchange.

namespace support {

template <class S>
void expect_same_bits(const Outcome<S>& got, const Outcome<S>& want) {
  expect_identical(got.result, want.result);
  EXPECT_EQ(got.numbers, want.numbers);
  for (std::size_t k = 0; k < want.gradients.size(); ++k) {
    EXPECT_TRUE(same_bits(got.gradients[k], want.gradients[k])) << "gradient " << k;
  }
}

/// Rows [first, first + count) of each set.
template <class S>
Batch<S> part_of(const Batch<S>& all, Index first, Index count) {
  Batch<S> out;
  for (const Matrix<S>& rows : all.rows) out.rows.push_back(rows.middleRows(first, count));
  if (!all.labels.empty()) {
    out.labels.assign(all.labels.begin() + first, all.labels.begin() + first + count);
  }
  return out;
}

template <class S>
Batch<S> batch_for(const ShardedSubject<S>& subject, Index n, Index cols, std::uint64_t seed) {
  Batch<S> out;
  for (int k = 0; k < subject.sets; ++k) {
    out.rows.push_back(random_rows<S>(n, cols, seed + static_cast<std::uint64_t>(k)));
  }
  if (subject.labelled) out.labels = random_labels(n, 7, seed + 9);
  return out;
}

/// Rows of x in chunks that end at `ends`, each with a matrix of `gradients`.
template <class S>
nearfar::Chunks<S> in_chunks(const Matrix<S>& x, const std::vector<Index>& ends,
                             std::vector<Matrix<S>>& gradients) {
  nearfar::Chunks<S> out;
  gradients.resize(ends.size());
  Index first = 0;
  for (std::size_t c = 0; c < ends.size(); ++c) {
    out.add(x.middleRows(first, ends[c] - first), gradients[c]);
    first = ends[c];
  }
  return out;
}

/// The distribution of rows over processes.
enum class Split { even, growing, first_has_none, last_has_all };

/// The first row of a process; for a rank equal to the number of processes, the number of rows.
inline Index first_row(Split split, int rank, int size, Index n) {
  if (rank == size) return n;
  switch (split) {
    case Split::even:
      return n * rank / size;
    case Split::growing:
      return n * rank * rank / (size * size);
    case Split::first_has_none:
      return rank == 0 ? 0 : n * (rank - 1) / (size - 1);
    case Split::last_has_all:
      break;
  }
  return 0;
}

template <class S>
Batch<S> shard_of(const Batch<S>& all, Split split, const nearfar::Exchange& exchange) {
  const Index n = all.rows[0].rows();
  const Index first = first_row(split, exchange.rank(), exchange.size(), n);
  const Index end = first_row(split, exchange.rank() + 1, exchange.size(), n);
  return part_of(all, first, end - first);
}

/// A loss, all rows, and the result of one process with them.
template <class S>
struct ShardedCase {
  ShardedSubject<S> subject;
  Batch<S> all;
  Outcome<S> want;
};

/// Every loss with the rows of `batch_of(subject)`, unless it refuses so few.
template <class S, class BatchOf>
std::vector<ShardedCase<S>> sharded_cases(const BatchOf& batch_of) {
  std::vector<ShardedCase<S>> out;
  for (const ShardedSubject<S>& subject : sharded_subjects<S>()) {
    const Batch<S> all = batch_of(subject);
    const Index n = all.rows[0].rows();
    if (n > 0 && n < subject.fewest_rows) continue;
    out.push_back({subject, all, subject.one(all)});
  }
  return out;
}

/// Compares value, numbers, counts and gradients with those of one process with all rows, up to the
/// documented error: 1e-6 in float, 1e-12 in double, of the largest number of a kind.
template <class S>
void expect_equal_to_one_process(nearfar::Exchange& exchange, Split split,
                                 nearfar::Schedule schedule,
                                 const std::vector<ShardedCase<S>>& cases) {
  const double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;
  for (const auto& [subject, all, want] : cases) {
    SCOPED_TRACE(subject.name + ", rank " + std::to_string(exchange.rank()));
    const Batch<S> own = shard_of(all, split, exchange);
    const Outcome<S> got = subject.many({exchange, schedule}, own);
    const auto near = [&](double a, double b) {
      if (a == b) return;  // infinities, too
      EXPECT_LE(std::abs(a - b), promised * std::max(1.0, std::abs(b))) << a << " and " << b;
    };
    near(got.result.value, want.result.value);
    near(subject.forward({exchange, schedule}, own).value, want.result.value);
    expect_same_counts(got.result.diagnostics, want.result.diagnostics);
    expect_scores(got.result.diagnostics, want.result.diagnostics, near);
    ASSERT_EQ(got.numbers.size(), want.numbers.size());
    for (std::size_t k = 0; k < want.numbers.size(); ++k) near(got.numbers[k], want.numbers[k]);
    const Index n = all.rows[0].rows();
    const Index first = first_row(split, exchange.rank(), exchange.size(), n);
    for (std::size_t k = 0; k < want.gradients.size(); ++k) {
      const Matrix<S> own_want = want.gradients[k].middleRows(first, own.rows[k].rows());
      ASSERT_EQ(got.gradients[k].rows(), own_want.rows());
      if (own_want.size() == 0) continue;
      const double largest = static_cast<double>(want.gradients[k].cwiseAbs().maxCoeff());
      const double off = static_cast<double>((got.gradients[k] - own_want).cwiseAbs().maxCoeff());
      EXPECT_LE(off, promised * largest) << "gradient " << k;
    }
  }
}

/// The same for a batch of many rows.
template <class S>
void expect_equal_to_one_process(nearfar::Exchange& exchange, Split split,
                                 nearfar::Schedule schedule) {
  static const std::vector<ShardedCase<S>> cases = sharded_cases<S>(
      [](const ShardedSubject<S>& subject) { return batch_for(subject, 61, 9, 17); });
  expect_equal_to_one_process<S>(exchange, split, schedule, cases);
}

/// Valid calls, and the error that one process makes in them, which all must throw.
template <class Call>
void expect_error_everywhere(const Call& call, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "wanted an error with: " << text;
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
        << "wanted: " << text << "\ngot:    " << error.what();
  }
}

/// Errors of single processes, each followed by a valid call, which must succeed. Needs at least
/// two processes; the last one makes the errors.
inline void expect_errors_on_all(nearfar::Exchange& exchange, nearfar::Schedule schedule) {
  using namespace nearfar;
  const int last = exchange.size() - 1;
  const bool mine = exchange.rank() == last;
  const std::string rank = "nearfar: rank " + std::to_string(last) + ": ";
  const Sharding where(exchange, schedule);
  const Matrix<float> x = random_rows<float>(12, 5, 3);
  const Matrix<float> y = random_rows<float>(12, 5, 4);
  const std::vector<int> labels = random_labels(12, 3, 5);
  const Matrix<float> untouched = Matrix<float>::Constant(2, 2, 7);
  const sharded::InfoNce<float> loss({.temperature = 0.5});
  const double value = loss.forward(where, x, y).value;

  const auto expect = [&](const auto& call, const std::string& text) {
    Matrix<float> dx = untouched;
    Matrix<float> dy = untouched;
    expect_error_everywhere([&] { call(dx, dy); }, text);
    EXPECT_TRUE(same_bits(dx, untouched));
    EXPECT_TRUE(same_bits(dy, untouched));
    EXPECT_EQ(loss.forward(where, x, y).value, value) << "after: " << text;
  };

  Matrix<float> with_nan = x;
  if (mine) with_nan(3, 1) = std::numeric_limits<float>::quiet_NaN();
  expect([&](auto& dx, auto& dy) { loss.forward_backward(where, with_nan, y, dx, dy); },
         rank + "queries: wanted finite elements, got NaN at row 3, column 1");
  expect([&](auto& dx, auto& dy) { loss.forward_backward(where, x, with_nan, dx, dy); },
         rank + "keys: wanted finite elements, got NaN at row 3, column 1");

  const Matrix<float> wide = random_rows<float>(12, mine ? 6 : 5, 3);
  expect([&](auto& dx, auto& dy) { loss.forward_backward(where, wide, wide, dx, dy); },
         rank + "columns: wanted 5 as on rank 0, got 6");
  const Matrix<float> few = random_rows<float>(mine ? 11 : 12, 5, 4);
  expect([&](auto& dx, auto& dy) { loss.forward_backward(where, x, few, dx, dy); },
         rank + "keys: wanted a key for each of 12 queries, got 11 keys");

  const sharded::InfoNce<float> other({.temperature = mine ? 0.25 : 0.5});
  expect([&](auto& dx, auto& dy) { other.forward_backward(where, x, y, dx, dy); },
         rank + "temperature: wanted 0.5 as on rank 0, got 0.25");
  expect(
      [&](auto& dx, auto& dy) {
        if (mine) {
          loss.forward(where, x, y);
        } else {
          loss.forward_backward(where, x, y, dx, dy);
        }
      },
      rank + "gradients: wanted 1 as on rank 0, got 0");
  expect(
      [&](auto& dx, auto& dy) {
        if (mine) {
          const Matrix<double> a = x.cast<double>();
          Matrix<double> da;
          Matrix<double> db;
          sharded::InfoNce<double>({.temperature = 0.5}).forward_backward(where, a, a, da, db);
        } else {
          loss.forward_backward(where, x, y, dx, dy);
        }
      },
      rank + "bytes of a scalar: wanted 4 as on rank 0, got 8");
  const sharded::NtXent<float> another({.temperature = 0.5});
  expect(
      [&](auto& dx, auto& dy) {
        if (mine) {
          another.forward_backward(where, x, y, dx, dy);
        } else {
          loss.forward_backward(where, x, y, dx, dy);
        }
      },
      rank + "call: wanted InfoNce as on rank 0, got NtXent");
  expect(
      [&](auto& dx, auto& dy) {
        loss.forward_backward({exchange, mine ? Schedule::ordered : Schedule::ring}, x, y, dx, dy);
      },
      rank + "schedule: wanted 0 as on rank 0, got 1");
  expect(
      [&](auto& dx, auto& dy) {
        loss.forward_backward(where, x, y, dx, dy, {.upstream = mine ? 2.0 : 1.0});
      },
      rank + "upstream: wanted 1 as on rank 0, got 2");

  const std::vector<int> some(labels.begin(), labels.end() - (mine ? 1 : 0));
  expect([&](auto& dx, auto&) { sharded::SupCon<float>().forward_backward(where, x, some, dx); },
         rank + "labels: wanted 12 labels, one a row, got 11");
  const std::vector<Index> numbers(12, mine ? 12 * exchange.size() : 0);
  expect([&](auto& dx, auto& dy) { loss.forward_backward(where, x, y, Labels(numbers), dx, dy); },
         rank + "positives: wanted indices from 0 to " + std::to_string(12 * exchange.size() - 1));
  const Matrix<float> far = x * 1e25f;
  expect(
      [&](auto& dx, auto& dy) {
        sharded::InfoNce<float, InnerProduct>().forward_backward(where, mine ? far : x,
                                                                 mine ? far : y, dx, dy);
      },
      "nearfar: queries and keys: wanted rows whose inner products fit");
  Matrix<float> small(3, 3);
  expect_error_everywhere(
      [&] {
        Matrix<float> dx(12, 5);
        loss.forward_backward(where, x, y, mine ? small.topRows(3) : dx.topRows(12), no_gradient);
      },
      rank + "d_queries: wanted 12 x 5, got 3 x 3");
}

}  // namespace support
