#pragma once

#include "nearfar/loops/double_hinges.hpp"
#include "nearfar/loops/impl/linear_contrastive.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// Scores of a row in double, and selections by their kind.
template <class S>
struct ScoresInDouble {
  const S* s;
  const PositiveMask<S>& positives;

  template <class T>
  NEARFAR_ALWAYS_INLINE T of_kind(Index k, T positive, T negative) const {
    return select_equal(spread<T>(static_cast<double>(positives.own)),
                        load_as_double<T>(positives.key + k), positive, negative);
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T of_kind(Index k, const ByKind<double>& numbers) const {
    return of_kind(k, spread<T>(numbers.positive), spread<T>(numbers.negative));
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T hinge(Index k, const DoubleHinges& of) const {
    const T score = load_as_double<T>(s + k) * spread<T>(of.unit);
    return hinge_of(of.sign, of_kind(k, spread<T>(of.bounds.positive) - score,
                                     score - spread<T>(of.bounds.negative)));
  }
};

template <class S>
ByKind<double> score_sums(Index n, const S* s, const PositiveMask<S>& positives) {
  const ScoresInDouble<S> scores{s, positives};
  ElementSum<double> of_positives;
  ElementSum<double> of_negatives;
  each_element<double>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T score = load_as_double<T>(s + k);
    of_positives += scores.of_kind(k, score, zero);
    of_negatives += scores.of_kind(k, zero, score);
  });
  return {of_positives.total(), of_negatives.total()};
}

/// Sums over hinges of one kind.
struct SquaredHingeSums {
  ElementSum<double> sum;
  ElementSum<double> squares;
  ElementSum<double> active;

  template <class T>
  NEARFAR_ALWAYS_INLINE void add(T hinge) {
    sum += hinge;
    squares.add(hinge, hinge);
    active += one_if_less(constant<T>(0), hinge);
  }
  NEARFAR_ALWAYS_INLINE SquaredHinges total() const {
    return {sum.total(), squares.total(), static_cast<Index>(active.total())};
  }
};

template <class S>
ByKind<SquaredHinges> squared_hinge_sums(Index n, const S* s, const PositiveMask<S>& positives,
                                         const DoubleHinges& hinges) {
  const ScoresInDouble<S> scores{s, positives};
  SquaredHingeSums of_positives;
  SquaredHingeSums of_negatives;
  each_element<double>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T hinge = scores.template hinge<T>(k, hinges);
    of_positives.add(scores.of_kind(k, hinge, zero));
    of_negatives.add(scores.of_kind(k, zero, hinge));
  });
  return {of_positives.total(), of_negatives.total()};
}

template <class S>
void linear_hinge_gradient(Index n, const S* s, const PositiveMask<S>& positives,
                           const DoubleHinges& hinges, const ByKind<double>& slopes, S* g) {
  const ScoresInDouble<S> scores{s, positives};
  each_element<double>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T hinge = scores.template hinge<T>(k, hinges);
    const T slope = scores.template of_kind<T>(k, slopes);
    store_from_double(g + k, select_less(zero, hinge, slope, zero));
  });
}

template <class S>
void squared_hinge_gradient(Index n, const S* s, const PositiveMask<S>& positives,
                            const DoubleHinges& hinges, const ByKind<double>& slopes,
                            const ByKind<double>& offsets, S* g) {
  const ScoresInDouble<S> scores{s, positives};
  each_element<double>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T hinge = scores.template hinge<T>(k, hinges);
    store_from_double(g + k, multiply_add(hinge, scores.template of_kind<T>(k, slopes),
                                          scores.template of_kind<T>(k, offsets)));
  });
}

template <class S>
inline constexpr DoubleHingeLoops<S> double_hinge_loops_here = {
    .score_sums = &score_sums<S>,
    .hinge_sums = &squared_hinge_sums<S>,
    .linear_gradient = &linear_hinge_gradient<S>,
    .square_gradient = &squared_hinge_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const DoubleHingeLoops<S>& double_hinge_loops() {
  return double_hinge_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
