#pragma once

#include <cstdint>

#include "nearfar/core/result.hpp"
#include "nearfar/metrics/effective_rank.hpp"

namespace nearfar {

/// Settings of collapse.
struct CollapseOptions {
  bool effective_rank = true;  ///< whether to compute it; all else takes O(N D)
};

/// The result of collapse. Everything is 0 if there are no rows to measure.
struct CollapseResult {
  double effective_rank = 0;  ///< in [1, min(N, D)]; 0 when all rows are zero
  double mean_cosine = 0;     ///< over pairs of rows, in [-1, 1]; 0 for fewer than two rows
  double mean_norm = 0;       ///< mean of |x_i|
  double norm_deviation = 0;  ///< standard deviation of |x_i|; the variance divides by N
  std::int64_t rows = 0;
  std::int64_t zero_rows = 0;  ///< rows without a direction
};

namespace detail {

/// `rank_of_gram` is `effective_rank`, compiled with the caller's code.
template <class S>
CollapseResult evaluate(const CollapseOptions& options, const Rows<S>& x,
                        const CallOptions<S>& call, double (*rank_of_gram)(const UpperGram&));

}  // namespace detail

/// Signs of collapse in a set of embeddings x (N x D): few directions in use, all rows of the same
/// direction, lengths near zero or of large variance.
///
/// Effective rank, with s_k the singular values of x and p_k = s_k / sum_l s_l:
///
///     exp( -sum_k p_k log p_k )
///
/// (Roy & Vetterli, The effective rank: a measure of effective dimensionality, 2007, section 2.1;
/// as RankMe of embeddings in Garrido et al. 2023). x is not centred: rows that all have nearly the
/// same direction have an effective rank near 1. For the effective rank of the spread about the
/// mean, subtract the mean first. The s_k are roots of eigenvalues of x^T x or x x^T, the smaller,
/// in double: values below sqrt(min(N, D) epsilon) of the largest count as zero.
///
/// Mean pairwise cosine, with u_i = x_i / |x_i|, or 0 for a zero row as in Cosine:
///
///     2 / (N (N - 1)) sum_{i<j} u_i . u_j = (|sum_i u_i|^2 - sum_i |u_i|^2) / (N (N - 1))
///
/// Norms that overflow double count as its largest number. Elements may be of any size.
///
/// Throws std::invalid_argument on rows without elements, std::domain_error on an element that is
/// not finite. N D min(N, D) + O(min(N, D)^3 + N D) floating point operations, O(N + min(N, D)^2)
/// memory, of which the eigenvalue solver allocates min(N, D)^2 anew in each call. Results have the
/// same bits at any number of threads.
template <class X, class S = detail::ScalarOfStored<typename X::Scalar>>
CollapseResult collapse(const X& x, CollapseOptions options = {}, CallOptions<S> call = {}) {
  return detail::evaluate(options, Rows<S>(x), call, &detail::effective_rank<detail::UpperGram>);
}

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/collapse.hpp"
#endif
