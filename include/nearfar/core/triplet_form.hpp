#pragma once

/// \file
/// An option of triplet losses.

namespace nearfar {

/// The cost of a triplet that violates its margin by v.
enum class TripletForm {
  hinge,  ///< max(0, v)
  soft    ///< softplus(v) = log(1 + e^v)
};

}  // namespace nearfar
