#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nearfar/core/matrix.hpp>
#include <sstream>
#include <string>
#include <vector>

/// \file
/// Common parts of tests of memories: a ring as a plain deque, and damaged files.

namespace memory_test {

using nearfar::Index;
using nearfar::Matrix;

/// Rows whose numbers encode the time of their push.
template <class S>
Matrix<S> numbered(Index count, Index dim, int first) {
  Matrix<S> rows(count, dim);
  for (Index i = 0; i < count; ++i) {
    for (Index k = 0; k < dim; ++k) rows(i, k) = static_cast<S>(first + i) + static_cast<S>(k) / 8;
  }
  return rows;
}

inline std::vector<std::int64_t> numbers_from(Index count, int first) {
  std::vector<std::int64_t> out;
  for (Index i = 0; i < count; ++i) out.push_back(first + i);
  return out;
}

/// The newest `capacity` of 0 .. pushed - 1, each in its expected slot: row r is in slot r modulo
/// the capacity, if no push was longer than the capacity.
inline std::vector<std::int64_t> expected_slots(Index capacity, int pushed) {
  std::vector<std::int64_t> slots(static_cast<std::size_t>(std::min<Index>(capacity, pushed)));
  for (int r = 0; r < pushed; ++r) slots[static_cast<std::size_t>(r % capacity)] = r;
  return slots;
}

template <class Labels>
std::vector<std::int64_t> listed(const Labels& labels) {
  std::vector<std::int64_t> out;
  for (Index i = 0; i < labels.size(); ++i) out.push_back(labels[i]);
  return out;
}

template <class S>
std::vector<S> numbers(const nearfar::Rows<S>& rows) {
  std::vector<S> out;
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index k = 0; k < rows.cols(); ++k) out.push_back(rows(i, k));
  }
  return out;
}

/// Every damaged file must be refused, with `memory` unchanged: `state(memory)` returns its state.
template <class Memory, class State>
void expect_damage_is_refused(Memory& memory, const std::string& good, const State& state) {
  const auto before = state(memory);
  const auto refused = [&](const std::string& bytes, const std::string& what) {
    std::istringstream in(bytes);
    EXPECT_THROW(memory.load(in), std::runtime_error) << what;
    EXPECT_EQ(state(memory), before) << what;
  };
  for (std::size_t length = 0; length < good.size(); ++length) {
    refused(good.substr(0, length), "cut to " + std::to_string(length) + " bytes");
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    refused(bytes, "byte " + std::to_string(at) + " damaged");
  }
  refused("P6 28 28 255 and what else pictures have in them", "a foreign file");
}

/// A separate file for each test, removed at its end.
class File {
 public:
  File()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("nearfar_memory_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace memory_test
