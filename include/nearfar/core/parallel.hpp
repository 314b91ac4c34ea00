#pragma once

#include <Eigen/Core>

#ifdef _OPENMP
#include <omp.h>
#endif

/// \file
/// The one place with threads. Tasks write to places of their own and never depend on which
/// thread runs them, so results have the same bits at any number of threads.

namespace nearfar::detail {

/// Threads a call may use: `wanted`, or what OpenMP would give here when `wanted` is 0. Inside a
/// caller's own parallel region that is one, unless the caller allowed nesting.
inline int available_threads(int wanted) {
#ifdef _OPENMP
  return wanted > 0 ? wanted : omp_get_max_threads();
#else
  static_cast<void>(wanted);
  return 1;
#endif
}

/// Runs body(task, thread) for task = 0 .. tasks-1, on at most `threads` threads, thread <
/// threads. The body must not throw: whatever can fail is done before.
template <class Body>
void parallel_tasks(Eigen::Index tasks, int threads, const Body& body) {
#ifdef _OPENMP
  if (threads > 1 && tasks > 1) {
    // Tasks are taken in order, one at a time: their costs differ, and who runs which is of no
    // consequence for the result.
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (Eigen::Index t = 0; t < tasks; ++t) body(t, omp_get_thread_num());
    return;
  }
#else
  static_cast<void>(threads);
#endif
  for (Eigen::Index t = 0; t < tasks; ++t) body(t, 0);
}

}  // namespace nearfar::detail
