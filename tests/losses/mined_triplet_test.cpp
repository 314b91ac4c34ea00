#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/mined_triplet.hpp>
#include <numeric>
#include <optional>
#include <string>

#include "support/kernel_cases.hpp"
#include "support/labelled_batches.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"

/// Mined triplets against plain loops over triplets: values in long double; and everything on rows
/// of small integers, whose inner products, sums and gradients are exact in every type, with many
/// ties between positives, between negatives, between the two and at the margin. (Other gradients
/// are compared with differences of values.)

namespace {

using namespace support;
using nearfar::InnerProduct;
using nearfar::MinedTriplet;
using nearfar::MinedTripletOptions;
using nearfar::MinedTripletResult;
using nearfar::Mining;
using nearfar::NegativeChoice;
using nearfar::PositiveChoice;
using nearfar::Reduction;
using nearfar::Workspace;

// ---- values -------------------------------------------------------------------------------------

struct Mined {
  Real sum = 0;
  std::int64_t terms = 0;
  std::int64_t active = 0;
  std::int64_t hard = 0;
  std::int64_t semihard = 0;
  std::int64_t easy = 0;
};

/// Computes every triplet. Kinds are counted over all triplets, or over the one that an anchor
/// takes.
Mined mine(const oracle::Matrix& d, const Batch& batch, const nearfar::MinedTripletOptions& o) {
  using nearfar::Mining;
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  const Index n = d.rows();
  const auto label = [&](Index i) { return batch.labels[static_cast<std::size_t>(i)]; };
  const Real m = o.margin;
  Mined out;
  const bool one_an_anchor = o.mining == Mining::batch_hard || o.mining == Mining::batch_easy_hard;
  const auto is_hard = [&](Index a, Index p, Index k) { return d(a, k) <= d(a, p); };
  const auto is_easy = [&](Index a, Index p, Index k) { return d(a, k) > d(a, p) + m; };
  const auto count = [&](Index a, Index p, Index k) {
    ++(is_hard(a, p, k) ? out.hard : is_easy(a, p, k) ? out.easy : out.semihard);
  };
  const auto take = [&](Index a, Index p, Index k) {
    const Real z = d(a, p) - d(a, k) + m;
    const Real value = o.form == nearfar::TripletForm::hinge
                           ? std::max<Real>(z, 0)
                           : std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z)));
    out.sum += value;
    ++out.terms;
    if (value > 0) ++out.active;
    if (one_an_anchor) count(a, p, k);
  };
  for (Index a = 0; a < n; ++a) {
    std::vector<Index> positives;
    std::vector<Index> negatives;
    for (Index j = 0; j < n; ++j) {
      if (label(j) != label(a)) negatives.push_back(j);
      if (label(j) == label(a) && j != a) positives.push_back(j);
    }
    for (const Index p : positives) {
      for (const Index k : negatives) {
        const bool hard = is_hard(a, p, k);
        const bool easy = is_easy(a, p, k);
        if (!one_an_anchor) count(a, p, k);
        if (o.mining == Mining::all || (o.mining == Mining::hard && hard) ||
            (o.mining == Mining::easy && easy) ||
            (o.mining == Mining::semihard && !hard && !easy)) {
          take(a, p, k);
        }
      }
    }
    if (positives.empty() || negatives.empty()) continue;
    const auto nearer = [&](Index i, Index j) { return d(a, i) < d(a, j); };
    const auto farthest = [&](const std::vector<Index>& of) {
      return *std::max_element(of.begin(), of.end(), nearer);
    };
    const auto nearest = [&](const std::vector<Index>& of) {
      return *std::min_element(of.begin(), of.end(), nearer);
    };
    if (o.mining == Mining::semi_hard_per_pair) {
      for (const Index p : positives) {
        std::vector<Index> beyond;
        for (const Index k : negatives) {
          if (d(a, k) > d(a, p)) beyond.push_back(k);
        }
        take(a, p, beyond.empty() ? farthest(negatives) : nearest(beyond));
      }
    } else if (o.mining == Mining::batch_hard) {
      take(a, farthest(positives), nearest(negatives));
    } else if (o.mining == Mining::batch_easy_hard) {
      // The semi-hard one depends on the other and comes second; -1 if none fits.
      Index p = o.positive == PositiveChoice::easy ? nearest(positives) : farthest(positives);
      Index k = o.negative == NegativeChoice::easy ? farthest(negatives) : nearest(negatives);
      const auto keep = [](std::vector<Index>& of, const auto& fits) {
        of.erase(std::remove_if(of.begin(), of.end(), [&](Index j) { return !fits(j); }), of.end());
      };
      if (o.negative == NegativeChoice::semihard) {
        keep(negatives, [&](Index j) { return d(a, j) > d(a, p); });
        k = negatives.empty() ? -1 : nearest(negatives);
      }
      if (o.positive == PositiveChoice::semihard) {
        keep(positives, [&](Index j) { return d(a, j) < d(a, k); });
        p = positives.empty() ? -1 : farthest(positives);
      }
      if (p >= 0 && k >= 0) take(a, p, k);
    }
  }
  return out;
}

template <class K, class O>
void expect_mined_alike(const O& kernel) {
  using nearfar::Mining;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(kernel, oracle::exact(batch.x));
    for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy,
                                Mining::batch_hard, Mining::semi_hard_per_pair}) {
      for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
        nearfar::MinedTripletOptions options{.margin = 0.2, .form = form, .mining = mining};
        const Mined want = mine(d, batch, options);
        for (const Reduction reduction :
             {Reduction::sum, Reduction::mean, Reduction::mean_nonzero}) {
          SCOPED_TRACE(batch.name + ", mining " + std::to_string(static_cast<int>(mining)) +
                       ", form " + std::to_string(static_cast<int>(form)));
          options.reduction = reduction;
          const auto got = nearfar::MinedTriplet<double, K>(options).forward(batch.x, batch.labels);
          const std::int64_t divisor = reduction == Reduction::sum    ? 1
                                       : reduction == Reduction::mean ? want.terms
                                                                      : want.active;
          expect_value(got.value, divisor > 0 ? want.sum / static_cast<Real>(divisor) : 0);
          EXPECT_EQ(got.diagnostics.terms, want.terms);
          EXPECT_EQ(got.diagnostics.active_terms, want.active);
          EXPECT_EQ(got.hard_triplets, want.hard);
          EXPECT_EQ(got.semihard_triplets, want.semihard);
          EXPECT_EQ(got.easy_triplets, want.easy);
        }
      }
    }
  }
}

TEST(MinedTriplet, EqualsTheSumOverAllTriplets) {
  expect_mined_alike<nearfar::SquaredEuclidean>(oracle::SquaredEuclidean());
  expect_mined_alike<nearfar::Euclidean>(oracle::Euclidean());
  expect_mined_alike<nearfar::InnerProduct>(oracle::InnerProduct());
}

TEST(MinedTriplet, OneTripletAnAnchorIsThatOfTheChoices) {
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(oracle::SquaredEuclidean(), oracle::exact(batch.x));
    for (const auto positive :
         {PositiveChoice::easy, PositiveChoice::semihard, PositiveChoice::hard}) {
      for (const auto negative :
           {NegativeChoice::easy, NegativeChoice::semihard, NegativeChoice::hard}) {
        if (positive == PositiveChoice::semihard && negative == NegativeChoice::semihard) continue;
        SCOPED_TRACE(batch.name + ", positive " + std::to_string(static_cast<int>(positive)) +
                     ", negative " + std::to_string(static_cast<int>(negative)));
        const nearfar::MinedTripletOptions options{.mining = nearfar::Mining::batch_easy_hard,
                                                   .positive = positive,
                                                   .negative = negative,
                                                   .reduction = Reduction::sum};
        const Mined want = mine(d, batch, options);
        const auto got = nearfar::MinedTriplet<double, nearfar::SquaredEuclidean>(options).forward(
            batch.x, batch.labels);
        expect_value(got.value, want.sum);
        EXPECT_EQ(got.diagnostics.terms, want.terms);
        EXPECT_EQ(got.diagnostics.active_terms, want.active);
        EXPECT_EQ(got.hard_triplets, want.hard);
        EXPECT_EQ(got.semihard_triplets, want.semihard);
        EXPECT_EQ(got.easy_triplets, want.easy);
      }
    }
  }
}

TEST(MinedTriplet, AgainstNoReferencesIsZero) {
  using nearfar::Mining;
  const Matrix<double> x = random_rows<double>(5, 3, 1);
  const Matrix<double> none(0, 3);
  const std::vector<int> labels = {0, 0, 1, 1, 1};
  for (const Mining mining :
       {Mining::all, Mining::hard, Mining::semihard, Mining::easy, Mining::batch_hard,
        Mining::batch_easy_hard, Mining::semi_hard_per_pair, Mining::distance_weighted}) {
    const auto got = nearfar::MinedTriplet<double>({.mining = mining, .reduction = Reduction::none})
                         .forward(x, labels, none, std::vector<int>());
    EXPECT_EQ(got.value, 0);
    EXPECT_EQ(got.values, std::vector<double>(5, 0));
    EXPECT_EQ(got.diagnostics.terms, 0);
  }
}

TEST(MinedTriplet, CountsOfAllTripletsHaveAClosedForm) {
  for (const Batch& batch : batches()) {
    std::int64_t want = 0;
    const auto n = static_cast<std::int64_t>(batch.labels.size());
    for (const std::int64_t label : batch.labels) {
      const auto members = std::count(batch.labels.begin(), batch.labels.end(), label);
      want += (members - 1) * (n - members);
    }
    const auto got = nearfar::MinedTriplet<double>({.mining = nearfar::Mining::all})
                         .forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want) << batch.name;
    EXPECT_EQ(got.hard_triplets + got.semihard_triplets + got.easy_triplets, want) << batch.name;
  }
}

// ---- exact values, counts and gradients of integers --------------------------------------------

using Integers = Matrix<std::int64_t>;

/// Queries with keys; without keys, the queries with themselves.
struct Rows {
  Integers queries;
  std::vector<int> labels;
  std::optional<Integers> references = {};
  std::vector<int> reference_labels = {};

  const Integers& keys() const { return references ? *references : queries; }
  const std::vector<int>& key_labels() const { return references ? reference_labels : labels; }
  bool is_pair(Index i, Index j) const { return references || i != j; }
  bool alike(Index i, Index j) const {
    return labels[static_cast<std::size_t>(i)] == key_labels()[static_cast<std::size_t>(j)];
  }
};

Integers integer_rows(Index n, std::uint64_t seed) {
  Random random(seed);
  return Integers::NullaryExpr(n, 3, [&] { return random.below(5) - 2; });
}

struct Expected {
  std::int64_t value = 0;
  std::int64_t terms = 0;
  std::int64_t active = 0;
  std::int64_t kinds[3] = {};  ///< hard, semi-hard, easy
  Integers d_queries;
  Integers d_keys;
};

enum Kind { hard, semihard, easy };

/// Distances are minus inner products.
class Oracle {
 public:
  Oracle(const Rows& rows, const MinedTripletOptions& options)
      : margin_(static_cast<std::int64_t>(options.margin)),
        d_(-rows.queries * rows.keys().transpose()),
        slope_(Integers::Zero(d_.rows(), d_.cols())) {
    for (Index a = 0; a < d_.rows(); ++a) {
      std::vector<Index> positives;
      std::vector<Index> negatives;
      for (Index j = 0; j < d_.cols(); ++j) {
        if (!rows.is_pair(a, j)) continue;
        (rows.alike(a, j) ? positives : negatives).push_back(j);
      }
      if (options.mining == Mining::batch_easy_hard) {
        take_one(a, positives, negatives, options.positive, options.negative);
      } else if (options.mining == Mining::batch_hard) {
        take_one(a, positives, negatives, PositiveChoice::hard, NegativeChoice::hard);
      } else if (options.mining == Mining::semi_hard_per_pair) {
        take_one_a_pair(a, positives, negatives);
      } else {
        take_all(a, positives, negatives, options.mining);
      }
    }
    // Of minus inner products.
    out_.d_queries = -slope_ * rows.keys();
    out_.d_keys = -slope_.transpose() * rows.queries;
    if (!rows.references) out_.d_queries += out_.d_keys;
  }

  const Expected& expected() const { return out_; }

 private:
  Kind kind(Index a, Index p, Index n) const {
    return d_(a, n) <= d_(a, p) ? hard : d_(a, n) <= d_(a, p) + margin_ ? semihard : easy;
  }

  void take(Index a, Index p, Index n) {
    ++out_.terms;
    const std::int64_t loss = d_(a, p) - d_(a, n) + margin_;
    if (loss <= 0) return;
    ++out_.active;
    out_.value += loss;
    ++slope_(a, p);
    --slope_(a, n);
  }

  void take_all(Index a, const std::vector<Index>& positives, const std::vector<Index>& negatives,
                Mining mining) {
    for (const Index p : positives) {
      for (const Index n : negatives) {
        const Kind k = kind(a, p, n);
        ++out_.kinds[k];
        const Kind wanted = mining == Mining::hard       ? hard
                            : mining == Mining::semihard ? semihard
                            : mining == Mining::easy     ? easy
                                                         : k;
        if (k == wanted) take(a, p, n);
      }
    }
  }

  /// Takes for each positive the nearest negative beyond it, or else the farthest.
  void take_one_a_pair(Index a, const std::vector<Index>& positives,
                       const std::vector<Index>& negatives) {
    const auto near = [&](Index j) { return d_(a, j); };
    const auto far = [&](Index j) { return -d_(a, j); };
    for (const Index p : positives) {
      for (const Index n : negatives) ++out_.kinds[kind(a, p, n)];
      std::vector<Index> beyond = negatives;
      std::erase_if(beyond, [&](Index j) { return d_(a, j) <= d_(a, p); });
      const Index n = beyond.empty() ? first_best(negatives, far) : first_best(beyond, near);
      if (n >= 0) take(a, p, n);
    }
  }

  /// The first of `keys` with the smallest cost; -1 without keys.
  template <class Cost>
  static Index first_best(const std::vector<Index>& keys, const Cost& cost) {
    Index best = -1;
    for (const Index j : keys) {
      if (best < 0 || cost(j) < cost(best)) best = j;
    }
    return best;
  }

  void take_one(Index a, std::vector<Index> positives, std::vector<Index> negatives,
                PositiveChoice positive, NegativeChoice negative) {
    const auto near = [&](Index j) { return d_(a, j); };
    const auto far = [&](Index j) { return -d_(a, j); };
    const auto positive_of = [&] {
      return positive == PositiveChoice::easy ? first_best(positives, near)
                                              : first_best(positives, far);
    };
    const auto negative_of = [&] {
      return negative == NegativeChoice::easy ? first_best(negatives, far)
                                              : first_best(negatives, near);
    };
    Index p = positive_of();
    Index n = negative_of();
    if (negative == NegativeChoice::semihard && p >= 0) {
      std::erase_if(negatives, [&](Index j) { return d_(a, j) <= d_(a, p); });
      n = negative_of();
    }
    if (positive == PositiveChoice::semihard && n >= 0) {
      std::erase_if(positives, [&](Index j) { return d_(a, j) >= d_(a, n); });
      p = positive_of();
    }
    if (p < 0 || n < 0) return;
    ++out_.kinds[kind(a, p, n)];
    take(a, p, n);
  }

  std::int64_t margin_;
  Integers d_;
  Integers slope_;  ///< with respect to each distance
  Expected out_;
};

template <class S>
void expect_exactly(const Rows& rows, const MinedTripletOptions& options,
                    std::initializer_list<int> numbers_of_threads) {
  const Expected want = Oracle(rows, options).expected();
  const MinedTriplet<S, InnerProduct> loss(options);
  const Matrix<S> queries = rows.queries.cast<S>();
  const Matrix<S> keys = rows.keys().cast<S>();
  for (const int threads : numbers_of_threads) {
    Workspace workspace(threads);
    Matrix<S> d_queries;
    Matrix<S> d_keys;
    const MinedTripletResult got =
        rows.references
            ? loss.forward_backward(queries, rows.labels, keys, rows.reference_labels, d_queries,
                                    d_keys, {.workspace = &workspace})
            : loss.forward_backward(queries, rows.labels, d_queries, {.workspace = &workspace});
    EXPECT_EQ(got.value, static_cast<double>(want.value));
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.active_terms, want.active);
    EXPECT_EQ(got.hard_triplets, want.kinds[hard]);
    EXPECT_EQ(got.semihard_triplets, want.kinds[semihard]);
    EXPECT_EQ(got.easy_triplets, want.kinds[easy]);
    EXPECT_TRUE(d_queries == want.d_queries.cast<S>());
    if (rows.references) {
      EXPECT_TRUE(d_keys == want.d_keys.cast<S>());
    }
  }
}

template <class S>
class MinedTripletOfIntegers : public testing::Test {};
TYPED_TEST_SUITE(MinedTripletOfIntegers, Scalars, CaseNames);

/// Sizes around the width of a tile, with rows without a positive or a negative.
std::vector<Rows> integer_batches() {
  std::vector<Rows> all;
  for (const Index n : {1, 2, 3, 70, 383, 384, 385, 386, 500}) {
    Rows rows{integer_rows(n, static_cast<std::uint64_t>(n)), {}};
    for (Index i = 0; i < n; ++i) rows.labels.push_back(static_cast<int>(i * i % 7));
    rows.labels.front() = 100;  // without a positive
    all.push_back(rows);
  }
  all.push_back({integer_rows(30, 1), std::vector<int>(30, 4)});  // without a negative
  all.push_back({Integers::Ones(500, 3), random_labels(500, 3, 5)});
  Rows rows{integer_rows(200, 2), random_labels(200, 6, 3), integer_rows(770, 4),
            random_labels(770, 5, 6)};
  all.push_back(rows);
  all.push_back({integer_rows(9, 7), std::vector<int>(9, 4), integer_rows(70, 8),
                 std::vector<int>(70, 4)});  // only positives
  return all;
}

TYPED_TEST(MinedTripletOfIntegers, OneTripletAnAnchorBreaksTiesByTheLowestIndex) {
  for (const Rows& rows : integer_batches()) {
    for (const int margin : {0, 2}) {
      SCOPED_TRACE(std::to_string(rows.queries.rows()) + " rows, margin " + std::to_string(margin));
      MinedTripletOptions options{.margin = static_cast<double>(margin),
                                  .mining = Mining::batch_hard,
                                  .reduction = Reduction::sum};
      expect_exactly<TypeParam>(rows, options, {1, 3});
      options.mining = Mining::batch_easy_hard;
      for (const auto positive :
           {PositiveChoice::easy, PositiveChoice::semihard, PositiveChoice::hard}) {
        for (const auto negative :
             {NegativeChoice::easy, NegativeChoice::semihard, NegativeChoice::hard}) {
          if (positive == PositiveChoice::semihard && negative == NegativeChoice::semihard) {
            continue;
          }
          options.positive = positive;
          options.negative = negative;
          expect_exactly<TypeParam>(rows, options, {1, 3});
        }
      }
    }
  }
}

TYPED_TEST(MinedTripletOfIntegers, OneTripletAPairBreaksTiesByTheLowestIndex) {
  for (const Rows& rows : integer_batches()) {
    for (const int margin : {0, 2}) {
      SCOPED_TRACE(std::to_string(rows.queries.rows()) + " rows, margin " + std::to_string(margin));
      expect_exactly<TypeParam>(rows,
                                {.margin = static_cast<double>(margin),
                                 .mining = Mining::semi_hard_per_pair,
                                 .reduction = Reduction::sum},
                                {2});
    }
  }
}

/// In float no sum of an integer distance and this margin is exact: kinds are those of the margin
/// rounded down.
TYPED_TEST(MinedTripletOfIntegers, CountsKindsOfAMarginThatNoDistanceEquals) {
  using S = TypeParam;
  for (const Rows& rows : integer_batches()) {
    SCOPED_TRACE(std::to_string(rows.queries.rows()) + " rows");
    MinedTripletOptions options{.margin = 2, .mining = Mining::semi_hard_per_pair};
    const Expected want = Oracle(rows, options).expected();
    options.margin = 2 + 0x1p-30;
    const MinedTriplet<S, InnerProduct> loss(options);
    const Matrix<S> x = rows.queries.cast<S>();
    const MinedTripletResult got =
        rows.references ? loss.forward(x, rows.labels, Matrix<S>(rows.references->cast<S>()),
                                       rows.reference_labels)
                        : loss.forward(x, rows.labels);
    EXPECT_EQ(got.hard_triplets, want.kinds[hard]);
    EXPECT_EQ(got.semihard_triplets, want.kinds[semihard]);
    EXPECT_EQ(got.easy_triplets, want.kinds[easy]);
  }
}

TYPED_TEST(MinedTripletOfIntegers, MiningAKindTakesAllItsTriplets) {
  std::vector<Rows> all = integer_batches();
  // More positives than one sort, or one table, takes.
  for (const Index n : {300, 600}) {
    Rows rows{integer_rows(n, 9), {}};
    for (Index i = 0; i < n; ++i) rows.labels.push_back(i % 20 == 0 ? 1 : 0);
    all.push_back(rows);
  }
  for (const Rows& rows : all) {
    for (const int margin : {0, 2}) {
      for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy}) {
        SCOPED_TRACE(std::to_string(rows.queries.rows()) + " rows, margin " +
                     std::to_string(margin) + ", mining " +
                     std::to_string(static_cast<int>(mining)));
        expect_exactly<TypeParam>(
            rows,
            {.margin = static_cast<double>(margin), .mining = mining, .reduction = Reduction::sum},
            {2});
      }
    }
  }
}

/// Distances so large that their sums overflow float. Multiplication by a power of two is exact.
TYPED_TEST(MinedTripletOfIntegers, LargeDistancesAreSummedInDouble) {
  using S = TypeParam;
  constexpr int exponent = 60;
  for (const Index classes : {5, 40}) {
    Rows rows{integer_rows(400, 3), {}};
    for (Index i = 0; i < 400; ++i) rows.labels.push_back(static_cast<int>(i % classes));
    for (const Mining mining : {Mining::all, Mining::hard}) {
      const MinedTripletOptions options{.margin = 0, .mining = mining, .reduction = Reduction::sum};
      const Expected want = Oracle(rows, options).expected();
      const Matrix<S> x = rows.queries.cast<S>() * std::ldexp(S(1), exponent);
      const MinedTriplet<S, InnerProduct> loss(options);
      Matrix<S> dx;
      const MinedTripletResult got = loss.forward_backward(x, rows.labels, dx);
      EXPECT_EQ(got.value, std::ldexp(static_cast<double>(want.value), 2 * exponent));
      EXPECT_EQ(got.diagnostics.active_terms, want.active);
      EXPECT_TRUE(dx == want.d_queries.template cast<S>() * std::ldexp(S(1), exponent));
    }
  }
}

/// Plain labels are mined class by class. With an id for each row, which leaves out the row itself
/// alone, the same triplets are mined from whole rows. (Squared distances have the same bits either
/// way; square roots of vectors may be rounded differently from single ones.)
TYPED_TEST(MinedTripletOfIntegers, MiningByClassEqualsMiningOfWholeRows) {
  using S = TypeParam;
  for (const auto& [n, classes] : {std::pair<Index, int>{500, 7}, {1100, 2}, {400, 90}}) {
    Random random(5);
    const Matrix<S> x = Matrix<S>::NullaryExpr(
        n, 9, [&] { return static_cast<S>(random.uniform() + random.uniform()); });
    const std::vector<int> labels = random_labels(n, classes, 8);
    std::vector<int> ids(static_cast<std::size_t>(n));
    std::iota(ids.begin(), ids.end(), 0);
    for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy}) {
      SCOPED_TRACE(std::to_string(n) + " rows, " + std::to_string(classes) + " classes, mining " +
                   std::to_string(static_cast<int>(mining)));
      // The margin is a number of S that distances may equal exactly.
      const MinedTriplet<S, nearfar::SquaredEuclidean> loss({.margin = 0.25, .mining = mining});
      Workspace one(1);
      Workspace five(5);
      Matrix<S> dx;
      Matrix<S> dx_five;
      Matrix<S> dx_rows;
      const MinedTripletResult got = loss.forward_backward(x, labels, dx, {.workspace = &one});
      const MinedTripletResult again =
          loss.forward_backward(x, labels, dx_five, {.workspace = &five});
      const MinedTripletResult want = loss.forward_backward(x, nearfar::Targets(labels).ids(ids),
                                                            dx_rows, {.workspace = &five});
      EXPECT_EQ(got.diagnostics.terms, want.diagnostics.terms);
      EXPECT_EQ(got.diagnostics.active_terms, want.diagnostics.active_terms);
      EXPECT_EQ(got.hard_triplets, want.hard_triplets);
      EXPECT_EQ(got.semihard_triplets, want.semihard_triplets);
      EXPECT_EQ(got.easy_triplets, want.easy_triplets);
      EXPECT_EQ(got.diagnostics.smallest_score, want.diagnostics.smallest_score);
      EXPECT_EQ(got.diagnostics.largest_score, want.diagnostics.largest_score);
      const double near = std::is_same_v<S, float> ? 2e-5 : 1e-12;
      EXPECT_NEAR(got.value, want.value, near * want.value);
      EXPECT_LE((dx - dx_rows).norm(), static_cast<S>(near) * dx_rows.norm());
      EXPECT_EQ(got.value, again.value);
      EXPECT_TRUE(dx == dx_five);
    }
  }
}

// ---- options ------------------------------------------------------------------------------------

TEST(MinedTriplet, RefusesOptionsOutOfRange) {
  const char* at_least_0 = "a finite number >= 0";
  const auto margin = [](double v) { MinedTriplet<float>({.margin = v}); };
  expect_must_be_finite("margin", margin, at_least_0);
  expect_refuses({"margin", at_least_0, margin}, {{-0.5, "-0.5"}});
  EXPECT_NO_THROW(margin(0));
  const char* a_distance = "a number between 0 and 2";
  const auto nearest = [](double v) { MinedTriplet<float>({.weighting = {.nearest = v}}); };
  expect_must_be_finite("weighting.nearest", nearest, a_distance);
  expect_refuses({"weighting.nearest", a_distance, nearest}, {{0, "0"}, {2, "2"}});
  for (const double good : {1e-3, 0.5, 1.3}) EXPECT_NO_THROW(nearest(good));
  expect_refuses({"weighting.farthest", "a number above nearest",
                  [](double v) { MinedTriplet<float>({.weighting = {.farthest = v}}); }},
                 {{0.5, "0.5"}, {not_a_number, "nan"}});
  EXPECT_NO_THROW(MinedTriplet<float>({.weighting = {.nearest = 1.9, .farthest = 1.95}}));
}

TEST(MinedTriplet, RefusesTwoSemihardChoices) {
  const auto choose = [](Mining mining, PositiveChoice positive, NegativeChoice negative) {
    MinedTriplet<float>({.mining = mining, .positive = positive, .negative = negative});
  };
  expect_refused({"both semihard",
                  Thrown::invalid_argument,
                  {"positive, negative: wanted at most one of them semihard, got both"},
                  [&] {
                    choose(Mining::batch_easy_hard, PositiveChoice::semihard,
                           NegativeChoice::semihard);
                  }});
  EXPECT_NO_THROW(choose(Mining::batch_easy_hard, PositiveChoice::semihard, NegativeChoice::hard));
  EXPECT_NO_THROW(choose(Mining::batch_easy_hard, PositiveChoice::hard, NegativeChoice::semihard));
  // The choices are checked only if they are used.
  EXPECT_NO_THROW(choose(Mining::batch_hard, PositiveChoice::semihard, NegativeChoice::semihard));
}

TEST(MinedTriplet, HasTheDefaultsOfItsPage) {
  const MinedTripletOptions options;
  EXPECT_EQ(options.margin, 0.2);
  EXPECT_EQ(options.form, nearfar::TripletForm::hinge);
  EXPECT_EQ(options.mining, Mining::batch_hard);
  EXPECT_EQ(options.positive, PositiveChoice::easy);
  EXPECT_EQ(options.negative, NegativeChoice::semihard);
  EXPECT_EQ(options.weighting.seed, 0u);
  EXPECT_EQ(options.weighting.step, 0u);
  EXPECT_EQ(options.weighting.nearest, 0.5);
  EXPECT_EQ(options.weighting.farthest, 1.4);
  expect_common_defaults<MinedTripletOptions>();
}

}  // namespace
