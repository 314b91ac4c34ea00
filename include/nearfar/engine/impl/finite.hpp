#pragma once

#include <atomic>
#include <cmath>

#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/stored_rows.hpp"

namespace nearfar::detail {

template <class S>
void check_finite(const char* name, const Rows<S>& x, int threads) {
  constexpr Index per_task = 256;
  const Index tasks = (x.rows() + per_task - 1) / per_task;
  std::atomic<Index> first_bad{x.rows()};
  parallel_tasks(tasks, threads, [&](Index t, int) {
    const Index end = std::min(x.rows(), (t + 1) * per_task);
    for (Index i = t * per_task; i < end; ++i) {
      if (all_finite(x, i)) continue;
      Index seen = first_bad.load();
      while (i < seen && !first_bad.compare_exchange_weak(seen, i)) {
      }
      break;
    }
  });
  const Index i = first_bad.load();
  if (i == x.rows()) return;
  for (Index k = 0; k < x.cols(); ++k) {
    const S v = x(i, k);
    if (!is_finite(v)) fail_not_finite(name, i, k, static_cast<double>(v));
  }
}

}  // namespace nearfar::detail
