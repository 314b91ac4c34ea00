#pragma once

#include <cmath>

#include "nearfar/core/random.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/mining/key_ranks.hpp"
#include "nearfar/mining/mining.hpp"
#include "nearfar/terms/triplet_term.hpp"

/// \file
/// One drawn negative for each positive pair.

namespace nearfar::detail {

/// Distance of two rows of the unit sphere, from their score.
template <Kernel K>
double unit_sphere_distance(double score) {
  if constexpr (K::geometry == Geometry::squared_distance) {
    return is_identity<K>() ? std::sqrt(std::max(score, 0.0)) : score;
  } else {
    const double cosine = K::orientation == Orientation::similarity ? score : 1 - score;
    return std::sqrt(std::max(2 - 2 * cosine, 0.0));
  }
}

/// As the walk sees mining by distance-weighted draws.
template <class S, Kernel K>
class SampledTriplets {
 public:
  using Row = AnchorTriplets;

  /// Rows have `depth` elements.
  SampledTriplets(const DistanceWeighting& weighting, TripletForm form, double margin, Index depth,
                  Roles<S> roles, AnchorScratch<S>* memory, const Upstream& upstream)
      : weighting_(weighting),
        form_(form),
        margin_(margin),
        depth_(static_cast<double>(depth)),
        roles_(roles),
        memory_(memory),
        upstream_(upstream) {}

  Row row(Index i, int worker, Index n, const S* s, S* g) const {
    AnchorScratch<S>& memory = memory_[worker];
    const SortedPositives<S> positives = positives_of_row<sign>(roles_, i, n, s, margin_, memory);
    if (g != nullptr) std::fill(g, g + n, S(0));
    Row row{0, 0, 0, 0, 0, 0};
    if (positives.count() == 0) return row;
    each_ranks<sign>(positives, memory.role, n, s, row, [](Index, Index, const KeyRanks<S>&) {});
    const double total = add_up(n, s, memory.role, memory.sums);
    if (!(total > 0)) return row;  // no negatives
    for (Index r = 0; r < positives.count(); ++r) {
      const Index positive = positives.key(r);
      const Index negative = draw(i, positive, n, memory.sums);
      const double farther = static_cast<double>(positives.distance(r));
      const TripletTerm term(form_, farther + sign * static_cast<double>(s[negative]) + margin_);
      ++row.terms;
      row.value += term.value;
      row.active += term.value > 0 ? 1 : 0;
      if (g == nullptr) continue;
      const S weight = static_cast<S>(-sign * row_upstream(upstream_, i) * term.slope);
      g[positive] += weight;
      g[negative] -= weight;
    }
    return row;
  }

 private:
  static constexpr int sign = nearness_sign<K>;

  /// log(1 / q) of a negative; -infinity where it can't be drawn.
  double log_weight(S score) const {
    const double d =
        std::max(unit_sphere_distance<K>(static_cast<double>(score)), weighting_.nearest);
    if (d >= weighting_.farthest) return -std::numeric_limits<double>::infinity();
    // Beyond the sphere's diameter the density is that just inside of it.
    const double inside = std::max(1 - d * d / 4, 1e-8);
    return (2 - depth_) * std::log(d) + (3 - depth_) / 2 * std::log(inside);
  }

  /// Sets sums[j] to the sum of the weights of keys 0 .. j, and returns the last.
  double add_up(Index n, const S* s, const S* role, double* sums) const {
    const auto is_negative = [&](Index j) { return role[j] == Role<S>::negative; };
    double best = -std::numeric_limits<double>::infinity();
    for (Index j = 0; j < n; ++j) {
      if (is_negative(j)) best = std::max(best, log_weight(s[j]));
    }
    const bool alike = std::isinf(best);
    double sum = 0;
    for (Index j = 0; j < n; ++j) {
      if (is_negative(j)) sum += alike ? 1 : std::exp(log_weight(s[j]) - best);
      sums[j] = sum;
    }
    return sum;
  }

  /// The first key whose sum is above a number drawn below the last sum: never one of weight 0.
  Index draw(Index i, Index positive, Index n, const double* sums) const {
    const auto bits = random_bits(weighting_.seed, weighting_.step, static_cast<std::uint64_t>(i),
                                  static_cast<std::uint64_t>(positive));
    // At most 1 - 2^-53 of the last sum, which rounds to less than it.
    const double at = unit_interval(bits[0]) * sums[n - 1];
    return std::upper_bound(sums, sums + n, at) - sums;
  }

  DistanceWeighting weighting_;
  TripletForm form_;
  double margin_;
  double depth_;
  Roles<S> roles_;
  AnchorScratch<S>* memory_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
