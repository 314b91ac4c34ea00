#pragma once

#include <array>

#include "nearfar/core/result.hpp"
#include "nearfar/core/targets.hpp"

/// \file
/// The arguments of a call as a loss's public class hands them on.

namespace nearfar::detail {

/// Sets of rows and, for forward_backward, where their gradients go.
template <class S, int sets>
struct Inputs {
  std::array<Rows<S>, static_cast<std::size_t>(sets)> rows;
  std::array<GradientRows<S>, static_cast<std::size_t>(sets)> gradients;
  bool wants_gradients = false;
  CallOptions<S> options;
};

/// A set of rows compared with itself, or with references that have targets of their own; all of
/// the second set is unused when there is one.
template <class S>
struct LabelledInputs {
  Inputs<S, 2> sets;
  const Targets& targets;
  const Targets& reference_targets;
  bool has_references;
};

}  // namespace nearfar::detail
