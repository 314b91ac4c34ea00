#pragma once

#include <Eigen/Core>

#ifdef _OPENMP
#include <omp.h>
#endif

/// \file
/// The example's one place with threads. Work is cut into pieces whose size does not depend on the
/// number of threads and each piece writes to a place of its own, so results do not depend on it
/// either.

namespace example {

/// Runs body(i) for i = 0 .. count-1, shared among the threads.
template <class Body>
void parallel_for(Eigen::Index count, const Body& body) {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1)
#endif
  for (Eigen::Index i = 0; i < count; ++i) body(i);
}

/// How many threads there are to use.
inline int available_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
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
