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

/// Sets `places` to the numbers of the rows of `unit`, packed for the cosine, that are not zero.
/// Returns how many they are.
template <class S>
Index find_directions(const PackedRows<S>& unit, Index* places) {
  Index count = 0;
  for (Index i = 0; i < unit.rows; ++i) {
    if (unit.inverse_norm[i] > 0) places[count++] = i;
  }
  return count;
}

/// The pairs of directions of one process.
template <class S>
class DirectionPairs {
 public:
  explicit DirectionPairs(Call<S>& call)
      : call_(call),
        distance_(kernel_value<S>(SquaredEuclidean())),
        of_(directions()),
        pass_(call.scratch(), call.threads(), distance_, of_.rows, of_.rows, Pairing::upper) {}

  /// The number of directions.
  Index count() const { return of_.rows.rows; }
  /// The range of squared distances.
  void find_range(Diagnostics& range) {
    NoTerm<S> none;
    pass_.forward(none, range);
  }
  /// The sums over pairs, each once; with gradients if the call wants any.
  GaussianSums sums(double t, double nearest, Diagnostics& range) {
    GaussianTerm<S> term(call_.scratch(), count(), t, nearest);
    call_.run(pass_, term, 0, 0, range);
    GaussianSums out;
    for (Index i = 0; i < count(); ++i) {
      out.potentials += term[i].potentials;
      out.less_one += term[i].less_one;
    }
    return out;
  }
  /// Gradients of pairs become gradients of the call's unit rows.
  void finish_gradients() {
    RowGradients<S>& gradients = call_.gradients(0);
    if (!gradients.wanted()) return;
    chain_through_geometry(call_.threads(), distance_.geometry, of_.rows, gradients, 1.0);
    of_.spread_out(call_.own_rows(0), gradients.data);
  }

 private:
  Directions<S> directions() {
    const PackedRows<S>& unit = call_.rows(0);
    auto* places = call_.scratch().template take<Index>(unit.rows);
    const Index count = find_directions(unit, places);
    return {centred_directions(call_.scratch(), call_.threads(), distance_, unit, places, count),
            places};
  }

  Call<S>& call_;
  KernelValue<S> distance_;
  Directions<S> of_;
  OneSidedPass<S> pass_;
};

/// The loss in the frame of one process or of many, with Pairs of its directions.
template <class S, class Frame, class Pairs>
Result uniformity(const UniformityOptions& options, Frame& call, Pairs& of) {
  const auto pairs_of = [](Index rows) { return rows * (rows - 1) / 2; };
  const Index n = call.all_rows(0);
  const Index pairs = pairs_of(n);
  // A zero row has cosine 0, and thus squared distance 2, with all others.
  const Index with_zero_rows = pairs - pairs_of(of.count());
  constexpr double of_zero_rows = 2;

  double nearest = 0;
  // Such narrow Gaussians may all underflow relative to distance 0: find the nearest pair first.
  constexpr double narrow = sizeof(S) == sizeof(float) ? 60 : 500;
  if (4 * options.t > narrow && pairs > 0) {
    Diagnostics range;
    of.find_range(range);
    nearest =
        with_zero_rows > 0 ? std::min(range.smallest_score, of_zero_rows) : range.smallest_score;
  }
  Diagnostics range;
  GaussianSums sums = of.sums(options.t, nearest, range);

  Result result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  d.terms = d.active_terms = pairs;
  if (of.count() > 1) {
    d.smallest_score = std::max(1 - range.largest_score / 2, -1.0);
    d.largest_score = 1 - range.smallest_score / 2;
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
  of.finish_gradients();
  call.scatter(pairs > 0 ? call.upstream().scalar() / sums.potentials : 0);
  return result;
}

template <class S>
Result evaluate(const UniformityOptions& options, const Inputs<S, 1>& inputs) {
  const KernelValue<S> cosine = kernel_value<S>(Cosine());
  Call<S> call(cosine, Reduction::mean, inputs);
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
  call.check(inputs.rows[0].rows());
  call.pack();
  DirectionPairs<S> pairs(call);
  return uniformity<S>(options, call, pairs);
}

}  // namespace nearfar::detail
