#pragma once

#include "nearfar/losses/impl/class_softmax.hpp"
#include "nearfar/sharded/class_softmax.hpp"
#include "nearfar/sharded/impl/sharded_class_call.hpp"

namespace nearfar::detail {

template <class S>
TemperatureResult evaluate(const NormalizedSoftmaxOptions& options,
                           const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedClassCall<S> call(kernel, options.reduction,
                           class_introduction("NormalizedSoftmax", kernel, inputs, options,
                                              {{"temperature", options.temperature}}),
                           inputs);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const ProxyNcaOptions& options, const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedClassCall<S> call(
      kernel, options.reduction,
      class_introduction(
          "ProxyNca", kernel, inputs, options,
          {{"scale", options.scale}, {"denominator", static_cast<double>(options.denominator)}}),
      inputs);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const ArcFaceOptions& options, const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedClassCall<S> call(
      kernel, options.reduction,
      class_introduction("ArcFace", kernel, inputs, options,
                         {{"scale", options.scale}, {"margin", options.margin}}),
      inputs, false, AngleMargins());
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const CosFaceOptions& options, const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  ShardedClassCall<S> call(
      kernel, options.reduction,
      class_introduction("CosFace", kernel, inputs, options,
                         {{"scale", options.scale}, {"margin", options.margin}}),
      inputs, false, ScoreMargins<S>());
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const SphereFaceOptions& options, const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ShardedClassCall<S> call(kernel, options.reduction,
                           class_introduction("SphereFace", kernel, inputs, options,
                                              {{"scale", options.scale},
                                               {"margin", static_cast<double>(options.margin)}}),
                           inputs, true);
  return class_softmax<S>(options, call);
}

template <class S>
ScaleResult evaluate(const LargeMarginSoftmaxOptions& options,
                     const ShardedProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  ShardedClassCall<S> call(kernel, options.reduction,
                           class_introduction("LargeMarginSoftmax", kernel, inputs, options,
                                              {{"scale", options.scale},
                                               {"margin", static_cast<double>(options.margin)}}),
                           inputs);
  return class_softmax<S>(options, call);
}

}  // namespace nearfar::detail
