#pragma once

#include <string>

#include "nearfar/core/denominator.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/losses/proxy_calls.hpp"

/// \file
/// Softmax losses over classes with one proxy each: the negative logarithm of the softmax of the
/// row's class, whose logit a margin lowers. Of N rows x_i with labels y_i and C proxies w_c, with
/// z_ic = x_i . w_c / (|x_i| |w_c|) and theta_ic = acos z_ic,
///
///     L_i = -log( exp(l_i) / (exp(l_i) + sum_{c != y_i} exp(f_ic z_ic)) )
///
/// | class | f_ic | l_i, with f, z and theta of c = y_i |
/// |---|---|---|
/// | NormalizedSoftmax | 1 / tau | f z |
/// | ArcFace | sigma | f cos(theta + m) where theta <= pi - m, else f (z - m sin m) |
/// | CosFace | sigma | f (z - m) |
/// | SphereFace | sigma \|x_i\| | f ((-1)^k cos(m theta) - 2k), k = floor(m theta / pi) |
/// | LargeMarginSoftmax | sigma \|x_i\| \|w_c\| | the same |
/// | ProxyNca | 2 sigma | f z |
///
/// Of all of them, terms are rows, and Reduction::mean divides by N. Memory beyond inputs and
/// gradients is O((N + C) D), without an N x C matrix; 6 N C D floating point operations forward
/// and backward, 2 N C D forward. A zero row has score 0. Its gradient is 0 if the loss normalises
/// it, and else the gradient of x . w without a margin. An object is immutable and may be shared by
/// threads, each with its own Workspace. Results have the same bits at any number of threads.

namespace nearfar {

/// Settings of NormalizedSoftmax.
struct NormalizedSoftmaxOptions {
  double temperature = 0.05;              ///< tau > 0: logits are cosines / tau
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of ArcFace.
struct ArcFaceOptions {
  double scale = 64;                      ///< sigma > 0: the factor of cosines
  double margin = 0.5;                    ///< m from 0 to pi, in radians
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of CosFace.
struct CosFaceOptions {
  double scale = 64;     ///< sigma > 0: the factor of cosines
  double margin = 0.35;  ///< m, finite: subtracted from the cosine of the row's class
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of SphereFace.
struct SphereFaceOptions {
  double scale = 1;                       ///< sigma > 0: the factor of |x_i| cos(theta)
  int margin = 4;                         ///< m, an integer from 1 to 100: the factor of the angle
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of LargeMarginSoftmax.
struct LargeMarginSoftmaxOptions {
  double scale = 1;                       ///< sigma > 0: the factor of inner products
  int margin = 4;                         ///< m, an integer from 1 to 100: the factor of the angle
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of ProxyNca.
struct ProxyNcaOptions {
  double scale = 1;  ///< sigma > 0: the factor of squared distances; ProxyNCA++'s 1 / temperature
  /// Denominator::negatives_only leaves the proxy of the row's class out of the sum, as eq. 4 of
  /// the paper does; values may then be negative.
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("denominator", o.denominator...);
    visit("reduction", o.reduction...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const NormalizedSoftmaxOptions& options, const ProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const ArcFaceOptions& options, const ProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const CosFaceOptions& options, const ProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const SphereFaceOptions& options, const ProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const LargeMarginSoftmaxOptions& options, const ProxyInputs<S>& inputs);
template <class S>
ScaleResult evaluate(const ProxyNcaOptions& options, const ProxyInputs<S>& inputs);

/// Throws std::invalid_argument unless the factor of the angle is an integer from 1 to 100.
inline void check_multiple(std::string_view option, int value) {
  if (value >= 1 && value <= 100) return;
  fail_argument(option, "an integer from 1 to 100", std::to_string(value));
}

}  // namespace detail

/// Softmax cross entropy of cosines with class weights (Zhai & Wu, Classification is a strong
/// baseline for deep metric learning, 2019, section 3):
///
///     L_i = -log( exp(z_iy / tau) / sum_c exp(z_ic / tau) )
///
/// with y the label of row i. For terms, costs and zero rows see the comment of this file.
template <class S>
class NormalizedSoftmax : public ProxyCalls<NormalizedSoftmax<S>, S, TemperatureResult> {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit NormalizedSoftmax(NormalizedSoftmaxOptions options = {}) : options_(options) {
    check_scale<S>("temperature", options.temperature);
  }

  const NormalizedSoftmaxOptions& options() const { return options_; }

 private:
  NormalizedSoftmaxOptions options_;
};

/// ArcFace, an additive margin on the angle of the row's class (Deng et al., ArcFace: Additive
/// angular margin loss for deep face recognition, 2019, eq. 3):
///
///     l_i = sigma cos(theta_iy + m)           where theta_iy <= pi - m
///           sigma (cos(theta_iy) - m sin(m))  else, as in the authors' code
///
/// for y the label of row i, and sigma cos(theta_ic) for the other classes. Proxies::margins gives
/// each class its own m. Where a row and its proxy have the same direction the logit has a corner;
/// the gradient there omits the part of the slope that diverges. For terms, costs and zero rows see
/// the comment of this file.
template <class S>
class ArcFace : public ProxyCalls<ArcFace<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0 and the margin from 0 to pi.
  explicit ArcFace(ArcFaceOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
    check_angle("margin", options.margin);
  }

  const ArcFaceOptions& options() const { return options_; }

 private:
  ArcFaceOptions options_;
};

/// CosFace, an additive margin on the cosine of the row's class (Wang et al., CosFace: Large margin
/// cosine loss for deep face recognition, 2018, eq. 4; AM-Softmax, Wang et al. 2018):
///
///     L_i = -log( exp(sigma (z_iy - m)) / (exp(sigma (z_iy - m)) + sum_{c != y} exp(sigma z_ic)) )
///
/// with y the label of row i. Proxies::margins gives each class its own m (LDAM, Cao et al. 2019).
/// For terms, costs and zero rows see the comment of this file.
template <class S>
class CosFace : public ProxyCalls<CosFace<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0 and the margin finite.
  explicit CosFace(CosFaceOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
    check_offset<S>("margin", options.margin);
  }

  const CosFaceOptions& options() const { return options_; }

 private:
  CosFaceOptions options_;
};

/// SphereFace, a multiplicative margin on the angle of the row's class (Liu et al., SphereFace:
/// Deep hypersphere embedding for face recognition, 2017, eq. 7):
///
///     l_i = sigma |x_i| ((-1)^k cos(m theta_iy) - 2k),  k = floor(m theta_iy / pi)
///
/// for y the label of row i, and sigma |x_i| cos(theta_ic) for the other classes. The loss
/// normalises proxies, but not rows, whose lengths have gradients. For terms, costs and zero rows
/// see the comment of this file.
template <class S>
class SphereFace : public ProxyCalls<SphereFace<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0 and the margin from 1 to 100.
  explicit SphereFace(SphereFaceOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
    detail::check_multiple("margin", options.margin);
  }

  const SphereFaceOptions& options() const { return options_; }

 private:
  SphereFaceOptions options_;
};

/// Large-margin softmax (Liu et al., Large-margin softmax loss for convolutional neural networks,
/// 2016, eq. 4 to 6):
///
///     l_i = sigma |x_i| |w_y| ((-1)^k cos(m theta_iy) - 2k),  k = floor(m theta_iy / pi)
///
/// for y the label of row i, and sigma x_i . w_c for the other classes. The loss normalises neither
/// rows nor proxies. For terms, costs and zero rows see the comment of this file.
template <class S>
class LargeMarginSoftmax : public ProxyCalls<LargeMarginSoftmax<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0 and the margin from 1 to 100.
  explicit LargeMarginSoftmax(LargeMarginSoftmaxOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
    detail::check_multiple("margin", options.margin);
  }

  const LargeMarginSoftmaxOptions& options() const { return options_; }

 private:
  LargeMarginSoftmaxOptions options_;
};

/// ProxyNCA, the softmax of minus the squared distances of normalised rows and proxies
/// (Movshovitz-Attias et al., No fuss distance metric learning using proxies, 2017, eq. 4;
/// ProxyNCA++, Teh et al. 2020, section 3):
///
///     L_i = -log( exp(-sigma d_iy) / sum_c exp(-sigma d_ic) ),  d_ic = 2 - 2 z_ic
///
/// with y the label of row i. It is NormalizedSoftmax at temperature 1 / (2 sigma). With
/// Denominator::negatives_only the sum runs over c != y. For terms, costs and zero rows see the
/// comment of this file.
template <class S>
class ProxyNca : public ProxyCalls<ProxyNca<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0.
  explicit ProxyNca(ProxyNcaOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
  }

  const ProxyNcaOptions& options() const { return options_; }

 private:
  ProxyNcaOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/class_softmax.hpp"
#endif
