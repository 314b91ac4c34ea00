#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "arguments.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/result.hpp"

/// \file
/// The common arguments of every call: nearfar_call, nearfar_result, and which way it goes.

struct nearfar_workspace {
  nearfar::Workspace workspace;
};

namespace nearfar::detail::c {

inline Workspace* workspace_of(nearfar_workspace* given) {
  return given != nullptr ? &given->workspace : nullptr;
}

/// Memory that a call reads or writes, by the name of the argument.
struct NamedPlace {
  std::string name;
  Place place;
};

/// Throws when memory that a call writes has an element in common with one of the others.
void check_apart(const NamedPlace& written, std::span<const NamedPlace> others);
/// The same of buffers that lie in one piece, also among each other.
void check_apart(std::span<const NamedPlace> buffers, std::span<const NamedPlace> others);

static_assert(static_cast<int>(Products::bfloat16) == NEARFAR_PRODUCTS_BFLOAT16);

enum class Direction { forward, forward_backward };

/// How many numbers a call has for the buffers of its result.
struct Counts {
  Index values = 0;  ///< with Reduction::none, else 0
  Index steps = 0;
  Index prefixes = 0;
};

/// One call, forward or forward and backward.
class Pass {
 public:
  /// Throws std::invalid_argument on structs that are null or of a size that they cannot have, and
  /// on what a forward call has no use for.
  Pass(Direction direction, const nearfar_call* call, nearfar_result* result);

  Direction direction() const { return direction_; }

  template <class S>
  CallOptions<S> options(Reduction reduction) const {
    return {.workspace = workspace_of(call_.workspace),
            .d_parameter = gradient_of<S>("call.d_parameter", call_.d_parameter),
            .upstream = upstream(reduction),
            .products = static_cast<Products>(call_.products)};
  }

  /// Call it before the loss. Throws when a buffer has no room for `counts`, or when memory that is
  /// written overlaps memory that is read: gradients that of `read`, buffers that and all other.
  /// Of gradients among each other the classes see to it.
  void check(const Counts& counts, std::vector<NamedPlace> read,
             const std::vector<NamedPlace>& gradients) const;

  /// Returns the loss's result to the caller.
  template <class R>
  void hand_out(const R& from) const;

 private:
  std::vector<NamedPlace> buffers(const Counts& counts) const;
  Upstream upstream(Reduction reduction) const;

  Direction direction_;
  nearfar_call call_ = {};
  nearfar_result& to_;  ///< may be smaller than its type
  nearfar_result result_;
};

template <class R>
void Pass::hand_out(const R& from) const {
  nearfar_result out = {};
  out.values = result_.values;
  out.values_capacity = result_.values_capacity;
  out.step_losses = result_.step_losses;
  out.step_bounds = result_.step_bounds;
  out.steps_capacity = result_.steps_capacity;
  out.prefix_values = result_.prefix_values;
  out.prefixes_capacity = result_.prefixes_capacity;

  out.value = from.value;
  out.values_count = static_cast<std::int64_t>(from.values.size());
  if (out.values != nullptr) std::copy(from.values.begin(), from.values.end(), out.values);
  const Diagnostics& d = from.diagnostics;
  out.anchors = d.anchors;
  out.anchors_without_positive = d.anchors_without_positive;
  out.anchors_without_negative = d.anchors_without_negative;
  out.terms = d.terms;
  out.active_terms = d.active_terms;
  out.zero_distances = d.zero_distances;
  out.false_negatives = d.false_negatives;
  out.smallest_score = d.smallest_score;
  out.largest_score = d.largest_score;
  out.ceiling = std::numeric_limits<double>::infinity();

  if constexpr (requires { from.d_temperature; }) out.d_temperature = from.d_temperature;
  if constexpr (requires { from.d_log_z; }) out.d_log_z = from.d_log_z;
  if constexpr (requires { from.d_logit_scale; }) out.d_logit_scale = from.d_logit_scale;
  if constexpr (requires { from.d_logit_bias; }) out.d_logit_bias = from.d_logit_bias;
  if constexpr (requires { from.d_beta; }) out.d_beta = from.d_beta;
  if constexpr (requires { from.d_scale; }) out.d_scale = from.d_scale;
  if constexpr (requires { from.d_lambda; }) out.d_lambda = from.d_lambda;
  if constexpr (requires { from.d_gamma; }) out.d_gamma = from.d_gamma;
  if constexpr (requires { from.ceiling; }) out.ceiling = from.ceiling;
  if constexpr (requires { from.positive_pairs; }) {
    out.positive_pairs = from.positive_pairs;
    out.negative_pairs = from.negative_pairs;
    out.active_positive_pairs = from.active_positive_pairs;
    out.active_negative_pairs = from.active_negative_pairs;
  }
  if constexpr (requires { from.hard_triplets; }) {
    out.hard_triplets = from.hard_triplets;
    out.semihard_triplets = from.semihard_triplets;
    out.easy_triplets = from.easy_triplets;
  }
  if constexpr (requires { from.steps; }) {
    out.steps_count = static_cast<std::int64_t>(from.steps.size());
    for (std::size_t k = 0; k < from.steps.size(); ++k) {
      if (out.step_losses != nullptr) out.step_losses[k] = from.steps[k].loss;
      if (out.step_bounds != nullptr) out.step_bounds[k] = from.steps[k].bound;
    }
  }
  if constexpr (requires { from.prefix_values; }) {
    out.prefixes_count = static_cast<std::int64_t>(from.prefix_values.size());
    if (out.prefix_values != nullptr) {
      std::copy(from.prefix_values.begin(), from.prefix_values.end(), out.prefix_values);
    }
  }
  const std::size_t size = to_.size;
  out.size = size;
  std::memcpy(&to_, &out, size);
}

}  // namespace nearfar::detail::c
