#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "nearfar/loops/range.hpp"
#include "nearfar/loops/set.hpp"

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
#error "nearfar's vector code needs GCC 12 or later: __builtin_shufflevector came with it"
#endif

/// \file
/// A thin vector type over the compiler's own vectors, and the elementary functions of the loops,
/// for vectors and single numbers. An element has the same bits in a vector and in the remainder at
/// a row's end.

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Intrinsics of the instruction set for vectors of S: the vector `Packet`, integers of the same
/// size `Bits` and `Bit`, and the operations that the compiler's operators do not cover.
template <class S>
struct Registers;

#if defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512DQ__)

inline constexpr int vector_bytes = 64;
#define NEARFAR_INTRINSIC(name, type) _mm512_##name##_##type
// The masked forms, of all lanes: GCC 12 warns that the others use uninitialised values.
inline constexpr __mmask16 all_ps = 0xffff;
inline constexpr __mmask8 all_pd = 0xff;
#define NEARFAR_OPERATION(name, type, ...) _mm512_maskz_##name##_##type(all_##type, __VA_ARGS__)
#define NEARFAR_PACKET(letter) __m512##letter
#define NEARFAR_FUSED_VECTORS 1

#elif defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)

inline constexpr int vector_bytes = 32;
#define NEARFAR_INTRINSIC(name, type) _mm256_##name##_##type
#define NEARFAR_OPERATION(name, type, ...) NEARFAR_INTRINSIC(name, type)(__VA_ARGS__)
#define NEARFAR_PACKET(letter) __m256##letter
#define NEARFAR_FUSED_VECTORS 1

#else

inline constexpr int vector_bytes = 16;
#if defined(__x86_64__)
#define NEARFAR_INTRINSIC(name, type) _mm_##name##_##type
#define NEARFAR_OPERATION(name, type, ...) NEARFAR_INTRINSIC(name, type)(__VA_ARGS__)
#define NEARFAR_PACKET(letter) __m128##letter
#endif
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define NEARFAR_FUSED_VECTORS 1
#else
#define NEARFAR_FUSED_VECTORS 0
#endif

#endif

/// Number of vector registers of the instruction set, which determines the register block.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

/// True if multiply_add rounds once.
inline constexpr bool fused = NEARFAR_FUSED_VECTORS != 0;

#if defined(__x86_64__)

#if NEARFAR_FUSED_VECTORS
#define NEARFAR_MULTIPLY_ADD(type) NEARFAR_INTRINSIC(fmadd, type)(a, b, c)
#else
#define NEARFAR_MULTIPLY_ADD(type) a* b + c
#endif

// min and max take their operands in the order in which an unordered comparison gives `a`, as it
// does for single numbers.
#define NEARFAR_REGISTERS(S, Unsigned, letter, type)                                 \
  template <>                                                                        \
  struct Registers<S> {                                                              \
    using Packet = NEARFAR_PACKET(letter);                                           \
    using Bit = Unsigned;                                                            \
    typedef Unsigned Bits __attribute__((vector_size(vector_bytes)));                \
    static NEARFAR_ALWAYS_INLINE Packet broadcast(S v) {                             \
      return NEARFAR_INTRINSIC(set1, type)(v);                                       \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE Packet load(const S* from) {                        \
      return NEARFAR_INTRINSIC(loadu, type)(from);                                   \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE void store(S* to, Packet v) {                       \
      NEARFAR_INTRINSIC(storeu, type)(to, v);                                        \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE Packet multiply_add(Packet a, Packet b, Packet c) { \
      return NEARFAR_MULTIPLY_ADD(type);                                             \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE Packet min(Packet a, Packet b) {                    \
      return NEARFAR_OPERATION(min, type, b, a);                                     \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE Packet max(Packet a, Packet b) {                    \
      return NEARFAR_OPERATION(max, type, b, a);                                     \
    }                                                                                \
    static NEARFAR_ALWAYS_INLINE Packet sqrt(Packet a) {                             \
      return NEARFAR_OPERATION(sqrt, type, a);                                       \
    }                                                                                \
  };

NEARFAR_REGISTERS(float, std::uint32_t, , ps)
NEARFAR_REGISTERS(double, std::uint64_t, d, pd)

#undef NEARFAR_REGISTERS
#undef NEARFAR_MULTIPLY_ADD
#undef NEARFAR_INTRINSIC
#undef NEARFAR_OPERATION
#undef NEARFAR_PACKET

#else

#if NEARFAR_FUSED_VECTORS
#define NEARFAR_MULTIPLY_ADD(suffix)                                                \
  Packet out;                                                                       \
  for (int l = 0; l < lanes; ++l) out[l] = __builtin_fma##suffix(a[l], b[l], c[l]); \
  return out
#else
#define NEARFAR_MULTIPLY_ADD(suffix) return a * b + c
#endif

#define NEARFAR_REGISTERS(S, Unsigned, suffix)                                            \
  template <>                                                                             \
  struct Registers<S> {                                                                   \
    typedef S Packet __attribute__((vector_size(vector_bytes)));                          \
    using Bit = Unsigned;                                                                 \
    typedef Unsigned Bits __attribute__((vector_size(vector_bytes)));                     \
    static constexpr int lanes = vector_bytes / int(sizeof(S));                           \
    static NEARFAR_ALWAYS_INLINE Packet broadcast(S v) {                                  \
      Packet out;                                                                         \
      for (int l = 0; l < lanes; ++l) out[l] = v;                                         \
      return out;                                                                         \
    }                                                                                     \
    static NEARFAR_ALWAYS_INLINE Packet load(const S* from) {                             \
      Packet out;                                                                         \
      __builtin_memcpy(&out, from, sizeof out);                                           \
      return out;                                                                         \
    }                                                                                     \
    static NEARFAR_ALWAYS_INLINE void store(S* to, Packet v) {                            \
      __builtin_memcpy(to, &v, sizeof v);                                                 \
    }                                                                                     \
    static NEARFAR_ALWAYS_INLINE Packet multiply_add(Packet a, Packet b, Packet c) {      \
      NEARFAR_MULTIPLY_ADD(suffix);                                                       \
    }                                                                                     \
    static NEARFAR_ALWAYS_INLINE Packet min(Packet a, Packet b) { return b < a ? b : a; } \
    static NEARFAR_ALWAYS_INLINE Packet max(Packet a, Packet b) { return a < b ? b : a; } \
    static NEARFAR_ALWAYS_INLINE Packet sqrt(Packet a) {                                  \
      Packet out;                                                                         \
      for (int l = 0; l < lanes; ++l) out[l] = __builtin_sqrt##suffix(a[l]);              \
      return out;                                                                         \
    }                                                                                     \
  };

NEARFAR_REGISTERS(float, std::uint32_t, f)
NEARFAR_REGISTERS(double, std::uint64_t, )

#undef NEARFAR_REGISTERS
#undef NEARFAR_MULTIPLY_ADD

#endif

/// A number known to the compiler.
template <auto n>
struct Constant {
  NEARFAR_ALWAYS_INLINE constexpr operator decltype(n)() const { return n; }
};

/// Calls body(0), ..., body(n-1) with compile-time numbers, and thus unrolled.
template <int n, class Body>
NEARFAR_ALWAYS_INLINE void unrolled(const Body& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) NEARFAR_LAMBDA_INLINE {
    (body(Constant<i>{}), ...);
  }
  (std::make_integer_sequence<int, n>{});
}

/// The S of one register of the instruction set.
template <class S>
struct Vec {
  using Scalar = S;
  using Packet = typename Registers<S>::Packet;
  static constexpr int lanes = vector_bytes / int(sizeof(S));

  Packet p;

  static NEARFAR_ALWAYS_INLINE Vec zero() { return broadcast(S(0)); }
  static NEARFAR_ALWAYS_INLINE Vec broadcast(S v) { return {Registers<S>::broadcast(v)}; }
  static NEARFAR_ALWAYS_INLINE Vec load(const S* from) { return {Registers<S>::load(from)}; }
  NEARFAR_ALWAYS_INLINE void store(S* to) const { Registers<S>::store(to, p); }
  NEARFAR_ALWAYS_INLINE S sum() const {
    return halved<lanes / 2>([](Vec a, Vec b) NEARFAR_LAMBDA_INLINE { return a + b; });
  }
  NEARFAR_ALWAYS_INLINE S largest() const {
    return halved<lanes / 2>([](Vec a, Vec b) NEARFAR_LAMBDA_INLINE { return max(a, b); });
  }
  NEARFAR_ALWAYS_INLINE S smallest() const {
    return halved<lanes / 2>([](Vec a, Vec b) NEARFAR_LAMBDA_INLINE { return min(a, b); });
  }

  friend NEARFAR_ALWAYS_INLINE Vec operator+(Vec a, Vec b) { return {a.p + b.p}; }
  friend NEARFAR_ALWAYS_INLINE Vec operator-(Vec a, Vec b) { return {a.p - b.p}; }
  friend NEARFAR_ALWAYS_INLINE Vec operator*(Vec a, Vec b) { return {a.p * b.p}; }
  friend NEARFAR_ALWAYS_INLINE Vec operator/(Vec a, Vec b) { return {a.p / b.p}; }
  friend NEARFAR_ALWAYS_INLINE Vec min(Vec a, Vec b) { return {Registers<S>::min(a.p, b.p)}; }
  friend NEARFAR_ALWAYS_INLINE Vec max(Vec a, Vec b) { return {Registers<S>::max(a.p, b.p)}; }
  friend NEARFAR_ALWAYS_INLINE Vec sqrt(Vec a) { return {Registers<S>::sqrt(a.p)}; }
  /// a * b + c, rounded once if vectors of this instruction set can, and then for single numbers
  /// too.
  friend NEARFAR_ALWAYS_INLINE Vec multiply_add(Vec a, Vec b, Vec c) {
    return {Registers<S>::multiply_add(a.p, b.p, c.p)};
  }
  /// `equal` in lanes where a == b, `other` elsewhere. Compilers make a masked instruction of it.
  friend NEARFAR_ALWAYS_INLINE Vec select_equal(Vec a, Vec b, Vec equal, Vec other) {
    return {a.p == b.p ? equal.p : other.p};
  }
  /// `less` in lanes where a < b, `other` elsewhere.
  friend NEARFAR_ALWAYS_INLINE Vec select_less(Vec a, Vec b, Vec less, Vec other) {
    return {a.p < b.p ? less.p : other.p};
  }

 private:
  /// Combines the lanes: lane l with lane l + distance, then the same at half the distance.
  template <int distance, class Combine>
  NEARFAR_ALWAYS_INLINE S halved(const Combine& combine) const {
    if constexpr (distance == 0) {
      return p[0];
    } else {
      return combine(*this, exchanged<distance>(std::make_integer_sequence<int, lanes>{}))
          .template halved<distance / 2>(combine);
    }
  }
  template <int distance, int... l>
  NEARFAR_ALWAYS_INLINE Vec exchanged(std::integer_sequence<int, l...>) const {
    return {__builtin_shufflevector(p, p, (l ^ distance)...)};
  }
};

// The same for single numbers.

template <class S>
requires std::is_arithmetic_v<S> NEARFAR_ALWAYS_INLINE constexpr S min(S a, S b) {
  return b < a ? b : a;
}
template <class S>
requires std::is_arithmetic_v<S> NEARFAR_ALWAYS_INLINE constexpr S max(S a, S b) {
  return a < b ? b : a;
}
#if defined(__x86_64__)
// The compiler's own form calls the C library for negative numbers, to set errno.
NEARFAR_ALWAYS_INLINE float sqrt(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }
NEARFAR_ALWAYS_INLINE double sqrt(double a) {
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(a)));
}
#else
NEARFAR_ALWAYS_INLINE float sqrt(float a) { return __builtin_sqrtf(a); }
NEARFAR_ALWAYS_INLINE double sqrt(double a) { return __builtin_sqrt(a); }
#endif
NEARFAR_ALWAYS_INLINE float multiply_add(float a, float b, float c) {
#if NEARFAR_FUSED_VECTORS
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
NEARFAR_ALWAYS_INLINE double multiply_add(double a, double b, double c) {
#if NEARFAR_FUSED_VECTORS
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S select_equal(S a, S b, S equal, S other) {
  return a == b ? equal : other;
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S select_less(S a, S b, S less, S other) {
  return a < b ? less : other;
}
#undef NEARFAR_FUSED_VECTORS

/// The S that a T consists of: T is S or Vec<S>.
template <class T>
struct ScalarOfType {
  using Type = T;
};
template <class S>
struct ScalarOfType<Vec<S>> {
  using Type = S;
};
template <class T>
using ScalarOf = typename ScalarOfType<T>::Type;

/// v in every lane, as a T: the form of a constant in code for numbers and vectors.
template <class T>
NEARFAR_ALWAYS_INLINE T constant(double v) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(v);
  } else {
    return T::broadcast(static_cast<typename T::Scalar>(v));
  }
}

/// v in every lane, bit for bit.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T spread(S v) {
  if constexpr (std::is_floating_point_v<T>) {
    return v;
  } else {
    return T::broadcast(v);
  }
}

template <class T, class S>
NEARFAR_ALWAYS_INLINE T load(const S* from) {
  if constexpr (std::is_floating_point_v<T>) {
    return *from;
  } else {
    return T::load(from);
  }
}
/// The same in double, for any number type: T is double or Vec<double>.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T load_as_double(const S* from) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(*from);
  } else if constexpr (std::is_same_v<S, double>) {
    return T::load(from);
  } else {
    typedef S Half __attribute__((vector_size(T::lanes * sizeof(S))));
    Half half;
    __builtin_memcpy(&half, from, sizeof half);
    return {__builtin_convertvector(half, typename T::Packet)};
  }
}
/// The first or second half of v's lanes, in double.
template <int half, int... l>
NEARFAR_ALWAYS_INLINE Vec<double> half_as_double(Vec<float> v, std::integer_sequence<int, l...>) {
  constexpr int first = half * Vec<double>::lanes;
  const auto lanes = __builtin_shufflevector(v.p, v.p, (first + l)...);
  return {__builtin_convertvector(lanes, Vec<double>::Packet)};
}
template <int half>
NEARFAR_ALWAYS_INLINE Vec<double> half_as_double(Vec<float> v) {
  return half_as_double<half>(v, std::make_integer_sequence<int, Vec<double>::lanes>{});
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE void store(S* to, S v) {
  *to = v;
}
template <class S>
NEARFAR_ALWAYS_INLINE void store(S* to, Vec<S> v) {
  v.store(to);
}

/// Numbers of double as an S each: T is double or Vec<double>.
template <class S, class T>
NEARFAR_ALWAYS_INLINE void store_from_double(S* to, T v) {
  if constexpr (std::is_floating_point_v<T>) {
    *to = static_cast<S>(v);
  } else if constexpr (std::is_same_v<S, double>) {
    v.store(to);
  } else {
    typedef S Half __attribute__((vector_size(T::lanes * sizeof(S))));
    const Half half = __builtin_convertvector(v.p, Half);
    __builtin_memcpy(to, &half, sizeof half);
  }
}

/// 1 / a if a > 0, else 0.
template <class T>
NEARFAR_ALWAYS_INLINE T reciprocal_or_zero(T a) {
  const T zero = constant<T>(0);
  return select_less(zero, a, constant<T>(1) / a, zero);
}

/// 1 in lanes where a < b, 0 elsewhere.
template <class T>
NEARFAR_ALWAYS_INLINE T one_if_less(T a, T b) {
  return select_less(a, b, constant<T>(1), constant<T>(0));
}

template <class S>
inline constexpr S infinity = std::numeric_limits<S>::infinity();

/// The bits of numbers, as unsigned integers of the same size, and numbers of such bits.
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE typename Registers<S>::Bit bits_of(S v) {
  return __builtin_bit_cast(typename Registers<S>::Bit, v);
}
template <class S>
NEARFAR_ALWAYS_INLINE typename Registers<S>::Bits bits_of(Vec<S> v) {
  return __builtin_bit_cast(typename Registers<S>::Bits, v.p);
}
template <class T, class Bits>
NEARFAR_ALWAYS_INLINE T from_bits(Bits bits) {
  if constexpr (std::is_floating_point_v<T>) {
    return __builtin_bit_cast(T, bits);
  } else {
    return {__builtin_bit_cast(typename T::Packet, bits)};
  }
}

template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> abs(Vec<S> a) {
  using Bit = typename Registers<S>::Bit;
  return from_bits<Vec<S>>(bits_of(a) & (~Bit(0) >> 1));
}
NEARFAR_ALWAYS_INLINE float abs(float a) { return __builtin_fabsf(a); }
NEARFAR_ALWAYS_INLINE double abs(double a) { return __builtin_fabs(a); }

/// The bit layout of an S, and the constants of exp and log1p.
template <class S>
struct Elementary;

template <>
struct Elementary<float> {
  static constexpr int mantissa_bits = 23;
  /// e^x is infinity above `largest`, 0 below `smallest`.
  static constexpr double largest = 89;
  static constexpr double smallest = -104;
  /// ln 2 in two parts: integers times the first are exact.
  static constexpr double ln2_high = 0.693359375;
  static constexpr double ln2_low = -2.12194440054690583e-4;
  /// e^x on [-ln 2 / 2, ln 2 / 2], relative error 1.9e-9.
  static constexpr double exp[] = {
      1, 1, 0.4999999208, 0.1666642017, 0.04166822557, 0.008374815805, 0.001383684599};
  /// (log((1 + s) / (1 - s)) / s - 2) / s^2 as a polynomial in s^2, for s in [0, 1/3]; relative
  /// error of the logarithm 4.0e-10.
  static constexpr double log[] = {0.666666673205274174, 0.399997063319297186, 0.285923579943028361,
                                   0.217065758008803733, 0.23224329224023349};
};

template <>
struct Elementary<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr double largest = 710;
  static constexpr double smallest = -746;
  static constexpr double ln2_high = 6.93145751953125e-1;
  static constexpr double ln2_low = 1.42860682030941723212e-6;
  /// Relative error 3.1e-18.
  static constexpr double exp[] = {1,
                                   1,
                                   0.500000000000001776,
                                   0.166666666666661689,
                                   0.0416666666664927687,
                                   0.00833333333355927228,
                                   0.00138888889512240373,
                                   0.000198412694326762613,
                                   2.48014865213759634e-05,
                                   2.7557622533559221e-06,
                                   2.76322932974970362e-07,
                                   2.49943040161079127e-08};
  /// Relative error of the logarithm 5.0e-18.
  static constexpr double log[] = {
      0.66666666666666663,   0.40000000000014585, 0.285714285671087587, 0.222222227174278641,
      0.181817894361328586,  0.15385570064958623, 0.133141442096549351, 0.120010728095907127,
      0.0880073848614467413, 0.161640456119435311};
};

/// v itself. Sums and products around it keep their order, which exp and log need, even if the
/// compiler may regroup (-fassociative-math). GCC reports that in a macro; clang does not, so for
/// clang it is always on in header-only programs.
#if defined(__ASSOCIATIVE_MATH__) || (defined(__clang__) && defined(NEARFAR_HEADER_ONLY))
#if defined(__AVX512F__)
#define NEARFAR_KEEP_ORDER(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define NEARFAR_KEEP_ORDER(v) __asm__("" : "+x"(v))
#else
#define NEARFAR_KEEP_ORDER(v) __asm__("" : "+m"(v))
#endif
#else
#define NEARFAR_KEEP_ORDER(v) static_cast<void>(v)
#endif
template <class T>
NEARFAR_ALWAYS_INLINE T in_order(T v) {
  if constexpr (std::is_floating_point_v<T>) {
    NEARFAR_KEEP_ORDER(v);
  } else {
    NEARFAR_KEEP_ORDER(v.p);
  }
  return v;
}
#undef NEARFAR_KEEP_ORDER

/// coefficients[0] + coefficients[1] x + ...
template <class T, int n>
NEARFAR_ALWAYS_INLINE T polynomial(T x, const double (&coefficients)[n]) {
  T out = constant<T>(coefficients[n - 1]);
  for (int k = n - 2; k >= 0; --k) out = multiply_add(out, x, constant<T>(coefficients[k]));
  return out;
}

/// A number so large that adding it rounds to integers, in the lowest bits of the sum.
template <class S>
inline constexpr double to_whole = 1.5 * static_cast<double>(std::uint64_t(1)
                                                             << Elementary<S>::mantissa_bits);

/// 2^n for n = shifted - to_whole, a normal number.
template <class T>
NEARFAR_ALWAYS_INLINE T power_of_two(T shifted) {
  using S = ScalarOf<T>;
  return from_bits<T>((bits_of(shifted) << Elementary<S>::mantissa_bits) + bits_of(constant<T>(1)));
}

/// e^x, for a number or a vector.
template <class T>
NEARFAR_ALWAYS_INLINE T exp_of(T x) {
  using S = ScalarOf<T>;
  using Constants = Elementary<S>;
  const T shift = constant<T>(to_whole<S>);
  // In this order NaN stays NaN.
  x = min(max(x, constant<T>(Constants::smallest)), constant<T>(Constants::largest));
  const T n = in_order(in_order(multiply_add(x, constant<T>(1.4426950408889634), shift)) - shift);
  T f = in_order(multiply_add(n, constant<T>(-Constants::ln2_high), x));
  f = multiply_add(n, constant<T>(-Constants::ln2_low), f);
  // In two steps, because 2^n itself may overflow or underflow.
  const T half = in_order(multiply_add(n, constant<T>(0.5), shift));
  const T other = in_order(n - in_order(half - shift)) + shift;
  return in_order(polynomial(f, Constants::exp) * power_of_two(half)) * power_of_two(other);
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> exp(Vec<S> x) {
  return exp_of(x);
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S exp(S x) {
  return exp_of(x);
}

/// log(1 + a) to full precision for a >= 0, also if 1 + a rounds to 1: with 1 + a = 2^k (1 + f), f
/// in [0, 1), and s = f / (2 + f), the logarithm of 1 + f is that of (1 + s) / (1 - s), an odd
/// function of s. Up to a = 1, f is a.
template <class T>
NEARFAR_ALWAYS_INLINE T log1p_of(T a) {
  using S = ScalarOf<T>;
  using Constants = Elementary<S>;
  using Bit = typename Registers<S>::Bit;
  constexpr double two_to_mantissa =
      static_cast<double>(std::uint64_t(1) << Constants::mantissa_bits);
  constexpr Bit mantissa = (Bit(1) << Constants::mantissa_bits) - 1;
  constexpr int bias = std::numeric_limits<S>::max_exponent - 1;
  const T one = constant<T>(1);
  const T sum = one + a;
  const T k = from_bits<T>((bits_of(sum) >> Constants::mantissa_bits) |
                           bits_of(constant<T>(two_to_mantissa))) -
              constant<T>(two_to_mantissa + bias);
  const T reduced = from_bits<T>((bits_of(sum) & mantissa) | bits_of(one)) - one;
  const T f = select_less(sum, constant<T>(2), a, reduced);
  const T s = f / (f + constant<T>(2));
  const T z = s * s;
  // f - s (f - z p(z)) rounds less than s (2 + z p(z)), because s (f - ..) is small.
  const T log_f = multiply_add(constant<T>(0) - s, f - z * polynomial(z, Constants::log), f);
  const T low = multiply_add(k, constant<T>(Constants::ln2_low), log_f);
  const T result = multiply_add(k, constant<T>(Constants::ln2_high), low);
  // Infinity and NaN stay as they are.
  return select_less(a, constant<T>(infinity<S>), result, a);
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> log1p(Vec<S> a) {
  return log1p_of(a);
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S log1p(S a) {
  return log1p_of(a);
}

/// A sum over elements that come as vectors and as single numbers, in one order for any contents of
/// the lanes.
template <class S>
struct ElementSum {
  Vec<S> lanes = Vec<S>::zero();
  S rest = 0;

  NEARFAR_ALWAYS_INLINE void operator+=(Vec<S> v) { lanes = lanes + v; }
  NEARFAR_ALWAYS_INLINE void operator+=(S v) { rest += v; }
  /// += a * b, rounded once if vectors can.
  NEARFAR_ALWAYS_INLINE void add(Vec<S> a, Vec<S> b) { lanes = multiply_add(a, b, lanes); }
  NEARFAR_ALWAYS_INLINE void add(S a, S b) { rest = multiply_add(a, b, rest); }
  NEARFAR_ALWAYS_INLINE double total() const {
    return static_cast<double>(lanes.sum()) + static_cast<double>(rest);
  }
};

/// The largest of elements that come as vectors and as single numbers; -infinity without elements.
template <class S>
struct ElementMax {
  Vec<S> lanes = Vec<S>::broadcast(-infinity<S>);
  S rest = -infinity<S>;

  NEARFAR_ALWAYS_INLINE void see(Vec<S> v) { lanes = max(lanes, v); }
  NEARFAR_ALWAYS_INLINE void see(S v) { rest = max(rest, v); }
  NEARFAR_ALWAYS_INLINE S value() const { return max(rest, lanes.largest()); }
};

/// Calls body.operator()<T>(i) for i = 0 .. n-1, with T a vector of `lanes` elements as long as
/// there are enough, then a single number (single numbers only unless `vectorised`).
template <class S, bool vectorised = true, class Body>
NEARFAR_ALWAYS_INLINE void each_element(Index n, const Body& body) {
  Index i = 0;
  if constexpr (vectorised) {
    for (; i + Vec<S>::lanes <= n; i += Vec<S>::lanes) body.template operator()<Vec<S>>(i);
  }
  for (; i < n; ++i) body.template operator()<S>(i);
}

/// The range of v[0 .. n-1], n > 0.
template <class S>
NEARFAR_ALWAYS_INLINE Range<S> range_of(const S* v, Index n) {
  using V = Vec<S>;
  Range<S> out{v[0], v[0]};
  Index i = 0;
  // Two vectors at a time, so that neither waits for the previous step.
  if (n >= 2 * V::lanes) {
    V low[2] = {V::load(v), V::load(v + V::lanes)};
    V high[2] = {low[0], low[1]};
    for (i = 2 * V::lanes; i + 2 * V::lanes <= n; i += 2 * V::lanes) {
      for (int k = 0; k < 2; ++k) {
        const V next = V::load(v + i + k * V::lanes);
        low[k] = min(low[k], next);
        high[k] = max(high[k], next);
      }
    }
    out = {min(low[0], low[1]).smallest(), max(high[0], high[1]).largest()};
  }
  for (; i < n; ++i) {
    out.smallest = min(out.smallest, v[i]);
    out.largest = max(out.largest, v[i]);
  }
  return out;
}

/// Prefetches the cache line at `p`.
NEARFAR_ALWAYS_INLINE void fetch(const void* p) { __builtin_prefetch(p); }

/// Each pair of rows `distance` apart, of a square of `lanes` rows, exchanges the lanes on the
/// wrong side of the diagonal; then the same for pairs at half the distance.
template <int distance, class S, int... l>
NEARFAR_ALWAYS_INLINE void exchange_lanes(Vec<S>* rows, std::integer_sequence<int, l...> all) {
  constexpr int lanes = Vec<S>::lanes;
  if constexpr (distance > 0) {
    for (int i = 0; i < lanes; ++i) {
      if (i & distance) continue;
      const auto a = rows[i].p;
      const auto b = rows[i + distance].p;
      rows[i].p = __builtin_shufflevector(a, b, (l & distance ? lanes + l - distance : l)...);
      rows[i + distance].p =
          __builtin_shufflevector(a, b, (l & distance ? lanes + l : l + distance)...);
    }
    exchange_lanes<distance / 2>(rows, all);
  }
}

/// Transposes a square block of `lanes` rows: to(j, i) = from(i, j).
template <class S>
NEARFAR_ALWAYS_INLINE void transpose_square(const S* from, Index from_stride, S* to,
                                            Index to_stride) {
  constexpr int n = Vec<S>::lanes;
  Vec<S> block[n];
  for (int i = 0; i < n; ++i) block[i] = Vec<S>::load(from + i * from_stride);
  exchange_lanes<n / 2>(block, std::make_integer_sequence<int, n>{});
  for (int i = 0; i < n; ++i) block[i].store(to + i * to_stride);
}

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
