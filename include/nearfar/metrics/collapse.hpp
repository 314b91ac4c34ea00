#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "nearfar/kernels/cosine.hpp"
#include "nearfar/metrics/effective_rank.hpp"
#include "nearfar/tiles/batch.hpp"

namespace nearfar {

/// Settings of collapse.
struct CollapseOptions {
  bool effective_rank = true;  ///< whether to find it; the rest takes O(N D) alone
};

/// What collapse returns. Everything is 0 where there is nothing to measure.
struct CollapseResult {
  double effective_rank = 0;  ///< in [1, min(N, D)]; 0 when all rows are zero
  double mean_cosine = 0;     ///< over pairs of rows, in [-1, 1]; 0 for fewer than two rows
  double mean_norm = 0;       ///< of |x_i|
  double norm_deviation = 0;  ///< standard deviation of |x_i|, of all N: divided by N
  std::int64_t rows = 0;
  std::int64_t zero_rows = 0;  ///< of these, without a direction
};

namespace detail {

/// A row's length as unit x length, which fits where the product may not.
struct RowLength {
  double unit;    ///< largest magnitude of an element; 0 for a zero row
  double length;  ///< |x| / unit; 1 for a zero row

  double norm() const { return std::min(unit * length, std::numeric_limits<double>::max()); }
};

template <class S>
RowLength length_of(const S* x, Index n) {
  RowLength out{0, 1};
  for (Index k = 0; k < n; ++k) out.unit = std::max(out.unit, std::abs(static_cast<double>(x[k])));
  if (!(out.unit > 0)) return out;
  double sum = 0;
  for (Index k = 0; k < n; ++k) {
    const double share = static_cast<double>(x[k]) / out.unit;
    sum += share * share;
  }
  out.length = std::sqrt(sum);
  return out;
}

/// Lengths of all rows.
template <class S>
const RowLength* lengths_of(Scratch& scratch, int threads, const Rows<S>& x) {
  auto* out = scratch.take<RowLength>(x.rows());
  parallel_tasks(tasks_of(x.rows(), rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows(), (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) out[i] = length_of(x.row(i), x.cols());
  });
  return out;
}

/// Mean and deviation of norms, and the count of zero rows. Relative to the largest norm, so that
/// no sum overflows.
inline void measure_norms(const RowLength* lengths, Index rows, CollapseResult& out) {
  double largest = 0;
  for (Index i = 0; i < rows; ++i) {
    largest = std::max(largest, lengths[i].norm());
    out.zero_rows += lengths[i].unit > 0 ? 0 : 1;
  }
  if (!(largest > 0)) return;
  const auto n = static_cast<double>(rows);
  double sum = 0;
  for (Index i = 0; i < rows; ++i) sum += lengths[i].norm() / largest;
  const double mean = sum / n;
  double squares = 0;
  for (Index i = 0; i < rows; ++i) {
    const double off = lengths[i].norm() / largest - mean;
    squares += off * off;
  }
  out.mean_norm = std::min(mean, 1.0) * largest;
  out.norm_deviation = std::sqrt(squares / n) * largest;
}

/// Mean of u_i . u_j over i < j, u_i = x_i / |x_i| or 0, at least two rows: of |sum_i u_i|^2 what
/// is left without the u_i . u_i.
template <class S>
double mean_cosine(Scratch& scratch, int threads, const Rows<S>& x, const RowLength* lengths) {
  // Each column's share of both sums, in row order.
  auto* of_sum = scratch.take<double>(x.cols());
  auto* of_rows = scratch.take<double>(x.cols());
  constexpr Index columns = 64;
  parallel_tasks(tasks_of(x.cols(), columns), threads, [&](Index t, int) {
    const Index begin = t * columns;
    const Index end = std::min(x.cols(), begin + columns);
    std::fill(of_sum + begin, of_sum + end, 0.0);
    std::fill(of_rows + begin, of_rows + end, 0.0);
    for (Index i = 0; i < x.rows(); ++i) {
      const RowLength& row = lengths[i];
      if (!(row.unit > 0)) continue;
      for (Index k = begin; k < end; ++k) {
        const double u = static_cast<double>(x.row(i)[k]) / row.unit / row.length;
        of_sum[k] += u;
        of_rows[k] += u * u;
      }
    }
  });
  double pairs = 0;
  for (Index k = 0; k < x.cols(); ++k) pairs += of_sum[k] * of_sum[k] - of_rows[k];
  const auto n = static_cast<double>(x.rows());
  return std::clamp(pairs / (n * (n - 1)), -1.0, 1.0);
}

}  // namespace detail

/// Signs of collapse in a set of embeddings x (N x D): few directions in use, all rows pointing the
/// same way, lengths that vanish or scatter.
///
/// Effective rank, with s_k the singular values of x and p_k = s_k / sum_l s_l:
///
///     exp( -sum_k p_k log p_k )
///
/// (Roy & Vetterli, The effective rank: a measure of effective dimensionality, 2007, section 2.1;
/// as RankMe of embeddings in Garrido et al. 2023). x is not centred: rows that all point nearly
/// one way have an effective rank near 1; for that of the spread about the mean, subtract it
/// before. The s_k are roots of eigenvalues of x^T x or x x^T, the smaller, in double: values below
/// sqrt(min(N, D) epsilon) of the largest count as zero.
///
/// Mean pairwise cosine, with u_i = x_i / |x_i|, or 0 for a zero row as in Cosine:
///
///     2 / (N (N - 1)) sum_{i<j} u_i . u_j = (|sum_i u_i|^2 - sum_i |u_i|^2) / (N (N - 1))
///
/// Norms that double cannot hold count as its largest number. Elements may be of any size.
///
/// Throws std::invalid_argument on rows without elements, std::domain_error on an element that is
/// not finite. N D min(N, D) + O(min(N, D)^3 + N D) floating point operations, O(N + min(N, D)^2)
/// memory, of which the eigenvalue solver takes its own min(N, D)^2 anew in each call. The same
/// bits at any number of threads.
template <class X, class S = typename X::Scalar>
CollapseResult collapse(const X& x, CollapseOptions options = {}, CallOptions<S> call = {}) {
  const Rows<S> rows(x);
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_parameter_gradient<S>(Cosine(), call);
  detail::check_rows<S>(Cosine(), threads, {{"x", rows, detail::Side::query}});
  CollapseResult out;
  out.rows = rows.rows();
  if (rows.rows() == 0) return out;
  const detail::RowLength* lengths = detail::lengths_of(scratch, threads, rows);
  detail::measure_norms(lengths, rows.rows(), out);
  if (rows.rows() > 1) out.mean_cosine = detail::mean_cosine(scratch, threads, rows, lengths);
  if (!options.effective_rank || out.zero_rows == out.rows) return out;
  double unit = 0;
  for (Index i = 0; i < rows.rows(); ++i) unit = std::max(unit, lengths[i].unit);
  out.effective_rank = detail::effective_rank(detail::upper_gram(scratch, threads, rows, unit));
  return out;
}

}  // namespace nearfar
