#include <gtest/gtest.h>

#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/tiles/batch.hpp>
#include <nearfar/tiles/walk.hpp>
#include <random>
#include <set>

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// Notes which pairs it is shown and weighs every pair by one.
template <class S>
struct Witness {
  struct Row {
    Index pairs;
    Index last;  ///< the last column seen: columns must come in order
    bool in_order;
    bool closed;
  };
  std::vector<char>* shown;
  Index cols;

  Row start(Index) const { return {0, -1, true, false}; }
  void observe(Row& row, Index i, Index first, Index n, const S*) const {
    row.in_order = row.in_order && !row.closed && n > 0 && first > row.last;
    for (Index j = first; j < first + n; ++j) ++(*shown)[static_cast<std::size_t>(i * cols + j)];
    row.pairs += n;
    row.last = first + n - 1;
  }
  void close(Row& row, Index) const { row.closed = true; }
  void differentiate(Row& row, Index, Index, Index n, const S*, S* g) const {
    row.in_order = row.in_order && row.closed;
    std::fill(g, g + n, S(1));
  }
};

template <class S>
Matrix<S> whole_rows(Index rows, Index cols, unsigned seed) {
  std::mt19937 generator(seed);
  return Matrix<S>::NullaryExpr(
      rows, cols, [&] { return static_cast<S>(static_cast<int>(generator() % 7u) - 3); });
}

struct Size {
  Index rows;
  Index cols;
  Index depth;
};

/// Around the edges of blocks (6, 12, 32), strips (192) and stretches (384).
const std::vector<Size> sizes = {{1, 1, 1},    {2, 3, 2},     {11, 33, 5},  {13, 383, 7},
                                 {192, 64, 3}, {193, 385, 4}, {400, 97, 2}, {50, 800, 17}};

bool counts(Pairing pairing, Index i, Index j) {
  return pairing == Pairing::all || (pairing == Pairing::others && i != j) ||
         (pairing == Pairing::upper && j > i);
}

void expect_each_pair_once(Pairing pairing, const Size& size, const std::vector<char>& shown) {
  for (Index i = 0; i < size.rows; ++i) {
    for (Index j = 0; j < size.cols; ++j) {
      ASSERT_EQ(shown[static_cast<std::size_t>(i * size.cols + j)], counts(pairing, i, j) ? 1 : 0)
          << i << ", " << j << " of " << size.rows << " x " << size.cols;
    }
  }
}

template <class S>
class WalkOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(WalkOf, Scalars);

TYPED_TEST(WalkOf, ShowsEachPairThatCountsOnceAndInOrder) {
  using S = TypeParam;
  for (const Pairing pairing : {Pairing::all, Pairing::others, Pairing::upper}) {
    for (Size size : sizes) {
      if (pairing != Pairing::all) size.cols = size.rows;
      for (const bool gradients : {false, true}) {
        Scratch scratch(nullptr);
        const Matrix<S> x = whole_rows<S>(size.rows, size.depth, 1);
        const Matrix<S> y = pairing == Pairing::all ? whole_rows<S>(size.cols, size.depth, 2) : x;
        const InnerProduct kernel;
        Batch<S, InnerProduct, 2> batch(scratch, 2, kernel,
                                        {{{"x", x, Side::query}, {"y", y, Side::key}}});
        Walk<S, InnerProduct> walk(scratch, 2, kernel, batch.rows(0), batch.rows(1), pairing);
        std::vector<char> shown(static_cast<std::size_t>(size.rows * size.cols), 0);
        const Witness<S> witness{&shown, size.cols};
        Diagnostics seen;
        auto dx = take_gradients(scratch, batch.rows(0));
        auto dy = take_gradients(scratch, batch.rows(1));
        const auto* rows =
            gradients ? walk.forward_backward(witness, dx, dy, seen) : walk.forward(witness, seen);
        expect_each_pair_once(pairing, size, shown);
        for (Index i = 0; i < size.rows; ++i) {
          EXPECT_TRUE(rows[i].in_order) << i;
          EXPECT_TRUE(rows[i].closed) << i;
        }
      }
    }
  }
}

TYPED_TEST(WalkOf, GradientsHoldEachPairThatCountsOnce) {
  // With weights of one and whole numbers, sums are exact: dX_i is the sum of its partners.
  using S = TypeParam;
  for (const Pairing pairing : {Pairing::all, Pairing::others, Pairing::upper}) {
    for (Size size : sizes) {
      if (pairing != Pairing::all) size.cols = size.rows;
      Scratch scratch(nullptr);
      const Matrix<S> x = whole_rows<S>(size.rows, size.depth, 3);
      const Matrix<S> y = pairing == Pairing::all ? whole_rows<S>(size.cols, size.depth, 4) : x;
      const InnerProduct kernel;
      Batch<S, InnerProduct, 2> batch(scratch, 3, kernel,
                                      {{{"x", x, Side::query}, {"y", y, Side::key}}});
      Walk<S, InnerProduct> walk(scratch, 3, kernel, batch.rows(0), batch.rows(1), pairing);
      std::vector<char> shown(static_cast<std::size_t>(size.rows * size.cols), 0);
      Diagnostics seen;
      auto dx = take_gradients(scratch, batch.rows(0));
      auto dy = take_gradients(scratch, batch.rows(1));
      walk.forward_backward(Witness<S>{&shown, size.cols}, dx, dy, seen);

      Matrix<S> want_x = Matrix<S>::Zero(size.rows, size.depth);
      Matrix<S> want_y = Matrix<S>::Zero(size.cols, size.depth);
      for (Index i = 0; i < size.rows; ++i) {
        for (Index j = 0; j < size.cols; ++j) {
          if (!counts(pairing, i, j)) continue;
          want_x.row(i) += y.row(j);
          want_y.row(j) += x.row(i);
        }
      }
      for (Index i = 0; i < size.rows; ++i) {
        const Eigen::Map<const Matrix<S>> got(dx.data + i * batch.rows(0).stride, 1, size.depth);
        ASSERT_EQ(got, want_x.row(i)) << "dX row " << i << " of " << size.rows;
      }
      for (Index j = 0; j < size.cols; ++j) {
        const Eigen::Map<const Matrix<S>> got(dy.data + j * batch.rows(1).stride, 1, size.depth);
        ASSERT_EQ(got, want_y.row(j)) << "dY row " << j << " of " << size.cols;
      }
    }
  }
}

TYPED_TEST(WalkOf, DiagnosticsKnowTheExtremesOfPairsThatCount) {
  using S = TypeParam;
  Scratch scratch(nullptr);
  Matrix<S> x(4, 1);
  x << S(0), S(3), S(3), S(10);
  const Euclidean kernel;
  Batch<S, Euclidean, 1> batch(scratch, 1, kernel, {{{"x", x, Side::query}}});
  std::vector<char> shown(16, 0);
  Walk<S, Euclidean> walk(scratch, 1, kernel, batch.rows(0), batch.rows(0), Pairing::upper);
  Diagnostics seen;
  walk.forward(Witness<S>{&shown, 4}, seen);
  EXPECT_EQ(seen.zero_distances, 1) << "rows 1 and 2; not a row with itself";
  EXPECT_EQ(seen.smallest_score, 0);
  EXPECT_EQ(seen.largest_score, 10);
}

}  // namespace
