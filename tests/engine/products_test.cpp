#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/core/matrix.hpp>
#include <nearfar/loops/products.hpp>
#include <random>
#include <vector>

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// Small integers: sums of their products are exact in any order, so results must be equal.
template <class S>
std::vector<S> whole_numbers(Index count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<S> out(static_cast<std::size_t>(count));
  for (S& v : out) v = static_cast<S>(static_cast<int>(generator() % 9u) - 4);
  return out;
}

template <class S>
class Products : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Products, Scalars);

/// Packs rows into panels of `width` rows, padded to whole vectors of `lanes`.
template <class S, class Pack>
void expect_packed(Pack pack, Index width, Index lanes, Index rows) {
  const Index depth = 37;
  const Index stride = 40;
  const auto x = whole_numbers<S>(rows * stride, 1);
  std::vector<S> packed(static_cast<std::size_t>(round_up(rows, width) * depth), S(99));
  pack(x.data(), stride, rows, depth, packed.data());
  for (Index i = 0; i < round_up(rows, width); ++i) {
    for (Index k = 0; k < depth; ++k) {
      const S padding = i < round_up(rows, lanes) ? S(0) : S(99);
      const S want = i < rows ? x[static_cast<std::size_t>(i * stride + k)] : padding;
      const Index at = ((i / width) * depth + k) * width + i % width;
      ASSERT_EQ(packed[static_cast<std::size_t>(at)], want) << i << ", " << k;
    }
  }
}

TYPED_TEST(Products, PackingTransposesAndPadsToWholeVectors) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (const Index rows : {1, 10, 12, 16, 71}) {
    SCOPED_TRACE(testing::Message() << rows << " rows");
    expect_packed<S>(loops.pack_col_panels, loops.panel_cols, loops.lanes, rows);
  }
}

TYPED_TEST(Products, ScoresAreABTransposed) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (const Index depth : {1, 3, 64, 129}) {
    const Index rows = 2 * panel_rows;
    const Index cols = 3 * loops.panel_cols;
    const auto a = whole_numbers<S>(rows * depth, 2);
    const auto b = whole_numbers<S>(cols * depth, 3);
    std::vector<S> pb(b.size());
    loops.pack_col_panels(b.data(), depth, cols, depth, pb.data());
    const Eigen::Map<const Matrix<S>> ma(a.data(), rows, depth);
    const Eigen::Map<const Matrix<S>> mb(b.data(), cols, depth);
    for (Index begin = 0; begin < cols; begin += loops.lanes) {
      Matrix<S> c = Matrix<S>::Constant(rows, cols - begin, S(99));
      loops.multiply_panels(a.data(), depth, pb.data(), depth, 2, begin, cols, 3, c.data(),
                            c.cols(), false);
      const Matrix<S> want = (ma * mb.transpose()).rightCols(cols - begin);
      EXPECT_EQ(c, want) << "depth " << depth << " from column " << begin;
      loops.multiply_panels(a.data(), depth, pb.data(), depth, 2, begin, cols, 3, c.data(),
                            c.cols(), true);
      EXPECT_EQ(c, 2 * want) << "added, depth " << depth << " from column " << begin;
    }
  }
}

TYPED_TEST(Products, RowGradientsAreWY) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (const Index keys : {0, 1, 255, 256, 300}) {
    for (const Index cols : {1, 17, 70}) {
      const Index rows = 2 * panel_rows;
      const Index w_stride = keys + 3;
      const Index stride = padded_stride<S>(cols);
      const auto w = whole_numbers<S>(rows * w_stride, 4);
      const auto y = whole_numbers<S>(std::max<Index>(keys, 1) * stride, 5);
      Matrix<S> c = Matrix<S>::Constant(rows, stride, S(7));
      for (Index t = 0; t < column_blocks(loops, cols); ++t) {
        const Columns d = column_block(loops, t, cols);
        loops.multiply_rows(w.data(), w_stride, 2, keys, y.data() + d.first, stride, keys, d.count,
                            c.data() + d.first, stride);
      }
      const Matrix<S> mw = Eigen::Map<const Matrix<S>>(w.data(), rows, w_stride).leftCols(keys);
      const Matrix<S> my = Eigen::Map<const Matrix<S>>(y.data(), keys, stride);
      const Matrix<S> want = (mw * my).array() + S(7);
      EXPECT_EQ(c.leftCols(cols), want.leftCols(cols)) << keys << " x " << cols;
    }
  }
}

TYPED_TEST(Products, KeyGradientsAreWTransposedX) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (const Index rows : {1, 5, 48}) {
    for (const Index cols : {1, 33, 64}) {
      const Index keys = 3 * panel_rows;
      const Index stride = padded_stride<S>(cols);
      const auto w = whole_numbers<S>(rows * keys, 6);
      const auto x = whole_numbers<S>(rows * stride, 7);
      Matrix<S> c = Matrix<S>::Constant(keys, stride, S(-2));
      loops.multiply_transposed(w.data(), keys, 3, rows, x.data(), stride, cols, c.data(), stride);
      const Eigen::Map<const Matrix<S>> mw(w.data(), rows, keys);
      const Eigen::Map<const Matrix<S>> mx(x.data(), rows, stride);
      const Matrix<S> want = (mw.transpose() * mx).array() + S(-2);
      EXPECT_EQ(c.leftCols(cols), want.leftCols(cols)) << rows << " x " << cols;
    }
  }
}

TYPED_TEST(Products, TransposeExchangesRowsAndColumns) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  const Index rows = 3 * loops.lanes;
  const Index cols = 2 * loops.lanes;
  const Index from_stride = cols + 5;
  const Index to_stride = rows + 1;
  const auto from = whole_numbers<S>(rows * from_stride, 8);
  std::vector<S> to(static_cast<std::size_t>(cols * to_stride), S(99));
  loops.transpose(from.data(), from_stride, to.data(), to_stride, rows, cols);
  for (Index j = 0; j < cols; ++j) {
    for (Index i = 0; i < rows; ++i) {
      ASSERT_EQ(to[static_cast<std::size_t>(j * to_stride + i)],
                from[static_cast<std::size_t>(i * from_stride + j)])
          << i << ", " << j;
    }
    ASSERT_EQ(to[static_cast<std::size_t>(j * to_stride + rows)], S(99)) << "beyond row " << j;
  }
}

TYPED_TEST(Products, ColumnBlocksCoverAllColumnsEvenly) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (Index cols = 1; cols < 700; ++cols) {
    Index next = 0;
    Index widest = 0;
    Index narrowest = loops.panel_cols;
    for (Index t = 0; t < column_blocks(loops, cols); ++t) {
      const Columns d = column_block(loops, t, cols);
      ASSERT_EQ(d.first, next);
      ASSERT_EQ(d.count % loops.lanes, 0);
      widest = std::max(widest, d.count);
      narrowest = std::min(narrowest, d.count);
      next = d.first + d.count;
    }
    ASSERT_EQ(next, round_up(cols, loops.lanes));
    ASSERT_LE(widest, loops.panel_cols);
    ASSERT_LE(widest - narrowest, loops.lanes);
  }
}

TYPED_TEST(Products, PaddedStridesHoldWholeVectorsAndBlocks) {
  using S = TypeParam;
  const ProductLoops<S>& loops = product_loops<S>();
  for (Index cols = 1; cols < 2000; ++cols) {
    const Index stride = padded_stride<S>(cols);
    ASSERT_EQ(stride % loops.lanes, 0);
    ASSERT_GE(stride, round_up(cols, loops.lanes));
    ASSERT_GE(stride, round_up(cols, panel_rows));
    ASSERT_NE(stride * Index(sizeof(S)) % 1024, 0);
  }
}

}  // namespace
