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

/// Seconds, from some start: of the world's time, and of that in which the calling thread ran.
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

/// Whether others want the processors, too. A thread that is waited for may then not be running,
/// and a call on several threads can take a hundred times as long as on one. Where the threads of a
/// part of a call got less done together than one does alone, the parts after it, of this and other
/// calls, run on one thread until they have taken twenty times as long as that part: on the whole a
/// call takes at most a twentieth longer than on one thread. Results do not depend on it. With
/// NEARFAR_ALL_THREADS in the environment, as tests of threads need it, nothing is suspected.
class BusyProcessors {
 public:
  static bool suspected() {
    static const bool ignored = std::getenv("NEARFAR_ALL_THREADS") != nullptr;
    return !ignored && left().load(std::memory_order_relaxed) > 0;
  }

  /// A part ran on one thread that several could have shared.
  static void add_alone(double seconds) { left().fetch_sub(seconds, std::memory_order_relaxed); }

  /// A part took this long on several threads, which worked for `work` seconds in all.
  static void add_together(double seconds, double work) {
    if (seconds > work) left().store(20 * seconds, std::memory_order_relaxed);
  }

 private:
  /// Seconds on one thread that are left.
  static std::atomic<double>& left() {
    static std::atomic<double> seconds = 0;
    return seconds;
  }
};

/// A thread's time, less that in which it waits for others. Adds it to a sum in the end.
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

/// Runs serial(), or together(work) on several threads, each of which adds its OwnWork; it returns
/// how many there were: one inside a caller's parallel region.
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

/// Runs body(task, thread) for task = 0 .. tasks-1, on at most `threads` threads, thread <
/// threads. The body must not throw: whatever can fail is done before.
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
        // Tasks are taken in order, one at a time: their costs differ, and who runs which is of no
        // consequence for the result.
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

/// A task's place in a pipeline: each stage takes one task after another, in order of tasks.
class Ticket {
 public:
  /// `before`, null for the first task, and `own` count the stages a task has left behind. Seconds
  /// of the thread's own time spent waiting are added to `waited` unless that is null.
  Ticket(Eigen::Index* before, Eigen::Index* own, double* waited)
      : before_(before), own_(own), waited_(waited) {}

  /// Returns once the task before has left `stage`, and with that all tasks before it.
  void wait_for(Eigen::Index stage) const {
    if (before_ == nullptr) return;
    const std::atomic_ref<Eigen::Index> left(*before_);
    double begin = 0;
    for (int looks = 0; left.load(std::memory_order_acquire) <= stage; ++looks) {
      if (looks < 1000) continue;
      if (looks == 1000 && waited_ != nullptr) begin = Clocks::own();
      // With more threads than processors the one waited for may not be running.
      std::this_thread::yield();
    }
    if (begin > 0) *waited_ += Clocks::own() - begin;
  }

  /// This task has left all stages up to `stage`.
  void leave(Eigen::Index stage) const {
    std::atomic_ref<Eigen::Index>(*own_).store(stage + 1, std::memory_order_release);
  }

 private:
  Eigen::Index* before_;
  Eigen::Index* own_;
  double* waited_;
};

/// Runs body(task, thread, ticket) as parallel_tasks does, for tasks that add to common sums. What
/// a task does between ticket.wait_for(stage) and ticket.leave(stage) comes after what all tasks
/// before it did there; stages are left in ascending order, the last one, `stages` - 1, by every
/// task. `left` is memory for one number a task.
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
      // A ticket waits for a task that was taken before and so is running: none waits forever.
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
