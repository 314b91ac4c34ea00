#pragma once

#include <concepts>

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/sharded/circle.hpp"
#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/hadsell.hpp"
#include "nearfar/sharded/info_nce.hpp"
#include "nearfar/sharded/lifted_structure.hpp"
#include "nearfar/sharded/linear_contrastive.hpp"
#include "nearfar/sharded/mined_triplet.hpp"
#include "nearfar/sharded/multi_similarity.hpp"
#include "nearfar/sharded/nt_xent.hpp"
#include "nearfar/sharded/sig_lip.hpp"
#include "nearfar/sharded/sup_con.hpp"

/// \file
/// Losses of batches that are split over processes, as functions of tensors: `where` (an
/// exchange, or Sharding), then the arguments of the function of the same name, of this process'
/// own rows. The value is that of the batch of all processes.
///
/// All processes make the same calls in the same order. A call communicates in forward; with
/// Reduction::none its backward communicates, too, and the exchange lives until then. Errors of
/// nearfar are thrown on all processes. A tensor that the adapter refuses (c10::Error) is the error
/// of its process alone, and the others wait for it.
///
/// GradientScale::for_averaging is for DistributedDataParallel, which divides gradients of
/// parameters by the number of processes. Learnt numbers and the kernel's matrix get the gradient
/// of the whole batch on every process, which an average leaves as it is.

namespace nearfar::libtorch::sharded {

namespace detail {

using namespace libtorch::detail;

/// Arguments of a loss of two sets of rows.
inline auto both(const Sharding& where, const TensorTargets& targets = {}) {
  return [where, targets](const auto& views) {
    return std::tuple(where, views[0], views[1], targets.view());
  };
}

}  // namespace detail

/// sharded::InfoNce: own key i is the positive of own query i.
template <class K = Cosine>
Tensor info_nce(const Sharding& where, const Tensor& queries, const Tensor& keys,
                const InfoNceOptions& options = {}, const TemperatureTensor& learnt = {},
                const K& kernel = {}) {
  return detail::call<nearfar::sharded::InfoNce>(
      {{"queries", queries}, {"keys", keys}}, options, kernel,
      detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
      [where](const auto& views) { return std::tuple(where, views[0], views[1]); });
}

/// The same with key positives[i] (int64), counted over all processes, the positive of own query i.
template <class K = Cosine>
Tensor info_nce_at(const Sharding& where, const Tensor& queries, const Tensor& keys,
                   const Tensor& positives, const InfoNceOptions& options = {},
                   const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<nearfar::sharded::InfoNce>(
      {{"queries", queries}, {"keys", keys}}, options, kernel,
      detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
      [where, columns = detail::checked_integers("positives", positives)](const auto& views) {
        return std::tuple(where, views[0], views[1], detail::labels_of(columns));
      });
}

/// sharded::NtXent: both views of own samples, with ids of these. (Templates on T, so that braces
/// are options.)
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor nt_xent(const Sharding& where, const Tensor& view1, const Tensor& view2, const T& targets,
               const NtXentOptions& options = {}, const TemperatureTensor& learnt = {},
               const K& kernel = {}) {
  return detail::call<nearfar::sharded::NtXent>(
      {{"view1", view1}, {"view2", view2}}, options, kernel,
      detail::temperature_of<NtXentOptions, TemperatureResult>(learnt),
      detail::both(where, targets));
}
/// The same without ids.
template <class K = Cosine>
Tensor nt_xent(const Sharding& where, const Tensor& view1, const Tensor& view2,
               const NtXentOptions& options = {}, const TemperatureTensor& learnt = {},
               const K& kernel = {}) {
  return nt_xent(where, view1, view2, TensorTargets(), options, learnt, kernel);
}

/// sharded::Clip: own pairs, with targets of them or without.
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor clip(const Sharding& where, const Tensor& images, const Tensor& texts, const T& targets,
            const ClipOptions& options = {}, const LogitScaleTensor& learnt = {},
            const K& kernel = {}) {
  return detail::call<nearfar::sharded::Clip, ClipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &ClipOptions::logit_scale, &ClipResult::d_logit_scale}},
      detail::both(where, targets));
}
template <class K = Cosine>
Tensor clip(const Sharding& where, const Tensor& images, const Tensor& texts,
            const ClipOptions& options = {}, const LogitScaleTensor& learnt = {},
            const K& kernel = {}) {
  return clip(where, images, texts, TensorTargets(), options, learnt, kernel);
}

/// sharded::SigLip: likewise.
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor sig_lip(const Sharding& where, const Tensor& images, const Tensor& texts, const T& targets,
               const SigLipOptions& options = {}, const LogitTensors& learnt = {},
               const K& kernel = {}) {
  return detail::call<nearfar::sharded::SigLip, SigLipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &SigLipOptions::logit_scale,
        &SigLipResult::d_logit_scale},
       {"logit_bias", learnt.logit_bias, &SigLipOptions::logit_bias, &SigLipResult::d_logit_bias}},
      detail::both(where, targets));
}
template <class K = Cosine>
Tensor sig_lip(const Sharding& where, const Tensor& images, const Tensor& texts,
               const SigLipOptions& options = {}, const LogitTensors& learnt = {},
               const K& kernel = {}) {
  return sig_lip(where, images, texts, TensorTargets(), options, learnt, kernel);
}

namespace detail {

/// A loss of own rows with their targets.
template <template <class S, Kernel K> class Loss, class R, class Options, class K>
Tensor over_labels(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                   const Options& options, const K& kernel,
                   const std::vector<Number<Options, R>>& numbers = {}) {
  return call<Loss, R>({{"x", x}}, options, kernel, numbers, [where, labels](const auto& views) {
    return std::tuple(where, views[0], labels.view());
  });
}

}  // namespace detail

/// sharded::SupCon.
template <class K = Cosine>
Tensor sup_con(const Sharding& where, const Tensor& x, const TensorTargets& labels,
               const SupConOptions& options = {}, const TemperatureTensor& learnt = {},
               const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::SupCon>(
      where, x, labels, options, kernel,
      detail::temperature_of<SupConOptions, TemperatureResult>(learnt));
}

/// sharded::HadsellContrastive.
template <class K = Euclidean>
Tensor hadsell(const Sharding& where, const Tensor& x, const TensorTargets& labels,
               const HadsellOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::HadsellContrastive, Result>(where, x, labels,
                                                                           options, kernel);
}

/// sharded::LinearContrastive.
template <class K = Euclidean>
Tensor linear_contrastive(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                          const LinearContrastiveOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::LinearContrastive, LinearContrastiveResult>(
      where, x, labels, options, kernel);
}

/// sharded::MultiSimilarity.
template <class K = Cosine>
Tensor multi_similarity(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                        const MultiSimilarityOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::MultiSimilarity, Result>(where, x, labels, options,
                                                                        kernel);
}

/// sharded::Circle.
template <class K = Cosine>
Tensor circle(const Sharding& where, const Tensor& x, const TensorTargets& labels,
              const CircleOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::Circle, Result>(where, x, labels, options, kernel);
}

/// sharded::LiftedStructure.
template <class K = Euclidean>
Tensor lifted_structure(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                        const LiftedStructureOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::LiftedStructure, Result>(where, x, labels, options,
                                                                        kernel);
}

/// sharded::MinedTriplet.
template <class K = Euclidean>
Tensor mined_triplet(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                     const MinedTripletOptions& options = {}, const K& kernel = {}) {
  return detail::over_labels<nearfar::sharded::MinedTriplet, MinedTripletResult>(where, x, labels,
                                                                                 options, kernel);
}

}  // namespace nearfar::libtorch::sharded
