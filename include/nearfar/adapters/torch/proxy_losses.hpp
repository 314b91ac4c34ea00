#pragma once

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/losses/class_centers.hpp"
#include "nearfar/losses/class_softmax.hpp"
#include "nearfar/losses/proxy_anchor.hpp"

/// \file
/// Losses of rows x (N x D) with a label each (int64, N) against proxies of C classes, C x D, or
/// (C K) x D of losses with K centres a class. nearfar/adapters/torch.hpp has what holds of all
/// functions.

namespace nearfar::libtorch {

/// Proxies as a tensor: what nearfar::Proxies is for views. Made implicitly from rows, which are a
/// parameter like any other; `classes` and `margins` add to it. Holds the tensors.
class TensorProxies {
 public:
  TensorProxies(const Tensor& rows) : rows_(rows) {}  // NOLINT(google-explicit-constructor)

  /// The same with the number of each class (int64, C), which labels then are.
  TensorProxies classes(const Tensor& numbers) const {
    TensorProxies out = *this;
    out.classes_ = detail::checked_integers("classes", numbers);
    return out;
  }
  /// The same with the margin of each class (C), constants in the place of the option.
  TensorProxies margins(const Tensor& margins) const {
    TensorProxies out = *this;
    detail::checked_numbers("margins", margins, at::kDouble);
    out.margins_ = margins;
    return out;
  }

  const Tensor& rows() const { return rows_; }
  const Tensor& classes() const { return classes_; }
  const Tensor& margins() const { return margins_; }

 private:
  Tensor rows_;
  Tensor classes_;
  Tensor margins_;
};

/// Numbers that are learnt, as TemperatureTensor.
struct SoftTripleTensors {
  Tensor lambda = {};
  Tensor gamma = {};
};

namespace detail {

// Losses without a choice of kernel, as `call` takes them.
template <class S, Kernel>
using NormalizedSoftmaxOver = NormalizedSoftmax<S>;
template <class S, Kernel>
using ArcFaceOver = ArcFace<S>;
template <class S, Kernel>
using CosFaceOver = CosFace<S>;
template <class S, Kernel>
using SphereFaceOver = SphereFace<S>;
template <class S, Kernel>
using LargeMarginSoftmaxOver = LargeMarginSoftmax<S>;
template <class S, Kernel>
using ProxyNcaOver = ProxyNca<S>;
template <class S, Kernel>
using SubCenterArcFaceOver = SubCenterArcFace<S>;
template <class S, Kernel>
using SoftTripleOver = SoftTriple<S>;
template <class S, Kernel>
using ProxyAnchorOver = ProxyAnchor<S>;

template <class Options>
std::vector<Number<Options, ScaleResult>> scale_of(const ScaleTensor& learnt) {
  return {{"scale", learnt.scale, &Options::scale, &ScaleResult::d_scale}};
}

/// `where` come before the other arguments of a call.
template <template <class S, Kernel K> class Loss, class R, class Options, class... Where>
Tensor over_proxies(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                    const Options& options, const std::vector<Number<Options, R>>& numbers = {},
                    const Where&... where) {
  Tensor margins = proxies.margins();
  if (margins.defined()) {
    check_dense("x", x);
    margins = checked_numbers("margins", margins, computed_type(x));
  }
  return call<Loss, R>(
      {{"x", x}, {"proxies", proxies.rows()}}, options, Cosine(), numbers,
      [integers = checked_integers("labels", labels), classes = proxies.classes(), margins,
       where...]<class S, std::size_t sets>(const std::array<Rows<S>, sets>& views) {
        Proxies<S> its = views[1];
        if (classes.defined()) its = its.classes(labels_of(classes));
        if (margins.defined()) {
          its = its.margins({margins.template data_ptr<S>(), margins.numel()});
        }
        return std::tuple(where..., views[0], labels_of(integers), its);
      });
}

}  // namespace detail

/// NormalizedSoftmax.
inline Tensor normalized_softmax(const Tensor& x, const Tensor& labels,
                                 const TensorProxies& proxies,
                                 const NormalizedSoftmaxOptions& options = {},
                                 const TemperatureTensor& learnt = {}) {
  return detail::over_proxies<detail::NormalizedSoftmaxOver>(
      x, labels, proxies, options,
      detail::temperature_of<NormalizedSoftmaxOptions, TemperatureResult>(learnt));
}

/// ArcFace: `arc_face(x, labels, weight, {.scale = 64, .margin = 0.5})`.
inline Tensor arc_face(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                       const ArcFaceOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ArcFaceOver>(x, labels, proxies, options,
                                                   detail::scale_of<ArcFaceOptions>(learnt));
}

/// CosFace.
inline Tensor cos_face(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                       const CosFaceOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::CosFaceOver>(x, labels, proxies, options,
                                                   detail::scale_of<CosFaceOptions>(learnt));
}

/// SphereFace.
inline Tensor sphere_face(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                          const SphereFaceOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::SphereFaceOver>(x, labels, proxies, options,
                                                      detail::scale_of<SphereFaceOptions>(learnt));
}

/// LargeMarginSoftmax.
inline Tensor large_margin_softmax(const Tensor& x, const Tensor& labels,
                                   const TensorProxies& proxies,
                                   const LargeMarginSoftmaxOptions& options = {},
                                   const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::LargeMarginSoftmaxOver>(
      x, labels, proxies, options, detail::scale_of<LargeMarginSoftmaxOptions>(learnt));
}

/// ProxyNca.
inline Tensor proxy_nca(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                        const ProxyNcaOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ProxyNcaOver>(x, labels, proxies, options,
                                                    detail::scale_of<ProxyNcaOptions>(learnt));
}

/// SubCenterArcFace: proxies (C sub_centers) x D.
inline Tensor sub_center_arc_face(const Tensor& x, const Tensor& labels,
                                  const TensorProxies& proxies,
                                  const SubCenterArcFaceOptions& options = {},
                                  const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::SubCenterArcFaceOver>(
      x, labels, proxies, options, detail::scale_of<SubCenterArcFaceOptions>(learnt));
}

/// SoftTriple: proxies (C centers_per_class) x D.
inline Tensor soft_triple(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                          const SoftTripleOptions& options = {},
                          const SoftTripleTensors& learnt = {}) {
  return detail::over_proxies<detail::SoftTripleOver, SoftTripleResult>(
      x, labels, proxies, options,
      {{"lambda", learnt.lambda, &SoftTripleOptions::lambda, &SoftTripleResult::d_lambda},
       {"gamma", learnt.gamma, &SoftTripleOptions::gamma, &SoftTripleResult::d_gamma}});
}

/// ProxyAnchor.
inline Tensor proxy_anchor(const Tensor& x, const Tensor& labels, const TensorProxies& proxies,
                           const ProxyAnchorOptions& options = {}) {
  return detail::over_proxies<detail::ProxyAnchorOver, Result>(x, labels, proxies, options);
}

}  // namespace nearfar::libtorch
