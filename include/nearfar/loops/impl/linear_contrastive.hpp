#pragma once

#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/linear_contrastive.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// max(0, over), for a distance max(0, -over).
template <class T>
NEARFAR_ALWAYS_INLINE T hinge_of(int sign, T over) {
  return max(over * constant<T>(sign), constant<T>(0));
}
template <class T, class S>
NEARFAR_ALWAYS_INLINE ByKind<T> pair_hinges(int sign, const ByKind<S>& margins, T s) {
  return {hinge_of(sign, spread<T>(margins.positive) - s),
          hinge_of(sign, s - spread<T>(margins.negative))};
}

/// Sums and counts of hinges, as vectors and single numbers.
template <class S>
struct LinearHingeSums {
  ElementSum<S> sum;
  ElementSum<S> active;

  template <class T>
  NEARFAR_ALWAYS_INLINE void add(T hinge) {
    const T zero = constant<T>(0);
    sum += hinge;
    active += select_equal(hinge, zero, zero, constant<T>(1));
  }
  NEARFAR_ALWAYS_INLINE LinearHinges total() const {
    return {sum.total(), static_cast<Index>(active.total())};
  }
};

template <class S>
ByKind<LinearHinges> pair_hinge_sums(Index n, const S* s, int sign,
                                     const PositiveMask<S>& positives, const ByKind<S>& margins) {
  LinearHingeSums<S> of_positives;
  LinearHingeSums<S> of_negatives;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const ByKind<T> hinges = pair_hinges(sign, margins, load<T>(s + k));
    of_positives.add(if_positive(positives, k, hinges.positive, zero));
    of_negatives.add(if_negative(positives, k, hinges.negative, zero));
  });
  return {of_positives.total(), of_negatives.total()};
}

template <class S>
void pair_hinge_gradient(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                         const ByKind<S>& margins, const ByKind<S>& slopes, S* g) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const ByKind<T> hinges = pair_hinges(sign, margins, load<T>(s + k));
    store(g + k,
          if_positive(positives, k,
                      select_equal(hinges.positive, zero, zero, spread<T>(slopes.positive)),
                      select_equal(hinges.negative, zero, zero, spread<T>(slopes.negative))));
  });
}

template <class S>
inline constexpr LinearContrastiveLoops<S> linear_contrastive_loops_here = {
    .sums = &pair_hinge_sums<S>,
    .gradient = &pair_hinge_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const LinearContrastiveLoops<S>& linear_contrastive_loops() {
  return linear_contrastive_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
