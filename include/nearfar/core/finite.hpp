#pragma once

#include <atomic>
#include <cmath>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/parallel.hpp"

/// \file
/// The check that inputs are finite.

namespace nearfar::detail {

/// Throws std::domain_error naming the first element of x, in row order, that is NaN or infinite.
template <class S>
void check_finite(const char* name, const Rows<S>& x, int threads) {
  constexpr Index per_task = 256;
  const Index tasks = (x.rows() + per_task - 1) / per_task;
  std::atomic<Index> first_bad{x.rows()};
  parallel_tasks(tasks, threads, [&](Index t, int) {
    const Index end = std::min(x.rows(), (t + 1) * per_task);
    for (Index i = t * per_task; i < end; ++i) {
      // x * 0 is 0 for a finite x and NaN otherwise: one sum says whether a row is worth a search.
      S sum = 0;
      const Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>> row(x.row(i), x.cols());
      if (x.cols() > 0) sum = (row * S(0)).sum();
      if (sum == S(0)) continue;
      Index seen = first_bad.load();
      while (i < seen && !first_bad.compare_exchange_weak(seen, i)) {
      }
      break;
    }
  });
  const Index i = first_bad.load();
  if (i == x.rows()) return;
  for (Index k = 0; k < x.cols(); ++k) {
    if (!std::isfinite(x.row(i)[k])) {
      fail_not_finite(name, i, k, static_cast<double>(x.row(i)[k]));
    }
  }
}

}  // namespace nearfar::detail
