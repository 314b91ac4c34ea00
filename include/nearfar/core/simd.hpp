#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

/// \file
/// A thin vector type over Eigen's packets: the only file that names Eigen's internals. Eigen
/// brings the instruction sets (SSE, AVX2, AVX-512, NEON) and correct elementary functions; the
/// register blocking above it is ours.

#if defined(_MSC_VER)
#define NEARFAR_ALWAYS_INLINE __forceinline
#define NEARFAR_LAMBDA_INLINE
#define NEARFAR_NOT_INLINE __declspec(noinline)
#else
#define NEARFAR_ALWAYS_INLINE inline __attribute__((always_inline))
#define NEARFAR_LAMBDA_INLINE __attribute__((always_inline))
#define NEARFAR_NOT_INLINE __attribute__((noinline))
#endif

namespace nearfar::detail {

/// As many S as one register of the instruction set compiled for.
template <class S>
struct Vec {
  using Scalar = S;
  using Packet = typename Eigen::internal::packet_traits<S>::type;
  static constexpr int lanes = Eigen::internal::unpacket_traits<Packet>::size;

  Packet p;

  static NEARFAR_ALWAYS_INLINE Vec zero() { return {Eigen::internal::pset1<Packet>(S(0))}; }
  static NEARFAR_ALWAYS_INLINE Vec broadcast(S v) { return {Eigen::internal::pset1<Packet>(v)}; }
  static NEARFAR_ALWAYS_INLINE Vec load(const S* from) {
    return {Eigen::internal::ploadu<Packet>(from)};
  }
  NEARFAR_ALWAYS_INLINE void store(S* to) const { Eigen::internal::pstoreu(to, p); }
  NEARFAR_ALWAYS_INLINE S sum() const { return Eigen::internal::predux(p); }
  NEARFAR_ALWAYS_INLINE S largest() const { return Eigen::internal::predux_max(p); }
  NEARFAR_ALWAYS_INLINE S smallest() const { return Eigen::internal::predux_min(p); }

  friend NEARFAR_ALWAYS_INLINE Vec operator+(Vec a, Vec b) {
    return {Eigen::internal::padd(a.p, b.p)};
  }
  friend NEARFAR_ALWAYS_INLINE Vec operator-(Vec a, Vec b) {
    return {Eigen::internal::psub(a.p, b.p)};
  }
  friend NEARFAR_ALWAYS_INLINE Vec operator*(Vec a, Vec b) {
    return {Eigen::internal::pmul(a.p, b.p)};
  }
  friend NEARFAR_ALWAYS_INLINE Vec operator/(Vec a, Vec b) {
    return {Eigen::internal::pdiv(a.p, b.p)};
  }
};

/// a * b + c, rounded once where vectors of this instruction set can, and then for numbers too: an
/// element has the same bits in a vector and in what is left over.
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> multiply_add(Vec<S> a, Vec<S> b, Vec<S> c) {
  return {Eigen::internal::pmadd(a.p, b.p, c.p)};
}
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S multiply_add(S a, S b, S c) {
#if defined(EIGEN_VECTORIZE_FMA) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// v in every lane, as a T: what a constant becomes in code that serves numbers and vectors.
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

// What kernels are written in, for a number or a vector of them alike.

// Numbers have these names from the standard library, which takes references: fine for one type.
using std::max;
using std::min;

template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> sqrt(Vec<S> a) {
  return {Eigen::internal::psqrt(a.p)};
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> min(Vec<S> a, Vec<S> b) {
  return {Eigen::internal::pmin(a.p, b.p)};
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> max(Vec<S> a, Vec<S> b) {
  return {Eigen::internal::pmax(a.p, b.p)};
}

template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> exp(Vec<S> a) {
  return {Eigen::internal::pexp(a.p)};
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> log(Vec<S> a) {
  return {Eigen::internal::plog(a.p)};
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> abs(Vec<S> a) {
  return {Eigen::internal::pabs(a.p)};
}

// On x86 packets are vectors that the compiler itself knows: what it makes of a choice is a masked
// instruction, where Eigen's comparisons first write a vector of bits.
#if defined(__GNUC__) && defined(__x86_64__)
#define NEARFAR_SELECT(a, comparison, function, b, then, otherwise) \
  ((a).p comparison(b).p ? (then).p : (otherwise).p)
#else
#define NEARFAR_SELECT(a, comparison, function, b, then, otherwise) \
  Eigen::internal::pselect(Eigen::internal::function((a).p, (b).p), (then).p, (otherwise).p)
#endif

/// `equal` in lanes where a == b, `other` elsewhere.
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> select_equal(Vec<S> a, Vec<S> b, Vec<S> equal, Vec<S> other) {
  return {NEARFAR_SELECT(a, ==, pcmp_eq, b, equal, other)};
}
inline float select_equal(float a, float b, float equal, float other) {
  return a == b ? equal : other;
}
inline double select_equal(double a, double b, double equal, double other) {
  return a == b ? equal : other;
}

/// `less` in lanes where a < b, `other` elsewhere.
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> select_less(Vec<S> a, Vec<S> b, Vec<S> less, Vec<S> other) {
  return {NEARFAR_SELECT(a, <, pcmp_lt, b, less, other)};
}
inline float select_less(float a, float b, float less, float other) { return a < b ? less : other; }
inline double select_less(double a, double b, double less, double other) {
  return a < b ? less : other;
}
#undef NEARFAR_SELECT

/// 1 / a where a > 0, else 0.
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

/// log(1 + a) to full precision for a >= 0, also where 1 + a rounds to 1: the rounding of 1 + a is
/// divided out again (Higham, Accuracy and stability of numerical algorithms, 2002,
/// section 1.14.1).
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> log1p(Vec<S> a) {
  const Vec<S> one = Vec<S>::broadcast(S(1));
  const Vec<S> sum = one + a;
  return select_equal(sum, one, a, log(sum) * a / (sum - one));
}

/// A sum over elements that come as vectors and as single numbers; one order, whatever the lanes'
/// contents.
template <class S>
struct ElementSum {
  Vec<S> lanes = Vec<S>::zero();
  S rest = 0;

  NEARFAR_ALWAYS_INLINE void operator+=(Vec<S> v) { lanes = lanes + v; }
  NEARFAR_ALWAYS_INLINE void operator+=(S v) { rest += v; }
  /// += a * b, rounded once where vectors can.
  NEARFAR_ALWAYS_INLINE void add(Vec<S> a, Vec<S> b) { lanes = multiply_add(a, b, lanes); }
  NEARFAR_ALWAYS_INLINE void add(S a, S b) { rest = multiply_add(a, b, rest); }
  double total() const { return static_cast<double>(lanes.sum()) + static_cast<double>(rest); }
};

/// The largest of elements that come as vectors and as single numbers; -infinity of none.
template <class S>
struct ElementMax {
  Vec<S> lanes = Vec<S>::broadcast(-std::numeric_limits<S>::infinity());
  S rest = -std::numeric_limits<S>::infinity();

  NEARFAR_ALWAYS_INLINE void see(Vec<S> v) { lanes = max(lanes, v); }
  NEARFAR_ALWAYS_INLINE void see(S v) { rest = std::max(rest, v); }
  S value() const { return std::max(rest, lanes.largest()); }
};

template <class T, class S>
NEARFAR_ALWAYS_INLINE T load(const S* from) {
  if constexpr (std::is_floating_point_v<T>) {
    return *from;
  } else {
    return T::load(from);
  }
}
template <class S>
NEARFAR_ALWAYS_INLINE void store(S* to, S v) {
  *to = v;
}
template <class S>
NEARFAR_ALWAYS_INLINE void store(S* to, Vec<S> v) {
  v.store(to);
}

/// body.operator()<T>(i) over i = 0 .. n-1: T a vector of `lanes` elements as long as they last,
/// then single numbers (numbers only unless `vectorised`).
template <class S, bool vectorised = true, class Body>
NEARFAR_ALWAYS_INLINE void each_element(Eigen::Index n, const Body& body) {
  Eigen::Index i = 0;
  if constexpr (vectorised) {
    for (; i + Vec<S>::lanes <= n; i += Vec<S>::lanes) body.template operator()<Vec<S>>(i);
  }
  for (; i < n; ++i) body.template operator()<S>(i);
}

/// Smallest and largest of some numbers.
template <class S>
struct Range {
  S smallest;
  S largest;
};

/// Those of v[0 .. n-1], n > 0.
template <class S>
NEARFAR_ALWAYS_INLINE Range<S> range_of(const S* v, Eigen::Index n) {
  using V = Vec<S>;
  Range<S> out{v[0], v[0]};
  Eigen::Index i = 0;
  // Two vectors at a time, so that none waits for the one before it.
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
    out.smallest = std::min(out.smallest, v[i]);
    out.largest = std::max(out.largest, v[i]);
  }
  return out;
}

/// Asks for the cache line at `p`, which need not exist, to be brought nearer. Nothing waits for
/// it.
NEARFAR_ALWAYS_INLINE void fetch(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  static_cast<void>(p);
#endif
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of vector types as template arguments
#endif
/// Transposes a square block of `lanes` rows: to(j, i) = from(i, j).
template <class S>
NEARFAR_ALWAYS_INLINE void transpose_square(const S* from, Eigen::Index from_stride, S* to,
                                            Eigen::Index to_stride) {
  constexpr int n = Vec<S>::lanes;
  if constexpr (n == 1) {
    *to = *from;
  } else {
    Eigen::internal::PacketBlock<typename Vec<S>::Packet, n> block;
    for (int i = 0; i < n; ++i) block.packet[i] = Vec<S>::load(from + i * from_stride).p;
    Eigen::internal::ptranspose(block);
    for (int i = 0; i < n; ++i) Vec<S>{block.packet[i]}.store(to + i * to_stride);
  }
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// Vector registers of the instruction set compiled for; the register block is sized by it.
inline constexpr int vector_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS;

}  // namespace nearfar::detail
