#include <gtest/gtest.h>

#include <algorithm>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>

#include "memory/rings.hpp"

/// Memories that get their own rows as arguments.

namespace memory_test {
namespace {

using namespace nearfar;

template <class S>
class OwnRows : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OwnRows, Scalars);

template <class S>
std::vector<S> sorted(const Rows<S>& rows) {
  std::vector<S> out = numbers(rows);
  std::sort(out.begin(), out.end());
  return out;
}

TYPED_TEST(OwnRows, PushingAMemorysOwnRowsReadsThemBeforeOverwriting) {
  using S = TypeParam;
  KeyQueue<S> queue(3, 1);
  for (const int n : {1, 2, 3, 4}) queue.push(numbered<S>(1, 1, n));
  queue.push(queue.keys());
  EXPECT_EQ(sorted(queue.keys()), (std::vector<S>{2, 3, 4}));
  // Some of them, which include the slot of the next row.
  queue.push(Rows<S>(queue.keys().data(), 2, 1));
  EXPECT_EQ(queue.size(), 3);

  CrossBatchMemory<S> memory(3, 2);
  memory.push(numbered<S>(4, 2, 1), numbers_from(4, 11), numbers_from(4, 21));
  memory.push(memory.rows(), memory.labels(), memory.ids());
  for (Index i = 0; i < 3; ++i) {
    EXPECT_EQ(memory.labels()[i], memory.ids()[i] - 10);
    EXPECT_EQ(memory.rows().row(i)[0], static_cast<S>(memory.ids()[i] - 20));
  }
  // Its own labels, with other rows.
  memory.clear();
  memory.push(numbered<S>(3, 2, 1), numbers_from(3, 1));
  memory.push(numbered<S>(1, 2, 9), numbers_from(1, 9));
  const std::vector<std::int64_t> before = listed(memory.labels());
  memory.push(numbered<S>(3, 2, 4), memory.labels());
  std::vector<std::int64_t> got = listed(memory.labels());
  EXPECT_EQ(got, (std::vector<std::int64_t>{before[2], before[0], before[1]}));
}

TYPED_TEST(OwnRows, OfSamplesTakeTheirOwnRowsAsTheyWereBefore) {
  using S = TypeParam;
  MemoryBank<S> bank(3, 4, {.momentum = 0.3});
  MemoryBank<S> same = bank;
  const std::vector<int> indices = {1, 2, 0};
  const Matrix<S> rows = Eigen::Map<const Matrix<S>>(bank.rows().data(), 3, 4);
  bank.update(indices, bank.rows());
  same.update(indices, rows);
  EXPECT_EQ(numbers(bank.rows()), numbers(same.rows()));
}

}  // namespace
}  // namespace memory_test
