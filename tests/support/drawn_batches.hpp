#pragma once

#include <cstdint>
#include <nearfar/core/matrix.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

namespace support {

/// Labelled rows that are drawn.
template <class S>
struct DrawnBatch {
  std::string name;
  Matrix<S> x;
  std::vector<std::int64_t> labels;
};

/// How many kinds of batches there are: batch k is of kind k modulo this number.
inline constexpr std::uint64_t kinds_of_batches = 8;

/// Batch k of an endless list: 2 to 13 rows of each kind that a loss may treat as a special case.
template <class S>
DrawnBatch<S> drawn_batch(std::uint64_t k, Index cols) {
  Random random(1000 + k);
  const std::uint64_t kind = k % kinds_of_batches;
  const Index n = kind == 3 ? 2 : 2 + random.below(12);
  DrawnBatch<S> out{"", random_rows<S>(n, cols, 2000 + k), {}};
  const auto label = [&](const char* name, const auto& of) {
    out.name = name;
    for (Index i = 0; i < n; ++i) out.labels.push_back(of(i));
  };
  const auto any = [&](Index) { return std::int64_t(random.below(4)); };
  const auto own = [](Index i) { return std::int64_t(i); };
  switch (kind) {
    case 0:
      label("four classes", any);
      break;
    case 1:
      label("one class", [](Index) { return std::int64_t(-7); });
      break;
    case 2:
      label("no class twice", own);
      break;
    case 3:
      label("two rows", any);
      break;
    case 4:
      label("one pair", [](Index i) { return std::int64_t(i < 2 ? 0 : i); });
      break;
    case 5:
      label("ties of copies within classes", [](Index i) { return std::int64_t(i / 2 % 3); });
      for (Index i = 1; i < n; i += 2) out.x.row(i) = out.x.row(i - 1);
      break;
    case 6:
      label("ties of copies across classes", own);
      for (Index i = 1; i < n; ++i) {
        out.labels[std::size_t(i)] = i % 3;
        if (i % 2 == 1) out.x.row(i) = out.x.row(i - 1);
      }
      break;
    default:
      label("ties of rows of zeros", any);
      for (Index i = 0; i < n; i += 3) out.x.row(i).setZero();
  }
  out.name += ", " + std::to_string(n) + " rows, batch " + std::to_string(k);
  return out;
}

}  // namespace support
