#pragma once

#include <cmath>

#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/centroids.hpp"
#include "nearfar/engine/row_term.hpp"

/// \file
/// The term of hinges between a row's distance to its own centroid and its distances to all others.

namespace nearfar::detail {

/// Statistics of one row.
struct CentroidRow {
  double own = 0;      ///< distance to the centroid of the other rows of its class
  double stretch = 0;  ///< own / distance to the centroid of its whole class; 0 for a class of one
  double value = 0;
  Index active = 0;
};

/// Scores are distances of rows and centroids; a centroid is the mean of all rows of its class.
template <class S>
class CentroidTerm final : public RowTerm<S> {
 public:
  /// `own` is the score of each row and the centroid of its class. The distance is the length to
  /// the `power`: 1, or 2 for squared distances.
  CentroidTerm(Scratch& scratch, Index rows, const Centroids<S>& centroids, const S* own,
               double margin, int power, const Upstream& upstream)
      : centroids_(centroids),
        margin_(margin),
        upstream_(upstream),
        rows_(scratch.take<CentroidRow>(rows)) {
    for (Index i = 0; i < rows; ++i) {
      rows_[i] = {};
      // x - (n mu - x) / (n - 1) = n / (n - 1) (x - mu)
      const auto n = static_cast<double>(centroids.size_of(i));
      if (n < 2) continue;
      const double ratio = n / (n - 1);
      rows_[i].stretch = power == 1 ? ratio : ratio * ratio;
      rows_[i].own = rows_[i].stretch * static_cast<double>(own[i]);
    }
  }

  const CentroidRow& operator[](Index i) const { return rows_[i]; }
  /// Whether row i has a positive.
  bool is_anchor(Index i) const { return rows_[i].stretch > 0; }

  void start(Index i) override {
    rows_[i].value = 0;
    rows_[i].active = 0;
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (!is_anchor(i)) return;
    const Index own = centroids_.classes()[i] - first;
    for (Index k = 0; k < n; ++k) {
      if (k == own) continue;
      const double hinge = this->hinge(i, s[k]);
      rows_[i].value += hinge;
      rows_[i].active += hinge > 0 ? 1 : 0;
    }
  }

  void close(Index) override {}
  double value(Index i) const override { return rows_[i].value; }

  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    std::fill_n(g, n, S(0));
    if (!is_anchor(i)) return;
    const double above = row_upstream(upstream_, i);
    const Index own = centroids_.classes()[i] - first;
    for (Index k = 0; k < n; ++k) {
      if (k == own) {
        g[k] = static_cast<S>(above * rows_[i].stretch * static_cast<double>(rows_[i].active));
      } else if (hinge(i, s[k]) > 0) {
        g[k] = static_cast<S>(-above);
      }
    }
  }

 private:
  double hinge(Index i, S s) const {
    return std::max(rows_[i].own - static_cast<double>(s) + margin_, 0.0);
  }

  const Centroids<S>& centroids_;
  double margin_;
  const Upstream& upstream_;
  CentroidRow* rows_;
};

}  // namespace nearfar::detail
