#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <nearfar/core/parallel.hpp>
#include <nearfar/engine/finite.hpp>
#include <vector>

namespace {

using nearfar::detail::parallel_tasks;

TEST(ParallelTasks, RunEachTaskOnceWithAThreadInRange) {
  for (const int threads : {1, 2, 3, 7}) {
    std::vector<std::atomic<int>> runs(100);
    std::atomic<bool> in_range{true};
    parallel_tasks(100, threads, [&](Eigen::Index t, int thread) {
      ++runs[static_cast<std::size_t>(t)];
      if (thread < 0 || thread >= threads) in_range = false;
    });
    for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
    EXPECT_TRUE(in_range);
  }
}

TEST(ParallelTasks, NoTasksNoCalls) {
  parallel_tasks(0, 4, [](Eigen::Index, int) { FAIL(); });
}

TEST(ParallelPipeline, PassesEveryStageInTheOrderOfTasks) {
  using nearfar::detail::parallel_pipeline;
  constexpr Eigen::Index tasks = 50;
  constexpr Eigen::Index stages = 8;
  for (const int threads : {1, 2, 3, 16}) {
    std::vector<Eigen::Index> left(tasks);
    // Written without locks: one task at a time is in a stage.
    std::vector<std::vector<Eigen::Index>> passed(stages);
    parallel_pipeline(tasks, threads, left.data(),
                      [&](Eigen::Index t, int, const nearfar::detail::Ticket& ticket) {
                        // Tasks may begin at a later stage, like panels of a symmetric matrix.
                        for (Eigen::Index stage = t * stages / tasks; stage < stages; ++stage) {
                          ticket.wait_for(stage);
                          passed[static_cast<std::size_t>(stage)].push_back(t);
                          ticket.leave(stage);
                        }
                      });
    for (std::size_t stage = 0; stage < passed.size(); ++stage) {
      const auto& order = passed[stage];
      EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << "stage " << stage;
      EXPECT_EQ(std::count_if(order.begin(), order.end(),
                              [&](Eigen::Index t) {
                                return t * stages / tasks <= static_cast<Eigen::Index>(stage);
                              }),
                static_cast<std::ptrdiff_t>(order.size()));
    }
    EXPECT_EQ(passed.back().size(), static_cast<std::size_t>(tasks));
  }
}

#ifdef _OPENMP
TEST(ParallelTasks, LeaveTheCallersThreadCountAlone) {
  const int before = omp_get_max_threads();
  parallel_tasks(10, 5, [](Eigen::Index, int) {});
  EXPECT_EQ(omp_get_max_threads(), before);
}
#endif

TEST(CheckFinite, NamesTheFirstBadElementWhateverTheThreads) {
  nearfar::Matrix<float> x = nearfar::Matrix<float>::Ones(2000, 3);
  x(1500, 1) = std::numeric_limits<float>::quiet_NaN();
  x(700, 2) = -std::numeric_limits<float>::infinity();
  for (const int threads : {1, 2, 5}) {
    try {
      nearfar::detail::check_finite<float>("queries", x, threads);
      FAIL();
    } catch (const std::domain_error& e) {
      EXPECT_STREQ(e.what(),
                   "nearfar: queries: wanted finite elements, got -infinity at row 700, column 2");
    }
  }
}

TEST(CheckFinite, LetsTheLargestAndSmallestNumbersPass) {
  nearfar::Matrix<double> x(2, 2);
  x << std::numeric_limits<double>::max(), -std::numeric_limits<double>::max(),
      std::numeric_limits<double>::denorm_min(), 0;
  EXPECT_NO_THROW(nearfar::detail::check_finite<double>("x", x, 1));
}

/// Tests run with this variable set; these test the code that it turns off.
[[maybe_unused]] const int watched = unsetenv("NEARFAR_ALL_THREADS");

TEST(BusyProcessors, RunOnOneThreadForTwentyTimesTheSlowPart) {
  using nearfar::detail::BusyProcessors;
  BusyProcessors::add_alone(1e6);  // overwrites the state that other tests left
  EXPECT_FALSE(BusyProcessors::suspected());
  BusyProcessors::add_together(1.0, 1.01);
  EXPECT_FALSE(BusyProcessors::suspected()) << "together they did more than one does";
  BusyProcessors::add_together(0.5, 0.49);
  EXPECT_TRUE(BusyProcessors::suspected());
  BusyProcessors::add_alone(9.9);
  EXPECT_TRUE(BusyProcessors::suspected());
  BusyProcessors::add_alone(0.2);
  EXPECT_FALSE(BusyProcessors::suspected());
}

TEST(BusyProcessors, TasksRunOnOneThreadWhileSuspected) {
  using nearfar::detail::BusyProcessors;
  BusyProcessors::add_together(1e9, 0);
  parallel_tasks(100, 4, [&](Eigen::Index, int thread) { EXPECT_EQ(thread, 0); });
  std::vector<Eigen::Index> left(100);
  nearfar::detail::parallel_pipeline(
      100, 4, left.data(), [&](Eigen::Index, int thread, const nearfar::detail::Ticket& ticket) {
        EXPECT_EQ(thread, 0);
        ticket.wait_for(0);
        ticket.leave(0);
      });
  EXPECT_TRUE(BusyProcessors::suspected());
  BusyProcessors::add_alone(1e11);
  EXPECT_FALSE(BusyProcessors::suspected());
}

}  // namespace
