#pragma once

#include "nearfar/core/triplet_form.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// The loss of one triplet.

namespace nearfar::detail {

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

}  // namespace nearfar::detail
