#pragma once

#include <concepts>
#include <tuple>
#include <utility>

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/adapters/torch/label_losses.hpp"
#include "nearfar/adapters/torch/proxy_losses.hpp"
#include "nearfar/adapters/torch/row_losses.hpp"
#include "nearfar/adapters/torch/set_losses.hpp"
#include "nearfar/sharded/alignment.hpp"
#include "nearfar/sharded/barlow_twins.hpp"
#include "nearfar/sharded/circle.hpp"
#include "nearfar/sharded/class_softmax.hpp"
#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/co_sent.hpp"
#include "nearfar/sharded/dclw.hpp"
#include "nearfar/sharded/dhel.hpp"
#include "nearfar/sharded/fast_ap.hpp"
#include "nearfar/sharded/generalized_lifted_structure.hpp"
#include "nearfar/sharded/gor.hpp"
#include "nearfar/sharded/hadsell.hpp"
#include "nearfar/sharded/hard_negative.hpp"
#include "nearfar/sharded/in_batch_info_nce.hpp"
#include "nearfar/sharded/info_nce.hpp"
#include "nearfar/sharded/intra_pair_variance.hpp"
#include "nearfar/sharded/ko_leo.hpp"
#include "nearfar/sharded/lifted_structure.hpp"
#include "nearfar/sharded/linear_contrastive.hpp"
#include "nearfar/sharded/margin_loss.hpp"
#include "nearfar/sharded/matryoshka.hpp"
#include "nearfar/sharded/max_sim.hpp"
#include "nearfar/sharded/mined_triplet.hpp"
#include "nearfar/sharded/multi_similarity.hpp"
#include "nearfar/sharded/mutual_information.hpp"
#include "nearfar/sharded/nca.hpp"
#include "nearfar/sharded/nt_xent.hpp"
#include "nearfar/sharded/proxy_anchor.hpp"
#include "nearfar/sharded/ranked_list.hpp"
#include "nearfar/sharded/rince.hpp"
#include "nearfar/sharded/sig_lip.hpp"
#include "nearfar/sharded/sig_reg.hpp"
#include "nearfar/sharded/sincere.hpp"
#include "nearfar/sharded/sup_con.hpp"
#include "nearfar/sharded/tuplet_margin.hpp"
#include "nearfar/sharded/uniformity.hpp"
#include "nearfar/sharded/vic_reg.hpp"

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
/// parameters by the number of processes. Learnt numbers, proxies and the kernel's matrix get the
/// gradient of the whole batch on every process, which an average leaves as it is.

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

/// sharded::InBatchInfoNce: own pairs, with own negatives, ids and probabilities; without a guide.
template <class K = Cosine>
Tensor in_batch_info_nce(const Sharding& where, const Tensor& queries, const Tensor& keys,
                         const InBatchInfoNceOptions& options = {},
                         const InBatchTensors& extras = {}, const TemperatureTensor& learnt = {},
                         const K& kernel = {}) {
  return detail::over_in_batch<nearfar::sharded::InBatchInfoNce>(queries, keys, options, extras,
                                                                 learnt, kernel, where);
}

/// sharded::MaxSimInfoNce: tokens of own queries and of own documents, whose offsets count own
/// tokens.
template <class K = Cosine>
Tensor max_sim_info_nce(const Sharding& where, const Tensor& queries, const Tensor& query_offsets,
                        const Tensor& documents, const Tensor& document_offsets,
                        const MaxSimInfoNceOptions& options = {},
                        const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::over_tokens<nearfar::sharded::MaxSimInfoNce>(
      queries, query_offsets, documents, document_offsets, options, learnt, kernel, where);
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

/// A loss of two sets of rows without targets, whose temperature may be learnt.
template <template <class S, Kernel K> class Loss, class R, class Options, class K>
Tensor over_pairs(const Sharding& where, RowInput (&&rows)[2], const Options& options,
                  const TemperatureTensor& learnt, const K& kernel) {
  return call<Loss, R>(
      std::move(rows), options, kernel, temperature_of<Options, R>(learnt),
      [where](const auto& views) { return std::tuple(where, views[0], views[1]); });
}

}  // namespace detail

/// sharded::MatryoshkaInfoNce: own key i is the positive of own query i.
template <class K = Cosine>
Tensor matryoshka_info_nce(const Sharding& where, const Tensor& queries, const Tensor& keys,
                           const MatryoshkaOptions& options, const TemperatureTensor& learnt = {},
                           const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::MatryoshkaInfoNce, MatryoshkaResult>(
      where, {{"queries", queries}, {"keys", keys}}, options, learnt, kernel);
}

/// sharded::Rince: own key i is the positive of own query i, which may be wrong.
template <class K = Cosine>
Tensor rince(const Sharding& where, const Tensor& queries, const Tensor& keys,
             const RinceOptions& options = {}, const TemperatureTensor& learnt = {},
             const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::Rince, TemperatureResult>(
      where, {{"queries", queries}, {"keys", keys}}, options, learnt, kernel);
}

/// sharded::RinceViews: both views of own samples.
template <class K = Cosine>
Tensor rince_views(const Sharding& where, const Tensor& view1, const Tensor& view2,
                   const RinceViewsOptions& options = {}, const TemperatureTensor& learnt = {},
                   const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::RinceViews, TemperatureResult>(
      where, {{"view1", view1}, {"view2", view2}}, options, learnt, kernel);
}

/// sharded::Dclw: likewise.
template <class K = Cosine>
Tensor dclw(const Sharding& where, const Tensor& view1, const Tensor& view2,
            const DclwOptions& options = {}, const TemperatureTensor& learnt = {},
            const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::Dclw, TemperatureResult>(
      where, {{"view1", view1}, {"view2", view2}}, options, learnt, kernel);
}

/// sharded::Dhel: likewise.
template <class K = Cosine>
Tensor dhel(const Sharding& where, const Tensor& view1, const Tensor& view2,
            const DhelOptions& options = {}, const TemperatureTensor& learnt = {},
            const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::Dhel, TemperatureResult>(
      where, {{"view1", view1}, {"view2", view2}}, options, learnt, kernel);
}

/// sharded::MutualInformation: own joint samples. Its negative is the loss of a critic.
template <class K = InnerProduct>
Tensor mutual_information(const Sharding& where, const Tensor& x, const Tensor& y,
                          const MutualInformationOptions& options = {},
                          const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::over_pairs<nearfar::sharded::MutualInformation, MutualInformationResult>(
      where, {{"x", x}, {"y", y}}, options, learnt, kernel);
}

/// sharded::CoSent: own pairs and their target scores (N_r), constants.
template <class K = Cosine>
Tensor co_sent(const Sharding& where, const Tensor& a, const Tensor& b, const Tensor& scores,
               const CoSentOptions& options = {}, const ScaleTensor& learnt = {},
               const K& kernel = {}) {
  return detail::call<nearfar::sharded::CoSent, CoSentResult>(
      {{"a", a}, {"b", b}}, options, kernel,
      {{"scale", learnt.scale, &CoSentOptions::scale, &CoSentResult::d_scale}},
      [where, own = detail::rows_and_numbers<2>("scores", scores, b)](const auto& views) {
        return std::tuple_cat(std::tuple(where), own(views));
      });
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

/// Likewise: sharded::FastAp, GeneralizedLiftedStructure, IntraPairVariance, MarginLoss, Nca,
/// RankedList, Sincere, SnrContrastive and TupletMargin, with options, learnt numbers and kernels
/// of the function of one process.
#define NEARFAR_TORCH_SHARDED_OVER_LABELS(name, Class)                                          \
  template <class K = detail::OwnKernel<registered::name>>                                      \
  requires(!detail::LearnsNumber<registered::name>) Tensor name(                                \
      const Sharding& where, const Tensor& x, const TensorTargets& labels,                      \
      const registered::name::Options& options = {}, const K& kernel = {}) {                    \
    return detail::over_labels<nearfar::sharded::Class, detail::LabelResult<registered::name>>( \
        where, x, labels, options, kernel);                                                     \
  }                                                                                             \
  template <class K = detail::OwnKernel<registered::name>>                                      \
  requires(detail::LearnsNumber<registered::name>) Tensor name(                                 \
      const Sharding& where, const Tensor& x, const TensorTargets& labels,                      \
      const registered::name::Options& options = {},                                            \
      const detail::LearntTensor<registered::name>& learnt = {}, const K& kernel = {}) {        \
    return detail::over_labels<nearfar::sharded::Class, detail::LabelResult<registered::name>>( \
        where, x, labels, options, kernel, detail::learnt_by<registered::name>(learnt));        \
  }
NEARFAR_TORCH_SHARDED_OVER_LABELS(fast_ap, FastAp)
NEARFAR_TORCH_SHARDED_OVER_LABELS(generalized_lifted_structure, GeneralizedLiftedStructure)
NEARFAR_TORCH_SHARDED_OVER_LABELS(intra_pair_variance, IntraPairVariance)
NEARFAR_TORCH_SHARDED_OVER_LABELS(margin_loss, MarginLoss)
NEARFAR_TORCH_SHARDED_OVER_LABELS(nca, Nca)
NEARFAR_TORCH_SHARDED_OVER_LABELS(ranked_list, RankedList)
NEARFAR_TORCH_SHARDED_OVER_LABELS(sincere, Sincere)
NEARFAR_TORCH_SHARDED_OVER_LABELS(snr_contrastive, SnrContrastive)
NEARFAR_TORCH_SHARDED_OVER_LABELS(tuplet_margin, TupletMargin)
#undef NEARFAR_TORCH_SHARDED_OVER_LABELS

/// sharded::MarginLoss with a boundary for each class, betas (C), the same on all processes, which
/// get the gradient of the whole batch.
template <class K = Euclidean>
Tensor margin_loss_per_class(const Sharding& where, const Tensor& x, const TensorTargets& labels,
                             const Tensor& betas, const MarginLossOptions& options = {},
                             const K& kernel = {}) {
  return detail::call<nearfar::sharded::MarginLoss, Result>(
      {{"x", x}, {"betas", detail::column_of_boundaries(betas)}}, options, kernel, {},
      [where, labels](const auto& views) {
        return std::tuple(where, views[0], labels.view(), views[1]);
      });
}

namespace detail {

// Losses without a choice of kernel, as `call` takes them.
template <class S, Kernel>
using ShardedHardNegative = nearfar::sharded::HardNegative<S>;
template <class S, Kernel>
using ShardedVicReg = nearfar::sharded::VicReg<S>;
template <class S, Kernel>
using ShardedBarlowTwins = nearfar::sharded::BarlowTwins<S>;
template <class S, Kernel>
using ShardedAlignment = nearfar::sharded::Alignment<S>;
template <class S, Kernel>
using ShardedUniformity = nearfar::sharded::Uniformity<S>;
template <class S, Kernel>
using ShardedKoLeo = nearfar::sharded::KoLeo<S>;
template <class S, Kernel>
using ShardedGor = nearfar::sharded::Gor<S>;
template <class S, Kernel>
using ShardedSigReg = nearfar::sharded::SigReg<S>;
template <class S, Kernel>
using ShardedAngle = nearfar::sharded::Angle<S>;
template <class S, Kernel>
using ShardedNormalizedSoftmax = nearfar::sharded::NormalizedSoftmax<S>;
template <class S, Kernel>
using ShardedArcFace = nearfar::sharded::ArcFace<S>;
template <class S, Kernel>
using ShardedCosFace = nearfar::sharded::CosFace<S>;
template <class S, Kernel>
using ShardedSphereFace = nearfar::sharded::SphereFace<S>;
template <class S, Kernel>
using ShardedLargeMarginSoftmax = nearfar::sharded::LargeMarginSoftmax<S>;
template <class S, Kernel>
using ShardedProxyNca = nearfar::sharded::ProxyNca<S>;
template <class S, Kernel>
using ShardedProxyAnchor = nearfar::sharded::ProxyAnchor<S>;

/// A loss of one or two sets of rows.
template <template <class S, Kernel K> class Loss, std::size_t sets, class Options>
Tensor of_sets(const Sharding& where, RowInput (&&rows)[sets], const Options& options) {
  return call<Loss, Result>(std::move(rows), options, Cosine(), {}, [where](const auto& views) {
    if constexpr (sets == 1) {
      return std::tuple(where, views[0]);
    } else {
      return std::tuple(where, views[0], views[1]);
    }
  });
}

}  // namespace detail

/// sharded::HardNegative: both views of own samples, with ids of these or without.
template <std::same_as<TensorTargets> T>
Tensor hard_negative(const Sharding& where, const Tensor& view1, const Tensor& view2,
                     const T& targets, const HardNegativeOptions& options = {},
                     const TemperatureTensor& learnt = {}) {
  return detail::call<detail::ShardedHardNegative>(
      {{"view1", view1}, {"view2", view2}}, options, Cosine(),
      detail::temperature_of<HardNegativeOptions, TemperatureResult>(learnt),
      detail::both(where, targets));
}
inline Tensor hard_negative(const Sharding& where, const Tensor& view1, const Tensor& view2,
                            const HardNegativeOptions& options = {},
                            const TemperatureTensor& learnt = {}) {
  return hard_negative(where, view1, view2, TensorTargets(), options, learnt);
}

/// sharded::VicReg: both views of own samples.
inline Tensor vic_reg(const Sharding& where, const Tensor& view1, const Tensor& view2,
                      const VicRegOptions& options = {}) {
  return detail::of_sets<detail::ShardedVicReg>(where, {{"view1", view1}, {"view2", view2}},
                                                options);
}

/// sharded::BarlowTwins: likewise.
inline Tensor barlow_twins(const Sharding& where, const Tensor& view1, const Tensor& view2,
                           const BarlowTwinsOptions& options = {}) {
  return detail::of_sets<detail::ShardedBarlowTwins>(where, {{"view1", view1}, {"view2", view2}},
                                                     options);
}

/// sharded::Alignment: own pairs.
inline Tensor alignment(const Sharding& where, const Tensor& x, const Tensor& y,
                        const AlignmentOptions& options = {}) {
  return detail::of_sets<detail::ShardedAlignment>(where, {{"x", x}, {"y", y}}, options);
}

/// sharded::Uniformity: own rows.
inline Tensor uniformity(const Sharding& where, const Tensor& x,
                         const UniformityOptions& options = {}) {
  return detail::of_sets<detail::ShardedUniformity>(where, {{"x", x}}, options);
}

/// sharded::KoLeo: own rows.
inline Tensor ko_leo(const Sharding& where, const Tensor& x, const KoLeoOptions& options = {}) {
  return detail::of_sets<detail::ShardedKoLeo>(where, {{"x", x}}, options);
}

/// sharded::Gor: own rows.
inline Tensor gor(const Sharding& where, const Tensor& x, const GorOptions& options = {}) {
  return detail::of_sets<detail::ShardedGor>(where, {{"x", x}}, options);
}

/// sharded::SigReg: own rows, and slices that are the same on all processes and get no gradient.
inline Tensor sig_reg(const Sharding& where, const Tensor& x, const Tensor& slices,
                      const SigRegOptions& options = {}) {
  return detail::call<detail::ShardedSigReg, Result>(
      {{"x", x}}, options, InnerProduct(), {},
      [where, constant = detail::constant_rows("slices", slices, "x", x)]<class Views>(
          const Views& views) {
        using S = typename Views::value_type::Scalar;
        return std::tuple(where, views[0], detail::rows_of<S>(constant));
      });
}

/// sharded::Angle: as co_sent, with scores of rows as complex numbers.
inline Tensor angle(const Sharding& where, const Tensor& a, const Tensor& b, const Tensor& scores,
                    const AngleOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::call<detail::ShardedAngle, CoSentResult>(
      {{"a", a}, {"b", b}}, options, Cosine(),
      {{"scale", learnt.scale, &AngleOptions::scale, &CoSentResult::d_scale}},
      [where, own = detail::rows_and_numbers<2>("scores", scores, b)](const auto& views) {
        return std::tuple_cat(std::tuple(where), own(views));
      });
}

/// sharded::NormalizedSoftmax: own rows with their labels, and all proxies, the same on all
/// processes, which get the gradient of the whole batch.
inline Tensor normalized_softmax(const Sharding& where, const Tensor& x, const Tensor& labels,
                                 const TensorProxies& proxies,
                                 const NormalizedSoftmaxOptions& options = {},
                                 const TemperatureTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedNormalizedSoftmax>(
      x, labels, proxies, options,
      detail::temperature_of<NormalizedSoftmaxOptions, TemperatureResult>(learnt), where);
}

/// sharded::ArcFace: likewise.
inline Tensor arc_face(const Sharding& where, const Tensor& x, const Tensor& labels,
                       const TensorProxies& proxies, const ArcFaceOptions& options = {},
                       const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedArcFace>(
      x, labels, proxies, options, detail::scale_of<ArcFaceOptions>(learnt), where);
}

/// sharded::CosFace: likewise.
inline Tensor cos_face(const Sharding& where, const Tensor& x, const Tensor& labels,
                       const TensorProxies& proxies, const CosFaceOptions& options = {},
                       const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedCosFace>(
      x, labels, proxies, options, detail::scale_of<CosFaceOptions>(learnt), where);
}

/// sharded::SphereFace: likewise.
inline Tensor sphere_face(const Sharding& where, const Tensor& x, const Tensor& labels,
                          const TensorProxies& proxies, const SphereFaceOptions& options = {},
                          const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedSphereFace>(
      x, labels, proxies, options, detail::scale_of<SphereFaceOptions>(learnt), where);
}

/// sharded::LargeMarginSoftmax: likewise.
inline Tensor large_margin_softmax(const Sharding& where, const Tensor& x, const Tensor& labels,
                                   const TensorProxies& proxies,
                                   const LargeMarginSoftmaxOptions& options = {},
                                   const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedLargeMarginSoftmax>(
      x, labels, proxies, options, detail::scale_of<LargeMarginSoftmaxOptions>(learnt), where);
}

/// sharded::ProxyNca: likewise.
inline Tensor proxy_nca(const Sharding& where, const Tensor& x, const Tensor& labels,
                        const TensorProxies& proxies, const ProxyNcaOptions& options = {},
                        const ScaleTensor& learnt = {}) {
  return detail::over_proxies<detail::ShardedProxyNca>(
      x, labels, proxies, options, detail::scale_of<ProxyNcaOptions>(learnt), where);
}

/// sharded::ProxyAnchor: likewise.
inline Tensor proxy_anchor(const Sharding& where, const Tensor& x, const Tensor& labels,
                           const TensorProxies& proxies, const ProxyAnchorOptions& options = {}) {
  return detail::over_proxies<detail::ShardedProxyAnchor, Result>(x, labels, proxies, options, {},
                                                                  where);
}

}  // namespace nearfar::libtorch::sharded
