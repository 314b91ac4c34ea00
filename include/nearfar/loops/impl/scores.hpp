#pragma once

#include "nearfar/loops/impl/rows.hpp"
#include "nearfar/loops/scores.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// `then` if key k is a positive, else `otherwise`.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T if_positive(const PositiveMask<S>& mask, Index k, T then, T otherwise) {
  return select_equal(spread<T>(mask.own), load<T>(mask.key + k), then, otherwise);
}
template <class T, class S>
NEARFAR_ALWAYS_INLINE T if_negative(const PositiveMask<S>& mask, Index k, T then, T otherwise) {
  return select_equal(spread<T>(mask.own), load<T>(mask.key + k), otherwise, then);
}

/// A score as nearness: itself, or its negative for a distance.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T nearness(int sign, const S* s) {
  return load<T>(s) * constant<T>(sign);
}

template <class S>
Range<S> range(Index n, const S* s) {
  return range_of(s, n);
}

template <class S>
Index count_zeros(Index n, const S* s) {
  Index count = 0;
  for (Index j = 0; j < n; ++j) count += s[j] <= S(0) ? 1 : 0;
  return count;
}

/// The merit of score j, or -infinity if it is above the range or a positive's.
template <class T, bool masked, class S>
NEARFAR_ALWAYS_INLINE T wanted_merit(const MeritRange<S>& range, const S* s,
                                     const PositiveMask<S>* positives, Index j) {
  const T none = spread<T>(-infinity<S>);
  const T merit = load<T>(s + j) * spread<T>(range.factor);
  const T wanted = select_less(spread<T>(range.most), merit, none, merit);
  if constexpr (masked) {
    return if_negative(*positives, j, wanted, none);
  } else {
    return wanted;
  }
}

template <bool masked, class S>
NEARFAR_ALWAYS_INLINE S largest_wanted_merit(const MeritRange<S>& range, const S* s,
                                             const PositiveMask<S>* positives, Index first,
                                             Index end) {
  ElementMax<S> largest[4];
  each_in_four<S>(end - first, [&]<class T>(Index j, Index k) NEARFAR_LAMBDA_INLINE {
    largest[k].see(wanted_merit<T, masked>(range, s, positives, first + j));
  });
  for (Index k = 1; k < 4; ++k) largest[0].see(largest[k].lanes);
  return largest[0].value();
}

/// If few scores are in the range, one comparison excludes most of them.
template <bool masked, class S>
Index merits_in_range(Index n, MeritRange<S> range, const S* s, const PositiveMask<S>* positives,
                      std::int32_t* places) {
  constexpr S lowest = std::numeric_limits<S>::lowest();
  range.least = max(range.least, lowest);  // above the merit of a masked score
  if (largest_wanted_merit<masked>(range, s, positives, 0, n) < range.least) return 0;
  constexpr Index some = 4 * Vec<S>::lanes;
  Index count = 0;
  for (Index first = 0; first < n; first += some) {
    const Index end = min(first + some, n);
    if (largest_wanted_merit<masked>(range, s, positives, first, end) < range.least) continue;
    for (Index j = first; j < end; ++j) {
      places[count] = static_cast<std::int32_t>(j);
      count += wanted_merit<S, masked>(range, s, positives, j) >= range.least ? 1 : 0;
    }
  }
  return count;
}

template <class S>
Index merits_in_range(Index n, const MeritRange<S>& range, const S* s,
                      const PositiveMask<S>* positives, std::int32_t* places) {
  return positives != nullptr ? merits_in_range<true>(n, range, s, positives, places)
                              : merits_in_range<false>(n, range, s, positives, places);
}

template <class T>
NEARFAR_ALWAYS_INLINE T clamped_cosine(T u) {
  return max(min(u, constant<T>(1)), constant<T>(-1));
}

template <class S>
void clamp_cosines(Index n, S* u) {
  each_element<S>(n, [&]<class T>(Index j)
                         NEARFAR_LAMBDA_INLINE { store(u + j, clamped_cosine(load<T>(u + j))); });
}

template <class S>
S squared_distances(Index n, S x_norm, const S* y_norms, S share, S* u) {
  ElementMax<S> nearest;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T sum = spread<T>(x_norm) + load<T>(y_norms + j);
    const T q = multiply_add(constant<T>(-2), load<T>(u + j), sum);
    nearest.see(spread<T>(share) * sum - q);
    store(u + j, max(q, constant<T>(0)));
  });
  return nearest.value();
}

template <class S>
void square_roots(Index n, const S* u, S* s) {
  each_element<S>(
      n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE { store(s + j, sqrt(load<T>(u + j))); });
}

template <class S>
void one_minus(Index n, const S* u, S* s) {
  each_element<S>(n, [&]<class T>(Index j)
                         NEARFAR_LAMBDA_INLINE { store(s + j, constant<T>(1) - load<T>(u + j)); });
}

template <class S>
void negate(Index n, const S* g, S* w) {
  each_element<S>(n, [&]<class T>(Index j)
                         NEARFAR_LAMBDA_INLINE { store(w + j, load<T>(g + j) * constant<T>(-1)); });
}

template <class S>
double distance_weights(Index n, const S* g, S* w) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T weight = load<T>(g + j) * constant<T>(-2);
    sum += weight;
    store(w + j, weight);
  });
  return sum.total();
}

template <class S>
double root_weights(Index n, const S* g, const S* s, S* w) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T weight = load<T>(g + j) * (constant<T>(-1) * reciprocal_or_zero(load<T>(s + j)));
    sum += weight;
    store(w + j, weight);
  });
  return sum.total();
}

template <class S>
void match(Index n, S own, const S* key, S* out) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(out + k, select_equal(spread<T>(own), load<T>(key + k), constant<T>(1), constant<T>(0)));
  });
}

template <class S>
inline constexpr ScoreLoops<S> score_loops_here = {
    .range = &range<S>,
    .count_zeros = &count_zeros<S>,
    .merits_in_range = &merits_in_range<S>,
    .clamp_cosines = &clamp_cosines<S>,
    .squared_distances = &squared_distances<S>,
    .square_roots = &square_roots<S>,
    .one_minus = &one_minus<S>,
    .negate = &negate<S>,
    .distance_weights = &distance_weights<S>,
    .root_weights = &root_weights<S>,
    .match = &match<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const ScoreLoops<S>& score_loops() {
  return score_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
