#pragma once

#include "nearfar/mining/anchor_row.hpp"
#include "nearfar/mining/mining.hpp"

/// \file
/// One triplet an anchor.

namespace nearfar::detail {

/// As the walk sees mining of one triplet an anchor: only the rows are chosen here. Ties go to the
/// lowest index.
template <class S, int sign>
class SelectedTriplets {
 public:
  using Row = AnchorTriplets;

  SelectedTriplets(PositiveChoice positive, NegativeChoice negative, double margin, Roles<S> roles,
                   AnchorScratch<S>* memory)
      : positive_(positive), negative_(negative), margin_(margin), roles_(roles), memory_(memory) {}

  Row row(Index i, int worker, Index n, const S* s, S*) const {
    const SortedPositives<S, sign> positives(roles_, i, n, s, memory_[worker]);
    Row row{0, 0, 0, 0, 0, 0, -1, -1};
    const auto distance = [&](Index j) { return S(-sign) * s[j]; };
    const auto each = [&](bool wanted, const auto& body) {
      for (Index j = 0; j < n; ++j) {
        if (wanted ? positives.is_positive(j) : positives.is_negative(j)) body(j);
      }
    };
    if (positives.count() == 0) return row;
    each_negative(positives, margin_, n, s, row, [](Index, double, const Ranks&) {});

    // The choice that depends on nothing comes first.
    Index positive = -1;
    Index negative = -1;
    const auto keep = [&](Index& best, Index j, bool farther) {
      if (best < 0 || (farther ? distance(j) > distance(best) : distance(j) < distance(best))) {
        best = j;
      }
    };
    if (positive_ != PositiveChoice::semihard) {
      each(true, [&](Index j) { keep(positive, j, positive_ == PositiveChoice::hard); });
    }
    each(false, [&](Index j) {
      if (negative_ != NegativeChoice::semihard) {
        keep(negative, j, negative_ == NegativeChoice::easy);
      } else if (distance(j) > distance(positive)) {
        keep(negative, j, false);
      }
    });
    if (positive_ == PositiveChoice::semihard && negative >= 0) {
      each(true, [&](Index j) {
        if (distance(j) < distance(negative)) keep(positive, j, true);
      });
    }
    if (positive >= 0 && negative >= 0) {
      row.positive = positive;
      row.negative = negative;
      row.terms = 1;
    }
    return row;
  }

 private:
  PositiveChoice positive_;
  NegativeChoice negative_;
  double margin_;
  Roles<S> roles_;
  AnchorScratch<S>* memory_;
};

}  // namespace nearfar::detail
