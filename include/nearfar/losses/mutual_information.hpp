#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/critic_rows.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of MutualInformation.
struct MutualInformationOptions {
  MutualInformationBound bound = MutualInformationBound::info_nce;
  double temperature = 1;  ///< tau > 0: the critic is f = score / tau
};

/// What MutualInformation returns: `value` is the bound, in nats.
struct MutualInformationResult : TemperatureResult {
  /// What the bound can't exceed, whatever the critic: log N for info_nce, infinity for others.
  double ceiling = std::numeric_limits<double>::infinity();
};

/// Bounds on the mutual information of x and y from N joint samples (row i of x with row i of y),
/// in nats, with a critic f_ij = s_ij / tau of kernel K (minus the distance for distances):
///
///     info_nce: log N + 1/N sum_i ( f_ii - log sum_j exp(f_ij) )          lower bound, <= log N
///     nwj:      1/N sum_i f_ii - 1/(N (N-1)) sum_{i != j} exp(f_ij - 1)    lower bound
///     donsker_varadhan: 1/N sum_i f_ii - log( 1/(N (N-1)) sum_{i != j} exp(f_ij) )
///     club:     1/N sum_i f_ii - 1/N^2 sum_ij f_ij                         upper bound
///
/// (van den Oord et al. 2018; Nguyen, Wainwright & Jordan 2010, as in Poole et al., On variational
/// bounds of mutual information, 2019, eq. 5; Donsker & Varadhan 1983, as in Belghazi et al., MINE,
/// 2018, eq. 10; Cheng et al., CLUB, 2020, eq. 6.) The critic is yours to train: to tighten a lower
/// bound, maximise the value, that is pass upstream = -1 to `backward` of something minimised.
///
/// donsker_varadhan takes the logarithm of a sample mean, which is biased upward: over few samples
/// its value may exceed the mutual information, and gradients of minibatches are biased, too. club
/// is an upper bound when exp(f) is the conditional density of y given x up to a factor of y; a
/// unit Gaussian's is SquaredEuclidean at temperature 2.
///
/// nwj's exponentials end at exp(700) (in gradients, exp(80) for float): a critic that far off gets
/// a finite, if useless, value. Extra memory O(N D). 6 N^2 D floating point operations forward and
/// backward, 8 N^2 D for donsker_varadhan, which looks twice. Immutable; shared by threads each
/// with its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class MutualInformation {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit MutualInformation(MutualInformationOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const MutualInformationOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The bound from x and y, N rows each. No rows have value 0. Throws std::invalid_argument on
  /// shapes that do not fit and, for nwj and donsker_varadhan, on a single row; std::domain_error
  /// on an element that is not finite.
  MutualInformationResult forward(Rows<S> x, Rows<S> y, CallOptions<S> call = {}) const {
    return run(nullptr, x, y, no_gradient, no_gradient, call);
  }

  /// Value and gradients of it, in the shapes of x and y.
  MutualInformationResult forward_backward(Rows<S> x, Rows<S> y, GradientRows<S> dx,
                                           GradientRows<S> dy, CallOptions<S> call = {}) const {
    const Upstream one(1.0);
    return run(&one, x, y, dx, dy, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value), one number.
  MutualInformationResult backward(const Upstream& upstream, Rows<S> x, Rows<S> y,
                                   GradientRows<S> dx, GradientRows<S> dy,
                                   CallOptions<S> call = {}) const {
    return run(&upstream, x, y, dx, dy, call);
  }

 private:
  MutualInformationResult run(const Upstream* upstream, const Rows<S>& x, const Rows<S>& y,
                              GradientRows<S> dx, GradientRows<S> dy, CallOptions<S> call) const;

  MutualInformationOptions options_;
  K kernel_;
};

template <class S, Kernel K>
MutualInformationResult MutualInformation<S, K>::run(const Upstream* upstream, const Rows<S>& x,
                                                     const Rows<S>& y, GradientRows<S> dx,
                                                     GradientRows<S> dy,
                                                     CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = x.rows();
  if (y.rows() != n) {
    fail_argument("y", "one row for each of " + std::to_string(n) + " rows of x",
                  std::to_string(y.rows()) + " rows");
  }
  detail::check_rows<S>(kernel_, threads, {{"x", x, Side::query}, {"y", y, Side::key}});
  const bool looks_twice = options_.bound == MutualInformationBound::donsker_varadhan;
  if (n == 1 && (looks_twice || options_.bound == MutualInformationBound::nwj)) {
    fail_argument("x", "at least two rows, so that some pairs are not joint", "one row");
  }
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, Reduction::mean, n);
    dx.check_shape("dx", n, x.cols());
    dy.check_shape("dy", n, y.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  MutualInformationResult result;
  if (options_.bound == MutualInformationBound::info_nce && n > 0) {
    result.ceiling = std::log(static_cast<double>(n));
  }
  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"x", x, Side::query}, {"y", y, Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel_, batch.rows(0), batch.rows(1));
  detail::CriticRows<S, detail::nearness_sign<K>> loss(options_.bound, options_.temperature, n);
  Diagnostics& d = result.diagnostics;
  if (looks_twice && upstream != nullptr) {
    Diagnostics first_look;
    loss.know(walk.forward(loss, first_look));
  }
  const detail::CriticRow<S>* rows = nullptr;
  if (upstream == nullptr) {
    rows = walk.forward(loss, d);
  } else {
    rows = walk.forward_backward(loss, batch.want(0, dx, call), batch.want(1, dy, call), d);
  }
  d.anchors = d.terms = d.active_terms = n;
  d.anchors_without_negative = n == 1 ? 1 : 0;
  result.value = loss.value(rows);
  if (!std::isfinite(result.value)) fail_value_overflow(result.value);
  if (upstream == nullptr) return result;
  result.d_temperature = upstream->scalar() * loss.temperature_gradient(rows);
  batch.hand_back(upstream->scalar(), {&dx, &dy}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, MutualInformation)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, MutualInformation)
#endif

}  // namespace nearfar
