#pragma once

#include <algorithm>
#include <concepts>

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/adapters/torch/negatives.hpp"
#include "nearfar/losses/alignment.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/losses/co_sent.hpp"
#include "nearfar/losses/cosine_embedding.hpp"
#include "nearfar/losses/cpc.hpp"
#include "nearfar/losses/dclw.hpp"
#include "nearfar/losses/dhel.hpp"
#include "nearfar/losses/distillation.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/losses/in_batch_info_nce.hpp"
#include "nearfar/losses/info_nce.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/losses/matryoshka.hpp"
#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/losses/nce.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/losses/rince.hpp"
#include "nearfar/losses/score_regression.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/losses/uniformity.hpp"

/// \file
/// Losses of rows that belong together by their place: row i of one tensor with row i of another.
/// nearfar/adapters/torch.hpp has what holds of all functions.

namespace nearfar::libtorch {

namespace detail {

// Losses without a choice of kernel, as `call` takes them.
template <class S, Kernel>
using HardNegativeOver = HardNegative<S>;
template <class S, Kernel>
using AlignmentOver = Alignment<S>;
template <class S, Kernel>
using UniformityOver = Uniformity<S>;
template <class S, Kernel>
using CpcOver = Cpc<S>;
template <class S, Kernel>
using AngleOver = Angle<S>;
template <class S, Kernel>
using CosineEmbeddingOver = CosineEmbedding<S>;

/// Arguments of a loss of two sets of rows.
inline constexpr auto both = [](const auto& views) { return std::tuple(views[0], views[1]); };
/// The same, with targets of the pairs.
inline auto both_with(const TensorTargets& targets) {
  return [targets](const auto& views) { return std::tuple(views[0], views[1], targets.view()); };
}

inline PairList pairs_of(const Tensor& list) { return {column_of(list, 0), column_of(list, 1)}; }
inline TripletList triplets_of(const Tensor& list) {
  return {column_of(list, 0), column_of(list, 1), column_of(list, 2)};
}
/// Arguments of a loss of listed pairs of one set, or of rows and references.
inline auto one_with_pairs(const Tensor& positives, const Tensor& negatives) {
  return [similar = checked_lists("positive_pairs", positives, 2),
          others = checked_lists("negative_pairs", negatives, 2)](const auto& views) {
    return std::tuple(views[0], pairs_of(similar), pairs_of(others));
  };
}
inline auto both_with_pairs(const Tensor& positives, const Tensor& negatives) {
  return [similar = checked_lists("positive_pairs", positives, 2),
          others = checked_lists("negative_pairs", negatives, 2)](const auto& views) {
    return std::tuple(views[0], views[1], pairs_of(similar), pairs_of(others));
  };
}
/// Arguments of a loss of sets of rows and numbers, whose tensor is one a row of the last set: in
/// the shape of its rows.
template <std::size_t sets>
auto rows_and_numbers(const char* name, const Tensor& numbers, const Tensor& last) {
  check_dense("rows", last);
  const at::IntArrayRef of_rows =
      last.sizes().slice(0, static_cast<std::size_t>(std::max<std::int64_t>(last.dim() - 1, 0)));
  TORCH_CHECK(last.dim() > 0 && numbers.sizes() == of_rows, "nearfar: ", name,
              ": wanted one number a row, ", of_rows, ", got ", numbers.sizes());
  return [own = checked_numbers(name, numbers.reshape({-1}), computed_type(last))]<class Views>(
             const Views& views) {
    using S = typename Views::value_type::Scalar;
    const Numbers<S> values(own.template data_ptr<S>(), own.numel());
    if constexpr (sets == 2) {
      return std::tuple(views[0], views[1], values);
    } else {
      return std::tuple(views[0], views[1], views[2], values);
    }
  };
}

}  // namespace detail

/// InfoNce: queries (N x D) against keys (M x D, M >= N), key i the positive of query i.
template <class K = Cosine>
Tensor info_nce(const Tensor& queries, const Tensor& keys, const InfoNceOptions& options = {},
                const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<InfoNce>({{"queries", queries}, {"keys", keys}}, options, kernel,
                               detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
                               detail::both);
}

/// InfoNce of N pairs with ids, TensorTargets().ids(ids): other keys of a query's id are no
/// negatives. (Templates on T, so that braces are options.)
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor info_nce(const Tensor& queries, const Tensor& keys, const T& targets,
                const InfoNceOptions& options = {}, const TemperatureTensor& learnt = {},
                const K& kernel = {}) {
  return detail::call<InfoNce>({{"queries", queries}, {"keys", keys}}, options, kernel,
                               detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
                               detail::both_with(targets));
}

/// InfoNce with key positives[i] (int64, N) the positive of query i.
template <class K = Cosine>
Tensor info_nce_at(const Tensor& queries, const Tensor& keys, const Tensor& positives,
                   const InfoNceOptions& options = {}, const TemperatureTensor& learnt = {},
                   const K& kernel = {}) {
  return detail::call<InfoNce>(
      {{"queries", queries}, {"keys", keys}}, options, kernel,
      detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
      [columns = detail::checked_integers("positives", positives)](const auto& views) {
        return std::tuple(views[0], views[1], detail::labels_of(columns));
      });
}

/// InfoNCE with keys (N x D), key i the positive of query i, against negatives: K x D, shared by
/// all queries, or N x K x D, each query's own; with offsets or ids TensorNegatives.
template <class K = Cosine>
Tensor info_nce_against(const Tensor& queries, const Tensor& keys, const TensorNegatives& negatives,
                        const InfoNceOptions& options = {}, const TemperatureTensor& learnt = {},
                        const K& kernel = {}) {
  return detail::call<InfoNce>({{"queries", queries}, {"keys", keys}, negatives.input("negatives")},
                               options, kernel,
                               detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
                               [negatives](const auto& views) {
                                 return std::tuple(views[0], views[1], negatives.view(views[2]));
                               });
}

/// The same with negatives that all queries share and with each query's own:
/// `info_nce_against(queries, keys, queue, TensorNegatives(hard))`.
template <std::same_as<TensorNegatives> T, class K = Cosine>
Tensor info_nce_against(const Tensor& queries, const Tensor& keys, const TensorNegatives& negatives,
                        const T& own_negatives, const InfoNceOptions& options = {},
                        const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<InfoNce>({{"queries", queries},
                                {"keys", keys},
                                negatives.input("negatives"),
                                own_negatives.input("own_negatives")},
                               options, kernel,
                               detail::temperature_of<InfoNceOptions, InfoNceResult>(learnt),
                               [negatives, own_negatives](const auto& views) {
                                 return std::tuple(views[0], views[1], negatives.view(views[2]),
                                                   own_negatives.view(views[3]));
                               });
}

/// The same with any number of negatives a query: TensorNegatives(negatives).offsets(offsets).
template <std::same_as<Tensor> T, class K = Cosine>
Tensor info_nce_against(const Tensor& queries, const Tensor& keys, const Tensor& negatives,
                        const T& offsets, const InfoNceOptions& options = {},
                        const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return info_nce_against(queries, keys, TensorNegatives(negatives).offsets(offsets), options,
                          learnt, kernel);
}

/// MatryoshkaInfoNce: queries (N x D) against keys (M x D, M >= N), over prefixes of their columns:
/// `matryoshka_info_nce(queries, keys, {.prefixes = {64, 128, 256}})`.
template <class K = Cosine>
Tensor matryoshka_info_nce(const Tensor& queries, const Tensor& keys,
                           const MatryoshkaOptions& options, const TemperatureTensor& learnt = {},
                           const K& kernel = {}) {
  return detail::call<MatryoshkaInfoNce>(
      {{"queries", queries}, {"keys", keys}}, options, kernel,
      detail::temperature_of<MatryoshkaOptions, MatryoshkaResult>(learnt), detail::both);
}

/// What a batch of in_batch_info_nce has besides pairs: nearfar::InBatchExtras. All may be left
/// out.
struct InBatchTensors {
  TensorNegatives negatives = {};
  TensorTargets targets = {};  ///< ids of the pairs
  Tensor guide_queries = {};   ///< like the rows, of any width; they get no gradient
  Tensor guide_keys = {};
  Tensor guide_negatives = {};  ///< a matrix, a row each negative
  Tensor log_q = {};            ///< N numbers
  Tensor log_q_negatives = {};  ///< one a negative
};

namespace detail {

/// A loss of pairs with whatever else the batch has; `where` come before the other arguments of a
/// call.
template <template <class S, Kernel K> class Loss, class K, class... Where>
Tensor over_in_batch(const Tensor& queries, const Tensor& keys,
                     const InBatchInfoNceOptions& options, const InBatchTensors& extras,
                     const TemperatureTensor& learnt, const K& kernel, const Where&... where) {
  const TensorNegatives negatives =
      extras.negatives.rows().defined()
          ? extras.negatives
          : TensorNegatives(at::empty({0, queries.size(-1)}, queries.options()));
  const auto constant = [&](const char* name, const Tensor& rows) {
    if (!rows.defined()) return Tensor();
    check_rows(name, rows, 2, 2);
    const at::ScalarType type = computed_type(queries);
    const Tensor own = rows.detach();
    return matrix_of(computed_type(own) == type ? own : own.to(type));
  };
  const auto numbers = [](const char* name, const Tensor& given) {
    return given.defined() ? checked_numbers(name, given, at::kDouble) : Tensor();
  };
  return call<Loss>({{"queries", queries}, {"keys", keys}, negatives.input("negatives")}, options,
                    kernel, temperature_of<InBatchInfoNceOptions, TemperatureResult>(learnt),
                    [negatives, targets = extras.targets,
                     guide_queries = constant("guide_queries", extras.guide_queries),
                     guide_keys = constant("guide_keys", extras.guide_keys),
                     guide_negatives = constant("guide_negatives", extras.guide_negatives),
                     log_q = numbers("log_q", extras.log_q),
                     log_q_negatives = numbers("log_q_negatives", extras.log_q_negatives),
                     where...](const auto& views) {
                      using S = typename std::decay_t<decltype(views[0])>::Scalar;
                      InBatchExtras<S> out;
                      out.negatives = negatives.view(views[2]);
                      out.targets = targets.view();
                      if (guide_queries.defined()) out.guide_queries = rows_of<S>(guide_queries);
                      if (guide_keys.defined()) out.guide_keys = rows_of<S>(guide_keys);
                      if (guide_negatives.defined())
                        out.guide_negatives = rows_of<S>(guide_negatives);
                      const auto view = [](const Tensor& given) {
                        return given.defined() ? Numbers<double>(given.template data_ptr<double>(),
                                                                 given.numel())
                                               : Numbers<double>();
                      };
                      out.log_q = view(log_q);
                      out.log_q_negatives = view(log_q_negatives);
                      return std::tuple(where..., views[0], views[1], out);
                    });
}

}  // namespace detail

/// InBatchInfoNce: queries and keys, both N x D, key i the positive of query i, with whatever else
/// the batch has.
template <class K = Cosine>
Tensor in_batch_info_nce(const Tensor& queries, const Tensor& keys,
                         const InBatchInfoNceOptions& options = {},
                         const InBatchTensors& extras = {}, const TemperatureTensor& learnt = {},
                         const K& kernel = {}) {
  return detail::over_in_batch<InBatchInfoNce>(queries, keys, options, extras, learnt, kernel);
}

/// NPair: anchors and positives, both N x D, row i of each of a class of its own.
inline Tensor n_pair(const Tensor& anchors, const Tensor& positives,
                     Reduction reduction = Reduction::mean) {
  return info_nce(anchors, positives, {.temperature = 1, .reduction = reduction}, {},
                  InnerProduct());
}

/// NtXent: two views, both N x D; with Denominator::negatives_only decoupled contrastive learning.
/// Reduction::none gives view1's N values, then view2's.
template <class K = Cosine>
Tensor nt_xent(const Tensor& view1, const Tensor& view2, const NtXentOptions& options = {},
               const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<NtXent>({{"view1", view1}, {"view2", view2}}, options, kernel,
                              detail::temperature_of<NtXentOptions, TemperatureResult>(learnt),
                              detail::both);
}

/// The same with ids of the samples, TensorTargets().ids(ids).
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor nt_xent(const Tensor& view1, const Tensor& view2, const T& targets,
               const NtXentOptions& options = {}, const TemperatureTensor& learnt = {},
               const K& kernel = {}) {
  return detail::call<NtXent>({{"view1", view1}, {"view2", view2}}, options, kernel,
                              detail::temperature_of<NtXentOptions, TemperatureResult>(learnt),
                              detail::both_with(targets));
}

/// Dclw: two views, both N x D; decoupled, pairs that are far apart weighing more. Reduction::none
/// gives view1's N values, then view2's.
template <class K = Cosine>
Tensor dclw(const Tensor& view1, const Tensor& view2, const DclwOptions& options = {},
            const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<Dclw>({{"view1", view1}, {"view2", view2}}, options, kernel,
                            detail::temperature_of<DclwOptions, TemperatureResult>(learnt),
                            detail::both);
}

/// Dhel: two views, both N x D; each is spread by itself. Reduction::none gives N values.
template <class K = Cosine>
Tensor dhel(const Tensor& view1, const Tensor& view2, const DhelOptions& options = {},
            const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<Dhel>({{"view1", view1}, {"view2", view2}}, options, kernel,
                            detail::temperature_of<DhelOptions, TemperatureResult>(learnt),
                            detail::both);
}

/// Rince: queries and keys, both N x D, key i the positive of query i, which may be wrong.
template <class K = Cosine>
Tensor rince(const Tensor& queries, const Tensor& keys, const RinceOptions& options = {},
             const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<Rince>({{"queries", queries}, {"keys", keys}}, options, kernel,
                             detail::temperature_of<RinceOptions, TemperatureResult>(learnt),
                             detail::both);
}

/// RinceViews: the same of two views, both N x D. Reduction::none gives view1's N values, then
/// view2's.
template <class K = Cosine>
Tensor rince_views(const Tensor& view1, const Tensor& view2, const RinceViewsOptions& options = {},
                   const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<RinceViews>(
      {{"view1", view1}, {"view2", view2}}, options, kernel,
      detail::temperature_of<RinceViewsOptions, TemperatureResult>(learnt), detail::both);
}

/// HardNegative: two views, both N x D, debiased and with near negatives weighted up.
inline Tensor hard_negative(const Tensor& view1, const Tensor& view2,
                            const HardNegativeOptions& options = {},
                            const TemperatureTensor& learnt = {}) {
  return detail::call<detail::HardNegativeOver>(
      {{"view1", view1}, {"view2", view2}}, options, Cosine(),
      detail::temperature_of<HardNegativeOptions, TemperatureResult>(learnt), detail::both);
}

/// The same with ids of the samples, TensorTargets().ids(ids).
template <std::same_as<TensorTargets> T>
Tensor hard_negative(const Tensor& view1, const Tensor& view2, const T& targets,
                     const HardNegativeOptions& options = {},
                     const TemperatureTensor& learnt = {}) {
  return detail::call<detail::HardNegativeOver>(
      {{"view1", view1}, {"view2", view2}}, options, Cosine(),
      detail::temperature_of<HardNegativeOptions, TemperatureResult>(learnt),
      detail::both_with(targets));
}

/// Clip: images and texts, both N x D. CLIP learns the logarithm of the scale:
/// `clip(images, texts, {.largest_logit_scale = 100}, {.logit_scale = log_scale.exp()})`.
template <class K = Cosine>
Tensor clip(const Tensor& images, const Tensor& texts, const ClipOptions& options = {},
            const LogitScaleTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<Clip, ClipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &ClipOptions::logit_scale, &ClipResult::d_logit_scale}},
      detail::both);
}

/// The same with targets of the pairs: TensorTargets(labels), ids, or both.
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor clip(const Tensor& images, const Tensor& texts, const T& targets,
            const ClipOptions& options = {}, const LogitScaleTensor& learnt = {},
            const K& kernel = {}) {
  return detail::call<Clip, ClipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &ClipOptions::logit_scale, &ClipResult::d_logit_scale}},
      detail::both_with(targets));
}

/// SigLip: images and texts, both N x D.
template <class K = Cosine>
Tensor sig_lip(const Tensor& images, const Tensor& texts, const SigLipOptions& options = {},
               const LogitTensors& learnt = {}, const K& kernel = {}) {
  return detail::call<SigLip, SigLipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &SigLipOptions::logit_scale,
        &SigLipResult::d_logit_scale},
       {"logit_bias", learnt.logit_bias, &SigLipOptions::logit_bias, &SigLipResult::d_logit_bias}},
      detail::both);
}

/// The same with targets of the pairs: TensorTargets(labels), ids, or both.
template <std::same_as<TensorTargets> T, class K = Cosine>
Tensor sig_lip(const Tensor& images, const Tensor& texts, const T& targets,
               const SigLipOptions& options = {}, const LogitTensors& learnt = {},
               const K& kernel = {}) {
  return detail::call<SigLip, SigLipResult>(
      {{"images", images}, {"texts", texts}}, options, kernel,
      {{"logit_scale", learnt.logit_scale, &SigLipOptions::logit_scale,
        &SigLipResult::d_logit_scale},
       {"logit_bias", learnt.logit_bias, &SigLipOptions::logit_bias, &SigLipResult::d_logit_bias}},
      detail::both_with(targets));
}

/// Cpc: contexts (B x T x Dc), targets (B x T x Dz) and a matrix for each of K steps
/// (K x Dz x Dc); `length` and `steps` of the options are taken from them. Reduction::none gives
/// B x T values.
inline Tensor cpc(const Tensor& contexts, const Tensor& targets, const Tensor& weights,
                  CpcOptions options = {}, const TemperatureTensor& learnt = {}) {
  detail::check_rows("contexts", contexts, 3, 3);
  detail::check_rows("weights", weights, 3, 3);
  options.length = contexts.size(1);
  options.steps = weights.size(0);
  const Tensor value = detail::call<detail::CpcOver>(
      {{"contexts", contexts, 3, 3}, {"targets", targets, 3, 3}, {"weights", weights, 3, 3}},
      options, InnerProduct(), detail::temperature_of<CpcOptions, CpcResult>(learnt),
      [](const auto& views) { return std::tuple(views[0], views[1], views[2]); });
  return value.dim() == 0 ? value : value.view({contexts.size(0), contexts.size(1)});
}

/// Nce: queries and keys (both N x D) against negatives drawn from the noise: K x D, shared by all
/// queries, or N x K x D, each query's own. log_noise_keys (N) and log_noise_negatives (one a
/// negative, 1-D) are the noise's log probabilities, constants.
template <class K = InnerProduct>
Tensor nce(const Tensor& queries, const Tensor& keys, const Tensor& negatives,
           const Tensor& log_noise_keys, const Tensor& log_noise_negatives,
           const NceOptions& options = {}, const NceTensors& learnt = {}, const K& kernel = {}) {
  detail::check_rows("queries", queries, 2, 2);
  const at::ScalarType type = detail::computed_type(queries);
  return detail::call<Nce, NceResult>(
      {{"queries", queries}, {"keys", keys}, {"negatives", negatives, 2, 3}}, options, kernel,
      {{"temperature", learnt.temperature, &NceOptions::temperature, &NceResult::d_temperature},
       {"log_z", learnt.log_z, &NceOptions::log_z, &NceResult::d_log_z}},
      [shared = negatives.dim() == 2,
       of_keys = detail::checked_numbers("log_noise_keys", log_noise_keys, type),
       of_negatives = detail::checked_numbers("log_noise_negatives", log_noise_negatives,
                                              type)]<class Views>(const Views& views) {
        using S = typename Views::value_type::Scalar;
        const auto numbers = [](const Tensor& x) { return Numbers<S>(x.data_ptr<S>(), x.numel()); };
        return std::tuple(views[0], views[1], detail::negatives_of(views[2], shared),
                          numbers(of_keys), numbers(of_negatives));
      });
}

/// NegativeSampling: queries and keys (both N x D) against negatives, K x D or N x K x D.
template <class K = InnerProduct>
Tensor negative_sampling(const Tensor& queries, const Tensor& keys, const Tensor& negatives,
                         const NegativeSamplingOptions& options = {},
                         const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<NegativeSampling>(
      {{"queries", queries}, {"keys", keys}, {"negatives", negatives, 2, 3}}, options, kernel,
      detail::temperature_of<NegativeSamplingOptions, TemperatureResult>(learnt),
      [shared = negatives.dim() == 2](const auto& views) {
        return std::tuple(views[0], views[1], detail::negatives_of(views[2], shared));
      });
}

/// LinearContrastive of listed pairs of rows of x (N x D), which is not copied: positive_pairs and
/// negative_pairs are row numbers (int64, P x 2). Reduction::none gives a value a pair, those of
/// positive pairs first.
template <class K = Euclidean>
Tensor linear_contrastive_listed(const Tensor& x, const Tensor& positive_pairs,
                                 const Tensor& negative_pairs,
                                 const LinearContrastiveOptions& options = {},
                                 const K& kernel = {}) {
  return detail::call<LinearContrastive, LinearContrastiveResult>(
      {{"x", x}}, options, kernel, {}, detail::one_with_pairs(positive_pairs, negative_pairs));
}
/// The same of pairs of a row of x and a row of references (M x D).
template <class K = Euclidean>
Tensor linear_contrastive_listed(const Tensor& x, const Tensor& references,
                                 const Tensor& positive_pairs, const Tensor& negative_pairs,
                                 const LinearContrastiveOptions& options = {},
                                 const K& kernel = {}) {
  return detail::call<LinearContrastive, LinearContrastiveResult>(
      {{"x", x}, {"references", references}}, options, kernel, {},
      detail::both_with_pairs(positive_pairs, negative_pairs));
}

/// HadsellContrastive of listed pairs, likewise: positive pairs are similar.
template <class K = Euclidean>
Tensor hadsell_listed(const Tensor& x, const Tensor& positive_pairs, const Tensor& negative_pairs,
                      const HadsellOptions& options = {}, const K& kernel = {}) {
  return detail::call<HadsellContrastive, Result>(
      {{"x", x}}, options, kernel, {}, detail::one_with_pairs(positive_pairs, negative_pairs));
}
template <class K = Euclidean>
Tensor hadsell_listed(const Tensor& x, const Tensor& references, const Tensor& positive_pairs,
                      const Tensor& negative_pairs, const HadsellOptions& options = {},
                      const K& kernel = {}) {
  return detail::call<HadsellContrastive, Result>(
      {{"x", x}, {"references", references}}, options, kernel, {},
      detail::both_with_pairs(positive_pairs, negative_pairs));
}

/// Triplet of listed triplets of rows of x (N x D): anchor, positive and negative (int64, T x 3).
template <class K = Euclidean>
Tensor triplet_listed(const Tensor& x, const Tensor& triplets, const TripletOptions& options = {},
                      const K& kernel = {}) {
  return detail::call<Triplet, Result>(
      {{"x", x}}, options, kernel, {},
      [list = detail::checked_lists("triplets", triplets, 3)](const auto& views) {
        return std::tuple(views[0], detail::triplets_of(list));
      });
}
/// The same of anchors of x, positives and negatives of references (M x D).
template <class K = Euclidean>
Tensor triplet_listed(const Tensor& x, const Tensor& references, const Tensor& triplets,
                      const TripletOptions& options = {}, const K& kernel = {}) {
  return detail::call<Triplet, Result>(
      {{"x", x}, {"references", references}}, options, kernel, {},
      [list = detail::checked_lists("triplets", triplets, 3)](const auto& views) {
        return std::tuple(views[0], views[1], detail::triplets_of(list));
      });
}

/// MutualInformation: a bound from x and y, N rows each, in nats; minimise its negative to tighten
/// a lower bound.
template <class K = InnerProduct>
Tensor mutual_information(const Tensor& x, const Tensor& y,
                          const MutualInformationOptions& options = {},
                          const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::call<MutualInformation>(
      {{"x", x}, {"y", y}}, options, kernel,
      detail::temperature_of<MutualInformationOptions, MutualInformationResult>(learnt),
      detail::both);
}

/// Alignment: row i of x with row i of y, both N x D.
inline Tensor alignment(const Tensor& x, const Tensor& y, const AlignmentOptions& options = {}) {
  return detail::call<detail::AlignmentOver, Result>({{"x", x}, {"y", y}}, options, Cosine(), {},
                                                     detail::both);
}

/// Uniformity of x, N x D.
inline Tensor uniformity(const Tensor& x, const UniformityOptions& options = {}) {
  return detail::call<detail::UniformityOver, Result>(
      {{"x", x}}, options, Cosine(), {}, [](const auto& views) { return std::tuple(views[0]); });
}

/// Triplet: anchors, positives and negatives, each N x D.
template <class K = Euclidean>
Tensor triplet(const Tensor& anchors, const Tensor& positives, const Tensor& negatives,
               const TripletOptions& options = {}, const K& kernel = {}) {
  return detail::call<Triplet, Result>(
      {{"anchors", anchors}, {"positives", positives}, {"negatives", negatives}}, options, kernel,
      {}, [](const auto& views) { return std::tuple(views[0], views[1], views[2]); });
}

/// CoSent: pairs of rows of a and b, both N x D, whose scores are to be in the order of their
/// targets (N), constants.
template <class K = Cosine>
Tensor co_sent(const Tensor& a, const Tensor& b, const Tensor& scores,
               const CoSentOptions& options = {}, const ScaleTensor& learnt = {},
               const K& kernel = {}) {
  return detail::call<CoSent, CoSentResult>(
      {{"a", a}, {"b", b}}, options, kernel,
      {{"scale", learnt.scale, &CoSentOptions::scale, &CoSentResult::d_scale}},
      detail::rows_and_numbers<2>("scores", scores, b));
}

/// Angle: the same with scores of rows as complex numbers.
inline Tensor angle(const Tensor& a, const Tensor& b, const Tensor& scores,
                    const AngleOptions& options = {}, const ScaleTensor& learnt = {}) {
  return detail::call<detail::AngleOver, CoSentResult>(
      {{"a", a}, {"b", b}}, options, Cosine(),
      {{"scale", learnt.scale, &AngleOptions::scale, &CoSentResult::d_scale}},
      detail::rows_and_numbers<2>("scores", scores, b));
}

/// ScoreRegression: pairs of rows of a and b, both N x D, whose scores are to be those given (N),
/// constants.
template <class K = Cosine>
Tensor score_regression(const Tensor& a, const Tensor& b, const Tensor& scores,
                        const ScoreRegressionOptions& options = {}, const K& kernel = {}) {
  return detail::call<ScoreRegression, Result>({{"a", a}, {"b", b}}, options, kernel, {},
                                               detail::rows_and_numbers<2>("scores", scores, b));
}

/// CosineEmbedding: pairs of rows of a and b, both N x D, same[i] (int64, N) 1 where they are
/// similar, 0 where not.
inline Tensor cosine_embedding(const Tensor& a, const Tensor& b, const Tensor& same,
                               const CosineEmbeddingOptions& options = {}) {
  return detail::call<detail::CosineEmbeddingOver, Result>(
      {{"a", a}, {"b", b}}, options, Cosine(), {},
      [codes = detail::checked_integers("same", same)](const auto& views) {
        return std::tuple(views[0], views[1], detail::labels_of(codes));
      });
}

/// MarginMse: queries and positives (both N x D), negatives N x K x D with a teacher's margins
/// N x K, or N x D with N, constants.
template <class K = InnerProduct>
Tensor margin_mse(const Tensor& queries, const Tensor& positives, const Tensor& negatives,
                  const Tensor& teacher_margins, const MarginMseOptions& options = {},
                  const K& kernel = {}) {
  return detail::call<MarginMse, Result>(
      {{"queries", queries}, {"positives", positives}, {"negatives", negatives, 2, 3}}, options,
      kernel, {}, detail::rows_and_numbers<3>("teacher_margins", teacher_margins, negatives));
}

/// DistillKl: queries (N x D), candidates N x K x D with a teacher's scores N x K, constants.
template <class K = InnerProduct>
Tensor distill_kl(const Tensor& queries, const Tensor& candidates, const Tensor& teacher_scores,
                  const DistillKlOptions& options = {}, const TemperatureTensor& learnt = {},
                  const K& kernel = {}) {
  return detail::call<DistillKl>(
      {{"queries", queries}, {"candidates", candidates, 3, 3}}, options, kernel,
      detail::temperature_of<DistillKlOptions, TemperatureResult>(learnt),
      detail::rows_and_numbers<2>("teacher_scores", teacher_scores, candidates));
}

/// HadsellContrastive of pairs given: row i of a with row i of b (both N x D), same[i] (int64, N)
/// 1 where they are to be near, 0 where not.
template <class K = Euclidean>
Tensor hadsell_pairs(const Tensor& a, const Tensor& b, const Tensor& same,
                     const HadsellOptions& options = {}, const K& kernel = {}) {
  return detail::call<HadsellContrastive, Result>(
      {{"a", a}, {"b", b}}, options, kernel, {},
      [codes = detail::checked_integers("same", same)](const auto& views) {
        return std::tuple(views[0], views[1], detail::labels_of(codes));
      });
}

}  // namespace nearfar::libtorch
