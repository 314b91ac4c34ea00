#pragma once

#include "nearfar/losses/class_softmax.hpp"
#include "nearfar/terms/class_call.hpp"
#include "nearfar/terms/margins.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// Replaces row i's score with its own class by change(i, c).
template <class S, class Frame, class Change>
const ChangedScore<S>* changed_scores(Frame& call, const Change& change) {
  const Index n = call.own_rows(0);
  ChangedScore<S>* out = nullptr;
  call.agree([&] { out = call.scratch().template take<ChangedScore<S>>(n); });
  each_row(n, call.threads(), [&](Index i) { out[i] = change(i, call.own()[i]); });
  return out;
}

/// The angle between row i and proxy c, from scores that are cosines.
template <class Frame>
Angle angle_of(const Frame& call, Index i, Index c) {
  const auto& x = call.rows(0);
  return angle_of_directions(x.depth, x.row(i), call.rows(1).row(c));
}

/// Cross entropy of scores / temperature, with the row's class as target.
template <class S, class Frame>
OnePositiveSoftmax<S> run_class_softmax(Frame& call, double temperature, Denominator denominator,
                                        const ChangedScore<S>* changed, Diagnostics& d) {
  auto term = call.template make<OnePositiveSoftmax<S>>(
      0,
      OnePositiveSettings<S>{
          1, temperature, denominator, {.column = call.own(), .changed = changed}},
      call.upstream());
  call.run(term, 0, 1, d);
  return term;
}

// The losses in the frame of one process or of many.

template <class S, class Frame>
TemperatureResult class_softmax(const NormalizedSoftmaxOptions& options, Frame& call) {
  TemperatureResult result;
  const auto term = run_class_softmax<S>(call, options.temperature, Denominator::with_positive,
                                         nullptr, result.diagnostics);
  finish_rows(call, UnusableAnchor::skip, options.temperature, term, result);
  return result;
}

template <class S, class Frame>
ScaleResult class_softmax(const ProxyNcaOptions& options, Frame& call) {
  ScaleResult result;
  // -sigma (2 - 2 z) is 2 sigma z plus a constant that all logits of a row have.
  const auto term = run_class_softmax<S>(call, 1 / (2 * options.scale), options.denominator,
                                         nullptr, result.diagnostics);
  finish_scaled_rows(call, options.scale, term, result);
  return result;
}

template <class S, class Frame>
ScaleResult class_softmax(const ArcFaceOptions& options, Frame& call) {
  const auto* changed = changed_scores<S>(call, [&](Index i, Index c) {
    return with_angular_margin<S>(angle_of(call, i, c), call.margin(c, options.margin));
  });
  ScaleResult result;
  const auto term = run_class_softmax<S>(call, 1 / options.scale, Denominator::with_positive,
                                         changed, result.diagnostics);
  finish_scaled_rows(call, options.scale, term, result);
  return result;
}

template <class S, class Frame>
ScaleResult class_softmax(const CosFaceOptions& options, Frame& call) {
  const auto* changed = changed_scores<S>(call, [&](Index i, Index c) {
    const double margin = call.margin(c, options.margin);
    return ChangedScore<S>{static_cast<S>(angle_of(call, i, c).cosine - margin), S(1)};
  });
  ScaleResult result;
  const auto term = run_class_softmax<S>(call, 1 / options.scale, Denominator::with_positive,
                                         changed, result.diagnostics);
  finish_scaled_rows(call, options.scale, term, result);
  return result;
}

/// A row and the proxy of its own class, with the score |x| |w| psi(z), z their cosine. The pass
/// adds dpsi/dz times the gradient of x . w. The rest of the score's gradient lies along the two
/// rows: the length of the other one times psi - z dpsi/dz.
struct MultipliedAngle {
  double x_norm;
  double proxy_norm;
  double along;  ///< psi - z dpsi/dz
};

/// SphereFace, which normalises proxies, and the large-margin softmax, which does not.
template <class S, class Options, class Frame>
ScaleResult multiplied_angles(const Options& options, Frame& call, bool normalises) {
  const Index n = call.own_rows(0);
  const PackedRows<S>& x = call.rows(0);
  const PackedRows<S>& w = call.rows(1);
  MultipliedAngle* angles = nullptr;
  call.agree([&] { angles = call.scratch().template take<MultipliedAngle>(n); });
  const auto* changed = changed_scores<S>(call, [&](Index i, Index c) {
    MultipliedAngle& own = angles[i];
    own.x_norm = squared_norm(x.depth, x.row(i)).root();
    own.proxy_norm = squared_norm(w.depth, w.row(c)).root();
    const double z = cosine_of_rows(x.depth, x.row(i), own.x_norm, w.row(c), own.proxy_norm);
    const OfCosine psi = multiple_of_angle(z, options.margin);
    own.along = psi.value - z * psi.slope;
    // A zero row has no angle: its score is x . w, as for the other classes.
    if (!(own.x_norm > 0) || !(own.proxy_norm > 0)) return ChangedScore<S>{S(0), S(1)};
    return ChangedScore<S>{saturated<S>(own.x_norm * own.proxy_norm * psi.value),
                           static_cast<S>(psi.slope)};
  });
  ScaleResult result;
  const auto term = run_class_softmax<S>(call, 1 / options.scale, Denominator::with_positive,
                                         changed, result.diagnostics);
  // Adds the part of a row's gradient along the row: `norm` is its length, `other` that of the
  // other row.
  const auto add_along = [&](Index i, double norm, double other, Index elements, const S* row,
                             S* to) {
    if (!(norm > 0)) return;
    const double factor = term.counted_gradient(i) * angles[i].along * (other / norm);
    row_loops<S>().add_scaled(elements, saturated<S>(factor), row, to);
  };
  if (RowGradients<S>& dx = call.gradients(0); dx.wanted()) {
    each_row(n, call.threads(), [&](Index i) {
      add_along(i, angles[i].x_norm, angles[i].proxy_norm, x.depth, x.row(i),
                dx.data + i * x.stride);
    });
  }
  if (RowGradients<S>& dw = call.gradients(1); dw.wanted() && !normalises) {
    // Many rows may have one proxy. Threads divide its elements, so that each sum runs over the
    // rows in order.
    constexpr Index some = 32;
    call.add_to_proxies([&] {
      parallel_tasks(tasks_of(w.depth, some), call.threads(), [&](Index t, int) {
        const Index first = t * some;
        for (Index i = 0; i < n; ++i) {
          const Index at = call.own()[i] * w.stride + first;
          add_along(i, angles[i].proxy_norm, angles[i].x_norm, std::min(some, w.depth - first),
                    w.data + at, dw.data + at);
        }
      });
    });
  }
  finish_scaled_rows(call, options.scale, term, result);
  return result;
}

template <class S, class Frame>
ScaleResult class_softmax(const SphereFaceOptions& options, Frame& call) {
  return multiplied_angles<S>(options, call, true);
}

template <class S, class Frame>
ScaleResult class_softmax(const LargeMarginSoftmaxOptions& options, Frame& call) {
  return multiplied_angles<S>(options, call, false);
}

template <class S>
TemperatureResult evaluate(const NormalizedSoftmaxOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ClassCall<S> call(kernel, options.reduction, inputs);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const ProxyNcaOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ClassCall<S> call(kernel, options.reduction, inputs);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const ArcFaceOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ClassCall<S> call(kernel, options.reduction, inputs, 1, false, AngleMargins());
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const CosFaceOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ClassCall<S> call(kernel, options.reduction, inputs, 1, false, ScoreMargins<S>());
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const SphereFaceOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ClassCall<S> call(kernel, options.reduction, inputs, 1, true);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const LargeMarginSoftmaxOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ClassCall<S> call(kernel, options.reduction, inputs);
  return class_softmax<S>(options, call);
}

}  // namespace nearfar::detail
