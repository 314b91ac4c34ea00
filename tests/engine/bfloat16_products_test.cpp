#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/engine/score_panel.hpp>
#include <nearfar/kernels/kernels.hpp>

#include "support/random.hpp"

/// \file
/// Products in bfloat16 of small integers are exact, and so are those of weights that are small
/// integers: results are those of products in float.

namespace {

using namespace nearfar;
using namespace nearfar::detail;

Matrix<float> whole_numbers(Index rows, Index cols, unsigned seed) {
  return (support::uniform_matrix<float>(rows, cols, seed) * 4).array().round();
}

/// Queries and keys packed for products in float and, the same rows, for products in bfloat16.
struct Sides {
  Matrix<Eigen::bfloat16> q;
  Matrix<Eigen::bfloat16> k;
  PackedRows<float> queries;
  PackedRows<float> keys;
  PackedRows<float> queries_in_bfloat16;
  PackedRows<float> keys_in_bfloat16;

  Sides(Scratch& scratch, Index n, Index m, Index depth)
      : q(whole_numbers(n, depth, 1).cast<Eigen::bfloat16>()),
        k((whole_numbers(m, depth, 2) * 0x1p60f).cast<Eigen::bfloat16>()) {
    const KernelValue<float> kernel = kernel_value<float>(InnerProduct());
    queries = pack<float>(scratch, 2, kernel, q, false, nullptr);
    keys = pack<float>(scratch, 2, kernel, k, false, nullptr);
    queries_in_bfloat16 = queries;
    keys_in_bfloat16 = keys;
    queries_in_bfloat16.in_bfloat16 = bfloat16_rows(scratch, 2, q, nullptr);
    keys_in_bfloat16.in_bfloat16 = bfloat16_rows(scratch, 2, k, nullptr);
  }
};

struct Shape {
  Index queries;
  Index keys;
  Index depth;
};

class Bfloat16PanelProducts : public testing::TestWithParam<Shape> {};

TEST_P(Bfloat16PanelProducts, AreThoseOfFloat) {
  if (!has_bfloat16_products()) GTEST_SKIP() << "no AVX-512 BF16, or another instruction set";
  const auto [n, m, depth] = GetParam();
  Scratch scratch(nullptr);
  const Sides sides(scratch, n, m, depth);
  PanelProducts<float> want(scratch, 2, sides.queries, sides.keys);
  PanelProducts<float> got(scratch, 2, sides.queries_in_bfloat16, sides.keys_in_bfloat16);
  ASSERT_FALSE(want.in_bfloat16());
  ASSERT_TRUE(got.in_bfloat16());
  want.prepare_gradients(true, true);
  got.prepare_gradients(true, true);
  constexpr Index height = 48;
  ScorePanel<float> wanted{scratch.take<float>(ScorePanel<float>::size(height, tile_width)),
                           height};
  ScorePanel<float> panel{scratch.take<float>(ScorePanel<float>::size(height, tile_width)), height};
  auto* factored = scratch.take<float>(height * sides.queries.stride);
  std::fill_n(factored, height * sides.queries.stride, 0.0f);
  RowGradients<float> want_keys = take_gradients(scratch, sides.keys);
  RowGradients<float> got_keys = take_gradients(scratch, sides.keys);
  for (Index row = 0; row < n; row += height) {
    const Index count = std::min(height, n - row);
    RowGradients<float> want_queries = take_gradients(scratch, sides.queries);
    RowGradients<float> got_queries = take_gradients(scratch, sides.queries);
    float factors[height];
    for (Index r = 0; r < count; ++r) {
      factors[r] = std::ldexp(1.0f, static_cast<int>(r % 5) - 2);
      for (Index k = 0; k < depth; ++k) {
        factored[r * sides.queries.stride + k] = factors[r] * sides.queries.row(row + r)[k];
      }
    }
    // Tiles begin at multiples of their width or, in some passes, of a panel's height.
    for (Index first = row % 96 == 0 ? 0 : row; first < m; first = tile_end(first, m)) {
      const Index end = tile_end(first, m);
      wanted.first = panel.first = round_down(first, tile_width);
      want.score(row, count, first, end, wanted);
      got.score(row, count, first, end, panel);
      for (Index r = 0; r < count; ++r) {
        for (Index j = first; j < end; ++j) {
          ASSERT_EQ(*panel.at(r, j), *wanted.at(r, j)) << row + r << ", " << j;
          // From here on weights. What lies beside them is not read.
          *wanted.at(r, j) = *panel.at(r, j) = static_cast<float>((3 * r + 5 * j) % 11 - 5);
        }
        for (Index j = end; j < round_up(end, panel_rows); ++j) *wanted.at(r, j) = 0;
      }
      for (Index r = count; r < round_up(count, panel_rows); ++r) {
        for (Index j = first; j < end; ++j) *wanted.at(r, j) = 0;
      }
      want.add_query_gradients(0, wanted, count, first, end, want_queries.data);
      got.add_query_gradients(1, panel, count, first, end, got_queries.data);
      want.add_key_gradients(0, wanted, {row, factors, factored}, count, first, end, want_keys);
      got.add_key_gradients(1, panel, {row, factors, nullptr}, count, first, end, got_keys);
    }
    for (Index r = 0; r < count; ++r) {
      for (Index k = 0; k < depth; ++k) {
        ASSERT_EQ(got_queries.data[r * sides.queries.stride + k],
                  want_queries.data[r * sides.queries.stride + k])
            << row + r << ", " << k;
      }
    }
  }
  for (Index j = 0; j < m; ++j) {
    for (Index k = 0; k < depth; ++k) {
      ASSERT_EQ(got_keys.data[j * sides.keys.stride + k], want_keys.data[j * sides.keys.stride + k])
          << j << ", " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Bfloat16PanelProducts,
                         testing::Values(Shape{1, 1, 1}, Shape{5, 7, 2}, Shape{48, 384, 16},
                                         Shape{47, 383, 15}, Shape{97, 400, 33}, Shape{49, 769, 48},
                                         Shape{144, 401, 80}, Shape{51, 130, 513},
                                         Shape{50, 65, 1000}));

}  // namespace
