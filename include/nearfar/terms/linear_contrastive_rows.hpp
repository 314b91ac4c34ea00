#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/simd.hpp"
#include "nearfar/tiles/relation.hpp"

/// \file
/// Linear hinges on pairs: positives nearer than one margin and negatives farther than another
/// rest.

namespace nearfar::detail {

/// Sums and counts of one kind of pair.
struct HingePairs {
  double sum = 0;           ///< of the hinges
  std::int64_t active = 0;  ///< pairs with a hinge above zero
};

/// Statistics of one anchor.
struct LinearContrastiveRow {
  HingePairs positives;
  HingePairs negatives;
};

/// What the hinges of each kind are multiplied by.
struct PairScales {
  double positive = 1;
  double negative = 1;
};

template <class S, int sign>
class LinearContrastiveRows {
 public:
  using Row = LinearContrastiveRow;

  LinearContrastiveRows(double positive_margin, double negative_margin, PairScales scales,
                        const Relation<S>& relation, const Upstream& upstream)
      : positive_margin_(positive_margin),
        negative_margin_(negative_margin),
        scales_(scales),
        relation_(relation),
        upstream_(upstream) {}

  Row start(Index) const { return {}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    Sums positives;
    Sums negatives;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T zero = constant<T>(0);
      positives.add(codes.if_positive(j, positive_hinge(load<T>(s + j)), zero));
      negatives.add(codes.if_positive(j, zero, negative_hinge(load<T>(s + j))));
    });
    positives.add_to(row.positives);
    negatives.add_to(row.negatives);
  }

  void close(Row&, Index) const {}

  void differentiate(Row&, Index i, Index first, Index n, const S* s, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    // A positive's hinge grows as it gets farther, a negative's as it gets nearer.
    const double above = sign * row_upstream(upstream_, i);
    const S positive = static_cast<S>(-above * scales_.positive);
    const S negative = static_cast<S>(above * scales_.negative);
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T zero = constant<T>(0);
      const T at = load<T>(s + j);
      store(g + j,
            codes.if_positive(j, select_equal(positive_hinge(at), zero, zero, spread<T>(positive)),
                              select_equal(negative_hinge(at), zero, zero, spread<T>(negative))));
    });
  }

  double value(const Row& row) const {
    return scales_.positive * row.positives.sum + scales_.negative * row.negatives.sum;
  }

 private:
  struct Sums {
    ElementSum<S> sum;
    ElementSum<S> active;

    template <class T>
    NEARFAR_ALWAYS_INLINE void add(T hinge) {
      const T zero = constant<T>(0);
      sum += hinge;
      active += select_equal(hinge, zero, zero, constant<T>(1));
    }
    void add_to(HingePairs& pairs) const {
      pairs.sum += sum.total();
      pairs.active += static_cast<std::int64_t>(active.total());
    }
  };

  template <class T>
  NEARFAR_ALWAYS_INLINE T positive_hinge(T s) const {
    const T over = constant<T>(positive_margin_) - s;
    return max(sign > 0 ? over : constant<T>(0) - over, constant<T>(0));
  }
  template <class T>
  NEARFAR_ALWAYS_INLINE T negative_hinge(T s) const {
    const T over = s - constant<T>(negative_margin_);
    return max(sign > 0 ? over : constant<T>(0) - over, constant<T>(0));
  }

  double positive_margin_;
  double negative_margin_;
  PairScales scales_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
