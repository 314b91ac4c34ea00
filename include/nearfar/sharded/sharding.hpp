#pragma once

#include "nearfar/sharded/exchange.hpp"

/// \file
/// Schedules for a batch whose rows are split over processes.

namespace nearfar {

/// The order in which shards are compared. P processes have N rows of D elements in all; a shard is
/// the rows of one process.
enum class Schedule {
  /// Shards go round a ring, the next one under way while one is worked on. Scores that serve both
  /// of their rows are computed once. Extra memory a process O(shard x D). The same bits from run
  /// to run with the same split.
  ring,
  /// Shards pass through all processes from the first to the last, so that every sum has the order
  /// of the whole batch. With shards of multiples of 384 rows, results have the same bits for any
  /// number of processes, including one. Memory as for `ring`; up to twice the time, because
  /// processes wait for those before them.
  ordered,
  /// Everyone gets all rows, and keeps the scores of its own with all others until their gradients
  /// are computed: less arithmetic for InfoNCE, for O(N D) memory a process. The same bits from run
  /// to run.
  all_gather
};

/// The reduction of gradients after the call, see Sharding.
enum class GradientScale {
  for_summing,   ///< gradients of parameters are summed over processes
  for_averaging  ///< they are averaged, as in most data-parallel frameworks
};

/// The processes and the schedule of a sharded call: `loss.forward(world, x, ...)`, or
/// `loss.forward({world, Schedule::all_gather}, x, ...)`.
///
/// The loss is that of the global batch, the rows of all processes in order of ranks, with one
/// reduction over all of it. A process gets the gradient of that value for its own rows, and
/// propagates it through its own copy of the model. The sum over processes of the parameters'
/// gradients is the gradient of one process with all rows. Frameworks that average divide it by the
/// number of processes P: with GradientScale::for_averaging the gradients of rows are P times as
/// large. For a loss L of 2 processes, a model with one parameter w and rows x = w on both:
///
///     for_summing:    dL/dx on both, w's gradient is dL/dx_0 + dL/dx_1
///     for_averaging:  2 dL/dx on both, w's gradient is (2 dL/dx_0 + 2 dL/dx_1) / 2, the same
///
/// Gradients of learnable numbers (temperature, logit scale and bias) and of the kernel's matrix
/// are already summed over processes: they are the same on all, and need neither sum nor scale. (An
/// average does not change them.)
struct Sharding {
  Sharding(Exchange& on,  // NOLINT(google-explicit-constructor): the exchange is all one needs
           Schedule how = Schedule::ring, GradientScale scale = GradientScale::for_summing,
           Index bytes = Index(16) << 20)
      : exchange(on), schedule(how), gradients(scale), most_bytes_kept(bytes) {}

  Exchange& exchange;
  Schedule schedule;
  GradientScale gradients;
  /// >= 0: bytes of scores that this process keeps, from the round that finds the statistics of its
  /// rows to the round of the gradients, which then computes no products for them. Scores beyond
  /// that are computed twice. Results have the same bits for any number; processes may have
  /// different ones.
  Index most_bytes_kept;
};

}  // namespace nearfar
