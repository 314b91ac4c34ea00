#pragma once

#include "nearfar/loops/impl/vec.hpp"
#include "nearfar/loops/logistic.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// softplus(z) = log(1 + e^z) and its derivative sigmoid(z), without overflow and with all digits
/// of small values.
template <class T>
struct SoftplusOf {
  T value;
  T slope;

  NEARFAR_ALWAYS_INLINE explicit SoftplusOf(T z) {
    const T zero = constant<T>(0);
    const T one = constant<T>(1);
    const T e = exp(zero - abs(z));
    value = max(z, zero) + log1p(e);
    const T above = one / (one + e);  // sigmoid(|z|)
    // max(z, 0) == z if z >= 0.
    slope = select_equal(max(z, zero), z, above, e * above);
  }
};

template <class T, class S>
NEARFAR_ALWAYS_INLINE T logistic_logit(const S* s, const Logits<S>& logits, Index j) {
  const T z = load<T>(s + j) * spread<T>(logits.scale) + spread<T>(logits.bias);
  return logits.key_bias != nullptr ? z + load<T>(logits.key_bias + j) : z;
}

/// Replaces the logit of the match, if it is at `at`, by one so low that its loss and slope are 0.
/// Counting the match among the others and subtracting it again would cost their digits.
template <std::floating_point S>
NEARFAR_ALWAYS_INLINE S without_match(S z, Index at) {
  constexpr S lowest = std::numeric_limits<S>::lowest();
  return at == 0 ? lowest : z;
}
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> without_match(Vec<S> z, Index at) {
  if (at < 0 || at >= Vec<S>::lanes) return z;
  S lanes[Vec<S>::lanes];
  z.store(lanes);
  constexpr S lowest = std::numeric_limits<S>::lowest();
  lanes[at] = lowest;
  return Vec<S>::load(lanes);
}

/// The logits from number j on, as for pairs that do not match.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T unmatched_logit(const S* s, const Logits<S>& logits, Index match, Index j) {
  return without_match(logistic_logit<T>(s, logits, j), match - j);
}

template <class S>
double logistic_sum(Index n, const S* s, const Logits<S>& logits, Index match) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    sum += SoftplusOf<T>(unmatched_logit<T>(s, logits, match, j)).value;
  });
  if (match < 0) return sum.total();
  const S z = logistic_logit<S>(s, logits, match);
  return sum.total() + static_cast<double>(SoftplusOf<S>(-z).value);
}

template <class S>
LogisticSlopes logistic_gradient(Index n, const S* s, const Logits<S>& logits, Index match,
                                 S factor, S* g) {
  ElementSum<S> by_bias;
  ElementSum<S> by_scale;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T dz = SoftplusOf<T>(unmatched_logit<T>(s, logits, match, j)).slope * spread<T>(factor);
    by_bias += dz;
    by_scale += dz * load<T>(s + j);
    store(g + j, dz * spread<T>(logits.scale));
  });
  LogisticSlopes out{by_bias.total(), by_scale.total()};
  if (match < 0) return out;
  const S z = logistic_logit<S>(s, logits, match);
  const S dz = -SoftplusOf<S>(-z).slope * factor;
  out.bias += static_cast<double>(dz);
  out.scale += static_cast<double>(dz) * static_cast<double>(s[match]);
  g[match] = dz * logits.scale;
  return out;
}

template <class S>
LogisticSums logistic_sum_with_positives(Index n, const S* s, const Logits<S>& logits,
                                         const PositiveMask<S>& positives) {
  ElementSum<S> value;
  ElementSum<S> count;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T own = spread<T>(positives.own);
    const T key = load<T>(positives.key + j);
    const T zero = constant<T>(0);
    const T z = logistic_logit<T>(s, logits, j);
    value += SoftplusOf<T>(select_equal(key, own, zero - z, z)).value;
    count += select_equal(key, own, constant<T>(1), zero);
  });
  return {value.total(), count.total()};
}

template <class S>
LogisticSlopes logistic_gradient_with_positives(Index n, const S* s, const Logits<S>& logits,
                                                const PositiveMask<S>& positives, S factor, S* g) {
  ElementSum<S> by_bias;
  ElementSum<S> by_scale;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T own = spread<T>(positives.own);
    const T key = load<T>(positives.key + j);
    const T zero = constant<T>(0);
    const T z = logistic_logit<T>(s, logits, j);
    const T up = spread<T>(factor);
    const T dz = SoftplusOf<T>(select_equal(key, own, zero - z, z)).slope *
                 select_equal(key, own, zero - up, up);
    by_bias += dz;
    by_scale += dz * load<T>(s + j);
    store(g + j, dz * spread<T>(logits.scale));
  });
  return {by_bias.total(), by_scale.total()};
}

template <class S>
inline constexpr LogisticLoops<S> logistic_loops_here = {
    .sum = &logistic_sum<S>,
    .gradient = &logistic_gradient<S>,
    .sum_with_positives = &logistic_sum_with_positives<S>,
    .gradient_with_positives = &logistic_gradient_with_positives<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const LogisticLoops<S>& logistic_loops() {
  return logistic_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
