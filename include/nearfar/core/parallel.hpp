#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif

/// All threads of the library start here. Tasks write to separate places, or to common ones in an
/// order that depends on the tasks and not on the threads, so results have the same bits at any
/// number of threads.

namespace nearfar::detail {

/// The number of threads a call may use: `wanted`, or OpenMP's number if `wanted` is 0. Inside a
/// parallel region of the caller it is one, unless the caller allows nesting.
inline int available_threads(int wanted) {
#ifdef _OPENMP
  return wanted > 0 ? wanted : omp_get_max_threads();
#else
  static_cast<void>(wanted);
  return 1;
#endif
}

/// Two clocks, in seconds: wall time, and the time that the calling thread has run.
struct Clocks {
#ifdef _OPENMP
  static double world() { return omp_get_wtime(); }
#else
  static double world() { return 0; }
#endif
#ifdef CLOCK_THREAD_CPUTIME_ID
  static double own() {
    std::timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
#else
  static double own() { return world(); }
#endif
};

/// Detects that other processes need the processors. A thread of the call may then wait for a
/// processor while others wait for it, and a call on several threads can take a hundred times as
/// long as on one. If the threads of a part of a call together got less done than one thread alone
/// does, the following parts, of this and other calls, run on one thread for twenty times the
/// duration of that part. In total, a call takes at most a twentieth longer than on one thread.
/// Results do not depend on it. NEARFAR_ALL_THREADS in the environment, which tests of threads
/// need, turns it off.
class BusyProcessors {
 public:
  static bool suspected() {
    static const bool ignored = std::getenv("NEARFAR_ALL_THREADS") != nullptr;
    return !ignored && left().load(std::memory_order_relaxed) > 0;
  }

  /// Reports a part that ran on one thread although several could have shared it.
  static void add_alone(double seconds) { left().fetch_sub(seconds, std::memory_order_relaxed); }

  /// Reports a part that took `seconds` on several threads, which worked for `work` seconds in all.
  static void add_together(double seconds, double work) {
    if (seconds > work) left().store(20 * seconds, std::memory_order_relaxed);
  }

 private:
  /// Seconds that remain on one thread.
  static std::atomic<double>& left() {
    static std::atomic<double> seconds = 0;
    return seconds;
  }
};

/// Measures the time of a thread without the time it waits for others. The destructor adds it to a
/// sum.
class OwnWork {
 public:
  explicit OwnWork(std::atomic<double>& sum) : sum_(sum) {}
  ~OwnWork() { sum_.fetch_add(Clocks::own() - begin_ - waited, std::memory_order_relaxed); }
  OwnWork(const OwnWork&) = delete;
  OwnWork& operator=(const OwnWork&) = delete;

  double waited = 0;

 private:
  std::atomic<double>& sum_;
  double begin_ = Clocks::own();
};

/// Runs serial(), or together(work) on several threads, each of which adds its OwnWork. together
/// returns the number of threads, which is one inside a caller's parallel region.
template <class Serial, class Together>
void run_part(const Serial& serial, const Together& together) {
  const double begin = Clocks::world();
  if (BusyProcessors::suspected()) {
    serial();
    BusyProcessors::add_alone(Clocks::world() - begin);
    return;
  }
  std::atomic<double> work = 0;
  if (together(work) > 1) BusyProcessors::add_together(Clocks::world() - begin, work);
}

/// Runs body(task, thread) for task = 0 .. tasks-1, on at most `threads` threads, thread < threads.
/// The body must not throw: all code that can throw runs before it.
template <class Body>
void parallel_tasks(Eigen::Index tasks, int threads, const Body& body) {
  const auto serial = [&] {
    for (Eigen::Index t = 0; t < tasks; ++t) body(t, 0);
  };
#ifdef _OPENMP
  if (threads > 1 && tasks > 1) {
    const int team = static_cast<int>(std::min<Eigen::Index>(threads, tasks));
    run_part(serial, [&](std::atomic<double>& work) {
      int count = 1;
#pragma omp parallel num_threads(team)
      {
        const OwnWork mine(work);
        // `omp master` is deprecated in OpenMP 5.1, and older compilers lack its successor.
        if (omp_get_thread_num() == 0) {
          count = omp_get_num_threads();
        }
        // Threads take tasks in order, one at a time, because their costs differ. The result does
        // not depend on the thread of a task.
#pragma omp for schedule(dynamic, 1) nowait
        for (Eigen::Index t = 0; t < tasks; ++t) body(t, omp_get_thread_num());
      }
      return count;
    });
    return;
  }
#else
  static_cast<void>(threads);
#endif
  serial();
}

/// A task's position in a pipeline: each stage takes one task after another, in order of tasks.
class Ticket {
 public:
  /// `before` and `own` count the stages that the previous task and this one have left; `before` is
  /// null for the first task. `waited`, unless it is null, increases by the seconds of the thread's
  /// own time spent waiting.
  Ticket(Eigen::Index* before, Eigen::Index* own, double* waited)
      : before_(before), own_(own), waited_(waited) {}

  /// Returns once the previous task has left `stage`, and thus all tasks before it.
  void wait_for(Eigen::Index stage) const {
    if (before_ == nullptr) return;
    const std::atomic_ref<Eigen::Index> left(*before_);
    double begin = 0;
    for (int looks = 0; left.load(std::memory_order_acquire) <= stage; ++looks) {
      if (looks < 1000) continue;
      if (looks == 1000 && waited_ != nullptr) begin = Clocks::own();
      // With more threads than processors the other thread may not be running.
      std::this_thread::yield();
    }
    if (begin > 0) *waited_ += Clocks::own() - begin;
  }

  /// Marks all stages up to `stage` as left by this task.
  void leave(Eigen::Index stage) const {
    std::atomic_ref<Eigen::Index>(*own_).store(stage + 1, std::memory_order_release);
  }

 private:
  Eigen::Index* before_;
  Eigen::Index* own_;
  double* waited_;
};

/// Runs body(task, thread, ticket) as parallel_tasks does, for tasks that add to common sums. The
/// code of a task between ticket.wait_for(stage) and ticket.leave(stage) runs after that of all
/// tasks before it. Every task leaves the stages in ascending order, up to the last one, `stages` -
/// 1. `left` is memory for one number a task.
template <class Body>
void parallel_pipeline(Eigen::Index tasks, int threads, Eigen::Index* left, const Body& body) {
  for (Eigen::Index t = 0; t < tasks; ++t) left[t] = 0;
  const auto ticket = [&](Eigen::Index t, double* waited) {
    return Ticket(t > 0 ? left + t - 1 : nullptr, left + t, waited);
  };
  const auto serial = [&] {
    for (Eigen::Index t = 0; t < tasks; ++t) body(t, 0, ticket(t, nullptr));
  };
#ifdef _OPENMP
  if (threads > 1 && tasks > 1) {
    const int team = static_cast<int>(std::min<Eigen::Index>(threads, tasks));
    run_part(serial, [&](std::atomic<double>& work) {
      // There is no deadlock: a ticket waits for a task that was taken earlier, and thus runs.
      std::atomic<Eigen::Index> next = 0;
      int count = 1;
#pragma omp parallel num_threads(team)
      {
        OwnWork mine(work);
        if (omp_get_thread_num() == 0) {
          count = omp_get_num_threads();
        }
        for (Eigen::Index t = next++; t < tasks; t = next++) {
          body(t, omp_get_thread_num(), ticket(t, &mine.waited));
        }
      }
      return count;
    });
    return;
  }
#else
  static_cast<void>(threads);
#endif
  serial();
}

}  // namespace nearfar::detail
