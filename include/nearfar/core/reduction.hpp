#pragma once

/// \file
/// The reduction of a loss's terms to its value.

namespace nearfar {

/// The reduction of a loss's terms, which the page of the loss defines: the losses of anchors, of
/// pairs, of triplets.
enum class Reduction {
  mean,          ///< sum of the terms / number of terms
  sum,           ///< sum of the terms
  mean_nonzero,  ///< sum of the terms / number of terms that are not zero; 0 when there are none
  none           ///< a value for each row; `upstream` is then a vector
};

/// Treatment of an unusable anchor, an anchor without a gradient (no negative, or no other row to
/// form a pair with).
enum class UnusableAnchor {
  skip,  ///< it adds nothing, and the diagnostics count it
  error  ///< std::invalid_argument
};

}  // namespace nearfar
