#pragma once

#include <Eigen/Core>
#include <atomic>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif

/// \file
/// The one place with threads. Tasks write to places of their own, or to common ones in an order
/// that is theirs and not the threads', so results have the same bits at any number of threads.

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

/// A task's place in a pipeline: each stage takes one task after another, in order of tasks.
class Ticket {
 public:
  /// `before`, null for the first task, and `own` count the stages a task has left behind.
  Ticket(Eigen::Index* before, Eigen::Index* own) : before_(before), own_(own) {}

  /// Returns once the task before has left `stage`, and with that all tasks before it.
  void wait_for(Eigen::Index stage) const {
    if (before_ == nullptr) return;
    const std::atomic_ref<Eigen::Index> left(*before_);
    for (int looks = 0; left.load(std::memory_order_acquire) <= stage; ++looks) {
      // With more threads than processors the one waited for may not be running.
      if (looks > 1000) std::this_thread::yield();
    }
  }

  /// This task has left all stages up to `stage`.
  void leave(Eigen::Index stage) const {
    std::atomic_ref<Eigen::Index>(*own_).store(stage + 1, std::memory_order_release);
  }

 private:
  Eigen::Index* before_;
  Eigen::Index* own_;
};

/// Runs body(task, thread, ticket) as parallel_tasks does, for tasks that add to common sums. What
/// a task does between ticket.wait_for(stage) and ticket.leave(stage) comes after what all tasks
/// before it did there; stages are left in ascending order, the last one, `stages` - 1, by every
/// task. `left` is memory for one number a task.
template <class Body>
void parallel_pipeline(Eigen::Index tasks, int threads, Eigen::Index* left, const Body& body) {
  for (Eigen::Index t = 0; t < tasks; ++t) left[t] = 0;
  const auto ticket = [&](Eigen::Index t) {
    return Ticket(t > 0 ? left + t - 1 : nullptr, left + t);
  };
#ifdef _OPENMP
  if (threads > 1 && tasks > 1) {
    // A ticket waits for a task that was taken before and so is running: none waits forever.
    std::atomic<Eigen::Index> next = 0;
#pragma omp parallel num_threads(threads)
    for (Eigen::Index t = next++; t < tasks; t = next++) body(t, omp_get_thread_num(), ticket(t));
    return;
  }
#else
  static_cast<void>(threads);
#endif
  for (Eigen::Index t = 0; t < tasks; ++t) body(t, 0, ticket(t));
}

}  // namespace nearfar::detail
