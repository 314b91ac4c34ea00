#pragma once

#include "nearfar/losses/class_centers.hpp"
#include "nearfar/terms/class_call.hpp"
#include "nearfar/terms/margins.hpp"
#include "nearfar/terms/pooled_softmax.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

/// Runs a pass of whole rows with the softmax of pooled similarities, then finish(softmax).
template <class S, class Pool, class Change, class Finish>
void run_pooled(ClassCall<S>& call, Index centers, double temperature, const Pool& pool,
                const Change& change, Diagnostics& d, const Finish& finish) {
  PooledSoftmax<S, Pool, Change> softmax(call.scratch(), call.threads(), call.own_rows(0),
                                         call.classes(), centers, call.own(), temperature,
                                         call.upstream(), pool, change, call.wants_gradients());
  OneSidedPass<S> pass(call.scratch(), call.threads(), call.kernel(), call.rows(0), call.rows(1));
  pass.whole_rows(softmax, call.gradients(0), call.gradients(1), d);
  finish(softmax);
}

template <class S>
ScaleResult evaluate(const SubCenterArcFaceOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  const Index centers = options.sub_centers;
  ClassCall<S> call(kernel, options.reduction, inputs, centers, false, AngleMargins());
  const PackedRows<S>& x = call.rows(0);
  const PackedRows<S>& w = call.rows(1);
  ScaleResult result;
  const NearestCenter<S> pool;
  run_pooled<S>(
      call, centers, 1 / options.scale, pool,
      [&](Index i, const S* s, S z) {
        const Index c = call.own()[i];
        const Index nearest = c * centers + NearestCenter<S>::nearest(centers, s, z);
        return with_angular_margin<S>(angle_of_directions(x.depth, x.row(i), w.row(nearest)),
                                      call.margin(c, options.margin));
      },
      result.diagnostics,
      [&](const auto& term) { finish_scaled_rows(call, options.scale, term.softmax(), result); });
  return result;
}

template <class S>
SoftTripleResult evaluate(const SoftTripleOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  const Index centers = options.centers_per_class;
  ClassCall<S> call(kernel, options.reduction, inputs, centers, false, ScoreMargins<S>());
  SoftTripleResult result;
  const MeanCenter<S> pool(call.scratch(), call.threads(), call.rows(1).rows, options.gamma);
  run_pooled<S>(
      call, centers, 1 / options.lambda, pool,
      [&](Index i, const S*, S z) {
        const double margin = call.margin(call.own()[i], options.margin);
        return ChangedScore<S>{static_cast<S>(static_cast<double>(z) - margin), S(1)};
      },
      result.diagnostics,
      [&](const auto& term) {
        finish_rows(call, UnusableAnchor::skip, term.softmax(), result, [&](double moments) {
          result.d_lambda = checked_derivative("d_lambda", moments / options.lambda);
          const double of_gamma =
              call.sum(call.own_rows(0), [&](Index i) { return term.of_gamma(i); });
          result.d_gamma = checked_derivative("d_gamma", call.scale(result.diagnostics) * of_gamma);
        });
      });
  return result;
}

}  // namespace nearfar::detail
