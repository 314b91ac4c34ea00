#pragma once

#include <cmath>
#include <limits>

#include "nearfar/tiles/prepared_rows.hpp"

/// \file
/// A stretch of one row of the score matrix: from inner products to the kernel's scores, and from
/// the loss's derivative with respect to scores to the weights of the gradient products.

namespace nearfar::detail {

/// Keys of a stretch: what a row is shown at once, and the width of a tile.
inline constexpr Index stretch = 384;

/// Squared distance from the rows themselves: no digits lost to cancellation, however close the
/// rows are to each other and far from the origin. At most the largest finite S.
template <class S>
S squared_distance_of(const S* x, const S* y, Index depth) {
  using Array = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>;
  if (depth == 0) return 0;
  const Array a(x, depth);
  const Array b(y, depth);
  const S plain = (a - b).square().sum();
  constexpr S small = std::numeric_limits<S>::min() * S(1 << 24);
  constexpr S large = std::numeric_limits<S>::max() / S(1 << 24);
  if (plain > small && plain < large) return plain;
  // Out of comfortable range: in units of the largest difference, in double.
  const auto difference = a.template cast<double>() / 2 - b.template cast<double>() / 2;
  const double unit = difference.abs().maxCoeff();
  if (!(unit > 0)) return 0;
  return saturated<S>(4 * (unit * (unit * (difference / unit).square().sum())));
}

/// Row i as differences are taken of it. A mapped row exists only as prepared; others are taken as
/// the caller passed them, since centring rounds.
template <Kernel K, class S>
const S* plain_row(const PreparedRows<S>& x, Index i) {
  if (maps_queries<K>() || maps_keys<K>()) return x.row(i);
  return x.input.row(x.places != nullptr ? x.places[i] : i);
}

/// Share of |x|^2 + |y|^2 below which a squared distance of prepared rows may be off by more than
/// twice the promised relative error of a distance (1e-5 in float, 1e-12 in double) and is computed
/// again from the rows. A sum of `depth` products has an error of about sqrt(depth) roundings.
template <class S>
S near_share(Index depth) {
  constexpr double promised = sizeof(S) == sizeof(float) ? 1e-5 : 1e-12;
  constexpr double rounding = std::numeric_limits<S>::epsilon() / 2;
  const double share = (4 + std::sqrt(static_cast<double>(depth))) * rounding / (2 * promised);
  return static_cast<S>(std::min(share, 0.25));
}

/// Rows of length one to rounding have products that leave [-1, 1] by as much; cosines do not.
template <class T>
NEARFAR_ALWAYS_INLINE T clamped_cosine(T u) {
  return max(min(u, constant<T>(1)), constant<T>(-1));
}

/// What a row's scores need to know of both sides.
template <class S, Kernel K>
class ScoreRows {
 public:
  ScoreRows(Scratch& scratch, const K& kernel, const PreparedRows<S>& queries,
            const PreparedRows<S>& keys)
      : kernel_(kernel), queries_(queries), keys_(keys) {
    if constexpr (K::geometry == Geometry::squared_distance) {
      S* norms = scratch.take<S>(keys.rows);
      for (Index j = 0; j < keys.rows; ++j) norms[j] = saturated<S>(keys.squared_norm[j]);
      key_norms_ = norms;
      near_share_ = near_share<S>(keys.depth);
      // Past this, sums of squares may overflow: every pair is then computed from its rows.
      const double largest = std::sqrt(static_cast<double>(std::numeric_limits<S>::max())) / 4;
      all_from_rows_ = queries.largest_norm > largest || keys.largest_norm > largest;
    }
  }

  /// Whether a score is an inner product as it comes out of the product, at most clamped.
  static constexpr bool are_products = K::geometry != Geometry::squared_distance &&
                                       is_identity<K>() &&
                                       K::orientation == Orientation::similarity;

  /// Turns n inner products into scores, in place, and returns what they lie between.
  static Range<S> products_to_scores(Index n, S* u) requires are_products {
    Range<S> range = range_of(u, n);
    if constexpr (K::geometry == Geometry::cosine) {
      if (range.largest > S(1) || range.smallest < S(-1)) {  // seldom
        each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
          store(u + j, clamped_cosine(load<T>(u + j)));
        });
        range = {clamped_cosine(range.smallest), clamped_cosine(range.largest)};
      }
    }
    return range;
  }

  /// Turns inner products of row i with keys first .. first + n - 1 into the kernel's u, in place.
  NEARFAR_NOT_INLINE void inner_products_to_u(Index i, Index first, Index n, S* u) const {
    if constexpr (K::geometry == Geometry::cosine) {
      each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
        store(u + j, clamped_cosine(load<T>(u + j)));
      });
    }
    if constexpr (K::geometry == Geometry::squared_distance) {
      const S a = saturated<S>(queries_.squared_norm[i]);
      const S* b = key_norms_ + first;
      constexpr S tiny = std::numeric_limits<S>::min() * S(1 << 26);
      // Largest share * (|x|^2 + |y|^2) - q of the stretch: below -tiny, no pair is too near.
      S nearest = -std::numeric_limits<S>::max();
      const Index whole = round_down(n, Vec<S>::lanes);
      if (whole > 0) {
        using V = Vec<S>;
        const V va = V::broadcast(a);
        const V share = V::broadcast(near_share_);
        V lane_nearest = V::broadcast(nearest);
        for (Index j = 0; j < whole; j += V::lanes) {
          const V sum = va + V::load(b + j);
          const V q = multiply_add(V::broadcast(S(-2)), V::load(u + j), sum);
          lane_nearest = max(lane_nearest, share * sum - q);
          max(q, V::zero()).store(u + j);
        }
        nearest = lane_nearest.largest();
      }
      for (Index j = whole; j < n; ++j) {
        const S sum = a + b[j];
        const S q = multiply_add(S(-2), u[j], sum);
        nearest = std::max(nearest, near_share_ * sum - q);
        u[j] = std::max(q, S(0));
      }
      if (nearest > -tiny || all_from_rows_) {
        for (Index j = 0; j < n; ++j) {
          if (all_from_rows_ || u[j] <= near_share_ * (a + b[j]) + tiny) {
            u[j] = from_rows(i, first + j);
          }
        }
      }
    }
  }

  /// Scores for u; `buffer` is used only when the kernel is not the identity.
  NEARFAR_NOT_INLINE const S* scores(const S* u, Index n, S* buffer) const {
    if constexpr (is_identity<K>()) {
      static_cast<void>(n);
      static_cast<void>(buffer);
      return u;
    } else {
      each_element<S, is_vectorised<K>()>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
        store(buffer + j, kernel_.score(load<T>(u + j)));
      });
      return buffer;
    }
  }

  /// Turns g = dL/ds into the weights w of the gradient products, in the place of u, and returns
  /// the row's sum of w (squared_distance; 0 else).
  ///
  /// inner product, cosine: dX = W Y, w = g ds/du. Squared distance: |x - y|^2 has the derivative
  /// 2 (x - y), so dX = W Y + diag(r) X with w = -2 g ds/du and r_i = -sum_j w_ij.
  NEARFAR_NOT_INLINE double weights(Index n, const S* g, const S* s, S* u) const {
    constexpr bool distance = K::geometry == Geometry::squared_distance;
    ElementSum<S> sum;
    each_element<S, is_vectorised<K>()>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      T w = load<T>(g + j);
      if constexpr (!is_identity<K>()) {
        w = w * kernel_.slope(load<T>(u + j), load<T>(s + j));
      }
      if constexpr (distance) {
        w = w * constant<T>(-2);
        sum += w;
      }
      store(u + j, w);
    });
    return sum.total();
  }

 private:
  S from_rows(Index i, Index j) const {
    return squared_distance_of(plain_row<K>(queries_, i), plain_row<K>(keys_, j), keys_.depth);
  }

  const K& kernel_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  const S* key_norms_ = nullptr;  ///< squared norms as S (squared_distance)
  S near_share_ = 0;
  bool all_from_rows_ = false;
};

}  // namespace nearfar::detail
