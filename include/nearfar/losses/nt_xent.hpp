#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/softmax_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/mutual_walk.hpp"
#include "nearfar/tiles/stack.hpp"

namespace nearfar {

/// Settings of NtXent.
struct NtXentOptions {
  double temperature = 0.5;  ///< tau > 0: logits are scores / tau
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample to tell its partner from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// NT-Xent, SimCLR's normalised temperature-scaled cross entropy: of two views of each of N
/// samples, find a view's partner among the 2N - 1 other views
/// (Chen et al., A simple framework for contrastive learning of visual representations, 2020,
/// eq. 1):
///
///     L_i = -log( exp(s_{i,partner(i)} / tau) / sum_{j != i} exp(s_ij / tau) )
///
/// for each of the 2N views i, with scores of kernel K (minus the distance for distances). The
/// denominator has the partner and both views of all other samples, not the view itself; with
/// Denominator::negatives_only the partner is left out, too: decoupled contrastive learning (DCL,
/// Yeh et al., Decoupled contrastive learning, 2022, eq. 6), whose values may be negative.
///
/// Terms are views: Reduction::mean divides by 2N; none gives view1's N values, then view2's.
/// Extra memory O(N D). Immutable; shared by threads each with its own Workspace; the same bits at
/// any number of threads.
template <class S, Kernel K = Cosine>
class NtXent {
  static_assert(detail::maps_queries<K>() == detail::maps_keys<K>(),
                "nearfar: NtXent needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit NtXent(NtXentOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const NtXentOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of two views of a batch, both N x D; row i of one is the partner of row i of the
  /// other. An empty batch has value 0. Throws std::invalid_argument on shapes that do not fit,
  /// std::domain_error on an element that is not finite.
  TemperatureResult forward(Rows<S> view1, Rows<S> view2, CallOptions<S> call = {}) const {
    return run(nullptr, view1, view2, no_gradient, no_gradient, call);
  }

  /// Value and gradients of it, N x D.
  TemperatureResult forward_backward(Rows<S> view1, Rows<S> view2, GradientRows<S> d_view1,
                                     GradientRows<S> d_view2, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, 2 * view1.rows());
    return run(&one, view1, view2, d_view1, d_view2, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or 2N numbers
  /// with Reduction::none.
  TemperatureResult backward(const Upstream& upstream, Rows<S> view1, Rows<S> view2,
                             GradientRows<S> d_view1, GradientRows<S> d_view2,
                             CallOptions<S> call = {}) const {
    return run(&upstream, view1, view2, d_view1, d_view2, call);
  }

 private:
  TemperatureResult run(const Upstream* upstream, const Rows<S>& view1, const Rows<S>& view2,
                        GradientRows<S> d_view1, GradientRows<S> d_view2,
                        CallOptions<S> call) const;

  NtXentOptions options_;
  K kernel_;
};

template <class S, Kernel K>
TemperatureResult NtXent<S, K>::run(const Upstream* upstream, const Rows<S>& view1,
                                    const Rows<S>& view2, GradientRows<S> d_view1,
                                    GradientRows<S> d_view2, CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = view1.rows();
  if (view2.rows() != n) fail_shape("view2", n, view1.cols(), view2.rows(), view2.cols());
  detail::check_rows<S>(kernel_, threads,
                        {{"view1", view1, Side::query}, {"view2", view2, Side::query}});
  detail::refuse_unusable(options_.unusable_anchors, n == 1 ? 2 : 0, "without a negative");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, 2 * n);
    d_view1.check_shape("d_view1", n, view1.cols());
    d_view2.check_shape("d_view2", n, view2.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  const Rows<S> views = detail::stack(scratch, threads, view1, view2);
  const Index* partner = detail::partners(scratch, n);
  detail::Batch<S, K, 1> batch(scratch, threads, kernel_, {{{"views", views, Side::query}}});
  detail::MutualWalk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(0));
  const Upstream one(1.0);
  const detail::SoftmaxRows<S, detail::nearness_sign<K>> loss(
      options_.temperature, options_.denominator, {.column = partner},
      upstream != nullptr ? *upstream : one);

  TemperatureResult result;
  Diagnostics seen;
  if (upstream == nullptr) {
    const auto* rows = walk.forward(loss, seen).queries;
    detail::reduce_softmax_rows(options_.reduction, rows, 2 * n, seen, result);
    return result;
  }
  const detail::StackGradient<S> stacked(scratch, views, d_view1.wanted() || d_view2.wanted());
  GradientRows<S> d_views = stacked.rows();
  detail::RowGradients<S>& gradients = batch.want(0, d_views, call);
  const auto* rows = walk.forward_backward(loss, gradients, gradients, seen).queries;
  detail::reduce_softmax_rows(options_.reduction, rows, 2 * n, seen, result);
  const double scale = detail::gradient_scale(options_.reduction, result.diagnostics, *upstream);
  result.d_temperature = loss.temperature_gradient(rows, 2 * n, scale);
  batch.hand_back(scale, {&d_views}, call,
                  {{&d_view1, n, view1.cols()}, {&d_view2, n, view2.cols()}});
  stacked.hand_out(n, threads, d_view1, d_view2);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LOSS, NtXent)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, NtXent)
#endif

}  // namespace nearfar
