#pragma once

#include <cmath>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/random.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/mining/counted_triplets.hpp"

/// \file
/// One drawn negative for each positive pair.

namespace nearfar::detail {

/// Distance of two rows of the unit sphere, from their score.
template <class S>
double unit_sphere_distance(const KernelValue<S>& kernel, double score) {
  if (kernel.is_distance()) {
    return kernel.function == ScoreFunction::identity ? std::sqrt(std::max(score, 0.0)) : score;
  }
  const double cosine = kernel.orientation == Orientation::similarity ? score : 1 - score;
  return std::sqrt(std::max(2 - 2 * cosine, 0.0));
}

/// The weights of negatives in one call, and its random numbers.
template <class S>
class DrawWeights {
 public:
  /// For rows of `depth` elements. The kernel must outlive the object.
  DrawWeights(const DistanceWeighting& weighting, const KernelValue<S>& kernel, Index depth)
      : weighting_(weighting), kernel_(kernel), depth_(static_cast<double>(depth)) {}

  /// log(1 / q) of a negative; -infinity if it cannot be drawn.
  double log(S score) const {
    const double d =
        std::max(unit_sphere_distance(kernel_, static_cast<double>(score)), weighting_.nearest);
    if (d >= weighting_.farthest) return -std::numeric_limits<double>::infinity();
    // Beyond the sphere's diameter, the density just inside of it.
    const double inside = std::max(1 - d * d / 4, 1e-8);
    return (2 - depth_) * portable::log(d) + (3 - depth_) / 2 * portable::log(inside);
  }

  /// A number in [0, 1), for an anchor and one of its positives.
  double unit(Index anchor, Index positive) const {
    return unit_interval(random_bits(weighting_.seed, weighting_.step,
                                     static_cast<std::uint64_t>(anchor),
                                     static_cast<std::uint64_t>(positive))[0]);
  }

 private:
  DistanceWeighting weighting_;
  const KernelValue<S>& kernel_;
  double depth_;
};

/// The miner of distance-weighted draws.
template <class S>
class SampledTriplets final : public RowMiner<S> {
 public:
  /// For `rows` anchors. `memory` has an AnchorScratch a thread. The upstream must outlive the
  /// miner.
  SampledTriplets(Scratch& scratch, Index rows, const DrawWeights<S>& weights,
                  const TripletCost& cost, int sign, const Roles<S>& roles,
                  AnchorScratch<S>* memory, const Upstream& upstream)
      : weights_(weights),
        cost_(cost),
        sign_(sign),
        roles_(roles),
        memory_(memory),
        upstream_(upstream),
        rows_(scratch.take<AnchorTriplets>(rows)) {}

  const AnchorTriplets& operator[](Index i) const { return rows_[i]; }
  AnchorTriplets* data() { return rows_; }

  void row(Index i, int worker, Index n, const S* s, S* g) override {
    AnchorScratch<S>& memory = memory_[worker];
    const SortedPositives<S> positives =
        positives_of_row(roles_, sign_, i, n, s, cost_.margin, memory);
    if (g != nullptr) std::fill(g, g + n, S(0));
    AnchorTriplets& row = rows_[i];
    row = {0, 0, 0, 0, 0, 0};
    if (positives.count() == 0) return;
    each_ranks(positives, sign_, memory.role, n, s, row, [](Index, Index, const KeyRanks<S>&) {});
    const double total = add_up(n, s, memory.role, memory.sums);
    if (!(total > 0)) return;  // no negatives
    for (Index r = 0; r < positives.count(); ++r) {
      const Index positive = positives.key(r);
      const Index negative = draw(i, positive, n, memory.sums);
      const TripletTerm term =
          cost_.of(positives.distance(r), -sign_ * static_cast<double>(s[negative]));
      ++row.terms;
      row.value += term.value;
      row.active += term.value > 0 ? 1 : 0;
      if (g == nullptr) continue;
      const S weight = static_cast<S>(-sign_ * row_upstream(upstream_, i) * term.slope);
      g[positive] += weight;
      g[negative] -= weight;
    }
  }

 private:
  /// Sets sums[j] to the sum of the weights of keys 0 .. j, and returns the last.
  double add_up(Index n, const S* s, const S* role, double* sums) const {
    const auto is_negative = [&](Index j) { return role[j] == Role<S>::negative; };
    double best = -std::numeric_limits<double>::infinity();
    for (Index j = 0; j < n; ++j) {
      if (is_negative(j)) best = std::max(best, weights_.log(s[j]));
    }
    const bool alike = std::isinf(best);
    double sum = 0;
    for (Index j = 0; j < n; ++j) {
      if (is_negative(j)) sum += alike ? 1 : portable::exp(weights_.log(s[j]) - best);
      sums[j] = sum;
    }
    return sum;
  }

  /// The first key whose sum is above a random number below the last sum: it has a weight above 0.
  Index draw(Index i, Index positive, Index n, const double* sums) const {
    // At most 1 - 2^-53 of the last sum, which rounds to a smaller number.
    const double at = weights_.unit(i, positive) * sums[n - 1];
    return std::upper_bound(sums, sums + n, at) - sums;
  }

  DrawWeights<S> weights_;
  TripletCost cost_;
  int sign_;
  Roles<S> roles_;
  AnchorScratch<S>* memory_;
  const Upstream& upstream_;
  AnchorTriplets* rows_;
};

}  // namespace nearfar::detail
