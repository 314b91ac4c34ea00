#pragma once

#include <algorithm>
#include <limits>

#include "arguments.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/result.hpp"

/// \file
/// The common arguments of every call: nearfar_call, nearfar_result, and which way it goes.

struct nearfar_workspace {
  nearfar::Workspace workspace;
};

namespace nearfar::detail::c {

enum class Direction { forward, forward_backward };

/// One call, forward or forward and backward.
class Pass {
 public:
  /// Throws std::invalid_argument on structs that are null or of another size, and on what a
  /// forward call has no use for.
  Pass(Direction direction, const nearfar_call* call, nearfar_result* result)
      : backward_(direction == Direction::forward_backward), result_(required("result", result)) {
    check_size<nearfar_result>("result", result->size);
    if (call != nullptr) call_ = required_of_size("call", call);
    check_count("call.upstream", call_.upstream.data, call_.upstream.count);
    if (backward_) return;
    if (call_.upstream.data != nullptr) {
      fail_argument("call.upstream", "none for a forward call", "numbers");
    }
    if (call_.d_parameter != nullptr) {
      fail_argument("call.d_parameter", "none for a forward call", "a gradient");
    }
  }

  /// Runs forward() or forward_backward(), as the call wants, and returns its result to the
  /// caller. `values`: how many values there are with Reduction::none. `steps`: of Cpc.
  template <class Forward, class ForwardBackward>
  void run(Reduction reduction, Index values, const Forward& forward,
           const ForwardBackward& forward_backward, Index steps = 0) {
    const Index wanted = reduction == Reduction::none ? values : 0;
    check_room("result.values", result_.values != nullptr, result_.values_capacity, wanted);
    check_room("result.step_losses, step_bounds",
               result_.step_losses != nullptr || result_.step_bounds != nullptr,
               result_.steps_capacity, steps);
    hand_out(backward_ ? forward_backward() : forward());
  }

  template <class S>
  CallOptions<S> options(Reduction reduction) const {
    return {.workspace = call_.workspace != nullptr ? &call_.workspace->workspace : nullptr,
            .d_parameter = gradient_of<S>("call.d_parameter", call_.d_parameter),
            .upstream = upstream(reduction)};
  }

 private:
  static void check_room(const char* name, bool given, std::int64_t room, Index wanted) {
    if (given && room < wanted) {
      fail_argument(name, "room for " + std::to_string(wanted) + " numbers", std::to_string(room));
    }
  }

  Upstream upstream(Reduction reduction) const {
    const nearfar_doubles& given = call_.upstream;
    if (given.data == nullptr) return {};
    if (reduction != Reduction::none && given.count == 1) return given.data[0];
    return {given.data, static_cast<Index>(given.count)};
  }

  template <class R>
  void hand_out(const R& from);

  bool backward_;
  nearfar_call call_ = {};
  nearfar_result& result_;
};

template <class R>
void Pass::hand_out(const R& from) {
  nearfar_result out = {};
  out.size = result_.size;
  out.values = result_.values;
  out.values_capacity = result_.values_capacity;
  out.step_losses = result_.step_losses;
  out.step_bounds = result_.step_bounds;
  out.steps_capacity = result_.steps_capacity;

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
  result_ = out;
}

}  // namespace nearfar::detail::c
