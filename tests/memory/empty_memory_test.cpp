#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>
#include <sstream>

#include "memory/rings.hpp"
#include "support/errors.hpp"
#include "support/losses_over_labels.hpp"

/// The first step with a cross-batch memory: references without rows, with ids or without.

namespace memory_test {
namespace {

using namespace nearfar;
using support::Thrown;

template <class S>
class EmptyMemories : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(EmptyMemories, Scalars);

template <class S>
struct Batch {
  Matrix<S> x = numbered<S>(4, 3, 1);
  std::vector<int> labels = {0, 0, 1, 1};
  std::vector<int> ids = {7, 8, 9, 9};
};

/// The value of a loss of nothing: 0, or what the boundary of MarginLoss costs.
template <class Loss>
double value_of_nothing(const Loss& loss) {
  if constexpr (requires { loss.options().nu; }) {
    return loss.options().nu * loss.options().beta;
  } else {
    return 0;
  }
}

/// A batch against references without rows: nothing to learn, and no anchor has a positive.
template <class S>
void expect_nothing_to_learn(const Targets& own, const Rows<S>& references, const Targets& theirs) {
  const Batch<S> batch;
  support::each_loss_over_labels<S>(Reduction::mean, [&](const auto& loss, const std::string&) {
    Matrix<S> dx = Matrix<S>::Ones(4, 3), d_references;
    const Result got = loss.forward_backward(batch.x, own, references, theirs, dx, d_references);
    EXPECT_DOUBLE_EQ(got.value, value_of_nothing(loss));
    EXPECT_EQ(got.diagnostics.anchors, 4);
    EXPECT_EQ(got.diagnostics.anchors_without_positive, 4);
    EXPECT_EQ(got.diagnostics.anchors_without_negative, 4);
    EXPECT_EQ(dx, (Matrix<S>::Zero(4, 3)));
    EXPECT_EQ(d_references.rows(), 0);
    EXPECT_EQ(loss.forward(batch.x, own, references, theirs).value, got.value);
  });
}

TYPED_TEST(EmptyMemories, GiveZeroLossAndGradientWithAndWithoutIds) {
  using S = TypeParam;
  const Batch<S> batch;
  CrossBatchMemory<S> memory(6, 3);
  const Targets plain(batch.labels);
  const Targets with_ids = Targets(batch.labels).ids(batch.ids);
  for (const Targets& own : {plain, with_ids}) {
    expect_nothing_to_learn(own, memory.rows(), memory.targets());
    const std::vector<int> none;
    expect_nothing_to_learn(own, memory.rows(), Targets(none).ids(none));
  }
}

TYPED_TEST(EmptyMemories, ForgetOnceClearedThatTheirRowsHadIds) {
  using S = TypeParam;
  const Batch<S> batch;
  CrossBatchMemory<S> memory(6, 3);
  memory.push(batch.x, batch.labels, batch.ids);
  memory.clear();
  EXPECT_FALSE(memory.targets().has_ids());
  expect_nothing_to_learn(Targets(batch.labels), memory.rows(), memory.targets());
  expect_nothing_to_learn(Targets(batch.labels).ids(batch.ids), memory.rows(), memory.targets());
  memory.push(batch.x, batch.labels);
  EXPECT_GT(SupCon<S>().forward(batch.x, batch.labels, memory.rows(), memory.targets()).value, 0);
}

TYPED_TEST(EmptyMemories, AreTheSameSavedAndLoaded) {
  using S = TypeParam;
  const Batch<S> batch;
  CrossBatchMemory<S> memory(6, 3);
  memory.push(batch.x, batch.labels, batch.ids);
  memory.clear();
  std::stringstream file;
  memory.save(file);
  CrossBatchMemory<S> loaded(6, 3);
  loaded.push(batch.x, batch.labels, batch.ids);
  loaded.load(file);
  expect_nothing_to_learn(Targets(batch.labels), loaded.rows(), loaded.targets());
  expect_nothing_to_learn(Targets(batch.labels).ids(batch.ids), loaded.rows(), loaded.targets());
}

/// A batch without rows against references.
TYPED_TEST(EmptyMemories, AcceptEmptyBatches) {
  using S = TypeParam;
  const Batch<S> batch;
  const Matrix<S> nothing(0, 3);
  const std::vector<int> none;
  support::each_loss_over_labels<S>(Reduction::mean, [&](const auto& loss, const std::string&) {
    const Targets theirs = Targets(batch.labels).ids(batch.ids);
    EXPECT_EQ(loss.forward(nothing, none, batch.x, theirs).value, 0);
    EXPECT_EQ(loss.forward(nothing, Targets(none).ids(none), batch.x, batch.labels).value, 0);
  });
}

TYPED_TEST(EmptyMemories, HaveAsManyIdsAsRows) {
  using S = TypeParam;
  const Batch<S> batch;
  const Matrix<S> nothing(0, 3);
  const std::vector<int> none;
  const Targets with_ids = Targets(batch.labels).ids(batch.ids);
  support::expect_refused(
      {"an id of no row", Thrown::invalid_argument, {"reference_labels ids: wanted 0 labels"}, [&] {
         SupCon<S>().forward(batch.x, with_ids, nothing, Targets(none).ids(batch.ids));
       }});
  support::expect_refused({"ids on one side, and rows on both",
                           Thrown::invalid_argument,
                           {"reference_labels: wanted ids, as the other side has, got none"},
                           [&] { SupCon<S>().forward(batch.x, with_ids, batch.x, batch.labels); }});
}

TYPED_TEST(EmptyMemories, AnEmptyKeyQueueGivesNoNegatives) {
  using S = TypeParam;
  const Batch<S> batch;
  KeyQueue<S> queue(6, 3);
  EXPECT_EQ(InfoNce<S>().forward(batch.x, batch.x, queue.negatives(batch.ids)).value, 0);
  queue.push(batch.x, batch.ids);
  queue.clear();
  EXPECT_EQ(InfoNce<S>().forward(batch.x, batch.x, queue.negatives(batch.ids)).value, 0);
  EXPECT_EQ(InfoNce<S>().forward(batch.x, batch.x, queue.negatives()).value, 0);
  queue.push(batch.x);
  EXPECT_FALSE(queue.ids().size() > 0);
}

}  // namespace
}  // namespace memory_test
