#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nearfar/core/workspace.hpp>

namespace {

using nearfar::Workspace;
using nearfar::detail::Scratch;
using nearfar::detail::ScratchLoan;

TEST(Workspace, GivesTheSameMemoryToTheSameCalls) {
  Workspace workspace;
  const auto run = [&] {
    Scratch scratch(&workspace);
    return std::vector<void*>{scratch.take<float>(10), scratch.take<double>(100000),
                              scratch.take<float>(7)};
  };
  const auto first = run();
  const std::size_t bytes = workspace.bytes();
  EXPECT_EQ(run(), first);
  EXPECT_EQ(workspace.bytes(), bytes);
}

TEST(Workspace, ArraysAreAlignedAndApart) {
  Workspace workspace;
  Scratch scratch(&workspace);
  std::uintptr_t end = 0;
  for (const Eigen::Index count : {1, 3, 17, 1000}) {
    const auto at = reinterpret_cast<std::uintptr_t>(scratch.take<double>(count));
    EXPECT_EQ(at % 64, 0u);
    EXPECT_GE(at, end);
    end = at + static_cast<std::uintptr_t>(count) * sizeof(double);
  }
}

TEST(Workspace, SmallerCallsReuseWhatLargerOnesLeft) {
  Workspace workspace;
  { Scratch(&workspace).take<float>(1 << 20); }
  const std::size_t bytes = workspace.bytes();
  { Scratch(&workspace).take<float>(1 << 10); }
  EXPECT_EQ(workspace.bytes(), bytes);
}

/// As with a queue that fills: a call's arrays have other sizes each time, and what is kept must
/// not be the sum of all of them.
TEST(Workspace, CallsThatGrowLittleByLittleKeepAFewTimesTheLargest) {
  Workspace workspace;
  std::vector<std::size_t> sizes;
  constexpr Eigen::Index steps = 500;
  for (Eigen::Index step = 1; step <= steps; ++step) {
    Scratch scratch(&workspace);
    for (int k = 0; k < 3; ++k) {
      scratch.take<float>(100);
      float* const array = scratch.take<float>(step * 1000);
      std::fill_n(array, step * 1000, 1.0f);
    }
    if (sizes.empty() || workspace.bytes() != sizes.back()) sizes.push_back(workspace.bytes());
  }
  EXPECT_LT(sizes.size(), 50u) << "times that memory was allocated";
  EXPECT_LT(workspace.bytes(), 3 * steps * 1000 * sizeof(float) * 5);
}

TEST(Workspace, ACallOfAShapeThatCameBeforeAllocatesNothing) {
  Workspace workspace;
  const auto take = [&](const std::vector<Eigen::Index>& counts) {
    Scratch scratch(&workspace);
    for (const Eigen::Index count : counts) scratch.take<float>(count);
    return workspace.bytes();
  };
  std::size_t bytes = 0;
  for (int round = 0; round < 3; ++round) {
    take({100, 1 << 20, 1 << 18});
    take({1 << 19, 1 << 19, 1 << 19});
    const std::size_t now = take({1 << 18, 1 << 21, 100, 1 << 20});
    if (round > 0) {
      EXPECT_EQ(now, bytes);
    }
    bytes = now;
  }
}

TEST(Workspace, ALoanGivesBackWhatWasTaken) {
  Workspace workspace;
  Scratch scratch(&workspace);
  float* kept = scratch.take<float>(10);
  kept[9] = 4;
  std::vector<void*> taken;
  for (const Eigen::Index large : {1 << 20, 1 << 19}) {
    const ScratchLoan loan(scratch);
    taken.push_back(scratch.take<float>(3));
    taken.push_back(scratch.take<float>(large));
    std::fill_n(static_cast<float*>(taken.back()), large, 1.0f);
  }
  EXPECT_EQ(taken[2], taken[0]);
  EXPECT_EQ(taken[3], taken[1]);
  EXPECT_EQ(kept[9], 4);
  EXPECT_EQ(scratch.take<float>(3), taken[0]) << "after the loans";
  EXPECT_LT(workspace.bytes(), sizeof(float) * (1 << 20) * 5 / 4);
}

TEST(Workspace, TwoCallsAtOnceAreRefused) {
  Workspace workspace;
  const Scratch first(&workspace);
  try {
    const Scratch second(&workspace);
    FAIL() << "the second call was let in";
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(),
                 "nearfar: workspace: wanted one that no other call is using, got one in use by "
                 "another call");
  }
}

TEST(Workspace, IsFreeAgainAfterACallThatWasRefused) {
  Workspace workspace;
  {
    const Scratch first(&workspace);
    EXPECT_THROW(Scratch{&workspace}, std::invalid_argument);
    EXPECT_THROW(Scratch{&workspace}, std::invalid_argument) << "a refusal must not free it";
  }
  EXPECT_NO_THROW(Scratch{&workspace});
}

#ifdef NEARFAR_GUARDS
/// Without marks the sanitizer checks whole blocks only.
TEST(WorkspaceDeathTest, TheAddressSanitizerReportsAnAccessBeyondAnArray) {
  Workspace workspace;
  { Scratch(&workspace).take<float>(1000); }
  Scratch scratch(&workspace);
  const volatile float* a = scratch.take<float>(3);
  const volatile float* given_back = nullptr;
  {
    const ScratchLoan loan(scratch);
    given_back = scratch.take<float>(3);
    EXPECT_DEATH(static_cast<void>(given_back[3]), "use-after-poison");
  }
  EXPECT_DEATH(static_cast<void>(a[3]), "use-after-poison");
  EXPECT_DEATH(static_cast<void>(a[-1]), "heap-buffer-overflow");
  EXPECT_DEATH(static_cast<void>(given_back[0]), "use-after-poison");
  EXPECT_DEATH(static_cast<void>(a[500]), "use-after-poison") << "what nobody took";
}
#endif

TEST(Workspace, RefusesNegativeThreads) { EXPECT_THROW(Workspace(-1), std::invalid_argument); }

}  // namespace
