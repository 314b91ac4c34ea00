#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/proxy_calls.hpp"

/// \file
/// Softmax losses over classes with K centres each: the proxies of class c are rows
/// c K .. c K + K - 1 of a (C K) x D matrix. A row's similarity z_ic to a class follows from its
/// cosines s_ick with the class's centres.
///
/// Of both losses, terms are rows, and Reduction::mean divides by N. Memory beyond inputs and
/// gradients is O((N + C K) D), without an N x C matrix; 6 N C K D floating point operations
/// forward and backward, 2 N C K D forward. A zero row has cosine 0 and gradient 0. An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.

namespace nearfar {

/// Settings of SubCenterArcFace.
struct SubCenterArcFaceOptions {
  double scale = 64;                      ///< sigma > 0: the factor of cosines
  double margin = 0.5;                    ///< m from 0 to pi, in radians
  int sub_centers = 3;                    ///< K >= 1: proxies a class
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("scale", o.scale...);
    visit("margin", o.margin...);
    visit("sub_centers", o.sub_centers...);
    visit("reduction", o.reduction...);
  }
};

/// Settings of SoftTriple.
struct SoftTripleOptions {
  double lambda = 20;          ///< > 0: the factor of similarities to classes
  double gamma = 0.1;          ///< > 0: temperature of the softmax over a class's centres
  double margin = 0.01;        ///< delta, finite: subtracted from the similarity of the row's class
  int centers_per_class = 10;  ///< K >= 1: proxies a class
  Reduction reduction = Reduction::mean;  ///< terms are rows

  /// Calls visit("lambda", o.lambda...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("lambda", o.lambda...);
    visit("gamma", o.gamma...);
    visit("margin", o.margin...);
    visit("centers_per_class", o.centers_per_class...);
    visit("reduction", o.reduction...);
  }
};

/// The result of SoftTriple.
struct SoftTripleResult : Result {
  double d_lambda = 0;  ///< dL/dlambda (times upstream); 0 from forward
  double d_gamma = 0;   ///< dL/dgamma (times upstream); 0 from forward
};

namespace detail {

template <class S>
ScaleResult evaluate(const SubCenterArcFaceOptions& options, const ProxyInputs<S>& inputs);
template <class S>
SoftTripleResult evaluate(const SoftTripleOptions& options, const ProxyInputs<S>& inputs);

/// Throws std::invalid_argument unless the number of centres is 1 or more.
inline void check_centers(std::string_view option, int value) {
  if (value < 1) fail_argument(option, "an integer >= 1", std::to_string(value));
}

}  // namespace detail

/// ArcFace with sub-centres (Deng et al., Sub-center ArcFace: Boosting face recognition by
/// large-scale noisy web faces, 2020, section 3): ArcFace of
///
///     z_ic = max_k s_ick
///
/// The gradient goes to the nearest centre of each class, the first of equally near ones.
/// Proxies::margins gives each class its own m. For terms, costs and zero rows see the comment of
/// this file.
template <class S>
class SubCenterArcFace : public ProxyCalls<SubCenterArcFace<S>, S, ScaleResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0, the margin from 0 to pi and
  /// sub_centers >= 1.
  explicit SubCenterArcFace(SubCenterArcFaceOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
    check_angle("margin", options.margin);
    detail::check_centers("sub_centers", options.sub_centers);
  }

  const SubCenterArcFaceOptions& options() const { return options_; }

 private:
  SubCenterArcFaceOptions options_;
};

/// SoftTriple (Qian et al., SoftTriple loss: Deep metric learning without triplet sampling, 2019,
/// section 3.3, without the regulariser of the centres):
///
///     L_i  = -log( exp(lambda (z_iy - delta))
///                  / (exp(lambda (z_iy - delta)) + sum_{c != y} exp(lambda z_ic)) )
///     z_ic = sum_k p_ick s_ick,  p_ick = exp(s_ick / gamma) / sum_l exp(s_icl / gamma)
///
/// with y the label of row i. The gradient goes through p, too. Proxies::margins gives each class
/// its own delta. For terms, costs and zero rows see the comment of this file.
template <class S>
class SoftTriple : public ProxyCalls<SoftTriple<S>, S, SoftTripleResult> {
 public:
  /// Throws std::invalid_argument unless lambda and gamma are finite and > 0, the margin finite and
  /// centers_per_class >= 1.
  explicit SoftTriple(SoftTripleOptions options = {}) : options_(options) {
    check_scale<S>("lambda", options.lambda);
    check_scale<S>("gamma", options.gamma);
    check_offset<S>("margin", options.margin);
    detail::check_centers("centers_per_class", options.centers_per_class);
  }

  const SoftTripleOptions& options() const { return options_; }

 private:
  SoftTripleOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/class_centers.hpp"
#endif
