#pragma once

/// \file
/// An option of softmax losses.

namespace nearfar {

/// The denominator of a positive's exponential.
enum class Denominator {
  with_positive,  ///< the sum over the positive and all negatives: InfoNCE, NT-Xent
  negatives_only  ///< over the negatives: decoupled contrastive learning (Yeh et al. 2022, eq. 6)
};

}  // namespace nearfar
