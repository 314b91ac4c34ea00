#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <sstream>

#include "memory/files_of_format_1.hpp"
#include "memory/rings.hpp"

/// Files of earlier versions, and files of machines with another byte order.

namespace memory_test {
namespace {

using nearfar::CrossBatchMemory;
using nearfar::KeyQueue;
using nearfar::MemoryBank;

std::string bytes(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return out;
}

template <class M>
void load(M& memory, const std::string& file) {
  std::istringstream in(file);
  memory.load(in);
}

template <class M>
std::string saved(const M& memory) {
  std::ostringstream out;
  memory.save(out);
  return out.str();
}

/// The file of the scalar type.
template <class S>
std::string of_scalar(const char* of_float, const char* of_double) {
  return bytes(sizeof(S) == sizeof(float) ? of_float : of_double);
}

template <class S>
class EarlierFiles : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(EarlierFiles, Scalars);

TYPED_TEST(EarlierFiles, OfFormat1HoldAQueue) {
  using S = TypeParam;
  using namespace files_of_format_1;
  const std::string file = of_scalar<S>(key_queue_float, key_queue_double);
  KeyQueue<S> queue(4, 3);
  load(queue, file);
  // Six keys were pushed to four slots.
  EXPECT_EQ(numbers(queue.keys()), numbers(nearfar::Rows<S>(numbered<S>(4, 3, 3))));
  EXPECT_EQ(listed(queue.ids()), numbers_from(4, 3));
  EXPECT_EQ(saved(queue), file);
}

TYPED_TEST(EarlierFiles, OfFormat1HoldACrossBatchMemory) {
  using S = TypeParam;
  using namespace files_of_format_1;
  const std::string file = of_scalar<S>(cross_batch_memory_float, cross_batch_memory_double);
  CrossBatchMemory<S> memory(4, 2);
  load(memory, file);
  EXPECT_EQ(numbers(memory.rows()), numbers(nearfar::Rows<S>(numbered<S>(3, 2, 1))));
  EXPECT_EQ(listed(memory.labels()), numbers_from(3, -1));
  EXPECT_EQ(listed(memory.ids()), numbers_from(3, 40));
  EXPECT_EQ(saved(memory), file);
}

TYPED_TEST(EarlierFiles, OfFormat1HoldAMemoryBank) {
  using S = TypeParam;
  using namespace files_of_format_1;
  const std::string file = of_scalar<S>(memory_bank_float, memory_bank_double);
  MemoryBank<S> bank(3, 2);
  load(bank, file);
  const std::vector<S> want = {S(0.6), S(0.8), S(-0.8), S(0.6), S(0), S(1)};
  const std::vector<S> got = numbers(bank.rows());
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[k], want[k], 1e-7);
  EXPECT_EQ(saved(bank), file);
}

TYPED_TEST(EarlierFiles, OfBigEndianWritersAreRefusedByName) {
  using S = TypeParam;
  std::string file =
      of_scalar<S>(files_of_format_1::key_queue_float, files_of_format_1::key_queue_double);
  std::reverse(file.begin() + 8, file.begin() + 12);  // the number of the format
  KeyQueue<S> queue(4, 3);
  try {
    load(queue, file);
    FAIL() << "read a big-endian file";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("big-endian"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace memory_test
