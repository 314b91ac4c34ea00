#pragma once

#include <array>

#include "nearfar/core/result.hpp"
#include "nearfar/core/targets.hpp"

/// \file
/// The arguments of a call, in the form in which the public class of a loss passes them on.

namespace nearfar::detail {

/// Sets of rows and, for forward_backward, the destinations of their gradients.
template <class S, int sets>
struct Inputs {
  std::array<Rows<S>, static_cast<std::size_t>(sets)> rows;
  std::array<GradientRows<S>, static_cast<std::size_t>(sets)> gradients;
  bool wants_gradients = false;
  CallOptions<S> options;
};

/// A set of rows compared with itself, or with references that have their own targets. The members
/// of the references are unused if there is one set.
template <class S>
struct LabelledInputs {
  Inputs<S, 2> sets;
  const Targets& targets;
  const Targets& reference_targets;
  bool has_references;
};

}  // namespace nearfar::detail
