#pragma once

#include <nearfar/core/parallel.hpp>

/// \file
/// All threads of the examples start here. Work is divided into pieces of a size that does not
/// depend on the number of threads, and each piece writes to its own place, so results do not
/// depend on it either.

namespace example {

/// The number of threads to use.
inline int available_threads() { return nearfar::detail::available_threads(0); }

/// Runs body(i) for i = 0 .. count-1, on several threads like the library's own work: on fewer if
/// other processes need the processors.
template <class Body>
void parallel_for(Eigen::Index count, const Body& body) {
  nearfar::detail::parallel_tasks(count, available_threads(),
                                  [&](Eigen::Index i, int) { body(i); });
}

/// Sets the number of threads of the whole program, and stops Eigen from dividing matrix products
/// itself, which it would do differently for each number of threads.
inline void use_threads(int threads) {
  Eigen::setNbThreads(1);
#ifdef _OPENMP
  omp_set_num_threads(threads);
#else
  static_cast<void>(threads);
#endif
}

}  // namespace example
