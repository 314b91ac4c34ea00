#pragma once

#include "nearfar/sharded/exchange.hpp"

/// \file
/// Schedules for a batch whose rows are shared out to processes.

namespace nearfar {

/// The order in which shards are compared, for N rows of D elements in all on P processes. "Shard"
/// is the rows of one process.
enum class Schedule {
  /// Shards go round a ring, the next one under way while one is worked on. Extra memory a process
  /// O(shard x D). The same bits from run to run with the same split.
  ring,
  /// Shards pass all processes from the first to the last, so that every sum has the order of the
  /// whole batch: with shards of multiples of 384 rows the same bits for any number of processes,
  /// one included. Memory as in a ring; up to twice its time, as processes wait for those before.
  ordered,
  /// Everyone gets all rows, and every score is computed once instead of twice (InfoNCE, NT-Xent,
  /// CLIP, SupCon): less arithmetic for O(N D) memory a process. The same bits from run to run.
  all_gather
};

/// Treatment of gradients after the call, see Sharding.
enum class GradientScale {
  for_summing,   ///< gradients of parameters are summed over processes
  for_averaging  ///< they are averaged, as most data-parallel frameworks do
};

/// Where and how a sharded call runs: `loss.forward(world, x, ...)`, or
/// `loss.forward({world, Schedule::all_gather}, x, ...)`.
///
/// The loss is that of the global batch, the rows of all processes in order of ranks, reduced over
/// all of it. A process gets the gradient of that value for its own rows. Each process then carries
/// it through its own copy of the model; the sum over processes of the parameters' gradients is the
/// gradient one process with all rows would have. Frameworks that average divide it by their number
/// P: with GradientScale::for_averaging rows' gradients are P times as large. For a loss L of 2
/// processes, a model with one parameter w and rows x = w on both:
///
///     for_summing:    dL/dx on both, w's gradient is dL/dx_0 + dL/dx_1
///     for_averaging:  2 dL/dx on both, w's gradient is (2 dL/dx_0 + 2 dL/dx_1) / 2, the same
///
/// Gradients of learnable numbers (temperature, logit scale and bias) and of the kernel's matrix
/// are summed over processes already: all have the same, and neither sum nor scale is needed. (An
/// average leaves them alone.)
struct Sharding {
  Sharding(Exchange& on,  // NOLINT(google-explicit-constructor): the exchange is all one needs
           Schedule how = Schedule::ring, GradientScale scale = GradientScale::for_summing)
      : exchange(on), schedule(how), gradients(scale) {}

  Exchange& exchange;
  Schedule schedule;
  GradientScale gradients;
};

}  // namespace nearfar
