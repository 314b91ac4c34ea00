#pragma once

/// \file
/// Which triplets of a labelled batch take part.

namespace nearfar {

/// Which triplets (anchor, positive, negative) of a labelled batch take part, each once. In
/// distances d (minus the score for similarities) with margin m, a triplet is
/// - hard when d(a, n) <= d(a, p),
/// - semi-hard when d(a, p) < d(a, n) <= d(a, p) + m,
/// - easy when d(a, n) > d(a, p) + m
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
  /// positive, or, where there is none, the farthest negative; as in TensorFlow Addons.
  semi_hard_per_pair
};

/// Which positive an anchor takes in Mining::batch_easy_hard.
enum class PositiveChoice {
  easy,      ///< the nearest (Xuan et al., Improved embeddings with easy positive triplet mining)
  semihard,  ///< the farthest that is nearer than the chosen negative; none: the anchor has no term
  hard       ///< the farthest
};

/// Which negative an anchor takes in Mining::batch_easy_hard.
enum class NegativeChoice {
  easy,      ///< the farthest
  semihard,  ///< the nearest that is farther than the chosen positive; none: no term
  hard       ///< the nearest
};

}  // namespace nearfar
