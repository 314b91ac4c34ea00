#include <gtest/gtest.h>

#include <nearfar/engine/one_sided_pass.hpp>
#include <nearfar/engine/two_sided_pass.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <vector>

#include "support/packed_rows.hpp"
#include "support/recording_term.hpp"

namespace {

using namespace nearfar;
using namespace nearfar::detail;
using support::integer_rows;
using support::matrix_of;
using support::OneSweepRecordingTerm;
using support::RecordingTerm;

/// Derivative of pair (i, j), different from that of (j, i); small integers, whose sums are exact.
template <class S>
S derivative(Index i, Index j) {
  return static_cast<S>((3 * i + 7 * j) % 5 - 2);
}

template <class S>
void expect_equal(const RecordingTerm<S>& got, const RecordingTerm<S>& want, Index count) {
  EXPECT_EQ(got.counts(), want.counts());
  for (Index i = 0; i < count; ++i) {
    EXPECT_EQ(got[i].pairs, want[i].pairs) << i;
    EXPECT_EQ(got[i].last, want[i].last) << i;
    EXPECT_EQ(got[i].sum, want[i].sum) << i;
    EXPECT_TRUE(got[i].in_order) << i;
    EXPECT_TRUE(got[i].closed) << i;
  }
}

/// Sizes near the edges of register blocks (6, 16, 64), row panels (96, 192) and tiles (384).
const std::vector<Index> edges = {1, 2, 5, 17, 64, 97, 193, 383, 401};

/// More rows than scores are kept for between the sweeps: the last panels' are computed again.
constexpr Index beyond_kept = 3400;

template <class S>
class TwoSidedPassOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(TwoSidedPassOf, Scalars);

TYPED_TEST(TwoSidedPassOf, SelfComparisonEqualsAOneSidedPassOverOtherRows) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  std::vector<Index> sizes = edges;
  sizes.push_back(beyond_kept);
  for (const Index n : sizes) {
    Scratch scratch(nullptr);
    const Matrix<S> x = integer_rows<S>(n, 5, 1);
    const PackedRows<S> rows = support::pack_one<S>(scratch, 2, kernel, x);
    OneSidedPass<S> one_sided(scratch, 2, kernel, rows, rows, Pairing::others);
    TwoSidedPass<S> two_sided(scratch, 2, kernel, rows, rows);
    Diagnostics want_seen;
    Diagnostics seen;
    auto want = take_gradients(scratch, rows);
    auto got = take_gradients(scratch, rows);
    RecordingTerm<S> want_rows(n, n, &derivative<S>);
    RecordingTerm<S> got_rows(n, n, &derivative<S>);
    one_sided.forward_backward(want_rows, want, want, want_seen);
    two_sided.forward_backward(got_rows, got_rows, got, got, seen);
    expect_equal(got_rows, want_rows, n);
    EXPECT_EQ(matrix_of(got, rows), matrix_of(want, rows)) << n;
    EXPECT_EQ(seen.smallest_score, want_seen.smallest_score);
    EXPECT_EQ(seen.largest_score, want_seen.largest_score);
    Diagnostics forward_seen;
    RecordingTerm<S> forward_rows(n, n, &derivative<S>);
    two_sided.forward(forward_rows, forward_rows, forward_seen);
    expect_equal(forward_rows, want_rows, n);
  }
}

/// Distances of near pairs, including equal rows, are computed from the rows. The marks of near
/// pairs are kept with the scores.
TYPED_TEST(TwoSidedPassOf, KeptAndRecomputedDistancesGiveTheSameGradients) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(Euclidean());
  for (const Index n : {Index(193), beyond_kept}) {
    Scratch scratch(nullptr);
    Matrix<S> x = integer_rows<S>(n, 2, 1);
    x.col(1).setZero();
    const PackedRows<S> rows = support::pack_one<S>(scratch, 2, kernel, x);
    OneSidedPass<S> one_sided(scratch, 2, kernel, rows, rows, Pairing::others);
    TwoSidedPass<S> two_sided(scratch, 2, kernel, rows, rows);
    Diagnostics want_seen;
    Diagnostics seen;
    auto want = take_gradients(scratch, rows);
    auto got = take_gradients(scratch, rows);
    RecordingTerm<S> want_rows(n, n, &derivative<S>);
    RecordingTerm<S> got_rows(n, n, &derivative<S>);
    one_sided.forward_backward(want_rows, want, want, want_seen);
    two_sided.forward_backward(got_rows, got_rows, got, got, seen);
    EXPECT_EQ(got_rows.counts(), want_rows.counts());
    EXPECT_EQ(seen.zero_distances, want_seen.zero_distances);
    const auto scale = static_cast<double>(matrix_of(want, rows).norm());
    EXPECT_LE(static_cast<double>((matrix_of(got, rows) - matrix_of(want, rows)).norm()),
              1e-5 * scale);
  }
}

TYPED_TEST(TwoSidedPassOf, OneSweepEqualsAOneSidedPassOverOtherRows) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(Euclidean());
  for (const Index n : edges) {
    for (const Index height : {48, 192}) {
      Scratch scratch(nullptr);
      Matrix<S> x = integer_rows<S>(n, 2, 1);  // with rows that are equal
      x.col(1).setZero();                      // and integer distances
      const PackedRows<S> rows = support::pack_one<S>(scratch, 3, kernel, x);
      OneSidedPass<S> one_sided(scratch, 3, kernel, rows, rows, Pairing::others);
      TwoSidedPass<S> two_sided(scratch, 3, kernel, rows, rows, {}, height);
      Diagnostics want_seen;
      Diagnostics seen;
      auto want = take_gradients(scratch, rows);
      auto got = take_gradients(scratch, rows);
      RecordingTerm<S> want_rows(n, n, &derivative<S>);
      OneSweepRecordingTerm<S> got_rows(n, n, &derivative<S>);
      one_sided.forward_backward(want_rows, want, want, want_seen);
      two_sided.one_sweep(got_rows, got, seen);
      for (Index i = 0; i < n; ++i) {
        EXPECT_EQ(got_rows[i].pairs, want_rows[i].pairs);
        EXPECT_NEAR(got_rows[i].sum, want_rows[i].sum, 1e-2);
      }
      EXPECT_EQ(got_rows.counts(), want_rows.counts());
      const auto scale = static_cast<double>(matrix_of(want, rows).norm());
      EXPECT_LE(static_cast<double>((matrix_of(got, rows) - matrix_of(want, rows)).norm()),
                1e-5 * scale);
      EXPECT_EQ(seen.zero_distances, want_seen.zero_distances);
      EXPECT_EQ(seen.smallest_score, want_seen.smallest_score);
      if (n > 1) {
        EXPECT_NEAR(seen.largest_score, want_seen.largest_score, 1e-5);
      }
    }
  }
}

TYPED_TEST(TwoSidedPassOf, TwoSetsEqualAOneSidedPassFromEitherSide) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  for (const Index n : {1, 17, 100, 193}) {
    for (const Index m : edges) {
      Scratch scratch(nullptr);
      const Matrix<S> x = integer_rows<S>(n, 4, 2);
      const Matrix<S> y = integer_rows<S>(m, 4, 3);
      const auto [px, py] = support::pack_both<S>(scratch, 3, kernel, x, y);
      OneSidedPass<S> to_y(scratch, 3, kernel, px, py);
      OneSidedPass<S> to_x(scratch, 3, kernel, py, px);
      TwoSidedPass<S> two_sided(scratch, 3, kernel, px, py);
      Diagnostics seen;
      auto want_x = take_gradients(scratch, px);
      auto want_y = take_gradients(scratch, py);
      auto got_x = take_gradients(scratch, px);
      auto got_y = take_gradients(scratch, py);
      RecordingTerm<S> want_of_x(n, m, &derivative<S>);
      RecordingTerm<S> want_of_y(m, n, &derivative<S>);
      RecordingTerm<S> of_x(n, m, &derivative<S>);
      RecordingTerm<S> of_y(m, n, &derivative<S>);
      to_y.forward_backward(want_of_x, want_x, want_y, seen);
      to_x.forward_backward(want_of_y, want_y, want_x, seen);
      two_sided.forward_backward(of_x, of_y, got_x, got_y, seen);
      expect_equal(of_x, want_of_x, n);
      expect_equal(of_y, want_of_y, m);
      EXPECT_EQ(matrix_of(got_x, px), matrix_of(want_x, px)) << n << " x " << m;
      EXPECT_EQ(matrix_of(got_y, py), matrix_of(want_y, py)) << n << " x " << m;
    }
  }
}

TYPED_TEST(TwoSidedPassOf, MasksPairsThatShareAnId) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  const Index n = 230;
  std::vector<std::int64_t> ids(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7 % 100);
  Scratch scratch(nullptr);
  const Matrix<S> x = integer_rows<S>(n, 3, 4);
  const Labels labels(ids);
  const ExcludedPairs excluded(scratch, labels, labels);
  const PackedRows<S> rows = support::pack_one<S>(scratch, 2, kernel, x);
  OneSidedPass<S> one_sided(scratch, 2, kernel, rows, rows, Pairing::others, excluded);
  TwoSidedPass<S> two_sided(scratch, 2, kernel, rows, rows, excluded);
  Diagnostics seen;
  auto want = take_gradients(scratch, rows);
  auto got = take_gradients(scratch, rows);
  RecordingTerm<S> want_rows(n, n, &derivative<S>);
  RecordingTerm<S> got_rows(n, n, &derivative<S>);
  one_sided.forward_backward(want_rows, want, want, seen);
  two_sided.forward_backward(got_rows, got_rows, got, got, seen);
  expect_equal(got_rows, want_rows, n);
  EXPECT_EQ(matrix_of(got, rows), matrix_of(want, rows));
}

TYPED_TEST(TwoSidedPassOf, ZeroDistancesCountForBothRows) {
  using S = TypeParam;
  Matrix<S> x = integer_rows<S>(250, 6, 5);
  x.row(3) = x.row(200);
  x.row(4) = x.row(5);
  const KernelValue<S> kernel = kernel_value<S>(Euclidean());
  Scratch scratch(nullptr);
  const PackedRows<S> rows = support::pack_one<S>(scratch, 2, kernel, x);
  OneSidedPass<S> one_sided(scratch, 2, kernel, rows, rows, Pairing::others);
  TwoSidedPass<S> two_sided(scratch, 2, kernel, rows, rows);
  Diagnostics want;
  Diagnostics got;
  RecordingTerm<S> want_rows(x.rows(), x.rows(), &derivative<S>);
  RecordingTerm<S> got_rows(x.rows(), x.rows(), &derivative<S>);
  one_sided.forward(want_rows, want);
  two_sided.forward(got_rows, got_rows, got);
  EXPECT_GE(want.zero_distances, 4);
  EXPECT_EQ(got.zero_distances, want.zero_distances);
  EXPECT_EQ(got.largest_score, want.largest_score);
}

}  // namespace
