#pragma once

#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/ranked_list.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// The hinge of a pair, of the kind that the pair is of.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T ranked_hinge(const PositiveMask<S>& positives, Index k,
                                     const RankedListForm& form, T d) {
  const T over =
      if_positive(positives, k, d - constant<T>(form.inner), constant<T>(form.outer) - d);
  return max(over, constant<T>(0));
}

/// The weight of a pair with this hinge.
template <class T, class S>
NEARFAR_ALWAYS_INLINE T ranked_weight(const PositiveMask<S>& positives, Index k,
                                      const RankedListForm& form, const ByKind<S>& best, T hinge) {
  // The difference first: a large hinge would lose digits in the product.
  const T below =
      hinge - if_positive(positives, k, spread<T>(best.positive), spread<T>(best.negative));
  const T rate =
      if_positive(positives, k, constant<T>(form.rates.positive), constant<T>(form.rates.negative));
  const T zero = constant<T>(0);
  return select_less(zero, hinge, exp(below * rate), zero);
}

template <class S>
ByKind<S> largest_ranked_hinges(Index n, const S* d, const PositiveMask<S>& positives,
                                const RankedListForm& form) {
  ElementMax<S> of_positives;
  ElementMax<S> of_negatives;
  of_positives.see(S(0));
  of_negatives.see(S(0));
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T hinge = ranked_hinge(positives, k, form, load<T>(d + k));
    of_positives.see(if_positive(positives, k, hinge, zero));
    of_negatives.see(if_negative(positives, k, hinge, zero));
  });
  return {of_positives.value(), of_negatives.value()};
}

template <class S>
ByKind<WeightedHinges> ranked_hinge_sums(Index n, const S* d, const PositiveMask<S>& positives,
                                         const RankedListForm& form, const ByKind<S>& best) {
  ElementSum<S> weights[2];  // of positives, of negatives
  ElementSum<S> hinges[2];
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T hinge = ranked_hinge(positives, k, form, load<T>(d + k));
    const T weight = ranked_weight(positives, k, form, best, hinge);
    const T of_positive = if_positive(positives, k, weight, zero);
    const T of_negative = if_negative(positives, k, weight, zero);
    weights[0] += of_positive;
    weights[1] += of_negative;
    hinges[0] += of_positive * hinge;
    hinges[1] += of_negative * hinge;
  });
  return {{weights[0].total(), hinges[0].total()}, {weights[1].total(), hinges[1].total()}};
}

template <class S>
void ranked_list_gradient(Index n, const S* d, const PositiveMask<S>& positives,
                          const RankedListForm& form, const ByKind<S>& best,
                          const ByKind<S>& slopes, S* g) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T hinge = ranked_hinge(positives, k, form, load<T>(d + k));
    const T slope =
        if_positive(positives, k, spread<T>(slopes.positive), spread<T>(slopes.negative));
    store(g + k, ranked_weight(positives, k, form, best, hinge) * slope);
  });
}

template <class S>
inline constexpr RankedListLoops<S> ranked_list_loops_here = {
    .largest = &largest_ranked_hinges<S>,
    .sums = &ranked_hinge_sums<S>,
    .gradient = &ranked_list_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const RankedListLoops<S>& ranked_list_loops() {
  return ranked_list_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
