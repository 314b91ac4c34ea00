#include <gtest/gtest.h>

#include <nearfar/tiles/products.hpp>
#include <random>
#include <vector>

namespace {

using namespace nearfar;
using namespace nearfar::detail;

/// Small whole numbers: their sums of products are exact in any order, so results must be equal.
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

TYPED_TEST(Products, PackingTransposesAndPads) {
  using S = TypeParam;
  constexpr int width = 5;
  const Index rows = 12;
  const Index depth = 37;
  const Index stride = 40;
  const auto x = whole_numbers<S>(rows * stride, 1);
  std::vector<S> packed(static_cast<std::size_t>(round_up(rows, width) * depth), S(99));
  pack_panels<width>(x.data(), stride, rows, depth, packed.data());
  for (Index i = 0; i < round_up(rows, width); ++i) {
    for (Index k = 0; k < depth; ++k) {
      const S want = i < rows ? x[static_cast<std::size_t>(i * stride + k)] : S(0);
      const Index at = ((i / width) * depth + k) * width + i % width;
      ASSERT_EQ(packed[static_cast<std::size_t>(at)], want) << i << ", " << k;
    }
  }
}

TYPED_TEST(Products, ScoresAreABTransposed) {
  using S = TypeParam;
  using Shape = BlockShape<S>;
  for (const Index depth : {1, 3, 64, 129}) {
    const Index rows = 2 * Shape::rows;
    const Index cols = 3 * Shape::cols;
    const auto a = whole_numbers<S>(rows * depth, 2);
    const auto b = whole_numbers<S>(cols * depth, 3);
    std::vector<S> pa(a.size());
    std::vector<S> pb(b.size());
    pack_panels<Shape::rows>(a.data(), depth, rows, depth, pa.data());
    pack_panels<Shape::cols>(b.data(), depth, cols, depth, pb.data());
    const Eigen::Map<const Matrix<S>> ma(a.data(), rows, depth);
    const Eigen::Map<const Matrix<S>> mb(b.data(), cols, depth);
    for (Index begin = 0; begin < cols; begin += Shape::lanes) {
      Matrix<S> c = Matrix<S>::Constant(rows, cols - begin, S(99));
      multiply_panels(pa.data(), pb.data(), depth, 2, begin, 3, c.data(), c.cols());
      const Matrix<S> want = (ma * mb.transpose()).rightCols(cols - begin);
      EXPECT_EQ(c, want) << "depth " << depth << " from column " << begin;
    }
  }
}

TYPED_TEST(Products, RowGradientsAreWY) {
  using S = TypeParam;
  using Shape = BlockShape<S>;
  for (const Index keys : {0, 1, 255, 256, 300}) {
    for (const Index cols : {1, 17, 70}) {
      const Index rows = 2 * Shape::rows;
      const Index w_stride = keys + 3;
      const Index stride = padded_stride<S>(cols);
      const auto w = whole_numbers<S>(rows * w_stride, 4);
      const auto y = whole_numbers<S>(std::max<Index>(keys, 1) * stride, 5);
      Matrix<S> c = Matrix<S>::Constant(rows, stride, S(7));
      for (Index t = 0; t < column_blocks<S>(cols); ++t) {
        const Columns d = column_block<S>(t, cols);
        multiply_rows(w.data(), w_stride, 2, keys, y.data() + d.first, stride, d.count,
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
  using Shape = BlockShape<S>;
  for (const Index rows : {1, 5, 48}) {
    for (const Index cols : {1, 33, 64}) {
      const Index keys = 3 * Shape::rows;
      const Index stride = padded_stride<S>(cols);
      const auto w = whole_numbers<S>(rows * keys, 6);
      const auto x = whole_numbers<S>(rows * stride, 7);
      Matrix<S> c = Matrix<S>::Constant(keys, stride, S(-2));
      multiply_transposed(w.data(), keys, 3, rows, x.data(), stride, cols, c.data(), stride);
      const Eigen::Map<const Matrix<S>> mw(w.data(), rows, keys);
      const Eigen::Map<const Matrix<S>> mx(x.data(), rows, stride);
      const Matrix<S> want = (mw.transpose() * mx).array() + S(-2);
      EXPECT_EQ(c.leftCols(cols), want.leftCols(cols)) << rows << " x " << cols;
    }
  }
}

TYPED_TEST(Products, ColumnBlocksCoverAllColumnsEvenly) {
  using S = TypeParam;
  using Shape = BlockShape<S>;
  for (Index cols = 1; cols < 700; ++cols) {
    Index next = 0;
    Index widest = 0;
    Index narrowest = Shape::cols;
    for (Index t = 0; t < column_blocks<S>(cols); ++t) {
      const Columns d = column_block<S>(t, cols);
      ASSERT_EQ(d.first, next);
      ASSERT_EQ(d.count % Shape::lanes, 0);
      widest = std::max(widest, d.count);
      narrowest = std::min(narrowest, d.count);
      next = d.first + d.count;
    }
    ASSERT_EQ(next, round_up(cols, Shape::lanes));
    ASSERT_LE(widest, Shape::cols);
    ASSERT_LE(widest - narrowest, Shape::lanes);
  }
}

TYPED_TEST(Products, PaddedStridesHoldWholeVectorsAndBlocks) {
  using S = TypeParam;
  for (Index cols = 1; cols < 2000; ++cols) {
    const Index stride = padded_stride<S>(cols);
    ASSERT_EQ(stride % Vec<S>::lanes, 0);
    ASSERT_GE(stride, round_up(cols, Vec<S>::lanes));
    ASSERT_GE(stride, round_up(cols, BlockShape<S>::rows));
    ASSERT_NE(stride * Index(sizeof(S)) % 1024, 0);
  }
}

}  // namespace
