#pragma once

#include "nearfar/losses/circle.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Circle.
template <class S>
Result evaluate(const CircleOptions& options, const KernelValue<S>& kernel,
                const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Circle of a batch split over processes: the loss, options and kernels of nearfar::Circle over
/// the rows of all processes. Each process passes its own rows with their labels, in the same call;
/// Sharding defines value and gradients.
///
/// 3 to 4 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Circle : public LabelCalls<Circle<S, K>, S, Result> {
 public:
  /// Throws as nearfar::Circle does.
  explicit Circle(CircleOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const CircleOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::Circle<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/circle.hpp"
#endif
