#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nearfar/core/matrix.hpp>
#include <string>
#include <vector>

/// \file
/// Reads a fuzzer's bytes as arguments of calls. After the last byte all numbers are zero, so every
/// string of bytes is a case.

namespace fuzz {

using nearfar::Index;
using nearfar::Matrix;

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}

  std::uint8_t next() {
    if (left_ == 0) return 0;
    --left_;
    return *at_++;
  }
  /// A number in 0 .. count - 1.
  int below(int count) { return next() % count; }
  bool flag() { return (next() & 1) != 0; }
  std::string rest() { return {reinterpret_cast<const char*>(at_), left_}; }

  /// An option: usually valid, sometimes one that must be refused.
  double option() {
    constexpr double inf = std::numeric_limits<double>::infinity();
    constexpr double all[] = {
        0.5,   1, 0.07, 2, 1e-3, 100, 0, -1, inf, -inf, std::numeric_limits<double>::quiet_NaN(),
        1e-300};
    return all[below(12)];
  }

  /// A number: eighths around 0, or, if `hard`, an extreme one.
  template <class S>
  S number(bool hard) {
    using Limits = std::numeric_limits<S>;
    const std::uint8_t byte = next();
    if (!hard || byte < 192) return static_cast<S>(byte - 96) / 8;
    const S all[] = {Limits::denorm_min(),
                     Limits::min(),
                     Limits::max(),
                     Limits::lowest(),
                     std::sqrt(Limits::max()),
                     std::sqrt(Limits::min()),
                     Limits::epsilon(),
                     -Limits::denorm_min(),
                     S(1e6),
                     S(1e-6),
                     Limits::quiet_NaN(),
                     Limits::infinity(),
                     -Limits::infinity(),
                     S(1) + Limits::epsilon(),
                     S(-0.0),
                     S(1e30)};
    return all[byte % 16];
  }

  /// Rows, some of them equal to the previous one.
  template <class S>
  Matrix<S> rows(Index count, Index cols, bool hard) {
    Matrix<S> out(count, cols);
    for (Index i = 0; i < count; ++i) {
      if (i > 0 && below(8) == 7) {
        out.row(i) = out.row(i - 1);
        continue;
      }
      for (Index k = 0; k < cols; ++k) out(i, k) = number<S>(hard);
    }
    return out;
  }

  std::vector<int> labels(Index count) {
    std::vector<int> out(static_cast<std::size_t>(count));
    for (int& label : out) label = below(4);
    return out;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

/// Stops the run if a promise is broken.
inline void require(bool kept, const std::string& promise) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", promise.c_str());
  std::abort();
}

}  // namespace fuzz
