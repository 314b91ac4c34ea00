#pragma once

#include <limits>

#include "nearfar/loops/scores.hpp"

/// \file
/// Vector code of log-sum-exps: sums of exponentials of scores, and their gradients. An exponential
/// is 2^((nearness - reference) rate) with rate = log2(e) / tau and a reference that is at least
/// every nearness; nearness is sign * score.

namespace nearfar::detail {

template <class S>
struct ExponentialSums {
  double sum;     ///< of exponentials
  double moment;  ///< of exponentials times (nearness - reference)
};

template <class S>
struct PositiveSums {
  double negatives;  ///< of negatives' exponentials
  double positives;  ///< of positives' exponentials
  double scores;     ///< of positives' nearness
};

/// The gradient of a softmax: a negative's exponential times its factor; a positive's times the
/// factor of positives, less a share.
template <class S>
struct SoftmaxShares {
  S best;           ///< reference of negatives' exponentials
  S best_positive;  ///< reference of positives' exponentials
  S of_negatives;   ///< factors of exponentials
  S of_positives;
  S share;
  S from;  ///< the nearness that moments are relative to
};

/// Scores of `count` rows with `columns` keys; row r at data + r * stride, padded to whole vectors.
template <class S>
struct ScoreTile {
  S* data;
  Index stride;
  Index count;
  Index columns;
};

/// Class codes of a tile's rows and columns: a pair of equal codes is positive. Null if codes do
/// not define positives.
template <class S>
struct TileCodes {
  const S* rows;
  const S* columns;
};

/// Sums over a tile, one number a row and one a column.
template <class S>
struct TileSums {
  S* rows;
  S* columns;
  S* row_positives;     ///< sums of positives' scores; only with codes
  S* column_positives;  ///< likewise
  S* lanes;             ///< memory for two vectors a row
};

/// Factors of a tile's exponentials and positives, one number a row or column of it.
template <class S>
struct TileFactors {
  S* factors;
  S* references;  ///< scores that moments are relative to
  S* shares;      ///< of a positive; only with codes
};

/// The numbers of a side that TileFactors come from.
template <class S>
struct SideNumbers {
  const S* top;        ///< reference of a row's exponentials
  const S* factor;     ///< of these
  const S* reference;  ///< the score that moments are relative to
  const S* share;      ///< of a positive; null without codes
};

template <class S>
struct SoftmaxLoops {
  /// The sum of exponentials of n scores.
  double (*exponential_sum)(Index n, const S* s, int sign, S best, S rate);
  /// The same for scores that are nearness; the exponentials replace them.
  ExponentialSums<S> (*exponentiate)(Index n, S* s, S best, S rate);
  /// Sets g to factor times exponential; returns the sum of g (s - from).
  double (*gradient)(Index n, const S* s, int sign, S best, S rate, S factor, S from, S* g);

  /// The sum of g (s - from).
  double (*moment)(Index n, const S* g, const S* s, S from);
  /// Sets s[j] to value where sign * by[j] > threshold; returns the number of these j.
  Index (*replace_above)(Index n, const S* by, int sign, S threshold, S value, S* s);

  // For any number of positives a row.

  PositiveSums<S> (*sums_with_positives)(Index n, const S* s, int sign,
                                         const PositiveMask<S>& positives, S best, S rate);
  /// The largest nearness of a positive; the lowest finite number without positives.
  S (*largest_positive)(Index n, const S* s, int sign, const PositiveMask<S>& positives);
  /// The sum of positives' exponentials.
  double (*positive_sum)(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best,
                         S rate);
  /// Sets g by SoftmaxShares; returns the sum of g (nearness - from).
  double (*gradient_with_positives)(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                                    S rate, const SoftmaxShares<S>& shares, S* g);

  // One exponential for both sides of a score: tiles of nearness.

  void (*tile_sums)(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
                    const TileSums<S>& out);
  /// Turns scores into weights: an exponential times the sum of its row's and its column's factor,
  /// less shares. Returns the sum of each side's weights times (score - that side's reference).
  double (*tile_weights)(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
                         const TileFactors<S>& rows, const TileFactors<S>& columns);
  /// The factors of n rows or columns relative to a tile's reference; `padded` of them, the rest 0.
  void (*tile_factors)(Index n, Index padded, S reference, S rate, const SideNumbers<S>& side,
                       const TileFactors<S>& out);
};

template <class S>
const SoftmaxLoops<S>& softmax_loops();

/// A score that adds nothing to a tile's sums or weights, for any codes: its exponential is 0, and
/// products with it are finite.
template <class S>
inline constexpr S left_out = std::numeric_limits<S>::lowest() / 4;

}  // namespace nearfar::detail

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/loops/impl/softmax.hpp"
#endif
