#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"

/// \file
/// Every sharded loss beside the one of one process, behind one signature, and what is promised of
/// all of them, as a process of any exchange sees it.

namespace support {

/// What came of a call.
template <class S>
struct Outcome {
  nearfar::Result result;
  std::vector<double> numbers;  ///< gradients of learnable numbers, counts by kind
  std::vector<Matrix<S>> gradients;
};

/// Sets of rows, and labels of the first where there are any.
template <class S>
struct Batch {
  std::vector<Matrix<S>> rows;
  std::vector<int> labels;
};

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
struct ShardedSubject {
  std::string name;
  int sets;
  bool labelled;
  std::function<Outcome<S>(const Batch<S>&)> one;
  std::function<Outcome<S>(const nearfar::Sharding&, const Batch<S>&)> many;
  std::function<nearfar::Result(const nearfar::Sharding&, const Batch<S>&)> forward;
};

template <class R>
std::vector<double> numbers_of(const R& r) {
  std::vector<double> out;
  if constexpr (requires { r.d_temperature; }) out.push_back(r.d_temperature);
  if constexpr (requires { r.d_logit_scale; }) out.push_back(r.d_logit_scale);
  if constexpr (requires { r.d_logit_bias; }) out.push_back(r.d_logit_bias);
  if constexpr (requires { r.hard_triplets; }) {
    for (const std::int64_t count : {r.hard_triplets, r.semihard_triplets, r.easy_triplets}) {
      out.push_back(static_cast<double>(count));
    }
  }
  return out;
}

template <class S>
class ShardedSubjects {
 public:
  /// Losses of two sets of rows.
  template <class One, class Many, class Options>
  void add_pairs(const std::string& name, const Options& options) {
    list.push_back({name, 2, false,
                    [=](const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out, One(options).forward_backward(x.rows[0], x.rows[1],
                                                              out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out, Many(options).forward_backward(where, x.rows[0], x.rows[1],
                                                               out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
                      return Many(options).forward(where, x.rows[0], x.rows[1]);
                    }});
  }

  /// Losses over labels.
  template <class One, class Many, class Options>
  void add_labelled(const std::string& name, const Options& options) {
    list.push_back(
        {name, 1, true,
         [=](const Batch<S>& x) {
           Outcome<S> out;
           out.gradients.resize(1);
           fill(out, One(options).forward_backward(x.rows[0], x.labels, out.gradients[0]));
           return out;
         },
         [=](const nearfar::Sharding& where, const Batch<S>& x) {
           Outcome<S> out;
           out.gradients.resize(1);
           fill(out, Many(options).forward_backward(where, x.rows[0], x.labels, out.gradients[0]));
           return out;
         },
         [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
           return Many(options).forward(where, x.rows[0], x.labels);
         }});
  }

  std::vector<ShardedSubject<S>> list;

 private:
  template <class R>
  static void fill(Outcome<S>& out, const R& r) {
    out.result = r;
    out.numbers = numbers_of(r);
  }
};

template <class S, class K>
void add_sharded_similarities(ShardedSubjects<S>& all, const std::string& kernel) {
  using namespace nearfar;
  for (const Denominator d : {Denominator::with_positive, Denominator::negatives_only}) {
    const std::string name = kernel + (d == Denominator::with_positive ? "" : ", decoupled");
    all.template add_pairs<InfoNce<S, K>, sharded::InfoNce<S, K>>(
        "InfoNce " + name, InfoNceOptions{.temperature = 0.3, .denominator = d});
    all.template add_pairs<NtXent<S, K>, sharded::NtXent<S, K>>(
        "NtXent " + name, NtXentOptions{.temperature = 0.3, .denominator = d});
  }
  for (const SupConVariant v : {SupConVariant::out, SupConVariant::in}) {
    all.template add_labelled<SupCon<S, K>, sharded::SupCon<S, K>>(
        "SupCon " + kernel, SupConOptions{.temperature = 0.4, .variant = v});
  }
  if constexpr (K::orientation == Orientation::similarity) {
    for (const ClipDirections d : {ClipDirections::mean, ClipDirections::sum}) {
      all.template add_pairs<Clip<S, K>, sharded::Clip<S, K>>(
          "Clip " + kernel, ClipOptions{.logit_scale = 4, .directions = d});
    }
    all.template add_pairs<Clip<S, K>, sharded::Clip<S, K>>(
        "Clip " + kernel + ", clamped", ClipOptions{.logit_scale = 4, .largest_logit_scale = 3});
    all.template add_pairs<SigLip<S, K>, sharded::SigLip<S, K>>(
        "SigLip " + kernel, SigLipOptions{.logit_scale = 4, .logit_bias = -2});
  }
}

template <class S, class K>
void add_sharded_triplets(ShardedSubjects<S>& all, const std::string& kernel) {
  using namespace nearfar;
  for (const Mining mining :
       {Mining::batch_hard, Mining::all, Mining::hard, Mining::semihard, Mining::easy}) {
    all.template add_labelled<MinedTriplet<S, K>, sharded::MinedTriplet<S, K>>(
        "MinedTriplet " + kernel + ", mining " + std::to_string(static_cast<int>(mining)),
        MinedTripletOptions{.margin = 0.4, .mining = mining});
  }
  all.template add_labelled<MinedTriplet<S, K>, sharded::MinedTriplet<S, K>>(
      "MinedTriplet " + kernel + ", soft",
      MinedTripletOptions{.margin = 0.4, .form = TripletForm::soft});
}

/// Every loss with every kernel that shards have.
template <class S>
std::vector<ShardedSubject<S>> sharded_subjects() {
  using namespace nearfar;
  ShardedSubjects<S> all;
  add_sharded_similarities<S, Cosine>(all, "Cosine");
  add_sharded_similarities<S, InnerProduct>(all, "InnerProduct");
  add_sharded_similarities<S, Euclidean>(all, "Euclidean");
  add_sharded_similarities<S, SquaredEuclidean>(all, "SquaredEuclidean");
  add_sharded_similarities<S, CosineDistance>(all, "CosineDistance");
  const auto add_hadsell = [&]<class K>(K, const std::string& kernel) {
    for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
      all.template add_labelled<HadsellContrastive<S, K>, sharded::HadsellContrastive<S, K>>(
          "HadsellContrastive " + kernel, HadsellOptions{.margin = 1.2, .reduction = r});
    }
  };
  all.template add_labelled<HadsellContrastive<S, Euclidean>,
                            sharded::HadsellContrastive<S, Euclidean>>(
      "HadsellContrastive Euclidean, factor one",
      HadsellOptions{.margin = 1.2, .factor = SquareFactor::one});
  add_hadsell(Euclidean(), "Euclidean");
  add_hadsell(SquaredEuclidean(), "SquaredEuclidean");
  add_hadsell(CosineDistance(), "CosineDistance");
  add_sharded_triplets<S, Euclidean>(all, "Euclidean");
  add_sharded_triplets<S, SquaredEuclidean>(all, "SquaredEuclidean");
  add_sharded_triplets<S, CosineDistance>(all, "CosineDistance");
  add_sharded_triplets<S, Cosine>(all, "Cosine");
  add_sharded_triplets<S, InnerProduct>(all, "InnerProduct");
  return std::move(all.list);
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

/// How rows are shared out.
enum class Split { even, growing, first_has_none, last_has_all };

/// The first row of a process, and for its number of processes how many there are.
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

/// A loss, all rows, and what one process makes of them.
template <class S>
struct ShardedCase {
  ShardedSubject<S> subject;
  Batch<S> all;
  Outcome<S> want;
};

/// Every loss with the rows that `batch_of(subject)` gives it.
template <class S, class BatchOf>
std::vector<ShardedCase<S>> sharded_cases(const BatchOf& batch_of) {
  std::vector<ShardedCase<S>> out;
  for (const ShardedSubject<S>& subject : sharded_subjects<S>()) {
    const Batch<S> all = batch_of(subject);
    out.push_back({subject, all, subject.one(all)});
  }
  return out;
}

/// Value, numbers, counts and gradients of one process with all rows and of its share of them
/// within what is promised: 1e-6 in float, 1e-12 in double, of the largest number of a kind.
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

/// The same of a batch of many rows.
template <class S>
void expect_equal_to_one_process(nearfar::Exchange& exchange, Split split,
                                 nearfar::Schedule schedule) {
  static const std::vector<ShardedCase<S>> cases = sharded_cases<S>(
      [](const ShardedSubject<S>& subject) { return batch_for(subject, 61, 9, 17); });
  expect_equal_to_one_process<S>(exchange, split, schedule, cases);
}

/// Good calls of what follows, and what is wrong with them on one process: its error is everyone's.
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

/// Mistakes of single processes, each followed by a good call that must still work. Of two
/// processes at least; `last` makes them.
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
  expect([&](auto& dx, auto& dy) { loss.backward(where, mine ? 2.0 : 1.0, x, y, dx, dy); },
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
