#include <gtest/gtest.h>

#include <nearfar/engine/one_sided_pass.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <vector>

#include "support/packed_rows.hpp"
#include "support/recording_term.hpp"

namespace {

using namespace nearfar;
using namespace nearfar::detail;
using support::integer_rows;
using support::RecordingTerm;

template <class S>
S one(Index, Index) {
  return 1;
}

struct Size {
  Index rows;
  Index cols;
  Index depth;
};

/// Sizes near the edges of register blocks (6, 12, 32), row panels (192) and tiles (384).
const std::vector<Size> sizes = {{1, 1, 1},    {2, 3, 2},     {11, 33, 5},  {13, 383, 7},
                                 {192, 64, 3}, {193, 385, 4}, {400, 97, 2}, {50, 800, 17}};

bool counts(Pairing pairing, Index i, Index j) {
  return pairing == Pairing::all || (pairing == Pairing::others && i != j) ||
         (pairing == Pairing::upper && j > i);
}

void expect_each_pair_once(Pairing pairing, const Size& size,
                           const std::vector<char>& accumulated) {
  for (Index i = 0; i < size.rows; ++i) {
    for (Index j = 0; j < size.cols; ++j) {
      ASSERT_EQ(accumulated[static_cast<std::size_t>(i * size.cols + j)],
                counts(pairing, i, j) ? 1 : 0)
          << i << ", " << j << " of " << size.rows << " x " << size.cols;
    }
  }
}

template <class S>
class OneSidedPassOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OneSidedPassOf, Scalars);

TYPED_TEST(OneSidedPassOf, AccumulatesEachUnmaskedPairOnceAndInOrder) {
  using S = TypeParam;
  for (const Pairing pairing : {Pairing::all, Pairing::others, Pairing::upper}) {
    for (Size size : sizes) {
      if (pairing != Pairing::all) size.cols = size.rows;
      for (const bool gradients : {false, true}) {
        Scratch scratch(nullptr);
        const Matrix<S> x = integer_rows<S>(size.rows, size.depth, 1);
        const Matrix<S> y = pairing == Pairing::all ? integer_rows<S>(size.cols, size.depth, 2) : x;
        const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
        const auto [px, py] = support::pack_both<S>(scratch, 2, kernel, x, y);
        OneSidedPass<S> pass(scratch, 2, kernel, px, py, pairing);
        RecordingTerm<S> term(size.rows, size.cols, &one<S>);
        Diagnostics seen;
        auto dx = take_gradients(scratch, px);
        auto dy = take_gradients(scratch, py);
        if (gradients) {
          pass.forward_backward(term, dx, dy, seen);
        } else {
          pass.forward(term, seen);
        }
        expect_each_pair_once(pairing, size, term.counts());
        for (Index i = 0; i < size.rows; ++i) {
          EXPECT_TRUE(term[i].in_order) << i;
          EXPECT_TRUE(term[i].closed) << i;
        }
      }
    }
  }
}

TYPED_TEST(OneSidedPassOf, GradientsHoldEachUnmaskedPairOnce) {
  // With derivatives of one and integers, sums are exact: dX_i is the sum of its partners.
  using S = TypeParam;
  for (const Pairing pairing : {Pairing::all, Pairing::others, Pairing::upper}) {
    for (Size size : sizes) {
      if (pairing != Pairing::all) size.cols = size.rows;
      Scratch scratch(nullptr);
      const Matrix<S> x = integer_rows<S>(size.rows, size.depth, 3);
      const Matrix<S> y = pairing == Pairing::all ? integer_rows<S>(size.cols, size.depth, 4) : x;
      const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
      const auto [px, py] = support::pack_both<S>(scratch, 3, kernel, x, y);
      OneSidedPass<S> pass(scratch, 3, kernel, px, py, pairing);
      RecordingTerm<S> term(size.rows, size.cols, &one<S>);
      Diagnostics seen;
      auto dx = take_gradients(scratch, px);
      auto dy = take_gradients(scratch, py);
      pass.forward_backward(term, dx, dy, seen);

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
        const Eigen::Map<const Matrix<S>> got(dx.data + i * px.stride, 1, size.depth);
        ASSERT_EQ(got, want_x.row(i)) << "dX row " << i << " of " << size.rows;
      }
      for (Index j = 0; j < size.cols; ++j) {
        const Eigen::Map<const Matrix<S>> got(dy.data + j * py.stride, 1, size.depth);
        ASSERT_EQ(got, want_y.row(j)) << "dY row " << j << " of " << size.cols;
      }
    }
  }
}

TYPED_TEST(OneSidedPassOf, ScoreRangeIsThatOfUnmaskedPairs) {
  using S = TypeParam;
  Scratch scratch(nullptr);
  Matrix<S> x(4, 1);
  x << S(0), S(3), S(3), S(10);
  const KernelValue<S> kernel = kernel_value<S>(Euclidean());
  const PackedRows<S> rows = support::pack_one<S>(scratch, 1, kernel, x);
  OneSidedPass<S> pass(scratch, 1, kernel, rows, rows, Pairing::upper);
  RecordingTerm<S> term(4, 4, &one<S>);
  Diagnostics seen;
  pass.forward(term, seen);
  EXPECT_EQ(seen.zero_distances, 1) << "rows 1 and 2; not a row with itself";
  EXPECT_EQ(seen.smallest_score, 0);
  EXPECT_EQ(seen.largest_score, 10);
}

}  // namespace
