#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/sup_con_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Which of the two losses of the paper.
enum class SupConVariant {
  out,  ///< the mean over positives outside of the logarithm (eq. 2), the paper's choice
  in    ///< inside of it (eq. 3)
};

/// Settings of SupCon.
struct SupConOptions {
  double temperature = 0.1;  ///< tau > 0: logits are scores / tau
  SupConVariant variant = SupConVariant::out;
  /// Terms are anchors that have a positive.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// Supervised contrastive loss: an anchor's positives are all other rows with its label
/// (Khosla et al., Supervised contrastive learning, 2020):
///
///     out: L_i = -1/|P(i)| sum_{p in P(i)} log( exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///     in:  L_i = -log( 1/|P(i)| sum_{p in P(i)} exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///
/// with scores of kernel K (minus the distance for distances). The value is a mean or sum of L_i,
/// without the paper's factor tau / tau_base. With two views a sample and no label shared by two
/// samples it is NtXent of the views.
///
/// Anchors without a positive are no terms: Reduction::mean divides by the number of the others.
/// Extra memory O(N D). Immutable; shared by threads each with its own Workspace; the same bits at
/// any number of threads.
template <class S, Kernel K = Cosine>
class SupCon {
  static_assert(detail::maps_queries<K>() == detail::maps_keys<K>(),
                "nearfar: SupCon needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit SupCon(SupConOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const SupConOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of a batch x (N x D) with one label a row. Without an anchor that has a positive it
  /// is 0. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
  TemperatureResult forward(Rows<S> x, Labels labels, CallOptions<S> call = {}) const {
    return run(nullptr, x, labels, no_gradient, call);
  }

  /// Value and the gradient of it, N x D.
  TemperatureResult forward_backward(Rows<S> x, Labels labels, GradientRows<S> dx,
                                     CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, x.rows());
    return run(&one, x, labels, dx, call);
  }

  /// As forward_backward with the gradient times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  TemperatureResult backward(const Upstream& upstream, Rows<S> x, Labels labels, GradientRows<S> dx,
                             CallOptions<S> call = {}) const {
    return run(&upstream, x, labels, dx, call);
  }

 private:
  TemperatureResult run(const Upstream* upstream, const Rows<S>& x, const Labels& labels,
                        GradientRows<S> dx, CallOptions<S> call) const;

  SupConOptions options_;
  K kernel_;
};

template <class S, Kernel K>
TemperatureResult SupCon<S, K>::run(const Upstream* upstream, const Rows<S>& x,
                                    const Labels& labels, GradientRows<S> dx,
                                    CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = x.rows();
  detail::check_rows<S>(kernel_, threads, {{"x", x, Side::query}});
  check_label_count("labels", labels, n);
  const detail::Classes<S> classes = detail::classify<S>(scratch, labels);
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  d.anchors = n;
  for (Index i = 0; i < n; ++i) {
    if (classes.members[i] == 1) ++d.anchors_without_positive;
    if (classes.members[i] == n) ++d.anchors_without_negative;
  }
  detail::refuse_unusable(options_.unusable_anchors, d.anchors_without_positive,
                          "without a positive");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    dx.check_shape("dx", n, x.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 1> batch(scratch, threads, kernel_, {{{"x", x, Side::query}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(0),
                          detail::Pairing::others);
  const Upstream one(1.0);
  const detail::SupConRows<S, detail::nearness_sign<K>> loss(
      options_.temperature,
      options_.variant == SupConVariant::out ? detail::MeanOverPositives::outside_log
                                             : detail::MeanOverPositives::inside_log,
      classes.code, upstream != nullptr ? *upstream : one);
  const detail::SupConRow<S>* rows = nullptr;
  if (upstream == nullptr) {
    rows = walk.forward(loss, d);
  } else {
    detail::RowGradients<S>& gradients = batch.want(0, dx, call);
    rows = walk.forward_backward(loss, gradients, gradients, d);
  }
  d.terms = n - d.anchors_without_positive;
  for (Index i = 0; i < n; ++i) {
    if (rows[i].value > 0) ++d.active_terms;
  }
  detail::reduce_rows(
      options_.reduction, n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options_.reduction, d, *upstream);
  result.d_temperature = loss.temperature_gradient(rows, n, scale);
  batch.hand_back(scale, {&dx}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LOSS, SupCon)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, SupCon)
#endif

}  // namespace nearfar
