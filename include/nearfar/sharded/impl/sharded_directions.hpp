#pragma once

#include <optional>

#include "nearfar/engine/directions.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"

/// \file
/// Distances between the directions u = x / |x| of the rows of all processes.

namespace nearfar::detail {

/// A call over directions, as a part of a call over rows that are packed for the cosine. Its rows
/// are directions relative to the centre of all directions, and its kernel is the squared distance.
/// One of the two calls is to settle, see Team, before the other goes on.
template <class S>
class ShardedDirections {
 public:
  /// With the directions of own rows places[0 .. count - 1] of `call`. Their gradients, if wanted,
  /// are written to the first rows of `gradients`.
  ShardedDirections(const char* name, ShardedCall<S>& call, const Index* places, Index count,
                    RowGradients<S>* gradients)
      : distance_(kernel_value<S>(SquaredEuclidean())),
        // Gradients for averaging are scaled once, by the call over rows.
        where_(call.where().exchange, call.where().schedule, GradientScale::for_summing,
               call.where().most_bytes_kept) {
    const PackedRows<S>& unit = call.rows(0);
    std::optional<CommonCentre<S>> centre;
    call.agree([&] { centre.emplace(call.scratch(), unit.depth); });
    call.team().sum_in_order(centre->numbers(), centre->size(), [&] {
      centre->add(Rows<S>(unit.data, unit.rows, unit.depth, unit.stride), call.threads());
    });
    Rows<S> rows;
    call.agree([&] {
      rows = directions_from(centre->point(call.all_rows(0)), call.scratch(), call.threads(), unit,
                             places, count);
    });
    call.team().settle();  // the other call has agreements of its own
    GradientRows<S> to;
    if (gradients != nullptr) {
      to = GradientRows<S>(gradients->data, count, unit.depth, unit.stride);
    }
    const ShardedInputs<S, 1> inputs{where_, {Chunks<S>(rows, to)}, gradients != nullptr, {}};
    struct {
    } const no_options;
    call_.emplace(
        distance_, Reduction::mean, introduction(name, distance_, inputs, no_options, {}),
        std::vector<ShardedSet<S>>{ShardedSet<S>("x", inputs.sets_of_rows[0])}, inputs, count,
        [] {}, &call.scratch());
  }

  ShardedCall<S>& call() { return *call_; }

 private:
  KernelValue<S> distance_;
  Sharding where_;
  std::optional<ShardedCall<S>> call_;
};

}  // namespace nearfar::detail
