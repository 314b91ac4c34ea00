#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/terms/hard_negative_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/mutual_walk.hpp"
#include "nearfar/tiles/stack.hpp"

namespace nearfar {

/// Settings of HardNegative.
struct HardNegativeOptions {
  double temperature = 0.5;     ///< tau > 0: logits are cosines / tau
  double positive_prior = 0.1;  ///< tau+ in [0, 1): share of negatives that are positives unseen
  double concentration = 1;     ///< beta >= 0: how much more near negatives count; 0: debiased only
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample to tell its partner from.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// Contrastive loss of two views, debiased and with hard negatives weighted up (Robinson et al.,
/// Contrastive learning with hard negative samples, 2021, eq. 4 and appendix; with concentration 0
/// Chuang et al., Debiased contrastive learning, 2020, eq. 8):
///
///     L_i = -log( P / (P + G) ),  P = exp(s_{i,partner(i)} / tau)
///     G   = max( (R - n tau+ P) / (1 - tau+), n exp(-1 / tau) )
///     R   = n sum_j w_j exp(s_ij / tau) / sum_j w_j,  w_j = exp(beta s_ij / tau)
///
/// over the n = 2N - 2 views j of other samples, with cosines s. The floor of G is the least a sum
/// of n such exponentials can be. With tau+ = 0 and beta = 0 it is NtXent.
///
/// Terms are views; none gives view1's N values, then view2's. Extra memory O(N D). Immutable;
/// shared by threads each with its own Workspace; the same bits at any number of threads.
template <class S>
class HardNegative {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0, the prior in [0, 1) and
  /// the concentration finite and >= 0.
  explicit HardNegative(HardNegativeOptions options = {}) : options_(options) {
    check_positive("temperature", options.temperature);
    check_not_negative("concentration", options.concentration);
    if (!(options.positive_prior >= 0 && options.positive_prior < 1)) {
      fail_argument("positive_prior", "a number in [0, 1)", std::to_string(options.positive_prior));
    }
  }

  const HardNegativeOptions& options() const { return options_; }

  /// The loss of two views of a batch, both N x D; row i of one is the partner of row i of the
  /// other. Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element
  /// that is not finite.
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

  HardNegativeOptions options_;
};

template <class S>
TemperatureResult HardNegative<S>::run(const Upstream* upstream, const Rows<S>& view1,
                                       const Rows<S>& view2, GradientRows<S> d_view1,
                                       GradientRows<S> d_view2, CallOptions<S> call) const {
  using detail::Side;
  constexpr Cosine cosine;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = view1.rows();
  if (view2.rows() != n) fail_shape("view2", n, view1.cols(), view2.rows(), view2.cols());
  detail::check_rows<S>(cosine, threads,
                        {{"view1", view1, Side::query}, {"view2", view2, Side::query}});
  detail::refuse_unusable(options_.unusable_anchors, n == 1 ? 2 : 0, "without a negative");
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, 2 * n);
    d_view1.check_shape("d_view1", n, view1.cols());
    d_view2.check_shape("d_view2", n, view2.cols());
    detail::check_parameter_gradient<S>(cosine, call);
  }

  const Rows<S> views = detail::stack(scratch, threads, view1, view2);
  const Index* partner = detail::partners(scratch, n);
  detail::Batch<S, Cosine, 1> batch(scratch, threads, cosine, {{{"views", views, Side::query}}});
  detail::MutualWalk<S, Cosine> walk(scratch, threads, cosine, batch.rows(0), batch.rows(0));
  const Upstream one(1.0);
  const detail::HardNegativeRows<S> loss(options_.temperature, options_.positive_prior,
                                         options_.concentration, partner,
                                         upstream != nullptr ? *upstream : one);
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const detail::StackGradient<S> stacked(scratch, views, d_view1.wanted() || d_view2.wanted());
  GradientRows<S> d_views = stacked.rows();
  const detail::HardNegativeRow<S>* rows = nullptr;
  if (upstream == nullptr) {
    rows = walk.forward(loss, d).queries;
  } else {
    detail::RowGradients<S>& gradients = batch.want(0, d_views, call);
    rows = walk.forward_backward(loss, gradients, gradients, d).queries;
  }
  d.anchors = d.terms = 2 * n;
  for (Index i = 0; i < 2 * n; ++i) {
    d.anchors_without_negative += rows[i].negatives == 0 ? 1 : 0;
    d.active_terms += rows[i].value > 0 ? 1 : 0;
  }
  detail::reduce_rows(
      options_.reduction, 2 * n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options_.reduction, d, *upstream);
  result.d_temperature = loss.temperature_gradient(rows, 2 * n, scale);
  batch.hand_back(scale, {&d_views}, call,
                  {{&d_view1, n, view1.cols()}, {&d_view2, n, view2.cols()}});
  stacked.hand_out(n, threads, d_view1, d_view2);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
extern template class HardNegative<float>;
extern template class HardNegative<double>;
#endif

}  // namespace nearfar
