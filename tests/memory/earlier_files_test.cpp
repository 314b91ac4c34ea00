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

/// The file of the type of numbers.
template <class T>
std::string of_type(const char* of_float, const char* of_double, const char* of_bfloat16,
                    const char* of_half) {
  if (std::is_same_v<T, Eigen::bfloat16>) return bytes(of_bfloat16);
  if (std::is_same_v<T, Eigen::half>) return bytes(of_half);
  return bytes(std::is_same_v<T, float> ? of_float : of_double);
}

template <class T>
std::string key_queue() {
  using namespace files_of_format_1;
  return of_type<T>(key_queue_float, key_queue_double, key_queue_bfloat16, key_queue_half);
}

template <class T>
class EarlierFiles : public testing::Test {};
using Types = testing::Types<float, double, Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(EarlierFiles, Types);

TYPED_TEST(EarlierFiles, OfFormat1HoldAQueue) {
  using S = nearfar::detail::ScalarOfStored<TypeParam>;
  const std::string file = key_queue<TypeParam>();
  KeyQueue<TypeParam> queue(4, 3);
  load(queue, file);
  // Six keys were pushed to four slots.
  EXPECT_EQ(numbers(queue.keys()), numbers(nearfar::Rows<S>(numbered<S>(4, 3, 3))));
  EXPECT_EQ(listed(queue.ids()), numbers_from(4, 3));
  EXPECT_EQ(saved(queue), file);
}

TYPED_TEST(EarlierFiles, OfFormat1HoldACrossBatchMemory) {
  using S = nearfar::detail::ScalarOfStored<TypeParam>;
  using namespace files_of_format_1;
  const std::string file = of_type<TypeParam>(cross_batch_memory_float, cross_batch_memory_double,
                                              cross_batch_memory_bfloat16, cross_batch_memory_half);
  CrossBatchMemory<TypeParam> memory(4, 2);
  load(memory, file);
  EXPECT_EQ(numbers(memory.rows()), numbers(nearfar::Rows<S>(numbered<S>(3, 2, 1))));
  EXPECT_EQ(listed(memory.labels()), numbers_from(3, -1));
  EXPECT_EQ(listed(memory.ids()), numbers_from(3, 40));
  EXPECT_EQ(saved(memory), file);
}

TYPED_TEST(EarlierFiles, OfFormat1HoldAMemoryBank) {
  using S = nearfar::detail::ScalarOfStored<TypeParam>;
  using namespace files_of_format_1;
  const std::string file = of_type<TypeParam>(memory_bank_float, memory_bank_double,
                                              memory_bank_bfloat16, memory_bank_half);
  MemoryBank<TypeParam> bank(3, 2);
  load(bank, file);
  const std::vector<S> want = {S(0.6), S(0.8), S(-0.8), S(0.6), S(0), S(1)};
  const std::vector<S> got = numbers(bank.rows());
  ASSERT_EQ(got.size(), want.size());
  // Half a unit of the last digit.
  const double error = std::is_same_v<TypeParam, Eigen::bfloat16> ? 0x1p-9
                       : std::is_same_v<TypeParam, Eigen::half>   ? 0x1p-12
                                                                  : 1e-7;
  for (std::size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[k], want[k], error);
  EXPECT_EQ(saved(bank), file);
}

TYPED_TEST(EarlierFiles, OfBigEndianWritersAreRefusedByName) {
  std::string file = key_queue<TypeParam>();
  std::reverse(file.begin() + 8, file.begin() + 12);  // the number of the format
  KeyQueue<TypeParam> queue(4, 3);
  try {
    load(queue, file);
    FAIL() << "read a big-endian file";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("big-endian"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace memory_test
