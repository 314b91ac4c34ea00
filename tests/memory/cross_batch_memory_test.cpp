#include "memory/rings.hpp"

#include <nearfar/losses/sup_con.hpp>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>

namespace memory_test {
namespace {

using nearfar::CrossBatchMemory;

template <class S>
class CrossBatchMemories : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(CrossBatchMemories, Scalars);

TYPED_TEST(CrossBatchMemories, HoldTheNewestRowsWithTheirLabels) {
  CrossBatchMemory<TypeParam> memory(5, 2);
  int pushed = 0;
  for (const int n : {2, 2, 3, 1, 5}) {
    memory.push(numbered<TypeParam>(n, 2, pushed), numbers_from(n, pushed + 1000),
                numbers_from(n, pushed));
    pushed += n;
    EXPECT_EQ(listed(memory.ids()), expected_slots(5, pushed));
    ASSERT_EQ(memory.labels().size(), memory.size());
    for (Index i = 0; i < memory.size(); ++i) {
      EXPECT_EQ(memory.labels()[i], memory.ids()[i] + 1000);
      EXPECT_EQ(memory.rows().row(i)[0], static_cast<TypeParam>(memory.ids()[i]));
    }
  }
  EXPECT_TRUE(memory.full());
  memory.clear();
  EXPECT_EQ(memory.labels().size(), 0);
}

/// The memory's rows give the same loss as the same rows passed as references by hand.
TYPED_TEST(CrossBatchMemories, AreReferencesForLossesOverLabels) {
  using S = TypeParam;
  const Matrix<S> x = Matrix<S>::Random(6, 3);
  const Matrix<S> old = Matrix<S>::Random(4, 3);
  const std::vector<int> labels = {0, 1, 0, 1, 2, 2};
  const std::vector<int> old_labels = {0, 1, 2, 0};
  const std::vector<int> ids = {10, 11, 12, 13, 14, 15};
  const std::vector<int> old_ids = {10, 20, 21, 22};
  CrossBatchMemory<S> memory(10, 3);
  memory.push(old, old_labels, old_ids);
  memory.push(x, labels, ids);
  Matrix<S> references(10, 3);
  references << old, x;
  const std::vector<int> all_labels = {0, 1, 2, 0, 0, 1, 0, 1, 2, 2};
  const std::vector<int> all_ids = {10, 20, 21, 22, 10, 11, 12, 13, 14, 15};
  using nearfar::Targets;
  const nearfar::SupCon<S> loss;
  Matrix<S> got;
  Matrix<S> want;
  const auto value = loss.forward_backward(x, Targets(labels).ids(ids), memory.rows(),
                                           memory.targets(), got, nearfar::no_gradient);
  const auto expected =
      loss.forward_backward(x, Targets(labels).ids(ids), references,
                            Targets(all_labels).ids(all_ids), want, nearfar::no_gradient);
  EXPECT_EQ(value.value, expected.value);
  EXPECT_GT(value.value, 0);
  EXPECT_EQ(got, want);
  // Without ids, targets are labels alone.
  CrossBatchMemory<S> plain(4, 3);
  plain.push(old, old_labels);
  EXPECT_FALSE(plain.targets().has_ids());
  EXPECT_EQ(listed(plain.targets().labels()), listed(nearfar::Labels(old_labels)));
}

TYPED_TEST(CrossBatchMemories, ComeBackFromTheirFile) {
  const File file;
  CrossBatchMemory<TypeParam> memory(3, 2);
  memory.push(numbered<TypeParam>(4, 2, 0), numbers_from(4, 40), numbers_from(4, 0));
  memory.save(file.path());
  CrossBatchMemory<TypeParam> loaded(3, 2);
  loaded.load(file.path());
  EXPECT_EQ(numbers(loaded.rows()), numbers(memory.rows()));
  EXPECT_EQ(listed(loaded.labels()), listed(memory.labels()));
  EXPECT_EQ(listed(loaded.ids()), listed(memory.ids()));
  // A queue's file is refused.
  nearfar::KeyQueue<TypeParam> queue(3, 2);
  EXPECT_THROW(queue.load(file.path()), std::runtime_error);
}

TYPED_TEST(CrossBatchMemories, RefuseDamagedFilesAndStayAsTheyWere) {
  CrossBatchMemory<TypeParam> memory(3, 1);
  memory.push(numbered<TypeParam>(2, 1, 0), numbers_from(2, 40));
  std::ostringstream out;
  memory.save(out);
  CrossBatchMemory<TypeParam> other(3, 1);
  other.push(numbered<TypeParam>(3, 1, 7), numbers_from(3, 70));
  expect_damage_is_refused(other, out.str(), [](const CrossBatchMemory<TypeParam>& m) {
    return std::pair(numbers(m.rows()), listed(m.labels()));
  });
}

TEST(CrossBatchMemory, RefusesWhatDoesNotFit) {
  EXPECT_THROW(CrossBatchMemory<float>(0, 2), std::invalid_argument);
  CrossBatchMemory<float> memory(3, 2);
  EXPECT_THROW(memory.push(numbered<float>(2, 2, 0), numbers_from(3, 0)), std::invalid_argument);
  EXPECT_THROW(memory.push(numbered<float>(2, 2, 0), numbers_from(2, 0), numbers_from(1, 0)),
               std::invalid_argument);
  EXPECT_THROW(memory.push(Matrix<float>(0, 2), numbers_from(1, 0)), std::invalid_argument);
  EXPECT_EQ(memory.size(), 0);
}

}  // namespace
}  // namespace memory_test
