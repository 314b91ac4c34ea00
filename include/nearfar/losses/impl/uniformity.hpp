#pragma once

#include <algorithm>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/directions.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/losses/uniformity.hpp"
#include "nearfar/terms/gaussian_term.hpp"

namespace nearfar::detail {

/// Directions of the rows other than zero, for the distances between them.
template <class S>
struct Directions {
  PackedRows<S> rows;
  const Index* places;  ///< the row of the batch for each direction

  /// Moves the gradients of the first rows to these rows' places; all others become 0.
  void spread_out(Index all, S* gradients) const {
    Index r = rows.rows;
    for (Index i = all - 1; i >= 0; --i) {
      S* to = gradients + i * rows.stride;
      if (r > 0 && places[r - 1] == i) {
        if (--r != i) std::copy_n(gradients + r * rows.stride, rows.stride, to);
      } else {
        std::fill_n(to, rows.stride, S(0));
      }
    }
  }
};

/// The directions in `unit`, the packed rows of the cosine.
template <class S>
Directions<S> directions(Scratch& scratch, int threads, const KernelValue<S>& distance,
                         const PackedRows<S>& unit) {
  auto* places = scratch.take<Index>(unit.rows);
  Index count = 0;
  for (Index i = 0; i < unit.rows; ++i) {
    if (unit.inverse_norm[i] > 0) places[count++] = i;
  }
  return {centred_directions(scratch, threads, distance, unit, places, count), places};
}

template <class S>
Result evaluate(const UniformityOptions& options, const Inputs<S, 1>& inputs) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> cosine = kernel_value<S>(Cosine());
  const KernelValue<S> distance = kernel_value<S>(SquaredEuclidean());
  Call<S> call(cosine, Reduction::mean, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(n);
  call.pack();
  const Directions<S> of = directions(call.scratch(), call.threads(), distance, call.rows(0));
  const auto pairs_of = [](Index rows) { return rows * (rows - 1) / 2; };
  const Index pairs = pairs_of(n);
  // A zero row has cosine 0, and thus squared distance 2, with all others.
  const Index with_zero_rows = pairs - pairs_of(of.rows.rows);
  constexpr double of_zero_rows = 2;

  OneSidedPass<S> pass(call.scratch(), call.threads(), distance, of.rows, of.rows, Pairing::upper);
  double nearest = 0;
  // Such narrow Gaussians may all underflow relative to distance 0: find the nearest pair first.
  constexpr double narrow = sizeof(S) == sizeof(float) ? 60 : 500;
  if (4 * options.t > narrow && pairs > 0) {
    NoTerm<S> none;
    Diagnostics range;
    pass.forward(none, range);
    nearest =
        with_zero_rows > 0 ? std::min(range.smallest_score, of_zero_rows) : range.smallest_score;
  }
  GaussianTerm<S> term(call.scratch(), of.rows.rows, options.t, nearest);
  Diagnostics range;
  call.run(pass, term, 0, 0, range);

  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  d.terms = d.active_terms = pairs;
  if (of.rows.rows > 1) {
    d.smallest_score = std::max(1 - range.largest_score / 2, -1.0);
    d.largest_score = 1 - range.smallest_score / 2;
  }
  GaussianSums sums;
  for (Index i = 0; i < of.rows.rows; ++i) {
    sums.potentials += term[i].potentials;
    sums.less_one += term[i].less_one;
  }
  if (with_zero_rows > 0) {
    d.smallest_score = std::min(d.smallest_score, 0.0);
    d.largest_score = std::max(d.largest_score, 0.0);
    const auto count = static_cast<double>(with_zero_rows);
    const double exponent = -options.t * (of_zero_rows - nearest);
    sums.potentials += count * portable::exp(exponent);
    sums.less_one += count * portable::expm1(exponent);
  }
  if (pairs > 0) {
    const auto count = static_cast<double>(pairs);
    const double less_one = sums.less_one / count;
    result.value =
        (less_one > -0.5 ? portable::log1p(less_one) : portable::log(sums.potentials / count)) -
        options.t * nearest;
  }
  if (!call.wants_gradients()) return result;
  RowGradients<S>& gradients = call.gradients(0);
  if (gradients.wanted()) {
    chain_through_geometry(call.threads(), distance.geometry, of.rows, gradients, 1.0);
    of.spread_out(n, gradients.data);
  }
  call.scatter(pairs > 0 ? call.upstream().scalar() / sums.potentials : 0);
  return result;
}

}  // namespace nearfar::detail
