#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/drawn_batches.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// \file
/// Labelled batches, and the scores and sums that tests compare values over them with.

namespace support {

using oracle::Real;

inline void expect_value(double got, Real wanted) {
  constexpr double same = 1e-12;
  EXPECT_LE(std::abs(static_cast<Real>(got) - wanted), same * std::max<Real>(1, std::abs(wanted)))
      << "got " << got << ", wanted " << wanted;
}

/// Rows with labels, including ties, duplicates and labels of any size.
struct Batch {
  std::string name;
  Matrix<double> x;
  std::vector<std::int64_t> labels;
};

inline std::vector<Batch> batches() {
  std::vector<Batch> all;
  const auto labels = [](Index n, const auto& of) {
    std::vector<std::int64_t> out;
    for (Index i = 0; i < n; ++i) out.push_back(of(i));
    return out;
  };
  for (const Index n : {2, 7, 33, 130}) {
    all.push_back({"random " + std::to_string(n), random_rows<double>(n, 17, 3),
                   labels(n, [](Index i) { return (i * i) % 5; })});
  }
  all.push_back({"one class", random_rows<double>(9, 3, 4), labels(9, [](Index) { return 1; })});
  all.push_back(
      {"no class twice", random_rows<double>(9, 3, 5), labels(9, [](Index i) { return 4 * i; })});
  all.push_back({"labels negative and huge", random_rows<double>(12, 3, 6), labels(12, [](Index i) {
                   return i % 3 == 0   ? std::numeric_limits<std::int64_t>::min()
                          : i % 3 == 1 ? std::numeric_limits<std::int64_t>::max()
                                       : std::int64_t(-1);
                 })});
  Batch ties{"ties and duplicates", Matrix<double>(12, 2),
             labels(12, [](Index i) { return i % 2; })};
  for (Index i = 0; i < 12; ++i) ties.x.row(i) << double(i % 3), double((i / 3) % 2);
  all.push_back(ties);
  all.push_back({"a single row", random_rows<double>(1, 3, 7), {5}});
  for (std::uint64_t k = 0; k < kinds_of_batches; ++k) {
    const DrawnBatch<double> drawn = drawn_batch<double>(k, 5);
    all.push_back({drawn.name, drawn.x, drawn.labels});
  }
  return all;
}

/// The same and one of more rows than a tile is wide.
inline std::vector<Batch> small_and_large_batches() {
  std::vector<Batch> all = batches();
  Batch large{"random 400", random_rows<double>(400, 5, 8), {}};
  for (const int label : random_labels(400, 11, 9)) large.labels.push_back(label);
  all.push_back(large);
  return all;
}

/// Distances, or minus scores, of all pairs.
template <class O>
oracle::Matrix distances(const O& kernel, const oracle::Matrix& x) {
  oracle::Matrix d = oracle::pairwise(kernel, x, x);
  if (O::similarity) d = -d;
  return d;
}

/// The sum over rows i of of_row(i, positives of i, negatives of i).
template <class OfRow>
Real over_rows(const Batch& batch, const OfRow& of_row) {
  Real sum = 0;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    std::vector<Index> positives;
    std::vector<Index> negatives;
    for (std::size_t j = 0; j < batch.labels.size(); ++j) {
      if (i == j) continue;
      (batch.labels[i] == batch.labels[j] ? positives : negatives).push_back(Index(j));
    }
    sum += of_row(Index(i), positives, negatives);
  }
  return sum;
}

}  // namespace support
