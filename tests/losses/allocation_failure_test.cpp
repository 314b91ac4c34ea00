#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/kernel_cases.hpp"
#include "support/subjects.hpp"

/// Memory runs out at each allocation of a call in turn. The call throws std::bad_alloc, no output
/// changes, no memory leaks, and the workspace then gives the same bits as a new one.

namespace {

using namespace support;
using nearfar::Reduction;
using nearfar::Workspace;
using Which = FailingAllocations::Which;

/// Calls in which every allocation fails once: `call(outputs, workspace)`.
template <class S>
using Call = std::function<nearfar::Result(std::vector<Matrix<S>>& outputs, Workspace*)>;

/// Outputs of another size, which the call must resize, filled with known numbers.
template <class S>
std::vector<Matrix<S>> marked(std::size_t count) {
  return std::vector<Matrix<S>>(count, Matrix<S>::Constant(2, 1, S(42)));
}

template <class S>
void expect_untouched(const std::vector<Matrix<S>>& outputs) {
  for (const Matrix<S>& m : outputs) {
    ASSERT_EQ(m.rows(), 2);
    ASSERT_EQ(m.cols(), 1);
    EXPECT_EQ(m(0, 0), S(42));
    EXPECT_EQ(m(1, 0), S(42));
  }
}

/// Makes allocation `nth` of a call fail. Returns false once the call has fewer allocations.
template <class S>
bool fails_well(const Call<S>& call, Workspace* workspace, long nth, Which which,
                std::vector<Matrix<S>>& outputs) {
  const FailingAllocations failing(nth, which);
  try {
    call(outputs, workspace);
  } catch (const std::bad_alloc&) {
    EXPECT_TRUE(failing.any());
    return true;
  }
  EXPECT_FALSE(failing.any()) << "a failure went unnoticed";
  return false;
}

template <class S>
void expect_same_outputs(const nearfar::Result& got, const std::vector<Matrix<S>>& outputs,
                         const nearfar::Result& want, const std::vector<Matrix<S>>& wanted) {
  expect_identical(got, want);
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    EXPECT_TRUE(same_bits<S>(outputs[k], wanted[k])) << "output " << k;
  }
}

/// `warm`: the workspace has served the same call before, so that only the results still allocate.
template <class S>
long expect_failures_survived(const Call<S>& call, std::size_t output_count, int threads,
                              bool warm) {
  std::vector<Matrix<S>> wanted(output_count);
  const nearfar::Result want = call(wanted, nullptr);
  long failures = 0;
  for (const Which which : {Which::one, Which::all_after}) {
    for (long nth = 0;; ++nth) {
      SCOPED_TRACE("allocation " + std::to_string(nth) + " of " + std::to_string(threads) +
                   " threads");
      Workspace workspace(threads);
      std::vector<Matrix<S>> outputs = marked<S>(output_count);
      if (warm) {
        std::vector<Matrix<S>> first(output_count);
        call(first, &workspace);
      }
      const std::size_t bytes = workspace.bytes();
      const long taken = allocations - frees;
      if (!fails_well(call, &workspace, nth, which, outputs)) break;
      ++failures;
      expect_untouched<S>(outputs);
      if (warm) {
        EXPECT_EQ(workspace.bytes(), bytes);
        EXPECT_EQ(allocations - frees, taken) << "leaked";
      }
      const nearfar::Result again = call(outputs, &workspace);
      expect_same_outputs<S>(again, outputs, want, wanted);
      if (testing::Test::HasFailure()) return failures;
    }
    // Without a workspace of the caller's nothing is kept.
    for (long nth = 0;; ++nth) {
      std::vector<Matrix<S>> outputs = marked<S>(output_count);
      const long taken = allocations - frees;
      if (!fails_well<S>(call, nullptr, nth, which, outputs)) break;
      EXPECT_EQ(allocations - frees, taken) << "leaked after allocation " << nth;
      expect_untouched<S>(outputs);
    }
  }
  return failures;
}

/// Every allocation of a call on one thread and on several, its workspace new or warm.
template <class S>
void expect_survived(const std::string& name, std::size_t output_count, const Call<S>& call) {
  SCOPED_TRACE(name);
  for (const auto& [threads, warm] :
       {std::pair(1, false), std::pair(1, true), std::pair(3, true)}) {
    EXPECT_GT(expect_failures_survived<S>(call, output_count, threads, warm), 0);
  }
}

template <class S>
void expect_subjects_survive(Reduction reduction) {
  for (const Subject<S>& subject : all_subjects<S>(9, 4, reduction)) {
    expect_survived<S>(subject.name, subject.inputs.size(),
                       [&](std::vector<Matrix<S>>& g, Workspace* w) {
                         return subject.gradients(subject.inputs, g, w);
                       });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(AllocationFailure, LeavesOutputsAndWorkspaceAsTheyWere) {
  expect_subjects_survive<float>(Reduction::mean);
}

TEST(AllocationFailure, LeavesThemWithAValueForEachRowToo) {
  expect_subjects_survive<double>(Reduction::none);
}

TEST(AllocationFailure, OfLossesWithFurtherArguments) {
  using S = double;
  const Matrix<S> x = random_rows<S>(12, 4, 3);
  const Matrix<S> y = random_rows<S>(12, 4, 4);
  const Matrix<S> noise = random_rows<S>(5, 4, 5);
  const std::vector<S> log_noise_keys(12, -2);
  const std::vector<S> log_noise(5, -2);
  const nearfar::Nce<S> nce;
  expect_survived<S>("Nce", 3, [&](std::vector<Matrix<S>>& g, Workspace* w) {
    return nce.forward_backward(x, y, noise, log_noise_keys, log_noise, g[0], g[1], g[2],
                                {.workspace = w});
  });
  const Matrix<S> weights = random_rows<S>(8, 4, 6);
  const nearfar::Cpc<S> cpc({.length = 4, .steps = 2});
  expect_survived<S>("Cpc", 3, [&](std::vector<Matrix<S>>& g, Workspace* w) {
    return cpc.forward_backward(x, y, weights, g[0], g[1], g[2], {.workspace = w});
  });
  const Matrix<S> upstream = random_rows<S>(12, 12, 7);
  const nearfar::Mahalanobis<S> kernel(weights);
  expect_survived<S>("pairwise", 3, [&](std::vector<Matrix<S>>& g, Workspace* w) {
    nearfar::pairwise_backward(upstream, x, y, g[0], g[1], kernel,
                               nearfar::CallOptions<S>{.workspace = w, .d_parameter = g[2]});
    return nearfar::Result();
  });
}

TEST(AllocationFailure, OfMemoriesLeavesThemAsTheyWere) {
  const Matrix<float> x = random_rows<float>(5, 4, 3);
  const std::vector<int> labels = {0, 1, 2, 3, 4};
  // Starts OpenMP, which does not survive a failed allocation of its own.
  nearfar::CrossBatchMemory<float>(8, 4).push(x, labels, labels);
  for (long nth = 0;; ++nth) {
    nearfar::CrossBatchMemory<float> memory(8, 4);
    const bool failed = [&] {
      const FailingAllocations failing(nth, Which::one);
      try {
        memory.push(x, labels, labels);
      } catch (const std::bad_alloc&) {
        return true;
      }
      return failing.any();
    }();
    if (!failed) {
      EXPECT_GT(nth, 1);
      break;
    }
    EXPECT_EQ(memory.size(), 0) << nth;
    EXPECT_EQ(memory.labels().size(), 0) << nth;
    EXPECT_EQ(memory.ids().size(), 0) << nth;
    memory.push(x, labels, labels);
    EXPECT_EQ(memory.size(), 5);
  }
  nearfar::MemoryBank<float> bank(8, 4);
  Matrix<float> out = Matrix<float>::Constant(2, 1, 42);
  for (long nth = 0;; ++nth) {
    const FailingAllocations failing(nth, Which::one);
    try {
      bank.gather(labels, out);
      break;
    } catch (const std::bad_alloc&) {
      expect_untouched<float>({out});
    }
  }
  EXPECT_EQ(out.rows(), 5);
}

}  // namespace
