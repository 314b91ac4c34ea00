#include <cmath>
#include <limits>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nce.hpp>
#include <nearfar/losses/sup_con.hpp>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>

#include "memory/rings.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

/// \file
/// Memories take rows in 16 bits. They hold them in float, or as memories of 16 bits in these.

namespace memory_test {
namespace {

using nearfar::no_gradient;
using nearfar::Rows;
using nearfar::Targets;
using support::expect_refused;
using support::random_rows;
using support::Thrown;

template <class T>
class MemoriesOf16Bits : public testing::Test {};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(MemoriesOf16Bits, Types);

TYPED_TEST(MemoriesOf16Bits, HoldTheSameRowsInFloat) {
  const Matrix<TypeParam> rows = random_rows<float>(5, 3, 1).template cast<TypeParam>();
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

/// Rows of float as T, and what T holds as float.
template <class T>
struct Rounded {
  Matrix<float> exact;
  Matrix<T> stored = exact.template cast<T>();
  Matrix<float> held = stored.template cast<float>();
};

TYPED_TEST(MemoriesOf16Bits, RoundRowsToNearest) {
  const Rounded<TypeParam> rows{random_rows<float>(5, 3, 1)};
  ASSERT_NE(rows.exact, rows.held);
  const std::vector<float> wanted = numbers(Rows<float>(rows.held));
  nearfar::KeyQueue<TypeParam> queue(5, 3);
  queue.push(rows.exact);
  EXPECT_EQ(queue.keys().element(), nearfar::detail::element_of<TypeParam>);
  EXPECT_EQ(numbers(queue.keys()), wanted);
  queue.push(rows.stored);
  EXPECT_EQ(numbers(queue.keys()), wanted);
  queue.push(queue.keys());
  EXPECT_EQ(numbers(queue.keys()), wanted);
  nearfar::CrossBatchMemory<TypeParam> memory(8, 3);
  memory.push(rows.exact, numbers_from(5, 0));
  EXPECT_EQ(numbers(memory.rows()), wanted);
}

/// Losses over float take the rows as they are: the bits of a memory of float that holds them.
TYPED_TEST(MemoriesOf16Bits, HoldRowsOfLosses) {
  using T = TypeParam;
  const Matrix<float> x = random_rows<float>(4, 3, 1);
  const Matrix<float> y = random_rows<float>(4, 3, 2);
  const Rounded<T> old{random_rows<float>(6, 3, 3)};
  const std::vector<std::int64_t> ids = numbers_from(6, 0);
  const std::vector<std::int64_t> own_ids = numbers_from(4, 2);
  Matrix<float> got, want;

  nearfar::KeyQueue<T> queue(6, 3);
  nearfar::KeyQueue<float> wide_queue(6, 3);
  queue.push(old.exact, ids);
  wide_queue.push(old.held, ids);
  const nearfar::InfoNce<float> info_nce;
  EXPECT_EQ(
      info_nce.forward_backward(x, y, queue.negatives(own_ids), got, no_gradient, no_gradient)
          .value,
      info_nce.forward_backward(x, y, wide_queue.negatives(own_ids), want, no_gradient, no_gradient)
          .value);
  EXPECT_EQ(got, want);

  nearfar::CrossBatchMemory<T> memory(6, 3);
  nearfar::CrossBatchMemory<float> wide_memory(6, 3);
  const std::vector<std::int64_t> classes = {0, 1, 0, 1, 0, 1};
  const std::vector<std::int64_t> own_classes = {0, 1, 1, 0};
  memory.push(old.exact, classes, ids);
  wide_memory.push(old.held, classes, ids);
  const nearfar::SupCon<float> sup_con;
  const Targets own = Targets(own_classes).ids(own_ids);
  EXPECT_EQ(
      sup_con.forward_backward(x, own, memory.rows(), memory.targets(), got, no_gradient).value,
      sup_con.forward_backward(x, own, wide_memory.rows(), wide_memory.targets(), want, no_gradient)
          .value);
  EXPECT_EQ(got, want);

  const nearfar::MemoryBank<T> bank(6, 3);
  Matrix<T> keys;
  bank.gather(own_ids, keys);
  const Matrix<float> wide_keys = keys.template cast<float>();
  const Matrix<float> wide_rows =
      Eigen::Map<const Matrix<T>>(static_cast<const T*>(bank.rows().address(0)), 6, 3)
          .template cast<float>();
  const std::vector<float> noise(6, -2.0f);
  const std::vector<float> noise_of_keys(4, -2.0f);
  const nearfar::Nce<float> nce;
  EXPECT_EQ(nce.forward(x, keys, bank.rows(), noise_of_keys, noise).value,
            nce.forward(x, wide_keys, wide_rows, noise_of_keys, noise).value);
}

TYPED_TEST(MemoriesOf16Bits, BanksMixInDoubleAndRoundToNearest) {
  using T = TypeParam;
  nearfar::MemoryBank<T> bank(3, 4, {.momentum = 0.25});
  const Matrix<T> before =
      Eigen::Map<const Matrix<T>>(static_cast<const T*>(bank.rows().address(0)), 3, 4);
  const Matrix<float> x = random_rows<float>(2, 4, 1);
  const std::vector<int> indices = {2, 0};
  bank.update(indices, x);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto row = static_cast<Index>(i);
    const Eigen::VectorXd old =
        before.row(indices[i]).template cast<float>().template cast<double>();
    const Eigen::VectorXd of_x = x.row(row).cast<double>();
    const Eigen::VectorXd mixed = 0.25 * old + 0.75 * of_x.normalized();
    for (Index k = 0; k < 4; ++k) {
      const double want = mixed.normalized()(k);
      // Half a unit of the last digit, of float on the way and of T.
      const double error = std::abs(want) * (std::is_same_v<T, Eigen::half> ? 0x1p-11 : 0x1p-8);
      EXPECT_NEAR(static_cast<double>(bank.rows()(indices[i], k)), want, error + 0x1p-23);
    }
  }
  for (Index k = 0; k < 4; ++k) {
    EXPECT_EQ(bank.rows()(1, k), static_cast<float>(before(1, k)));
  }
  // Rows of its own.
  nearfar::MemoryBank<T> same = bank;
  const std::vector<int> order = {1, 2, 0};
  const Matrix<T> copy =
      Eigen::Map<const Matrix<T>>(static_cast<const T*>(bank.rows().address(0)), 3, 4);
  bank.update(order, bank.rows());
  same.update(order, copy);
  EXPECT_EQ(numbers(bank.rows()), numbers(same.rows()));
}

TYPED_TEST(MemoriesOf16Bits, RefuseWhatTheyCannotHold) {
  using T = TypeParam;
  const bool half = std::is_same_v<T, Eigen::half>;
  nearfar::KeyQueue<T> queue(4, 2);
  queue.push(numbered<float>(2, 2, 1));
  const std::vector<float> before = numbers(queue.keys());
  Matrix<float> large = numbered<float>(3, 2, 1);
  large(1, 1) = half ? 65519.0f : 3.38e38f;
  queue.push(large);  // rounds to the largest number
  queue.clear();
  queue.push(numbered<float>(2, 2, 1));
  large(1, 1) = half ? 65520.0f : std::numeric_limits<float>::max();
  expect_refused(
      {"a number beyond the type",
       Thrown::domain_error,
       {"keys: wanted elements that fit Eigen::", half ? "half" : "bfloat16", "at row 1, column 1"},
       [&] { queue.push(large); }});
  EXPECT_EQ(numbers(queue.keys()), before);
  const nearfar::MemoryBank<T> bank(3, 2);
  Matrix<float> out;
  expect_refused({"memory of another type",
                  Thrown::invalid_argument,
                  {"out: wanted elements of the bank's type"},
                  [&] { bank.gather(std::vector<int>{0}, out); }});
}

TYPED_TEST(MemoriesOf16Bits, SaveHalfTheBytesAndLoadThem) {
  using T = TypeParam;
  using Other = std::conditional_t<std::is_same_v<T, Eigen::half>, Eigen::bfloat16, Eigen::half>;
  nearfar::KeyQueue<T> queue(64, 32);
  queue.push(random_rows<float>(70, 32, 1), numbers_from(70, 0));
  nearfar::KeyQueue<float> wide(64, 32);
  wide.push(random_rows<float>(70, 32, 1), numbers_from(70, 0));
  std::stringstream file, wide_file;
  queue.save(file);
  wide.save(wide_file);
  EXPECT_EQ(wide_file.str().size() - file.str().size(), 64u * 32u * 2u);
  nearfar::KeyQueue<T> loaded(64, 32);
  loaded.load(file);
  EXPECT_EQ(numbers(loaded.keys()), numbers(queue.keys()));
  EXPECT_EQ(listed(loaded.ids()), listed(queue.ids()));

  const auto refuses = [](auto memory, const std::string& content, const std::string& says) {
    std::istringstream in(content);
    try {
      memory.load(in);
      ADD_FAILURE() << "read, though it " << says;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    }
  };
  const std::string name = std::is_same_v<T, Eigen::half> ? "half" : "bfloat16";
  const std::string other = std::is_same_v<T, Eigen::half> ? "bfloat16" : "half";
  refuses(nearfar::KeyQueue<Other>(64, 32), file.str(),
          "has numbers of " + name + ", wanted " + other);
  refuses(nearfar::KeyQueue<float>(64, 32), file.str(),
          "has numbers of " + name + ", wanted float");
  refuses(nearfar::KeyQueue<T>(64, 32), wide_file.str(), "has numbers of float, wanted " + name);

  nearfar::CrossBatchMemory<T> small(2, 2);
  small.push(numbered<float>(2, 2, 1), numbers_from(2, 3));
  std::stringstream good;
  small.save(good);
  small.push(numbered<float>(1, 2, 9), numbers_from(1, 9));
  expect_damage_is_refused(small, good.str(),
                           [](const auto& memory) { return numbers(memory.rows()); });
}

}  // namespace
}  // namespace memory_test
