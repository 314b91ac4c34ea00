#include "common/neighbours.hpp"

#include <algorithm>
#include <nearfar/kernels/squared_euclidean.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <utility>

#include "common/parallel.hpp"

namespace example {
namespace {

using nearfar::Index;
using Rows = nearfar::Matrix<float>;

// 16 MiB of distances at a time.
constexpr Index query_block = 1024;
constexpr Index reference_block = 4096;

/// A reference and its distance; pairs compare by distance, then by index.
using Neighbour = std::pair<float, std::size_t>;

/// Keeps the k smallest neighbours, in order. k is small: a sorted array is faster than a heap.
void offer(std::vector<Neighbour>& kept, std::size_t k, Neighbour next) {
  if (kept.size() == k) {
    if (!(next < kept.back())) return;
    kept.pop_back();
  }
  kept.insert(std::upper_bound(kept.begin(), kept.end(), next), next);
}

}  // namespace

std::vector<std::size_t> nearest(const Rows& queries, const Rows& references, std::size_t k,
                                 bool leave_self_out) {
  const std::size_t usable = static_cast<std::size_t>(references.rows()) - (leave_self_out ? 1 : 0);
  k = std::min(k, usable);
  std::vector<std::size_t> result(static_cast<std::size_t>(queries.rows()) * k);
  if (k == 0) return result;
  nearfar::Workspace workspace;
  for (Index q0 = 0; q0 < queries.rows(); q0 += query_block) {
    const Index q_count = std::min(query_block, queries.rows() - q0);
    std::vector<std::vector<Neighbour>> kept(static_cast<std::size_t>(q_count));
    for (Index r0 = 0; r0 < references.rows(); r0 += reference_block) {
      const Index r_count = std::min(reference_block, references.rows() - r0);
      const Rows distances =
          nearfar::pairwise(queries.middleRows(q0, q_count), references.middleRows(r0, r_count),
                            nearfar::SquaredEuclidean{}, {.workspace = &workspace});
      parallel_for(q_count, [&](Index q) {
        for (Index r = 0; r < r_count; ++r) {
          if (leave_self_out && r0 + r == q0 + q) continue;
          offer(kept[static_cast<std::size_t>(q)], k,
                {distances(q, r), static_cast<std::size_t>(r0 + r)});
        }
      });
    }
    for (Index q = 0; q < q_count; ++q) {
      const auto at = static_cast<std::size_t>(q0 + q) * k;
      for (std::size_t n = 0; n < k; ++n) {
        result[at + n] = kept[static_cast<std::size_t>(q)][n].second;
      }
    }
  }
  return result;
}

Neighbourhoods mutual_neighbours(const Rows& rows, std::size_t k) {
  const std::vector<std::size_t> found = nearest(rows, rows, k, true);
  Neighbourhoods all(static_cast<std::size_t>(rows.rows()));
  for (std::size_t n = 0; n < found.size(); ++n) {
    const std::size_t row = n * all.size() / found.size();
    all[row].push_back(found[n]);
    all[found[n]].push_back(row);
  }
  for (std::vector<std::size_t>& list : all) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return all;
}

}  // namespace example
