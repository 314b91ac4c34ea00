#include <gtest/gtest.h>

#include <Eigen/Core>
#include <bit>
#include <cstdint>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/loops/bfloat16_products.hpp>

#include "support/loops.hpp"

/// Words of rows, of columns and of weights beside Eigen's conversion, element by element. What
/// lies beyond the ends is neither read nor written: it would be seen in the results.

namespace {

using nearfar::Index;
using nearfar::detail::bfloat16_loops;
using support::Array;

/// Ends within, at and beyond the first, second and third half of a vector of bfloat16.
constexpr Index ends[] = {1, 2, 3, 15, 16, 17, 18, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80};

class Bfloat16LoopsOf : public testing::Test {
 protected:
  void SetUp() override {
    if (!nearfar::has_bfloat16_products()) {
      GTEST_SKIP() << "no AVX-512 BF16, or another instruction set";
    }
  }
};

Index padded(Index n, Index to) { return (n + to - 1) / to * to; }

std::uint16_t bits(float x) {
  return std::bit_cast<std::uint16_t>(static_cast<Eigen::bfloat16>(x));
}
/// Element k of words.
std::uint16_t element(const float* words, Index k) {
  const auto word = std::bit_cast<std::uint32_t>(words[k / 2]);
  return static_cast<std::uint16_t>(k % 2 == 0 ? word : word >> 16);
}

TEST_F(Bfloat16LoopsOf, WordsOfARowAreRoundedProductsAndZeros) {
  for (const Index n : ends) {
    const auto x = Array<float>::uniform(n, -2, 2, 1);
    Array<float> out(padded(n, 32) / 2);
    bfloat16_loops()->words_of_row(n, 0.75f, x.data(), out.data());
    for (Index k = 0; k < padded(n, 32); ++k) {
      EXPECT_EQ(element(out.data(), k), k < n ? bits(0.75f * x[k]) : 0) << n << ", " << k;
    }
    EXPECT_TRUE(out.intact()) << n;
  }
}

TEST_F(Bfloat16LoopsOf, WordsOfColumnsHaveAnElementOfEachRow) {
  for (const Index cols : {16, 32, 48, 64, 80, 96}) {
    const auto row = Array<float>::uniform(cols / 2, -2, 2, 2);
    const auto next = Array<float>::uniform(cols / 2, -2, 2, 3);
    Array<float> out(cols);
    bfloat16_loops()->words_of_columns(cols, row.data(), next.data(), out.data());
    for (Index k = 0; k < cols; ++k) {
      EXPECT_EQ(element(out.data(), 2 * k), element(row.data(), k)) << cols << ", " << k;
      EXPECT_EQ(element(out.data(), 2 * k + 1), element(next.data(), k)) << cols << ", " << k;
    }
    EXPECT_TRUE(out.intact()) << cols;
  }
}

TEST_F(Bfloat16LoopsOf, ProductsAreScaledByRowAndColumn) {
  for (const Index rows : {1, 2, 5}) {
    for (const Index cols : ends) {
      const Index width = padded(cols, 16);
      const Index stride = width + 16;
      const auto row = Array<float>::uniform(rows, -2, 2, 4);
      const auto col = Array<float>::uniform(width, -2, 2, 5);
      const auto before = Array<float>::uniform(rows * stride, -2, 2, 6);
      Array<float> c = before;
      bfloat16_loops()->scale(rows, cols, row.data(), col.data(), c.data(), stride);
      for (Index r = 0; r < rows; ++r) {
        for (Index j = 0; j < stride; ++j) {
          const float was = before[r * stride + j];
          const float want = j < width ? was * (row[r] * col[j]) : was;
          EXPECT_EQ(c[r * stride + j], want) << rows << " x " << cols << ": " << r << ", " << j;
        }
      }
      EXPECT_TRUE(c.intact());
    }
  }
}

/// Weights of `rows` x `cols`; the other numbers up to the stride are not weights.
struct Weights {
  Index stride;
  Array<float> w;
  Array<float> row;
  Array<float> col;

  Weights(Index rows, Index cols)
      : stride(padded(cols, 16) + 16),
        w(rows * stride),
        row(Array<float>::uniform(rows, 1, 2, 8)),
        col(Array<float>::uniform(cols, 1, 2, 9)) {
    const auto drawn = Array<float>::uniform(rows * cols, 1, 2, 7);
    for (Index k = 0; k < w.size(); ++k) w[k] = 1e10f;
    for (Index r = 0; r < rows; ++r) {
      for (Index j = 0; j < cols; ++j) w[r * stride + j] = drawn[r * cols + j];
    }
  }
};

TEST_F(Bfloat16LoopsOf, WeightsAlongRowsEndInZeros) {
  for (const Index rows : {0, 1, 2, 5}) {
    for (const Index cols : ends) {
      const Weights x(rows, cols);
      const Index width = padded(cols, 32);
      const Index stride = width / 2 + 16;
      const Index out_rows = padded(rows + 1, 3);
      Array<float> out(out_rows * stride);
      for (Index k = 0; k < out.size(); ++k) out[k] = 1e10f;
      bfloat16_loops()->weights_along(rows, cols, x.w.data(), x.stride, x.col.data(), out_rows,
                                      out.data(), stride);
      for (Index r = 0; r < out_rows; ++r) {
        const float* words = out.data() + r * stride;
        for (Index j = 0; j < width; ++j) {
          const bool has = r < rows && j < cols;
          EXPECT_EQ(element(words, j), has ? bits(x.w[r * x.stride + j] * x.col[j]) : 0)
              << rows << " x " << cols << ": " << r << ", " << j;
        }
        for (Index k = width / 2; k < stride; ++k) EXPECT_EQ(words[k], 1e10f) << r << ", " << k;
      }
      EXPECT_TRUE(out.intact());
    }
  }
}

TEST_F(Bfloat16LoopsOf, WeightsAcrossRowsEndInZeros) {
  for (const Index rows : {0, 1, 2, 3, 6}) {
    for (const Index cols : ends) {
      const Weights x(rows, cols);
      const Index width = padded(cols, 16);
      const Index stride = width + 16;
      Array<float> out((rows + 1) / 2 * stride);
      for (Index k = 0; k < out.size(); ++k) out[k] = 1e10f;
      bfloat16_loops()->weights_across(rows, cols, x.w.data(), x.stride, x.row.data(), out.data(),
                                       stride);
      for (Index pair = 0; pair < (rows + 1) / 2; ++pair) {
        const float* words = out.data() + pair * stride;
        for (Index j = 0; j < width; ++j) {
          for (const Index r : {2 * pair, 2 * pair + 1}) {
            const bool has = r < rows && j < cols;
            EXPECT_EQ(element(words, 2 * j + r % 2),
                      has ? bits(x.w[r * x.stride + j] * x.row[r]) : 0)
                << rows << " x " << cols << ": " << r << ", " << j;
          }
        }
        for (Index k = width; k < stride; ++k) EXPECT_EQ(words[k], 1e10f) << pair << ", " << k;
      }
      EXPECT_TRUE(out.intact());
    }
  }
}

}  // namespace
