#pragma once

#include "nearfar/loops/linear_contrastive.hpp"

/// \file
/// Vector code of hinges on pairs, computed in double: max(0, bound - s) of a positive and
/// max(0, s - bound) of a negative; for distances, whose sign is -1, with the opposite sign.

namespace nearfar::detail {

struct SquaredHinges {
  double sum;  ///< of hinges
  double squares;
  Index active;  ///< hinges above zero
};

/// The hinges of a row: its scores are multiplied by `unit` first.
struct DoubleHinges {
  int sign;
  double unit;
  ByKind<double> bounds;
};

template <class S>
struct DoubleHingeLoops {
  /// Sums of scores.
  ByKind<double> (*score_sums)(Index n, const S* s, const PositiveMask<S>& positives);
  ByKind<SquaredHinges> (*hinge_sums)(Index n, const S* s, const PositiveMask<S>& positives,
                                      const DoubleHinges& hinges);
  /// Sets g to the slope of the pair's kind if its hinge is above zero, else to 0.
  void (*linear_gradient)(Index n, const S* s, const PositiveMask<S>& positives,
                          const DoubleHinges& hinges, const ByKind<double>& slopes, S* g);
  /// Sets g to the hinge times the slope of its kind, and the offset of its kind.
  void (*square_gradient)(Index n, const S* s, const PositiveMask<S>& positives,
                          const DoubleHinges& hinges, const ByKind<double>& slopes,
                          const ByKind<double>& offsets, S* g);
};

template <class S>
const DoubleHingeLoops<S>& double_hinge_loops();

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/double_hinges.hpp"
#endif
