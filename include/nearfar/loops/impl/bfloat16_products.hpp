#pragma once

#include "nearfar/loops/bfloat16_products.hpp"
#include "nearfar/loops/impl/products.hpp"

/// \file
/// Implementation of Bfloat16Loops, where the compiler's flags have AVX-512 BF16.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512DQ__)

/// Elements are words of two bfloat16.
struct MultiplyPairs {
  static NEARFAR_ALWAYS_INLINE Vec<float> add(Vec<float> a, Vec<float> b, Vec<float> sum) {
    return {_mm512_dpbf16_ps(sum.p, __builtin_bit_cast(__m512bh, a.p),
                             __builtin_bit_cast(__m512bh, b.p))};
  }
};

/// The lanes of a vector that are among the next n elements.
NEARFAR_ALWAYS_INLINE __mmask16 lanes_of(Index n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

/// a factor, 0 in other lanes.
NEARFAR_ALWAYS_INLINE __m512 load_scaled(__mmask16 lanes, const float* from, __m512 factor) {
  return _mm512_maskz_mul_ps(lanes, _mm512_maskz_loadu_ps(lanes, from), factor);
}

/// 32 bfloat16, those of `low` first.
NEARFAR_ALWAYS_INLINE __m512i rounded(__m512 low, __m512 high) {
  return __builtin_bit_cast(__m512i, _mm512_cvtne2ps_pbh(high, low));
}

/// For lane l of 32 bits: l and l + distance, the places of two bfloat16.
NEARFAR_ALWAYS_INLINE __m512i places_of_two(int distance) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i other = _mm512_slli_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(distance)), 16);
  return _mm512_or_si512(lane, other);
}

inline void words_of_row(Index n, float factor, const float* x, float* out) {
  const __m512 f = _mm512_set1_ps(factor);
  for (Index k = 0; k < n; k += 32) {
    const __m512 low = load_scaled(lanes_of(n - k), x + k, f);
    const __m512 high = load_scaled(lanes_of(n - k - 16), x + k + 16, f);
    _mm512_storeu_si512(out + k / 2, rounded(low, high));
  }
}

inline void words_of_columns(Index cols, const float* row, const float* next, float* out) {
  // Of 64 places the upper 32 are those of the second vector.
  const __m512i low = places_of_two(32);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (Index k = 0; k < cols; k += 32) {
    const bool both = k + 16 < cols;
    const __mmask16 lanes = both ? 0xffff : 0xff;
    const __m512i a = _mm512_maskz_loadu_epi32(lanes, row + k / 2);
    const __m512i b = _mm512_maskz_loadu_epi32(lanes, next + k / 2);
    _mm512_storeu_si512(out + k, _mm512_permutex2var_epi16(a, low, b));
    if (both) _mm512_storeu_si512(out + k + 16, _mm512_permutex2var_epi16(a, high, b));
  }
}

inline void scale_products(Index rows, Index cols, const float* row, const float* col, float* c,
                           Index stride) {
  for (Index r = 0; r < rows; ++r) {
    const Vec<float> f = Vec<float>::broadcast(row[r]);
    float* to = c + r * stride;
    for (Index j = 0; j < cols; j += 16) {
      (Vec<float>::load(to + j) * (f * Vec<float>::load(col + j))).store(to + j);
    }
  }
}

inline void weights_along(Index rows, Index cols, const float* w, Index stride, const float* col,
                          Index out_rows, float* out, Index out_stride) {
  for (Index r = 0; r < out_rows; ++r) {
    const float* from = w + r * stride;
    float* to = out + r * out_stride;
    for (Index j = 0; j < cols; j += 32) {
      const __mmask16 first = r < rows ? lanes_of(cols - j) : __mmask16(0);
      const __mmask16 second = r < rows ? lanes_of(cols - j - 16) : __mmask16(0);
      const __m512 low = load_scaled(first, from + j, _mm512_maskz_loadu_ps(first, col + j));
      const __m512 high =
          load_scaled(second, from + j + 16, _mm512_maskz_loadu_ps(second, col + j + 16));
      _mm512_storeu_si512(to + j / 2, rounded(low, high));
    }
  }
}

inline void weights_across(Index rows, Index cols, const float* w, Index stride, const float* row,
                           float* out, Index out_stride) {
  const __m512i places = places_of_two(16);
  for (Index r = 0; r < rows; r += 2) {
    const bool both = r + 1 < rows;
    const float* from = w + r * stride;
    float* to = out + r / 2 * out_stride;
    const __m512 factor = _mm512_set1_ps(row[r]);
    const __m512 next_factor = _mm512_set1_ps(both ? row[r + 1] : 0);
    for (Index j = 0; j < cols; j += 16) {
      const __mmask16 lanes = lanes_of(cols - j);
      const __m512 low = load_scaled(lanes, from + j, factor);
      const __m512 high = load_scaled(both ? lanes : __mmask16(0), from + stride + j, next_factor);
      _mm512_storeu_si512(to + j, _mm512_permutexvar_epi16(places, rounded(low, high)));
    }
  }
}

inline constexpr Bfloat16Loops bfloat16_table = {
    {BlockShape<float>::lanes, BlockShape<float>::cols, pack_col_panels<float>,
     multiply_panels<float, MultiplyPairs>, multiply_rows<float, MultiplyPairs>,
     multiply_transposed<float, MultiplyPairs>, transpose<float>},
    words_of_row,
    words_of_columns,
    scale_products,
    weights_along,
    weights_across,
};
inline constexpr const Bfloat16Loops* bfloat16_loops_here = &bfloat16_table;

#else

inline constexpr const Bfloat16Loops* bfloat16_loops_here = nullptr;

#endif

/// The same for other objects. The definition, in src/loops/, is a constant, so that it is
/// initialised before any constructor runs.
extern const Bfloat16Loops* const bfloat16_loops_of_set;

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
inline const Bfloat16Loops* bfloat16_loops() { return bfloat16_loops_here; }
#endif

}  // namespace nearfar::detail
