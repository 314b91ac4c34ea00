#pragma once

/// \file
/// How the terms of a loss become its value.

namespace nearfar {

/// The value that a loss makes of its terms (each loss's page says what its terms are: an anchor's
/// loss, a pair's, a triplet's).
enum class Reduction {
  mean,          ///< sum of the terms / number of terms
  sum,           ///< sum of the terms
  mean_nonzero,  ///< sum of the terms / number of terms that are not zero; 0 when there are none
  none           ///< a value for each row; `upstream` is then a vector
};

/// Treatment of an unusable anchor, one without a gradient (no negative, or no other row to form a
/// pair with).
enum class UnusableAnchor {
  skip,  ///< it adds nothing, and the diagnostics count it
  error  ///< std::invalid_argument
};

}  // namespace nearfar
