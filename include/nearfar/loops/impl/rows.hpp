#pragma once

#include "nearfar/loops/impl/vec.hpp"
#include "nearfar/loops/rows.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Calls body.operator()<T>(i, k) for i = 0 .. n-1, with k the number of one of four sums, so that
/// no sum waits for the previous step.
template <class S, class Body>
NEARFAR_ALWAYS_INLINE void each_in_four(Index n, const Body& body) {
  constexpr Index lanes = Vec<S>::lanes;
  Index i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (Index k = 0; k < 4; ++k) body.template operator()<Vec<S>>(i + k * lanes, k);
  }
  for (; i + lanes <= n; i += lanes) body.template operator()<Vec<S>>(i, Index(0));
  for (; i < n; ++i) body.template operator()<S>(i, Index(0));
}

template <class S>
struct FourSums {
  ElementSum<S> each[4];

  S total() const {
    const Vec<S> lanes = (each[0].lanes + each[1].lanes) + (each[2].lanes + each[3].lanes);
    return lanes.sum() + each[0].rest;
  }
};

template <class S>
double dot_in_double(Index n, const S* x, const S* y) {
  FourSums<double> sum;
  each_in_four<double>(n, [&]<class T>(Index i, Index k) NEARFAR_LAMBDA_INLINE {
    sum.each[k].add(load_as_double<T>(x + i), load_as_double<T>(y + i));
  });
  return sum.total();
}

template <class S>
double dot_by_fours(Index n, const S* x, const S* y) {
  if constexpr (std::is_same_v<S, double>) {
    return dot_in_double(n, x, y);
  } else {
    using V = Vec<S>;
    constexpr Index four = 4 * V::lanes;
    Vec<double> low = Vec<double>::zero();
    Vec<double> high = low;
    Index i = 0;
    for (; i + four <= n; i += four) {
      V sum = V::load(x + i) * V::load(y + i);
      for (Index k = 1; k < 4; ++k) {
        const Index at = i + k * V::lanes;
        sum = multiply_add(V::load(x + at), V::load(y + at), sum);
      }
      low = low + half_as_double<0>(sum);
      high = high + half_as_double<1>(sum);
    }
    return (low + high).sum() + dot_in_double(n - i, x + i, y + i);
  }
}

template <class S>
S dot(Index n, const S* x, const S* y) {
  FourSums<S> sum;
  each_in_four<S>(n, [&]<class T>(Index i, Index k) NEARFAR_LAMBDA_INLINE {
    sum.each[k].add(load<T>(x + i), load<T>(y + i));
  });
  return sum.total();
}

template <class S>
S squared_distance(Index n, const S* x, const S* y) {
  FourSums<S> sum;
  each_in_four<S>(n, [&]<class T>(Index i, Index k) NEARFAR_LAMBDA_INLINE {
    const T difference = load<T>(x + i) - load<T>(y + i);
    sum.each[k].add(difference, difference);
  });
  return sum.total();
}

template <class S>
S largest_magnitude(Index n, const S* x) {
  ElementMax<S> largest;
  each_element<S>(
      n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE { largest.see(abs(load<T>(x + k))); });
  return largest.value();
}

/// Tests bits, because compilers may assume that numbers are finite: an exponent of ones plus one
/// reaches the sign bit.
template <class S>
bool all_finite(Index n, const S* x) {
  using Bit = typename Registers<S>::Bit;
  constexpr Bit one = Bit(1) << Elementary<S>::mantissa_bits;
  constexpr Bit exponent = (~Bit(0) >> 1) - (one - 1);
  typename Registers<S>::Bits lanes{};
  Bit rest = 0;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const auto beyond = (bits_of(load<T>(x + k)) & exponent) + one;
    if constexpr (std::is_floating_point_v<T>) {
      rest |= beyond;
    } else {
      lanes |= beyond;
    }
  });
  for (int l = 0; l < Vec<S>::lanes; ++l) rest |= lanes[l];
  return (rest & ~(~Bit(0) >> 1)) == 0;
}

/// As many 16-bit elements as a vector has floats.
typedef std::uint16_t StoredVector __attribute__((vector_size(Vec<float>::lanes * 2)));

/// The bits of elements in 16 bits, each in 32: for a vector or a single number.
template <class T>
NEARFAR_ALWAYS_INLINE auto load_stored(const std::uint16_t* x) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::uint32_t(*x);
  } else {
    StoredVector lanes;
    __builtin_memcpy(&lanes, x, sizeof lanes);
    return __builtin_convertvector(lanes, Registers<float>::Bits);
  }
}
NEARFAR_ALWAYS_INLINE void store_stored(std::uint16_t* to, std::uint32_t bits) {
  *to = static_cast<std::uint16_t>(bits);
}
NEARFAR_ALWAYS_INLINE void store_stored(std::uint16_t* to, Registers<float>::Bits bits) {
  const StoredVector lanes = __builtin_convertvector(bits, StoredVector);
  __builtin_memcpy(to, &lanes, sizeof lanes);
}

/// The exponent of a float that is 2^e, in its place.
constexpr std::uint32_t exponent_bits(int e) { return std::uint32_t(127 + e) << 23; }

/// A half as a float. Below 2^-14 it is a multiple of 2^-24: the last digits of a float from 2^-14
/// on, less 2^-14.
template <class T, class Bits>
NEARFAR_ALWAYS_INLINE T widened_half(Bits half) {
  constexpr std::uint32_t one = 1u << 23;
  const Bits digits = (half & 0x7fffu) << 13;
  // The largest exponent, that of infinity and NaN, becomes the largest.
  const Bits more = digits < (0x7c00u << 13) ? Bits{} : Bits{} + exponent_bits(-15);
  const Bits normal = digits + exponent_bits(-15) + more;
  const T above = from_bits<T>(digits + exponent_bits(-14));
  const Bits small = bits_of(above - from_bits<T>(Bits{} + exponent_bits(-14)));
  return from_bits<T>((digits < one ? small : normal) | ((half & 0x8000u) << 16));
}

/// The other way round: infinity from 65520 on, NaN of NaN. Below 2^-14, adding 1/2 rounds to
/// multiples of 2^-24.
template <class T>
NEARFAR_ALWAYS_INLINE auto narrowed_half(T v) {
  using Bits = decltype(bits_of(v));
  const Bits bits = bits_of(v);
  const Bits magnitude = bits & 0x7fffffffu;
  const Bits half = Bits{} + exponent_bits(-1);
  const Bits small = bits_of(in_order(from_bits<T>(magnitude) + from_bits<T>(half))) - half;
  const Bits normal = (magnitude - exponent_bits(-15) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const Bits finite = magnitude < exponent_bits(-14) ? small : normal;
  const Bits beyond = magnitude > 0x7f800000u ? Bits{} + 0x7e00u : Bits{} + 0x7c00u;
  const Bits out = magnitude < 0x477ff000u ? finite : beyond;
  return Bits(out | ((bits >> 16) & 0x8000u));
}

/// A float as a bfloat16: a finite one at most the largest finite one.
template <class T>
NEARFAR_ALWAYS_INLINE auto narrowed_bfloat16(T v) {
  using Bits = decltype(bits_of(v));
  const T most = from_bits<T>(Bits{} + 0x7f7f0000u);
  const Bits given = bits_of(v);
  const Bits magnitude = given & 0x7fffffffu;
  const Bits bits = bits_of(max(min(v, most), constant<T>(0) - most));
  const Bits finite = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Bits other = magnitude > 0x7f800000u ? (given >> 16) | 0x40u : given >> 16;
  return Bits(magnitude < 0x7f800000u ? finite : other);
}

inline void widen(Element element, Index n, const void* x, float* out) {
  const auto* from = static_cast<const std::uint16_t*>(x);
  if (element == Element::bfloat16) {
    each_element<float>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store(out + k, from_bits<T>(load_stored<T>(from + k) << 16));
    });
  } else {
    each_element<float>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store(out + k, widened_half<T>(load_stored<T>(from + k)));
    });
  }
}

inline void narrow(Element element, Index n, const float* x, void* out) {
  auto* to = static_cast<std::uint16_t*>(out);
  if (element == Element::bfloat16) {
    each_element<float>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store_stored(to + k, narrowed_bfloat16(load<T>(x + k)));
    });
  } else {
    each_element<float>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      store_stored(to + k, narrowed_half(load<T>(x + k)));
    });
  }
}

/// As all_finite.
inline bool all_finite_stored(Element element, Index n, const void* x) {
  const auto* from = static_cast<const std::uint16_t*>(x);
  const std::uint32_t exponent = element == Element::bfloat16 ? 0x7f80u : 0x7c00u;
  const std::uint32_t one = element == Element::bfloat16 ? 0x80u : 0x400u;
  Registers<float>::Bits lanes{};
  std::uint32_t rest = 0;
  each_element<float>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const auto beyond = (load_stored<T>(from + k) & exponent) + one;
    if constexpr (std::is_floating_point_v<T>) {
      rest |= beyond;
    } else {
      lanes |= beyond;
    }
  });
  for (int l = 0; l < Vec<float>::lanes; ++l) rest |= lanes[l];
  return (rest & 0x8000u) == 0;
}

template <class S>
void subtract(Index n, const S* x, const S* centre, S* out) {
  constexpr auto largest = static_cast<double>(std::numeric_limits<S>::max());
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T most = constant<T>(largest);
    const T difference = load<T>(x + k) - load<T>(centre + k);
    store(out + k, max(min(difference, most), constant<T>(0) - most));
  });
}

template <class S>
void scale(Index n, S factor, const S* x, S* out) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(out + k, load<T>(x + k) * spread<T>(factor));
  });
}

template <class S>
void scale_in_double(Index n, double factor, const S* x, S* out) {
  for (Index k = 0; k < n; ++k) out[k] = static_cast<S>(static_cast<double>(x[k]) * factor);
}

template <class S>
void scale_by_parts(Index n, S high, S low, const S* x, S* out) {
  if constexpr (!fused && std::is_same_v<S, float>) {
    // A second rounding would lose the digits of the low part.
    scale_in_double(n, static_cast<double>(high) + static_cast<double>(low), x, out);
  } else {
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      const T v = load<T>(x + k);
      store(out + k, multiply_add(v, spread<T>(high), v * spread<T>(low)));
    });
  }
}

template <class S>
void divide(Index n, S divisor, const S* x, S* out) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(out + k, load<T>(x + k) / spread<T>(divisor));
  });
}

/// Sums of squares in this range neither overflow nor lose digits that count.
template <class S>
struct SafeSquares;
template <>
struct SafeSquares<float> {
  static constexpr double least = 1e-24;
  static constexpr double most = 1e36;
};
template <>
struct SafeSquares<double> {
  static constexpr double least = std::numeric_limits<double>::min() * (1 << 20);
  static constexpr double most = std::numeric_limits<double>::max();
};

template <class S>
Index normalise_rows(Index rows, Index n, const S* x, Index x_stride, S* out, Index out_stride,
                     double* inverse) {
  for (Index i = 0; i < rows; ++i) {
    const S* const from = x + i * x_stride;
    S* const to = out + i * out_stride;
    const double sum = dot_by_fours(n, from, from);
    // Bits have the order of positive numbers. Those of infinity and NaN are larger.
    const auto bits = bits_of(sum);
    if (bits < bits_of(SafeSquares<S>::least) || bits > bits_of(SafeSquares<S>::most)) return i;
    const double length = sqrt(sum);
    inverse[i] = 1 / length;
    if constexpr (std::is_same_v<S, float>) {
      const auto high = static_cast<float>(inverse[i]);
      scale_by_parts(n, high, static_cast<float>(inverse[i] - static_cast<double>(high)), from, to);
    } else {
      divide(n, length, from, to);
    }
  }
  return rows;
}

template <class S>
void add(Index n, const S* x, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, load<T>(to + k) + load<T>(x + k));
  });
}

template <class S>
void add_in_double(Index n, const S* x, double* to) {
  for (Index k = 0; k < n; ++k) to[k] += static_cast<double>(x[k]);
}

template <class S>
void add_scaled(Index n, S factor, const S* x, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, multiply_add(load<T>(x + k), spread<T>(factor), load<T>(to + k)));
  });
}

template <class S>
void add_product(Index n, S factor, const S* x, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, load<T>(to + k) + spread<T>(factor) * load<T>(x + k));
  });
}

template <class S>
void add_scaled_difference(Index n, S factor, const S* x, const S* y, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, load<T>(to + k) + spread<T>(factor) * (load<T>(x + k) - load<T>(y + k)));
  });
}

template <class S>
void chain(Index n, S factor, S along, const S* x, const S* g, S* out) {
  constexpr auto largest = static_cast<double>(std::numeric_limits<S>::max());
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T most = constant<T>(largest);
    const T v = (load<T>(g + k) + load<T>(x + k) * spread<T>(along)) * spread<T>(factor);
    store(out + k, max(min(v, most), constant<T>(0) - most));
  });
}

/// `function` in loops over floats, null in those over doubles.
template <class S, class Function>
constexpr auto of_floats(Function* function) {
  if constexpr (std::is_same_v<S, float>) {
    return function;
  } else {
    return nullptr;
  }
}

template <class S>
inline constexpr RowLoops<S> row_loops_here = {
    .dot_in_double = &dot_in_double<S>,
    .dot_by_fours = &dot_by_fours<S>,
    .dot = &dot<S>,
    .squared_distance = &squared_distance<S>,
    .largest_magnitude = &largest_magnitude<S>,
    .all_finite = &all_finite<S>,
    .widen = of_floats<S>(&widen),
    .narrow = of_floats<S>(&narrow),
    .all_finite_stored = of_floats<S>(&all_finite_stored),
    .subtract = &subtract<S>,
    .scale = &scale<S>,
    .scale_by_parts = &scale_by_parts<S>,
    .scale_in_double = &scale_in_double<S>,
    .divide = &divide<S>,
    .normalise_rows = &normalise_rows<S>,
    .add = &add<S>,
    .add_in_double = &add_in_double<S>,
    .add_scaled = &add_scaled<S>,
    .add_product = &add_product<S>,
    .add_scaled_difference = &add_scaled_difference<S>,
    .chain = &chain<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const RowLoops<S>& row_loops() {
  return row_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
