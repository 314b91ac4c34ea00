#pragma once

#include <cstddef>
#include <cstdint>
#include <nearfar/nearfar.hpp>
#include <span>
#include <vector>

/// \file
/// How good an embedding is: whether near rows are of the same class. Distances are computed block
/// by block, never the whole matrix of them.

namespace example {

/// The `k` nearest references of each query, by Euclidean distance, nearest first; of references at
/// equal distance the one of lower index comes first. Query after query, `k` each; `k` is cut down
/// to the number of references. With `leave_self_out`, queries and references are the same rows and
/// row i is no neighbour of itself.
std::vector<std::size_t> nearest(const nearfar::Matrix<float>& queries,
                                 const nearfar::Matrix<float>& references, std::size_t k,
                                 bool leave_self_out = false);

/// The share of rows whose nearest other row is of the same class. 0 for fewer than two rows.
double recall_at_1(const nearfar::Matrix<float>& rows, std::span<const std::uint8_t> labels);

/// The share of queries whose class is the most frequent one among their `k` nearest rows of the
/// gallery; of equally frequent classes the lowest wins.
double knn_accuracy(const nearfar::Matrix<float>& gallery,
                    std::span<const std::uint8_t> gallery_labels,
                    const nearfar::Matrix<float>& queries,
                    std::span<const std::uint8_t> query_labels, std::size_t k);

}  // namespace example
