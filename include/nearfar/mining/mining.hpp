#pragma once

#include <cstdint>

/// \file
/// The choice of triplets of a labelled batch.

namespace nearfar {

/// The triplets (anchor, positive, negative) of a labelled batch that count, each once. In
/// distances d (minus the score for similarities) with margin m, a triplet is
/// - hard if d(a, n) <= d(a, p),
/// - semi-hard if d(a, p) < d(a, n) <= d(a, p) + m,
/// - easy if d(a, n) > d(a, p) + m
///
/// (Schroff et al., FaceNet, 2015, section 3.2).
enum class Mining {
  all,       ///< every triplet ("batch all", Hermans et al. 2017)
  hard,      ///< every hard triplet
  semihard,  ///< every semi-hard triplet
  easy,      ///< every easy triplet
  /// For each anchor its farthest positive and its nearest negative (Hermans et al. 2017, eq. 5).
  batch_hard,
  /// For each anchor one positive and one negative, by PositiveChoice and NegativeChoice.
  batch_easy_hard,
  /// For each anchor and each of its positives the nearest negative that is farther than the
  /// positive, or the farthest negative if there is none; as in TensorFlow Addons.
  semi_hard_per_pair,
  /// For each anchor and each of its positives one negative, drawn so that all distances have
  /// similar probabilities: see DistanceWeighting.
  distance_weighted
};

/// The positive of an anchor in Mining::batch_easy_hard.
enum class PositiveChoice {
  easy,      ///< the nearest (Xuan et al., Improved embeddings with easy positive triplet mining)
  semihard,  ///< the farthest that is nearer than the chosen negative; if none, no term
  hard       ///< the farthest
};

/// The negative of an anchor in Mining::batch_easy_hard.
enum class NegativeChoice {
  easy,      ///< the farthest
  semihard,  ///< the nearest that is farther than the chosen positive; if none, no term
  hard       ///< the nearest
};

/// Mining::distance_weighted: the probability of a negative at distance d of rows on the unit
/// sphere of n dimensions is proportional to 1 / q(max(d, nearest)), and 0 from `farthest` on, with
///
///     q(d) = d^(n - 2) (1 - d^2 / 4)^((n - 3) / 2)
///
/// the density of distances between random rows (Wu et al., Sampling matters in deep embedding
/// learning, 2017, section 4.1). Kernels of the cosine give d; with other kernels normalise the
/// rows. If an anchor has no negative nearer than `farthest`, all of its negatives have the same
/// probability. The draw depends on seed, step, anchor and positive alone; give every training step
/// its own `step`. The gradient is that of the drawn triplets.
struct DistanceWeighting {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  double nearest = 0.5;   ///< in (0, 2): nearer negatives have the probability of this distance
  double farthest = 1.4;  ///< > nearest: farther negatives are not drawn

  /// Calls visit("seed", o.seed...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("seed", o.seed...);
    visit("step", o.step...);
    visit("nearest", o.nearest...);
    visit("farthest", o.farthest...);
  }
};

}  // namespace nearfar
