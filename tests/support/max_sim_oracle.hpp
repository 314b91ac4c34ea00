#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/oracle.hpp"

/// \file
/// Scores and losses of late interaction by plain loops over tokens in long double.

namespace support {

/// S_im for queries i and documents m, sets of the rows between their offsets.
template <class K>
oracle::Matrix max_sim_scores(const K& kernel, const oracle::Matrix& queries,
                              const std::vector<nearfar::Index>& query_offsets,
                              const oracle::Matrix& documents,
                              const std::vector<nearfar::Index>& document_offsets) {
  using nearfar::Index;
  const auto count = [](const auto& o) { return static_cast<Index>(o.size()) - 1; };
  const auto at = [](const auto& o, Index k) { return o[static_cast<std::size_t>(k)]; };
  oracle::Matrix out = oracle::Matrix::Zero(count(query_offsets), count(document_offsets));
  for (Index i = 0; i < out.rows(); ++i) {
    for (Index m = 0; m < out.cols(); ++m) {
      for (Index u = at(query_offsets, i); u < at(query_offsets, i + 1); ++u) {
        oracle::Real best = -std::numeric_limits<oracle::Real>::infinity();
        for (Index v = at(document_offsets, m); v < at(document_offsets, m + 1); ++v) {
          best = std::max(best, kernel.score(oracle::row(queries, u), oracle::row(documents, v)));
        }
        out(i, m) += best;
      }
    }
  }
  return out;
}

/// L_i of scores s, whose document `positive` is the positive of query i.
inline oracle::Real max_sim_value(const oracle::Matrix& s, nearfar::Index i,
                                  nearfar::Index positive, oracle::Real temperature) {
  oracle::Real sum = 0;
  for (nearfar::Index m = 0; m < s.cols(); ++m) {
    sum += std::exp((s(i, m) - s(i, positive)) / temperature);
  }
  return std::log(sum);
}

}  // namespace support
