#pragma once

#include <nearfar/core/parallel.hpp>

/// \file
/// The example's one place with threads. Work is cut into pieces whose size does not depend on the
/// number of threads and each piece writes to a place of its own, so results do not depend on it
/// either.

namespace example {

/// How many threads there are to use.
inline int available_threads() { return nearfar::detail::available_threads(0); }

/// Runs body(i) for i = 0 .. count-1, shared among the threads as the library's own work is: by as
/// many as pay, where other processes want the processors, too.
template <class Body>
void parallel_for(Eigen::Index count, const Body& body) {
  nearfar::detail::parallel_tasks(count, available_threads(),
                                  [&](Eigen::Index i, int) { body(i); });
}

/// Settles the number of threads of the whole program, and keeps Eigen from splitting matrix
/// products itself: it would split them differently for each number of threads.
inline void use_threads(int threads) {
  Eigen::setNbThreads(1);
#ifdef _OPENMP
  omp_set_num_threads(threads);
#else
  static_cast<void>(threads);
#endif
}

}  // namespace example
