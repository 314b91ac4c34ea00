#pragma once

/// \file
/// An option that triplet losses have in common.

namespace nearfar {

/// How much a triplet that violates its margin costs.
enum class TripletForm {
  hinge,  ///< max(0, v)
  soft    ///< softplus(v) = log(1 + e^v)
};

}  // namespace nearfar
