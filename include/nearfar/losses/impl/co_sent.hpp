#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/co_sent.hpp"
#include "nearfar/terms/ordered_pairs.hpp"

namespace nearfar::detail {

/// Sets value, counts and d_scale of pairs whose nearness(i) should have the order of the scores,
/// in the frame of one process or of many. `slopes` gets dL/d(nearness).
template <class S, class Frame, class Nearness>
void in_order_of_scores(Frame& call, double scale, const Nearness& nearness,
                        const Numbers<S>& scores, double* slopes, CoSentResult& result) {
  const Index n = scores.size();
  const OrderedPairs pairs = ordered_pairs(
      call, scale, nearness, [&](Index i) { return scores[i]; }, slopes);
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  d.terms = d.active_terms = pairs.pairs;
  call.combine(d);
  result.value = pairs.value;
  if (!call.wants_gradients()) return;
  for (Index i = 0; i < n; ++i) slopes[i] *= scale;
  result.d_scale = checked_derivative("d_scale", call.scale(d) * pairs.d_scale);
}

/// CoSENT in the frame of one process or of many.
template <class S, class Frame>
CoSentResult co_sent(const CoSentOptions& options, Frame& call, const Numbers<S>& scores) {
  const Index n = scores.size();
  const KernelValue<S>& kernel = call.kernel();
  CoSentResult result;
  std::optional<PairedScores<S>> pairs;
  double* slopes = nullptr;
  call.agree([&] {
    pairs.emplace(call.scratch(), n);
    slopes = call.scratch().template take<double>(n);
    paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), *pairs);
    fold_scores(kernel, n, pairs->s, result.diagnostics);
  });
  const auto nearness = [&](Index i) { return kernel.sign() * static_cast<double>(pairs->s[i]); };
  in_order_of_scores(call, options.scale, nearness, scores, slopes, result);
  if (!call.wants_gradients()) return result;
  for (Index i = 0; i < n; ++i) pairs->g[i] = static_cast<S>(kernel.sign() * slopes[i]);
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), *pairs,
                       call.gradients(0), call.gradients(1));
  call.scatter(call.scale(result.diagnostics));
  return result;
}

template <class S>
CoSentResult evaluate(const CoSentOptions& options, const KernelValue<S>& kernel,
                      const Inputs<S, 2>& inputs, const Numbers<S>& scores) {
  const Index n = inputs.rows[0].rows();
  Call<S> call(kernel, Reduction::sum, inputs);
  call.add_pairs(inputs, "a", "b");
  call.check(n);
  check_numbers("scores", scores, n);
  call.pack();
  return co_sent<S>(options, call, scores);
}

/// Rows as complex numbers: real parts first. If the width is odd the last number is real.
struct ComplexRows {
  Index depth;
  Index real = (depth + 1) / 2;
  Index imaginary = depth / 2;

  /// The sum of real and imaginary parts of sum_k u_k conj(v_k).
  template <class S>
  double parts(const S* u, const S* v) const {
    const auto dot = row_loops<S>().dot_by_fours;
    return dot(depth, u, v) + dot(imaginary, u + real, v) - dot(imaginary, u, v + real);
  }
  /// The gradients with respect to u and to v, times slope.
  template <class S>
  void add_gradient_of_first(S slope, const S* v, S* du) const {
    add_parts(slope, v, -slope, v + real, slope, v, du);
  }
  template <class S>
  void add_gradient_of_second(S slope, const S* u, S* dv) const {
    add_parts(slope, u, slope, u + real, -slope, u, dv);
  }

 private:
  template <class S>
  void add_parts(S slope, const S* x, S to_real, const S* of_real, S to_imaginary,
                 const S* of_imaginary, S* out) const {
    const auto add = row_loops<S>().add_product;
    add(depth, slope, x, out);
    add(imaginary, to_real, of_real, out);
    add(imaginary, to_imaginary, of_imaginary, out + real);
  }
};

/// AnglE's loss in the frame of one process or of many.
template <class S, class Frame>
CoSentResult angle(const AngleOptions& options, Frame& call, const Numbers<S>& scores) {
  const Index n = scores.size();
  const PackedRows<S>& u = call.rows(0);
  const PackedRows<S>& v = call.rows(1);
  const ComplexRows complex{u.depth};
  double* parts = nullptr;
  double* slopes = nullptr;
  call.agree([&] {
    parts = call.scratch().template take<double>(n);
    slopes = call.scratch().template take<double>(n);
  });
  each_row(n, call.threads(), [&](Index i) { parts[i] = complex.parts(u.row(i), v.row(i)); });
  const auto nearness = [&](Index i) { return std::abs(parts[i]); };
  CoSentResult result;
  Diagnostics& d = result.diagnostics;
  for (Index i = 0; i < n; ++i) {
    d.smallest_score = std::min(d.smallest_score, nearness(i));
    d.largest_score = std::max(d.largest_score, nearness(i));
  }
  in_order_of_scores(call, options.scale, nearness, scores, slopes, result);
  if (!call.wants_gradients()) return result;
  const RowGradients<S> du = call.gradients(0);
  const RowGradients<S> dv = call.gradients(1);
  each_row(n, call.threads(), [&](Index i) {
    const auto slope = static_cast<S>(parts[i] > 0 ? slopes[i] : parts[i] < 0 ? -slopes[i] : 0);
    if (slope == S(0)) return;
    if (du.wanted()) complex.add_gradient_of_first(slope, v.row(i), du.data + i * u.stride);
    if (dv.wanted()) complex.add_gradient_of_second(slope, u.row(i), dv.data + i * v.stride);
  });
  call.scatter(call.scale(d));
  return result;
}

template <class S>
CoSentResult evaluate(const AngleOptions& options, const Inputs<S, 2>& inputs,
                      const Numbers<S>& scores) {
  const Index n = inputs.rows[0].rows();
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  Call<S> call(kernel, Reduction::sum, inputs);
  call.add_pairs(inputs, "a", "b");
  call.check(n);
  check_numbers("scores", scores, n);
  call.pack();
  return angle<S>(options, call, scores);
}

}  // namespace nearfar::detail
