#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/core/stored_types.hpp"
#include "nearfar/memory/whole_file.hpp"

/// \file
/// The file format of memories, little-endian on every machine:
///
///     8 bytes   "nearfar" and a zero
///     u32       version of the format
///     u32       kind (SavedKind)
///     ...       contents of the kind
///     u64       FNV-1a hash of every byte before
///
/// A reader checks the hash before it returns anything.

namespace nearfar::detail {

enum class SavedKind : std::uint32_t { key_queue = 1, memory_bank = 2, cross_batch_memory = 3 };

inline constexpr std::array<char, 8> saved_magic = {'n', 'e', 'a', 'r', 'f', 'a', 'r', '\0'};
inline constexpr std::uint32_t saved_version = 1;

/// FNV-1a, 64 bits (Fowler, Noll and Vo): detects accidental damage, not manipulation.
class SavedHash {
 public:
  void add(const char* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      state_ = (state_ ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3ull;
    }
  }
  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

/// The number of a type of numbers in a file: its bytes, as in the first files, or a number from 16
/// on.
template <class T>
inline constexpr std::uint32_t saved_type = element_of<T> == Element::half       ? 16
                                            : element_of<T> == Element::bfloat16 ? 17
                                                                                 : sizeof(T);

inline std::string name_of_saved_type(std::uint32_t type) {
  switch (type) {
    case saved_type<float>:
      return "float";
    case saved_type<double>:
      return "double";
    case saved_type<Eigen::half>:
      return "half";
    case saved_type<Eigen::bfloat16>:
      return "bfloat16";
    default:
      return "type " + std::to_string(type);
  }
}

/// Converts between the bytes of a number and the file's order.
template <class T>
std::array<char, sizeof(T)> little_endian(std::array<char, sizeof(T)> bytes) {
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

/// The same bytes in reverse order.
constexpr std::uint32_t in_other_order(std::uint32_t number) {
  return number << 24 | (number & 0xff00u) << 8 | (number >> 8 & 0xff00u) | number >> 24;
}

class SavedWriter {
 public:
  SavedWriter(std::ostream& out, SavedKind kind) : out_(out) {
    errno = 0;  // so that a later value is an error of this file
    write(saved_magic.data(), saved_magic.size());
    put(saved_version);
    put(static_cast<std::uint32_t>(kind));
  }

  template <class T>
  void put(T number) {
    static_assert(std::is_arithmetic_v<T> || is_16_bit<T>);
    const auto bytes = little_endian<T>(std::bit_cast<std::array<char, sizeof(T)>>(number));
    write(bytes.data(), bytes.size());
  }

  template <class T>
  void put_all(const std::vector<T>& numbers) {
    for (const T number : numbers) put(number);
  }

  /// That numbers follow that are of type T.
  template <class T>
  void put_type() {
    put(saved_type<T>);
  }

  /// Throws std::runtime_error if some bytes could not be written.
  void finish() {
    put(hash_.state());
    out_.flush();
    if (!out_) fail_file("memory", "could not be written" + reason_of(errno));
  }

 private:
  void write(const char* bytes, std::size_t count) {
    hash_.add(bytes, count);
    out_.write(bytes, static_cast<std::streamsize>(count));
  }

  std::ostream& out_;
  SavedHash hash_;
};

/// Throws std::runtime_error at the first error.
class SavedReader {
 public:
  SavedReader(std::istream& in, SavedKind kind) : in_(in) {
    std::array<char, saved_magic.size()> magic{};
    read(magic.data(), magic.size());
    if (magic != saved_magic) fail_file("memory", "is no file of nearfar's");
    const auto version = get<std::uint32_t>();
    if (version == in_other_order(saved_version)) {
      fail_file("memory", "is big-endian, files are little-endian on every machine");
    }
    if (version != saved_version) {
      fail_file("memory", "is of format " + std::to_string(version) + ", known is " +
                              std::to_string(saved_version));
    }
    if (get<std::uint32_t>() != static_cast<std::uint32_t>(kind)) {
      fail_file("memory", "holds a memory of another kind");
    }
  }

  template <class T>
  T get() {
    std::array<char, sizeof(T)> bytes{};
    read(bytes.data(), bytes.size());
    return std::bit_cast<T>(little_endian<T>(bytes));
  }

  /// Throws unless the number in the file is `wanted`.
  template <class T>
  void expect(const char* name, T wanted) {
    const T got = get<T>();
    if (got != wanted) {
      fail_file("memory", "has " + std::string(name) + " " + std::to_string(got) + ", wanted " +
                              std::to_string(wanted));
    }
  }

  /// Throws unless the numbers of the file are of type T.
  template <class T>
  void expect_type() {
    const auto got = get<std::uint32_t>();
    if (got == saved_type<T>) return;
    fail_file("memory", "has numbers of " + name_of_saved_type(got) + ", wanted " +
                            name_of_saved_type(saved_type<T>));
  }

  template <class T>
  std::vector<T> get_all(std::size_t count) {
    std::vector<T> numbers(count);
    for (T& number : numbers) number = get<T>();
    return numbers;
  }

  void finish() {
    const std::uint64_t hash = hash_.state();
    if (get<std::uint64_t>() != hash) fail_file("memory", "is damaged: its checksum is wrong");
  }

 private:
  void read(char* bytes, std::size_t count) {
    in_.read(bytes, static_cast<std::streamsize>(count));
    if (static_cast<std::size_t>(in_.gcount()) != count) fail_file("memory", "is truncated");
    hash_.add(bytes, count);
  }

  std::istream& in_;
  SavedHash hash_;
};

template <class Load>
void load_file(const std::filesystem::path& file, const Load& load) {
  std::ifstream in(file, std::ios::binary);
  if (!in) fail_file(file.string(), "could not be read");
  load(in);
  if (in.peek() != std::ifstream::traits_type::eof()) {
    fail_file(file.string(), "is longer than what it says it holds");
  }
}

}  // namespace nearfar::detail
