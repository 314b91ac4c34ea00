#pragma once

#include <cstddef>
#include <nearfar/core/matrix.hpp>
#include <vector>

/// \file
/// Which rows are near. Distances are computed block by block, never the whole matrix of them.

namespace example {

/// The `k` nearest references of each query, by Euclidean distance, nearest first; of references at
/// equal distance the one of lower index comes first. Query after query, `k` each; `k` is cut down
/// to the number of references. With `leave_self_out`, queries and references are the same rows and
/// row i is no neighbour of itself.
std::vector<std::size_t> nearest(const nearfar::Matrix<float>& queries,
                                 const nearfar::Matrix<float>& references, std::size_t k,
                                 bool leave_self_out = false);

/// For each row, others in rising order.
using Neighbourhoods = std::vector<std::vector<std::size_t>>;

/// Rows i and j are neighbours of each other when either is among the `k` nearest of the other.
Neighbourhoods mutual_neighbours(const nearfar::Matrix<float>& rows, std::size_t k);

}  // namespace example
