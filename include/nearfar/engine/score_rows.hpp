#pragma once

#include <atomic>
#include <cmath>
#include <limits>

#include "nearfar/engine/near_pairs.hpp"
#include "nearfar/engine/row_differences.hpp"
#include "nearfar/loops/scores.hpp"

/// \file
/// Part of one row of the score matrix: from inner products to the kernel's scores, and from the
/// loss's derivatives with respect to scores to the weights of the gradient products.

namespace nearfar::detail {

/// Keys of a tile, and the largest number of scores that a term gets at once.
inline constexpr Index tile_width = 384;

/// |x - y| = unit * root in double, for elements of any size.
struct DistanceParts {
  double unit;
  double root;
};

template <class S>
DistanceParts distance_parts(Index depth, const S* x, const S* y) {
  const auto half_difference = [&](Index k) {
    return static_cast<double>(x[k]) / 2 - static_cast<double>(y[k]) / 2;
  };
  double half = 0;
  for (Index k = 0; k < depth; ++k) half = std::max(half, std::abs(half_difference(k)));
  if (!(half > 0)) return {0, 0};
  double sum = 0;
  for (Index k = 0; k < depth; ++k) {
    const double share = half_difference(k) / half;
    sum += share * share;
  }
  return {half, 2 * std::sqrt(sum)};
}

/// True if a squared distance in S has neither overflowed nor underflowed.
template <class S>
bool has_all_digits(S squared) {
  constexpr S small = std::numeric_limits<S>::min() * S(1 << 24);
  constexpr S large = std::numeric_limits<S>::max() / S(1 << 24);
  return squared > small && squared < large;
}

/// Squared distance from the rows themselves. Cancellation costs no digits, even for rows that are
/// close to each other and far from the origin. At most the largest finite S.
template <class S>
S squared_distance_of_rows(Index depth, const S* x, const S* y) {
  if (depth == 0) return 0;
  const S plain = row_loops<S>().squared_distance(depth, x, y);
  if (has_all_digits(plain)) return plain;
  const DistanceParts d = distance_parts(depth, x, y);
  const double length = d.unit * d.root;
  return saturated<S>(length * length);
}

/// Distance from the rows themselves, also if its square overflows S; infinite if it overflows S
/// itself, and 0 if its inverse, which is part of the derivative's weight, may.
template <class S>
S distance_of_rows(Index depth, const S* x, const S* y) {
  if (depth == 0) return 0;
  const S plain = row_loops<S>().squared_distance(depth, x, y);
  if (has_all_digits(plain)) return std::sqrt(plain);
  const DistanceParts d = distance_parts(depth, x, y);
  constexpr auto most = static_cast<double>(std::numeric_limits<S>::max());
  constexpr auto least = static_cast<double>(std::numeric_limits<S>::min()) * (1 << 24);
  if (d.root > most / d.unit) return std::numeric_limits<S>::infinity();
  const double distance = d.unit * d.root;
  return distance < least ? S(0) : static_cast<S>(distance);
}

/// Share of |x|^2 + |y|^2 below which a squared distance of packed rows may have more than twice
/// the documented relative error of a distance (1e-5 in float, 1e-12 in double). It is then
/// computed again from the rows. A sum of `depth` products has an error of about sqrt(depth)
/// roundings.
template <class S>
S near_share(Index depth) {
  constexpr double promised = sizeof(S) == sizeof(float) ? 1e-5 : 1e-12;
  constexpr double rounding = std::numeric_limits<S>::epsilon() / 2;
  const double share = (4 + std::sqrt(static_cast<double>(depth))) * rounding / (2 * promised);
  return static_cast<S>(std::min(share, 0.25));
}

/// True if u, the squared distance of rows of these squared norms by their products, is below that
/// share, or so small that it may have lost digits.
template <class S>
bool is_near(S share, S u, S squared_norm, S other) {
  constexpr S tiny = std::numeric_limits<S>::min() * S(1 << 26);
  return u <= share * (squared_norm + other) + tiny;
}

/// Scores of a kernel for n geometry values: the values themselves, or `buffer`, filled from them.
template <class S>
const S* scores_of(const KernelValue<S>& kernel, Index n, const S* u, S* buffer) {
  switch (kernel.function) {
    case ScoreFunction::identity:
      return u;
    case ScoreFunction::square_root:
      score_loops<S>().square_roots(n, u, buffer);
      break;
    case ScoreFunction::one_minus:
      score_loops<S>().one_minus(n, u, buffer);
      break;
    case ScoreFunction::custom:
      kernel.scores(kernel.kernel, n, u, buffer);
      break;
  }
  return buffer;
}

/// Turns n derivatives g = dL/ds into dL/du, in place.
template <class S>
void chain_to_geometry(const KernelValue<S>& kernel, Index n, const S* u, const S* s, S* g) {
  switch (kernel.function) {
    case ScoreFunction::identity:
      break;
    case ScoreFunction::square_root:
      for (Index i = 0; i < n; ++i) g[i] *= s[i] > S(0) ? S(0.5) / s[i] : S(0);
      break;
    case ScoreFunction::one_minus:
      score_loops<S>().negate(n, g, g);
      break;
    case ScoreFunction::custom:
      kernel.chain(kernel.kernel, n, u, s, g);
      break;
  }
}

/// The kernel applied to rows of scores of queries with keys.
template <class S>
class ScoreRows {
 public:
  /// All arguments must outlive the object.
  ScoreRows(Scratch& scratch, const KernelValue<S>& kernel, const PackedRows<S>& queries,
            const PackedRows<S>& keys)
      : kernel_(kernel), queries_(queries), keys_(keys) {
    if (!kernel.is_distance()) return;
    S* norms = scratch.take<S>(keys.rows);
    for (Index j = 0; j < keys.rows; ++j) norms[j] = saturated<S>(keys.squared_norm[j]);
    key_norms_ = norms;
    near_share_ = near_share<S>(keys.depth);
    // Beyond these, sums of squares may overflow or underflow.
    const double large = std::sqrt(static_cast<double>(std::numeric_limits<S>::max())) / 4;
    const double small = std::sqrt(static_cast<double>(std::numeric_limits<S>::min())) * 4096;
    const double largest = std::max(queries.largest_norm, keys.largest_norm);
    all_from_rows_ = !(largest > small && largest < large);
    geometry_is_score_ = all_from_rows_ && kernel.function == ScoreFunction::square_root;
  }

  const KernelValue<S>& kernel() const { return kernel_; }

  /// Turns n inner products into scores, in place, and returns their range; for kernels whose
  /// scores are products.
  Range<S> products_to_scores(Index n, S* u) const {
    const Range<S> range = loops_.range(n, u);
    if (kernel_.geometry == Geometry::cosine && (range.largest > S(1) || range.smallest < S(-1))) {
      loops_.clamp_cosines(n, u);
      return {std::clamp(range.smallest, S(-1), S(1)), std::clamp(range.largest, S(-1), S(1))};
    }
    return range;
  }

  /// Turns inner products of row i with keys first .. first + n - 1 into geometry values, in place.
  /// For distances it sets the bits of near pairs, if they are wanted. `thread` is the
  /// number of the calling thread.
  void products_to_geometry(int thread, Index i, Index first, Index n, S* u,
                            const NearBits& near = {}) const {
    switch (kernel_.geometry) {
      case Geometry::inner_product:
        return;
      case Geometry::cosine:
        loops_.clamp_cosines(n, u);
        return;
      case Geometry::squared_distance:
        products_to_distances(thread, i, first, n, u, near);
        return;
    }
  }

  /// Scores for n geometry values: the values themselves, or `buffer`, filled from them.
  const S* scores(Index n, const S* u, S* buffer) const {
    return geometry_is_score_ ? u : scores_of(kernel_, n, u, buffer);
  }

  /// Throws std::domain_error if a computed distance overflowed S.
  void check_overflow() const {
    if (overflow_) fail_distance_overflow();
  }

  /// Turns g = dL/ds into the weights w of the gradient products, in place of u, and returns the
  /// row's sum of w (squared_distance; 0 else). Overwrites g.
  ///
  /// inner product, cosine: dX = W Y, w = g ds/du. Squared distance: |x - y|^2 has the derivative 2
  /// (x - y), so dX = W Y + diag(r) X with w = -2 g ds/du and r_i = -sum_j w_ij.
  ///
  /// Near pairs get their weights, but are not part of the sum: their gradients are not products.
  double weights(Index n, S* g, const S* s, S* u, const NearBits& near = {}) const {
    double sum = 0;
    Index first = 0;
    near.each(n, [&](Index j) {
      if (j > first) sum += weights_of_products(j - first, g + first, s + first, u + first);
      weights_of_products(1, g + j, s + j, u + j);
      first = j + 1;
    });
    if (n > first) sum += weights_of_products(n - first, g + first, s + first, u + first);
    return sum;
  }

 private:
  double weights_of_products(Index n, S* g, const S* s, S* u) const {
    switch (kernel_.function) {
      case ScoreFunction::identity:
        break;
      case ScoreFunction::square_root:  // of squared distances
        return loops_.root_weights(n, g, s, u);
      case ScoreFunction::one_minus:  // of cosines
        loops_.negate(n, g, u);
        return 0;
      case ScoreFunction::custom:
        kernel_.chain(kernel_.kernel, n, u, s, g);
        break;
    }
    if (kernel_.is_distance()) return loops_.distance_weights(n, g, u);
    std::copy_n(g, n, u);
    return 0;
  }

  void products_to_distances(int thread, Index i, Index first, Index n, S* u,
                             const NearBits& near) const {
    const S a = saturated<S>(queries_.squared_norm[i]);
    const S* b = key_norms_ + first;
    constexpr S tiny = std::numeric_limits<S>::min() * S(1 << 26);
    if (!all_from_rows_) {
      // If it is below -tiny, no pair is near.
      const S nearest = loops_.squared_distances(n, a, b, near_share_, u);
      if (!(nearest > -tiny)) return;
    }
    const auto set = [&](Index j, const S* x, const S* y) { u[j] = geometry_of_rows(x, y); };
    auto differences = row_differences<Index>(queries_, keys_, thread, set);
    for (Index j = 0; j < n; ++j) {
      if (all_from_rows_ || is_near(near_share_, u[j], a, b[j])) {
        differences.add(i, first + j, j);
        near.set(j);
      }
    }
    differences.finish();
  }

  S geometry_of_rows(const S* x, const S* y) const {
    if (!geometry_is_score_) return squared_distance_of_rows(keys_.depth, x, y);
    const S distance = distance_of_rows(keys_.depth, x, y);
    if (distance <= std::numeric_limits<S>::max()) return distance;
    overflow_ = true;
    return std::numeric_limits<S>::max();
  }

  const KernelValue<S>& kernel_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  const ScoreLoops<S>& loops_ = score_loops<S>();
  const S* key_norms_ = nullptr;  ///< squared norms as S (squared_distance)
  S near_share_ = 0;
  bool all_from_rows_ = false;
  bool geometry_is_score_ = false;  ///< distances in place of squares that overflow
  mutable std::atomic<bool> overflow_ = false;
};

}  // namespace nearfar::detail
