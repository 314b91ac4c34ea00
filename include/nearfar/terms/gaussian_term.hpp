#pragma once

#include <algorithm>

#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/gaussian.hpp"

/// \file
/// Sums of Gaussian potentials.

namespace nearfar::detail {

/// A row's sums of exp(-t (q - nearest)), q a squared distance: Gaussians relative to that of the
/// nearest pair.
template <class S>
class GaussianTerm final : public RowTerm<S>, public NoNumbersAlong {
 public:
  GaussianTerm(Scratch& scratch, Index rows, double t, double nearest)
      : sharpness_(static_cast<S>(-t)),
        nearest_(static_cast<S>(nearest)),
        sums_(scratch.take<GaussianSums>(rows)) {}

  const GaussianSums& operator[](Index i) const { return sums_[i]; }

  void start(Index i) override { sums_[i] = {}; }
  void accumulate(Index i, Index, Index n, const S* s) override {
    merge(i, loops_.sums(n, s, sharpness_, nearest_));
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S* s, S* g) override {
    loops_.gradient(n, s, sharpness_, nearest_, g);
  }
  bool gradient_is_local() const override { return true; }

  // As VisitingTerm has them.

  using OpenRow = GaussianSums;
  using ClosedRow = NoClosedRow;

  GaussianTerm of_visitors(Scratch& scratch, Index rows) const {
    GaussianTerm out = *this;
    out.sums_ = scratch.take<GaussianSums>(rows);
    return out;
  }
  OpenRow open_row(Index i) const { return sums_[i]; }
  void merge(Index i, const OpenRow& more) {
    sums_[i].potentials += more.potentials;
    sums_[i].less_one += more.less_one;
  }

 private:
  const GaussianLoops<S>& loops_ = gaussian_loops<S>();
  S sharpness_;
  S nearest_;
  GaussianSums* sums_;
};

/// An empty term, for passes that find the range of the scores only.
template <class S>
class NoTerm final : public RowTerm<S> {
 public:
  void start(Index) override {}
  void accumulate(Index, Index, Index, const S*) override {}
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }
};

}  // namespace nearfar::detail
