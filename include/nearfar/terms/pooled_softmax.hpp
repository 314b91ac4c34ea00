#pragma once

#include <algorithm>
#include <cmath>

#include "nearfar/engine/shared_exponentials.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

/// \file
/// Softmax over classes with several centres each: a pool turns a row's similarities to a class's
/// centres into one, and the softmax runs over those.

namespace nearfar::detail {

/// A class's similarity is that of its nearest centre.
template <class S>
class NearestCenter {
 public:
  /// Pools `classes` classes of `centers` scores each, one class after the other in s.
  void pool(int, Index classes, Index centers, const S* s, S* pooled) const {
    for (Index c = 0; c < classes; ++c) {
      const S* own = s + c * centers;
      S best = own[0];
      for (Index k = 1; k < centers; ++k) best = std::max(best, own[k]);
      pooled[c] = best;
    }
  }

  /// From dL/dz of each class, z the result of pool, to dL/ds, unless g is null. Returns dL/dgamma.
  double spread(int, Index classes, Index centers, const S* s, const S* pooled, const S* slopes,
                S* g) const {
    if (g == nullptr) return 0;
    std::fill_n(g, classes * centers, S(0));
    for (Index c = 0; c < classes; ++c) {
      g[c * centers + nearest(centers, s + c * centers, pooled[c])] = slopes[c];
    }
    return 0;
  }

  /// The centre of a class whose score is z.
  static Index nearest(Index centers, const S* s, S z) { return std::find(s, s + centers, z) - s; }
};

/// A class's similarity is the mean of its centres', weighted by their softmax at temperature
/// gamma.
template <class S>
class MeanCenter {
 public:
  MeanCenter(Scratch& scratch, int threads, Index length, double gamma)
      : gamma_(gamma),
        rate_(exponential_rate<S>(gamma)),
        length_(length),
        shares_(scratch.take<S>(Index(threads) * length)) {}

  void pool(int worker, Index classes, Index centers, const S* s, S* pooled) const {
    S* const e = shares(worker);
    for (Index c = 0; c < classes; ++c) {
      const S* own = s + c * centers;
      const S best = *std::max_element(own, own + centers);
      for (Index k = 0; k < centers; ++k) e[c * centers + k] = own[k] - best;
    }
    each_tile(0, classes * centers, [&](Index first, Index end) {
      softmax_loops<S>().exponentiate(end - first, e + first, S(0), rate_);
    });
    for (Index c = 0; c < classes; ++c) {
      S* const own = e + c * centers;
      const S* its = s + c * centers;
      S sum = 0;
      for (Index k = 0; k < centers; ++k) sum += own[k];
      const S inverse = 1 / sum;
      // Relative to the first centre: the mean of equal scores is exactly that score.
      S mean = 0;
      for (Index k = 0; k < centers; ++k) {
        own[k] *= inverse;
        mean += own[k] * (its[k] - its[0]);
      }
      pooled[c] = its[0] + mean;
    }
  }

  double spread(int worker, Index classes, Index centers, const S* s, const S* pooled,
                const S* slopes, S* g) const {
    const S* const p = shares(worker);
    const S inverse = static_cast<S>(1 / gamma_);
    double of_gamma = 0;
    for (Index c = 0; c < classes; ++c) {
      S variance = 0;
      for (Index k = c * centers; k < (c + 1) * centers; ++k) {
        const S apart = s[k] - pooled[c];
        if (g != nullptr) g[k] = slopes[c] * p[k] * (1 + apart * inverse);
        variance += p[k] * apart * apart;
      }
      of_gamma -= static_cast<double>(slopes[c]) * static_cast<double>(variance);
    }
    return of_gamma / gamma_ / gamma_;
  }

 private:
  S* shares(int worker) const { return shares_ + Index(worker) * length_; }

  double gamma_;
  S rate_;
  Index length_;
  S* shares_;  ///< softmax of each centre in its class, a row for each thread
};

/// change(i, s, z) replaces row i's similarity z with its own class, given its scores s with the
/// class's centres.
template <class S, class Pool, class Change>
class PooledSoftmax final : public RowMiner<S> {
 public:
  /// Arguments must outlive the object. Row i has class own[i] of `classes`. `learns`: of_gamma is
  /// wanted, even if no row's gradient is.
  PooledSoftmax(Scratch& scratch, int threads, Index rows, Index classes, Index centers,
                const Index* own, double temperature, const Upstream& upstream, const Pool& pool,
                const Change& change, bool learns)
      : classes_(classes),
        centers_(centers),
        own_(own),
        pool_(pool),
        change_(change),
        learns_(learns),
        changed_(scratch.take<ChangedScore<S>>(rows)),
        of_gamma_(scratch.take<double>(rows)),
        buffers_(scratch.take<S>(2 * Index(threads) * classes)),
        softmax_(scratch, rows,
                 {1, temperature, Denominator::with_positive, {.column = own, .changed = changed_}},
                 upstream) {}

  const OnePositiveSoftmax<S>& softmax() const { return softmax_; }
  /// dL_i/dgamma.
  double of_gamma(Index i) const { return of_gamma_[i]; }

  void row(Index i, int worker, Index, const S* s, S* g) override {
    S* const pooled = buffers_ + 2 * Index(worker) * classes_;
    S* const slopes = pooled + classes_;
    pool_.pool(worker, classes_, centers_, s, pooled);
    const Index own = own_[i];
    changed_[i] = change_(i, s + own * centers_, pooled[own]);
    std::copy_n(pooled, classes_, slopes);
    if (classes_ > 1) slopes[own] = std::numeric_limits<S>::lowest();
    const S largest = *std::max_element(slopes, slopes + classes_);
    softmax_.begin(i, largest, pooled[own]);
    each_tile(0, classes_, [&](Index first, Index end) {
      softmax_.exponentiate(i, first, end - first, slopes + first);
    });
    const InPlaceRow<S> closed = softmax_.finalise(i);
    slopes[own] = closed.positive;
    if (g == nullptr && !learns_) return;
    row_loops<S>().scale(classes_, closed.factor, slopes, slopes);
    of_gamma_[i] = pool_.spread(worker, classes_, centers_, s, pooled, slopes, g);
  }

 private:
  Index classes_;
  Index centers_;
  const Index* own_;
  const Pool& pool_;
  const Change& change_;
  bool learns_;
  ChangedScore<S>* changed_;
  double* of_gamma_;
  S* buffers_;  ///< similarities to classes and their derivatives, two rows for each thread
  OnePositiveSoftmax<S> softmax_;
};

}  // namespace nearfar::detail
