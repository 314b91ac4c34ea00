#include "memory/rings.hpp"

#include <nearfar/losses/info_nce.hpp>
#include <nearfar/memory/key_queue.hpp>

#include "support/errors.hpp"

namespace memory_test {
namespace {

using nearfar::KeyQueue;
using support::expect_refused;
using support::Thrown;

template <class S>
class KeyQueues : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(KeyQueues, Scalars);

TYPED_TEST(KeyQueues, HoldTheNewestWhateverTheBatches) {
  for (const std::vector<int>& batches : std::vector<std::vector<int>>{
           {1}, {7}, {3, 4}, {5, 5, 5}, {7, 7}, {1, 0, 6, 2, 7, 3}, {2, 2, 2, 2, 2, 2, 2}}) {
    KeyQueue<TypeParam> queue(7, 3);
    int pushed = 0;
    for (const int n : batches) {
      queue.push(numbered<TypeParam>(n, 3, pushed), numbers_from(n, pushed));
      pushed += n;
      EXPECT_EQ(listed(queue.ids()), expected_slots(7, pushed));
      EXPECT_EQ(queue.size(), std::min(7, pushed));
      EXPECT_EQ(queue.full(), pushed >= 7);
      for (Index i = 0; i < queue.size(); ++i) {
        const auto* row = queue.keys().row(i);
        for (Index k = 0; k < 3; ++k) {
          EXPECT_EQ(row[k], static_cast<TypeParam>(queue.ids()[i]) + static_cast<TypeParam>(k) / 8);
        }
      }
    }
  }
}

TYPED_TEST(KeyQueues, KeepTheEndOfABatchThatIsLongerThanThey) {
  KeyQueue<TypeParam> queue(4, 2);
  queue.push(numbered<TypeParam>(3, 2, 0), numbers_from(3, 0));
  queue.push(numbered<TypeParam>(11, 2, 3), numbers_from(11, 3));
  std::vector<std::int64_t> held = listed(queue.ids());
  std::sort(held.begin(), held.end());
  EXPECT_EQ(held, (std::vector<std::int64_t>{10, 11, 12, 13}));
  // The oldest keys leave first, as before.
  queue.push(numbered<TypeParam>(2, 2, 14), numbers_from(2, 14));
  held = listed(queue.ids());
  std::sort(held.begin(), held.end());
  EXPECT_EQ(held, (std::vector<std::int64_t>{12, 13, 14, 15}));
}

TYPED_TEST(KeyQueues, AnOldKeyOfTheSameImageIsNoNegative) {
  using S = TypeParam;
  KeyQueue<S> queue(8, 2);
  Matrix<S> old(3, 2);
  old << 1, 0, 0, 1, -1, 0;
  queue.push(old, std::vector<int>{5, 6, 5});
  Matrix<S> query(1, 2);
  query << 1, 0;
  const std::vector<int> image = {5};
  const nearfar::InfoNce<S> loss({.temperature = 1});
  // The query's key is its own copy; the only negative left is orthogonal.
  EXPECT_NEAR(loss.forward(query, query, queue.negatives(image)).value, std::log1p(std::exp(S(-1))),
              1e-6);
  EXPECT_NEAR(loss.forward(query, query, queue.negatives()).value,
              std::log1p(1 + std::exp(S(-1)) + std::exp(S(-2))), 1e-6);
  // Before the first push there is no negative.
  const KeyQueue<S> empty(8, 2);
  EXPECT_EQ(loss.forward(query, query, empty.negatives(image)).value, 0);
}

TYPED_TEST(KeyQueues, ComeBackFromTheirFile) {
  const File file;
  for (const int pushed : {0, 2, 5, 8}) {
    for (const bool with_ids : {false, true}) {
      KeyQueue<TypeParam> queue(5, 3);
      const auto push = [&](KeyQueue<TypeParam>& to, int n, int first) {
        if (with_ids) {
          to.push(numbered<TypeParam>(n, 3, first), numbers_from(n, first));
        } else {
          to.push(numbered<TypeParam>(n, 3, first));
        }
      };
      for (int r = 0; r < pushed; ++r) push(queue, 1, r);
      queue.save(file.path());
      KeyQueue<TypeParam> loaded(5, 3);
      loaded.push(numbered<TypeParam>(4, 3, 100));
      loaded.load(file.path());
      // It then behaves like the saved queue.
      for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(numbers(loaded.keys()), numbers(queue.keys()));
        EXPECT_EQ(listed(loaded.ids()), listed(queue.ids()));
        push(queue, 3, 50);
        push(loaded, 3, 50);
      }
    }
  }
}

TYPED_TEST(KeyQueues, RefuseDamagedFilesAndStayAsTheyWere) {
  KeyQueue<TypeParam> queue(3, 2);
  queue.push(numbered<TypeParam>(4, 2, 0), numbers_from(4, 0));
  std::ostringstream out;
  queue.save(out);
  KeyQueue<TypeParam> other(3, 2);
  other.push(numbered<TypeParam>(2, 2, 30), numbers_from(2, 30));
  expect_damage_is_refused(other, out.str(), [](const KeyQueue<TypeParam>& q) {
    return std::pair(numbers(q.keys()), listed(q.ids()));
  });
  const auto load_into = [&](auto&& memory) {
    std::istringstream in(out.str());
    memory.load(in);
  };
  EXPECT_THROW(load_into(KeyQueue<TypeParam>(4, 2)), std::runtime_error);
  EXPECT_THROW(load_into(KeyQueue<TypeParam>(3, 3)), std::runtime_error);
  using Other = std::conditional_t<std::is_same_v<TypeParam, float>, double, float>;
  EXPECT_THROW(load_into(KeyQueue<Other>(3, 2)), std::runtime_error);
  EXPECT_NO_THROW(load_into(other));
}

TEST(KeyQueue, FilesThatAreNotThereOrTooLongAreRefused) {
  const File file;
  KeyQueue<float> queue(3, 2);
  EXPECT_THROW(queue.load(file.path()), std::runtime_error);
  queue.save(file.path());
  EXPECT_NO_THROW(queue.load(file.path()));
  std::ofstream(file.path(), std::ios::binary | std::ios::app) << "more";
  EXPECT_THROW(queue.load(file.path()), std::runtime_error);
  EXPECT_THROW(queue.save(file.path() / "below"), std::runtime_error);
}

TEST(KeyQueue, RefusesWhatDoesNotFit) {
  EXPECT_THROW(KeyQueue<float>(0, 2), std::invalid_argument);
  EXPECT_THROW(KeyQueue<float>(2, -1), std::invalid_argument);
  KeyQueue<float> queue(3, 2);
  queue.push(numbered<float>(2, 2, 0), numbers_from(2, 0));
  const std::vector<int> two = {1, 2};
  Matrix<float> bad = numbered<float>(2, 2, 0);
  bad(1, 0) = NAN;
  expect_refused({"width", Thrown::invalid_argument, {"keys: wanted 2 x 2, got 2 x 3"}, [&] {
                    queue.push(numbered<float>(2, 3, 0), two);
                  }});
  expect_refused({"ids", Thrown::invalid_argument, {"ids: wanted 3", "got 2"}, [&] {
                    queue.push(numbered<float>(3, 2, 0), two);
                  }});
  expect_refused({"no ids", Thrown::invalid_argument, {"ids: wanted one a row", "got none"}, [&] {
                    queue.push(numbered<float>(2, 2, 0));
                  }});
  expect_refused({"NaN", Thrown::domain_error, {"keys: ", "NaN at row 1, column 0"}, [&] {
                    queue.push(bad, two);
                  }});
  EXPECT_EQ(listed(queue.ids()), numbers_from(2, 0));
  KeyQueue<float> without(3, 2);
  without.push(numbered<float>(2, 2, 0));
  expect_refused({"query ids", Thrown::invalid_argument, {"ids: wanted keys pushed with ids"}, [&] {
                    without.negatives(two);
                  }});
  expect_refused(
      {"some ids", Thrown::invalid_argument, {"ids: wanted none, as before", "got some"}, [&] {
         without.push(numbered<float>(2, 2, 0), two);
       }});
  // A queue that was cleared may start again.
  without.clear();
  EXPECT_EQ(without.size(), 0);
  without.push(numbered<float>(2, 2, 0), two);
  EXPECT_EQ(listed(without.ids()), (std::vector<std::int64_t>{1, 2}));
}

}  // namespace
}  // namespace memory_test
