#include <gtest/gtest.h>

#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>

#include "support/random.hpp"

/// \file
/// Memories take rows in 16 bits, and hold them in float.

namespace {

using nearfar::Index;
using nearfar::Matrix;

template <class T>
class MemoriesOf16Bits : public testing::Test {};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(MemoriesOf16Bits, Types);

TYPED_TEST(MemoriesOf16Bits, HoldTheSameRowsInFloat) {
  const Matrix<TypeParam> rows = support::random_rows<float>(5, 3, 1).template cast<TypeParam>();
  const Matrix<float> exact = rows.template cast<float>();
  const std::vector<int> numbers = {0, 1, 2, 3, 4};

  nearfar::KeyQueue<float> queue(4, 3);
  queue.push(rows);
  for (Index i = 1; i < 5; ++i) {
    for (Index k = 0; k < 3; ++k) EXPECT_EQ(queue.keys()(i - 1, k), exact(i, k)) << i;
  }
  nearfar::CrossBatchMemory<float> memory(8, 3);
  memory.push(rows, numbers);
  for (Index k = 0; k < 3; ++k) EXPECT_EQ(memory.rows()(4, k), exact(4, k));

  nearfar::MemoryBank<float> got(5, 3);
  nearfar::MemoryBank<float> want(5, 3);
  got.update(numbers, rows);
  want.update(numbers, exact);
  for (Index i = 0; i < 5; ++i) {
    for (Index k = 0; k < 3; ++k) EXPECT_EQ(got.rows()(i, k), want.rows()(i, k));
  }

  // Numbers of the memory's own with rows that are not.
  memory.push(rows, memory.labels());
  for (Index k = 0; k < 3; ++k) EXPECT_EQ(memory.rows()(5, k), exact(0, k));

  Matrix<TypeParam> bad = rows;
  bad(2, 1) = std::numeric_limits<TypeParam>::infinity();
  EXPECT_THROW(queue.push(bad), std::domain_error);
}

}  // namespace
