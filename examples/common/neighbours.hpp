#pragma once

#include <cstddef>
#include <nearfar/core/matrix.hpp>
#include <vector>

/// \file
/// Nearest rows. Distances are computed block by block, never as a whole matrix.

namespace example {

/// The `k` nearest references of each query, by Euclidean distance, nearest first; of equally near
/// references the one of lower index comes first. Query after query, `k` each, or all references if
/// there are fewer. With `leave_self_out`, queries and references are the same rows and row i is no
/// neighbour of itself.
std::vector<std::size_t> nearest(const nearfar::Matrix<float>& queries,
                                 const nearfar::Matrix<float>& references, std::size_t k,
                                 bool leave_self_out = false);

/// For each row, its neighbours in ascending order.
using Neighbourhoods = std::vector<std::vector<std::size_t>>;

/// Rows i and j are neighbours of each other if either is among the `k` nearest of the other.
Neighbourhoods mutual_neighbours(const nearfar::Matrix<float>& rows, std::size_t k);

}  // namespace example
