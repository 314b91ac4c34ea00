#pragma once

#include "nearfar/terms/logistic.hpp"

/// \file
/// The loss of one triplet.

namespace nearfar {

/// How much a triplet that violates its margin costs.
enum class TripletForm {
  hinge,  ///< max(0, v)
  soft    ///< softplus(v) = log(1 + e^v)
};

namespace detail {

/// Loss and derivative for the violation v = d(a, p) - d(a, n) + margin.
struct TripletTerm {
  double value;
  double slope;

  TripletTerm(TripletForm form, double violation) {
    if (form == TripletForm::hinge) {
      value = violation > 0 ? violation : 0;
      slope = violation > 0 ? 1 : 0;
    } else {
      const Softplus<double> term(violation);
      value = term.value;
      slope = term.slope;
    }
  }
};

}  // namespace detail
}  // namespace nearfar
