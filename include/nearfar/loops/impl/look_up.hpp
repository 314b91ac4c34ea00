#pragma once

#include <cstdint>

#include "nearfar/loops/impl/vec.hpp"

/// \file
/// Table look-ups by lane: a vector of numbers for a vector of places, from registers, if the
/// instruction set has them.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Writes those elements of `values`, integers, with low < high, one after another, from `to` on,
/// which has room for all, and returns their number.
template <class S>
NEARFAR_ALWAYS_INLINE int pick(S low, S high, S values, std::int32_t* to) {
  *to = static_cast<std::int32_t>(values);
  return low < high ? 1 : 0;
}
template <class S>
NEARFAR_ALWAYS_INLINE int pick(Vec<S> low, Vec<S> high, Vec<S> values, std::int32_t* to) {
  constexpr int lanes = Vec<S>::lanes;
  S v[lanes];
  S picked[lanes];
  values.store(v);
  one_if_less(low, high).store(picked);
  // Without branches: each is written, and those with low < high are kept.
  int count = 0;
  for (int l = 0; l < lanes; ++l) {
    to[count] = static_cast<std::int32_t>(v[l]);
    count += static_cast<int>(picked[l]);
  }
  return count;
}
#if defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512DQ__)
NEARFAR_ALWAYS_INLINE int pick(Vec<float> low, Vec<float> high, Vec<float> values,
                               std::int32_t* to) {
  const __mmask16 picked = _mm512_cmp_ps_mask(low.p, high.p, _CMP_LT_OQ);
  // On some processors the form that writes to memory takes a hundred times as long.
  _mm512_storeu_si512(
      to, _mm512_maskz_compress_epi32(picked, _mm512_maskz_cvttps_epi32(all_ps, values.p)));
  return __builtin_popcount(static_cast<unsigned>(picked));
}
#endif

/// True if there is a Places<S> with its functions.
template <class S>
inline constexpr bool looks_up = false;

/// A position in a table for each lane of a Vec<S>:
/// - `table`: the number of elements that one look-up chooses from;
/// - `first()`: position 1 in all lanes;
/// - `look_up(from)`: from[position % table] in each lane;
/// - `by_bit(bit, zero, one)`: `one` in lanes whose position has the bit, else `zero`;
/// - `below(entry, bound)`: 2 position + (entry < bound ? 1 : 0), the child in a heap;
/// - `less(v)`: position - v as a number;
/// - `store(to)`.
template <class S>
struct Places;

#if defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512DQ__)

template <>
inline constexpr bool looks_up<float> = true;
template <>
struct Places<float> {
  static constexpr int table = 32;
  __m512i p;

  static NEARFAR_ALWAYS_INLINE Places first() { return {_mm512_set1_epi32(1)}; }
  NEARFAR_ALWAYS_INLINE Vec<float> look_up(const float* from) const {
    return {_mm512_permutex2var_ps(_mm512_loadu_ps(from), p, _mm512_loadu_ps(from + 16))};
  }
  NEARFAR_ALWAYS_INLINE Vec<float> by_bit(int bit, Vec<float> zero, Vec<float> one) const {
    return {_mm512_mask_blend_ps(_mm512_test_epi32_mask(p, _mm512_set1_epi32(1 << bit)), zero.p,
                                 one.p)};
  }
  NEARFAR_ALWAYS_INLINE Places below(Vec<float> entry, Vec<float> bound) const {
    const __m512i twice = _mm512_add_epi32(p, p);
    return {_mm512_mask_add_epi32(twice, _mm512_cmp_ps_mask(entry.p, bound.p, _CMP_LT_OQ), twice,
                                  _mm512_set1_epi32(1))};
  }
  NEARFAR_ALWAYS_INLINE void store(std::int32_t* to) const { _mm512_storeu_si512(to, p); }
  NEARFAR_ALWAYS_INLINE Vec<float> less(int v) const {
    return {_mm512_maskz_cvtepi32_ps(all_ps, _mm512_sub_epi32(p, _mm512_set1_epi32(v)))};
  }
};

template <>
inline constexpr bool looks_up<double> = true;
template <>
struct Places<double> {
  static constexpr int table = 16;
  __m512i p;

  static NEARFAR_ALWAYS_INLINE Places first() { return {_mm512_set1_epi64(1)}; }
  NEARFAR_ALWAYS_INLINE Vec<double> look_up(const double* from) const {
    return {_mm512_permutex2var_pd(_mm512_loadu_pd(from), p, _mm512_loadu_pd(from + 8))};
  }
  NEARFAR_ALWAYS_INLINE Vec<double> by_bit(int bit, Vec<double> zero, Vec<double> one) const {
    return {_mm512_mask_blend_pd(_mm512_test_epi64_mask(p, _mm512_set1_epi64(1 << bit)), zero.p,
                                 one.p)};
  }
  NEARFAR_ALWAYS_INLINE Places below(Vec<double> entry, Vec<double> bound) const {
    const __m512i twice = _mm512_add_epi64(p, p);
    return {_mm512_mask_add_epi64(twice, _mm512_cmp_pd_mask(entry.p, bound.p, _CMP_LT_OQ), twice,
                                  _mm512_set1_epi64(1))};
  }
  NEARFAR_ALWAYS_INLINE void store(std::int32_t* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_maskz_cvtepi64_epi32(all_pd, p));
  }
  NEARFAR_ALWAYS_INLINE Vec<double> less(int v) const {
    return {_mm512_maskz_cvtepi64_pd(all_pd, _mm512_sub_epi64(p, _mm512_set1_epi64(v)))};
  }
};

#elif defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)

template <>
inline constexpr bool looks_up<float> = true;
template <>
struct Places<float> {
  static constexpr int table = 8;
  __m256i p;

  static NEARFAR_ALWAYS_INLINE Places first() { return {_mm256_set1_epi32(1)}; }
  NEARFAR_ALWAYS_INLINE Vec<float> look_up(const float* from) const {
    return {_mm256_permutevar8x32_ps(_mm256_loadu_ps(from), p)};
  }
  NEARFAR_ALWAYS_INLINE Vec<float> by_bit(int bit, Vec<float> zero, Vec<float> one) const {
    return {_mm256_blendv_ps(zero.p, one.p, _mm256_castsi256_ps(_mm256_slli_epi32(p, 31 - bit)))};
  }
  NEARFAR_ALWAYS_INLINE Places below(Vec<float> entry, Vec<float> bound) const {
    const __m256i less = _mm256_castps_si256(_mm256_cmp_ps(entry.p, bound.p, _CMP_LT_OQ));
    return {_mm256_sub_epi32(_mm256_add_epi32(p, p), less)};
  }
  NEARFAR_ALWAYS_INLINE void store(std::int32_t* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), p);
  }
  NEARFAR_ALWAYS_INLINE Vec<float> less(int v) const {
    return {_mm256_cvtepi32_ps(_mm256_sub_epi32(p, _mm256_set1_epi32(v)))};
  }
};

#endif

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
