#include <gtest/gtest.h>

#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/tiles/batch.hpp>
#include <nearfar/tiles/mutual_walk.hpp>
#include <nearfar/tiles/walk.hpp>
#include <random>

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// Notes what each row was shown, and weighs pair (i, j) by a number of its own.
template <class S>
struct Witness {
  struct Row {
    Index pairs;
    Index last;  ///< the last column seen: columns must come in order
    bool in_order;
    bool closed;
    double sum;  ///< of scores times the other's number
  };

  Row start(Index) const { return {0, -1, true, false, 0}; }
  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    row.in_order = row.in_order && !row.closed && n > 0 && first > row.last;
    for (Index k = 0; k < n; ++k) {
      row.sum += static_cast<double>(s[k]) * static_cast<double>(weight(i, first + k));
    }
    row.pairs += n;
    row.last = first + n - 1;
  }
  void close(Row& row, Index) const { row.closed = true; }
  void differentiate(Row& row, Index i, Index first, Index n, const S*, S* g) const {
    row.in_order = row.in_order && row.closed;
    for (Index k = 0; k < n; ++k) g[k] = weight(i, first + k);
  }

  /// Not the same for (i, j) and (j, i); small whole numbers, whose sums are exact.
  static S weight(Index i, Index j) { return static_cast<S>((3 * i + 7 * j) % 5 - 2); }
};

/// The same as far as one pass goes.
template <class S>
struct OnePassWitness {
  struct Row {
    Index pairs;
    double sum;
  };

  Row start(Index) const { return {0, 0}; }
  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    for (Index k = 0; k < n; ++k) {
      g[k] = Witness<S>::weight(i, first + k);
      row.sum += static_cast<double>(s[k]) * static_cast<double>(g[k]);
    }
    row.pairs += n;
  }
};

template <class S>
Matrix<S> whole_rows(Index rows, Index cols, unsigned seed) {
  std::mt19937 generator(seed);
  return Matrix<S>::NullaryExpr(
      rows, cols, [&] { return static_cast<S>(static_cast<int>(generator() % 7u) - 3); });
}

template <class S>
Matrix<S> of(const RowGradients<S>& g, const PreparedRows<S>& x) {
  return Eigen::Map<const Matrix<S>, 0, Eigen::OuterStride<>>(g.data, x.rows, x.depth,
                                                              Eigen::OuterStride<>(x.stride));
}

template <class Row>
void expect_equal(const Row* got, const Row* want, Index count) {
  for (Index i = 0; i < count; ++i) {
    EXPECT_EQ(got[i].pairs, want[i].pairs) << i;
    EXPECT_EQ(got[i].last, want[i].last) << i;
    EXPECT_EQ(got[i].sum, want[i].sum) << i;
    EXPECT_TRUE(got[i].in_order) << i;
    EXPECT_TRUE(got[i].closed) << i;
  }
}

/// Around the edges of blocks (6, 16, 64), strips (96, 192) and stretches (384).
const std::vector<Index> edges = {1, 2, 5, 17, 64, 97, 193, 383, 401};

template <class S>
class MutualWalkOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MutualWalkOf, Scalars);

TYPED_TEST(MutualWalkOf, RowsWithThemselvesAreAWalkOverAllOthers) {
  using S = TypeParam;
  const InnerProduct kernel;
  for (const Index n : edges) {
    Scratch scratch(nullptr);
    const Matrix<S> x = whole_rows<S>(n, 5, 1);
    Batch<S, InnerProduct, 1> batch(scratch, 2, kernel, {{{"x", x, Side::query}}});
    const PreparedRows<S>& rows = batch.rows(0);
    Walk<S, InnerProduct> walk(scratch, 2, kernel, rows, rows, Pairing::others);
    MutualWalk<S, InnerProduct> mutual(scratch, 2, kernel, rows, rows);
    Diagnostics want_seen;
    Diagnostics seen;
    auto want = take_gradients(scratch, rows);
    auto got = take_gradients(scratch, rows);
    const auto* want_rows = walk.forward_backward(Witness<S>(), want, want, want_seen);
    const auto both = mutual.forward_backward(Witness<S>(), got, got, seen);
    expect_equal(both.queries, want_rows, n);
    EXPECT_EQ(both.queries, both.keys);
    EXPECT_EQ(of(got, rows), of(want, rows)) << n;
    EXPECT_EQ(seen.smallest_score, want_seen.smallest_score);
    EXPECT_EQ(seen.largest_score, want_seen.largest_score);
    Diagnostics forward_seen;
    expect_equal(mutual.forward(Witness<S>(), forward_seen).queries, want_rows, n);
  }
}

TYPED_TEST(MutualWalkOf, OnePassIsAWalkOverAllOthers) {
  using S = TypeParam;
  const Euclidean kernel;
  for (const Index n : edges) {
    for (const Index height : {48, 192}) {
      Scratch scratch(nullptr);
      Matrix<S> x = whole_rows<S>(n, 2, 1);  // with rows that are equal
      x.col(1).setZero();                    // and distances that are whole
      Batch<S, Euclidean, 1> batch(scratch, 3, kernel, {{{"x", x, Side::query}}});
      const PreparedRows<S>& rows = batch.rows(0);
      Walk<S, Euclidean> walk(scratch, 3, kernel, rows, rows, Pairing::others);
      MutualWalk<S, Euclidean> mutual(scratch, 3, kernel, rows, rows, {}, height);
      Diagnostics want_seen;
      Diagnostics seen;
      auto want = take_gradients(scratch, rows);
      auto got = take_gradients(scratch, rows);
      const auto* want_rows = walk.forward_backward(Witness<S>(), want, want, want_seen);
      const auto* got_rows = mutual.one_pass(OnePassWitness<S>(), got, seen);
      for (Index i = 0; i < n; ++i) {
        EXPECT_EQ(got_rows[i].pairs, want_rows[i].pairs);
        EXPECT_NEAR(got_rows[i].sum, want_rows[i].sum, 1e-2);
      }
      const auto scale = static_cast<double>(of(want, rows).norm());
      EXPECT_LE(static_cast<double>((of(got, rows) - of(want, rows)).norm()), 1e-5 * scale);
      EXPECT_EQ(seen.zero_distances, want_seen.zero_distances);
      EXPECT_EQ(seen.smallest_score, want_seen.smallest_score);
      if (n > 1) {
        EXPECT_NEAR(seen.largest_score, want_seen.largest_score, 1e-5);
      }
    }
  }
}

TYPED_TEST(MutualWalkOf, TwoSetsAreAWalkFromEitherSide) {
  using S = TypeParam;
  const InnerProduct kernel;
  for (const Index n : {1, 17, 100, 193}) {
    for (const Index m : edges) {
      Scratch scratch(nullptr);
      const Matrix<S> x = whole_rows<S>(n, 4, 2);
      const Matrix<S> y = whole_rows<S>(m, 4, 3);
      Batch<S, InnerProduct, 2> batch(scratch, 3, kernel,
                                      {{{"x", x, Side::query}, {"y", y, Side::key}}});
      Walk<S, InnerProduct> to_y(scratch, 3, kernel, batch.rows(0), batch.rows(1));
      Walk<S, InnerProduct> to_x(scratch, 3, kernel, batch.rows(1), batch.rows(0));
      MutualWalk<S, InnerProduct> mutual(scratch, 3, kernel, batch.rows(0), batch.rows(1));
      Diagnostics seen;
      auto want_x = take_gradients(scratch, batch.rows(0));
      auto want_y = take_gradients(scratch, batch.rows(1));
      auto got_x = take_gradients(scratch, batch.rows(0));
      auto got_y = take_gradients(scratch, batch.rows(1));
      const auto* of_x = to_y.forward_backward(Witness<S>(), want_x, want_y, seen);
      const auto* of_y = to_x.forward_backward(Witness<S>(), want_y, want_x, seen);
      const auto both = mutual.forward_backward(Witness<S>(), got_x, got_y, seen);
      expect_equal(both.queries, of_x, n);
      expect_equal(both.keys, of_y, m);
      EXPECT_EQ(of(got_x, batch.rows(0)), of(want_x, batch.rows(0))) << n << " x " << m;
      EXPECT_EQ(of(got_y, batch.rows(1)), of(want_y, batch.rows(1))) << n << " x " << m;
    }
  }
}

TYPED_TEST(MutualWalkOf, LeavesOutPairsThatShareAnId) {
  using S = TypeParam;
  const InnerProduct kernel;
  const Index n = 230;
  std::vector<std::int64_t> ids(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7 % 100);
  Scratch scratch(nullptr);
  const Matrix<S> x = whole_rows<S>(n, 3, 4);
  const Labels labels(ids);
  const Exclusions exclusions(scratch, labels, labels);
  Batch<S, InnerProduct, 1> batch(scratch, 2, kernel, {{{"x", x, Side::query}}});
  const PreparedRows<S>& rows = batch.rows(0);
  Walk<S, InnerProduct> walk(scratch, 2, kernel, rows, rows, Pairing::others, exclusions);
  MutualWalk<S, InnerProduct> mutual(scratch, 2, kernel, rows, rows, exclusions);
  Diagnostics seen;
  auto want = take_gradients(scratch, rows);
  auto got = take_gradients(scratch, rows);
  const auto* want_rows = walk.forward_backward(Witness<S>(), want, want, seen);
  expect_equal(mutual.forward_backward(Witness<S>(), got, got, seen).queries, want_rows, n);
  EXPECT_EQ(of(got, rows), of(want, rows));
}

TYPED_TEST(MutualWalkOf, ZeroDistancesCountForBothRows) {
  using S = TypeParam;
  Matrix<S> x = whole_rows<S>(250, 6, 5);
  x.row(3) = x.row(200);
  x.row(4) = x.row(5);
  const Euclidean kernel;
  Scratch scratch(nullptr);
  Batch<S, Euclidean, 1> batch(scratch, 2, kernel, {{{"x", x, Side::query}}});
  const PreparedRows<S>& rows = batch.rows(0);
  Walk<S, Euclidean> walk(scratch, 2, kernel, rows, rows, Pairing::others);
  MutualWalk<S, Euclidean> mutual(scratch, 2, kernel, rows, rows);
  Diagnostics want;
  Diagnostics got;
  walk.forward(Witness<S>(), want);
  mutual.forward(Witness<S>(), got);
  EXPECT_GE(want.zero_distances, 4);
  EXPECT_EQ(got.zero_distances, want.zero_distances);
  EXPECT_EQ(got.largest_score, want.largest_score);
}

}  // namespace
