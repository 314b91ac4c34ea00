#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/directions.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/losses/ko_leo.hpp"

namespace nearfar::detail {

/// The nearest key of each row, the first of several.
template <class S>
class NearestRowTerm final : public RowTerm<S> {
 public:
  NearestRowTerm(Scratch& scratch, Index rows)
      : distances_(scratch.take<S>(rows)), keys_(scratch.take<Index>(rows)) {}

  Index key(Index i) const { return keys_[i]; }

  void start(Index i) override {
    distances_[i] = std::numeric_limits<S>::infinity();
    keys_[i] = -1;
  }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    const S nearest = score_loops<S>().range(n, s).smallest;
    if (!(nearest < distances_[i])) return;
    distances_[i] = nearest;
    keys_[i] = first + (std::find(s, s + n, nearest) - s);
  }
  void close(Index) override {}
  void gradient(Index, Index, Index, const S*, S*) override {}

 private:
  S* distances_;
  Index* keys_;
};

/// For the nearest row j of row i, adds slope_i (u_i - u_j) to the gradient of i and subtracts it
/// from that of j. A row may be the nearest of many rows. Threads divide the elements of rows, not
/// the rows, so that every sum runs over i in order.
template <class S>
void add_nearest_gradients(int threads, const PackedRows<S>& u, const Index* nearest,
                           const double* slopes, RowGradients<S>& to) {
  constexpr Index elements = 32;
  parallel_tasks(tasks_of(u.depth, elements), threads, [&](Index t, int) {
    const Index end = std::min(u.depth, (t + 1) * elements);
    for (Index i = 0; i < u.rows; ++i) {
      if (slopes[i] == 0) continue;
      const Index j = nearest[i];
      for (Index k = t * elements; k < end; ++k) {
        const S pull = static_cast<S>(slopes[i] * (direction(u, i, k) - direction(u, j, k)));
        to.data[i * u.stride + k] += pull;
        to.data[j * u.stride + k] -= pull;
      }
    }
  });
}

template <class S>
Result evaluate(const KoLeoOptions& options, const Inputs<S, 1>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> cosine = kernel_value<S>(Cosine());
  const KernelValue<S> distance = kernel_value<S>(SquaredEuclidean());
  Call<S> call(cosine, options.reduction, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(n);
  call.pack();

  Scratch& scratch = call.scratch();
  const PackedRows<S>& u = call.rows(0);
  double* values = scratch.take<double>(n);
  double* slopes = scratch.take<double>(n);
  double* distances = scratch.take<double>(n);
  auto* nearest = scratch.take<Index>(n);
  Result result;
  Diagnostics& d = result.diagnostics;
  std::fill_n(values, n, 0.0);
  std::fill_n(slopes, n, 0.0);
  if (n > 1) {
    for (Index i = 0; i < n; ++i) nearest[i] = i;
    const PackedRows<S> rows = centred_directions(scratch, call.threads(), distance, u, nearest, n);
    OneSidedPass<S> pass(scratch, call.threads(), distance, rows, rows, Pairing::others);
    NearestRowTerm<S> term(scratch, n);
    Diagnostics range;
    pass.forward(term, range);
    d.largest_score = std::sqrt(range.largest_score);
    each_row(n, call.threads(), [&](Index i) {
      nearest[i] = term.key(i);
      const double squared = squared_difference(u, i, u, nearest[i]);
      distances[i] = std::sqrt(squared);
      values[i] = -portable::log(std::max(distances[i], direction_rounding));
      if (squared > 0) slopes[i] = -row_upstream(call.upstream(), i) / squared;
    });
  }
  const auto value_of = [&](Index i) { return values[i]; };
  count_terms(n, value_of, d);
  d.anchors_without_negative = n == 1 ? 1 : 0;
  for (Index i = 0; n > 1 && i < n; ++i) {
    d.zero_distances += distances[i] > 0 ? 0 : 1;
    d.smallest_score = std::min(d.smallest_score, distances[i]);
  }
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  if (call.gradients(0).wanted()) {
    add_nearest_gradients(call.threads(), u, nearest, slopes, call.gradients(0));
  }
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
