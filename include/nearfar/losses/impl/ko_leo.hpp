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

/// The nearest key of each row, that of the smallest number of several.
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
    // Blocks of keys of other processes come in the order of the schedule.
    if (!(nearest < distances_[i] || (nearest == distances_[i] && first < keys_[i]))) return;
    distances_[i] = nearest;
    keys_[i] = first + (std::find(s, s + n, nearest) - s);
  }
  void close(Index) override {}
  void gradient(Index, Index, Index, const S*, S*) override {}

 private:
  S* distances_;
  Index* keys_;
};

/// For the nearest row j of row i, if it is among `keys`, which are numbered from `first` on, adds
/// slope_i (u_i - u_j) to the gradient of i and subtracts it from that of j. A row may be the
/// nearest of many rows. Threads divide the elements of rows, not the rows, so that every sum runs
/// over i in order.
template <class S>
void add_nearest_gradients(int threads, const PackedRows<S>& u, const PackedRows<S>& keys,
                           Index first, const Index* nearest, const double* slopes,
                           RowGradients<S>& to, RowGradients<S>& to_keys) {
  constexpr Index elements = 32;
  parallel_tasks(tasks_of(u.depth, elements), threads, [&](Index t, int) {
    const Index end = std::min(u.depth, (t + 1) * elements);
    for (Index i = 0; i < u.rows; ++i) {
      const Index j = nearest[i] - first;
      if (slopes[i] == 0 || j < 0 || j >= keys.rows) continue;
      for (Index k = t * elements; k < end; ++k) {
        const S pull = static_cast<S>(slopes[i] * (direction(u, i, k) - direction(keys, j, k)));
        to.data[i * u.stride + k] += pull;
        to_keys.data[j * u.stride + k] -= pull;
      }
    }
  });
}

/// The loss in the frame of one process or of many. find_nearest(nearest, d) sets the number of the
/// nearest of all rows for each own row, and the largest of all squared distances.
template <class S, class Frame, class FindNearest>
Result ko_leo(Frame& call, const FindNearest& find_nearest) {
  const Index n = call.own_rows(0);
  const PackedRows<S>& u = call.rows(0);
  double* values = nullptr;
  double* slopes = nullptr;
  double* distances = nullptr;
  Index* nearest = nullptr;
  call.agree([&] {
    Scratch& scratch = call.scratch();
    values = scratch.take<double>(n);
    slopes = scratch.take<double>(n);
    distances = scratch.take<double>(n);
    nearest = scratch.take<Index>(n);
  });
  Result result;
  Diagnostics& d = result.diagnostics;
  std::fill_n(values, n, 0.0);
  std::fill_n(slopes, n, 0.0);
  const bool has_pairs = call.all_rows(0) > 1;
  if (has_pairs) {
    find_nearest(nearest, d);
    if (n > 0) d.largest_score = std::sqrt(d.largest_score);
    call.each_block(0, [&](const auto& block, const PackedRows<S>& keys, RowGradients<S>& dk) {
      refine_norms(call.threads(), keys);  // find_nearest has refined those of own rows
      each_row(n, call.threads(), [&](Index i) {
        const Index j = nearest[i] - block.first;
        if (j < 0 || j >= keys.rows) return;
        const double squared = squared_difference(u, i, keys, j);
        distances[i] = std::sqrt(squared);
        values[i] = -portable::log(std::max(distances[i], direction_rounding));
        if (squared > 0) slopes[i] = -row_upstream(call.upstream(), i) / squared;
      });
      if (!call.wants_gradients() || !call.gradients(0).wanted()) return;
      add_nearest_gradients(call.threads(), u, keys, block.first, nearest, slopes,
                            call.gradients(0), dk);
    });
  }
  const auto value_of = [&](Index i) { return values[i]; };
  count_terms(n, value_of, d);
  d.anchors_without_negative = has_pairs ? 0 : n;
  for (Index i = 0; has_pairs && i < n; ++i) {
    d.zero_distances += distances[i] > 0 ? 0 : 1;
    d.smallest_score = std::min(d.smallest_score, distances[i]);
  }
  call.combine(d);
  call.reduce(n, value_of, result);
  if (call.wants_gradients()) call.scatter(call.scale(d));
  return result;
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
  return ko_leo<S>(call, [&](Index* nearest, Diagnostics& d) {
    Scratch& scratch = call.scratch();
    for (Index i = 0; i < n; ++i) nearest[i] = i;
    const PackedRows<S> rows =
        centred_directions(scratch, call.threads(), distance, call.rows(0), nearest, n);
    OneSidedPass<S> pass(scratch, call.threads(), distance, rows, rows, Pairing::others);
    NearestRowTerm<S> term(scratch, n);
    Diagnostics range;
    pass.forward(term, range);
    d.largest_score = range.largest_score;
    for (Index i = 0; i < n; ++i) nearest[i] = term.key(i);
  });
}

}  // namespace nearfar::detail
