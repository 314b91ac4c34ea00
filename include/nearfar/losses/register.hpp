#pragma once

#include <array>
#include <string_view>

#include "nearfar/losses/alignment.hpp"
#include "nearfar/losses/angular.hpp"
#include "nearfar/losses/barlow_twins.hpp"
#include "nearfar/losses/centroid_triplet.hpp"
#include "nearfar/losses/circle.hpp"
#include "nearfar/losses/class_centers.hpp"
#include "nearfar/losses/class_softmax.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/losses/co_sent.hpp"
#include "nearfar/losses/cosine_embedding.hpp"
#include "nearfar/losses/cpc.hpp"
#include "nearfar/losses/dclw.hpp"
#include "nearfar/losses/dhel.hpp"
#include "nearfar/losses/distillation.hpp"
#include "nearfar/losses/fast_ap.hpp"
#include "nearfar/losses/generalized_lifted_structure.hpp"
#include "nearfar/losses/gor.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/losses/in_batch_info_nce.hpp"
#include "nearfar/losses/info_nce.hpp"
#include "nearfar/losses/intra_pair_variance.hpp"
#include "nearfar/losses/ko_leo.hpp"
#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/losses/margin_loss.hpp"
#include "nearfar/losses/matryoshka.hpp"
#include "nearfar/losses/max_sim.hpp"
#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/losses/multi_similarity.hpp"
#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/losses/nca.hpp"
#include "nearfar/losses/nce.hpp"
#include "nearfar/losses/negative_cosine.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/losses/proxy_anchor.hpp"
#include "nearfar/losses/ranked_list.hpp"
#include "nearfar/losses/rince.hpp"
#include "nearfar/losses/score_regression.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/losses/sig_reg.hpp"
#include "nearfar/losses/sincere.hpp"
#include "nearfar/losses/smooth_ap.hpp"
#include "nearfar/losses/sup_con.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/losses/tuplet_margin.hpp"
#include "nearfar/losses/uniformity.hpp"
#include "nearfar/losses/vic_reg.hpp"

/// \file
/// All losses, one a line: name, class, options, arguments of its calls, kernels. Interfaces and
/// tests are templates over these lines and over the `fields` of options. MatryoshkaInfoNce has no
/// line, because its options are lists: its C and LibTorch functions are written by hand.

// clang-format off

/// Losses over labels.
#define NEARFAR_LOSSES_OVER_LABELS(loss)                                                            \
  loss(angular, Angular, AngularOptions, labels, CosineAlone)                                       \
  loss(circle, Circle, CircleOptions, labels, SymmetricSimilarities)                                \
  loss(fast_ap, FastAp, FastApOptions, labels, CosineAlone)                                         \
  loss(generalized_lifted_structure, GeneralizedLiftedStructure, GeneralizedLiftedStructureOptions, \
       labels, Symmetric)                                                                           \
  loss(intra_pair_variance, IntraPairVariance, IntraPairVarianceOptions,                            \
       labels, SymmetricSimilarities)                                                               \
  loss(lifted_structure, LiftedStructure, LiftedStructureOptions, labels, Symmetric)                \
  loss(linear_contrastive, LinearContrastive, LinearContrastiveOptions, labels, Symmetric)          \
  loss(margin_loss, MarginLoss, MarginLossOptions, labels, Symmetric)                               \
  loss(mined_triplet, MinedTriplet, MinedTripletOptions, labels, Symmetric)                         \
  loss(multi_similarity, MultiSimilarity, MultiSimilarityOptions, labels, SymmetricSimilarities)    \
  loss(nca, Nca, NcaOptions, labels, Symmetric)                                                     \
  loss(ranked_list, RankedList, RankedListOptions, labels, Distances)                               \
  loss(sincere, Sincere, SincereOptions, labels, Symmetric)                                         \
  loss(smooth_ap, SmoothAp, SmoothApOptions, labels, Symmetric)                                     \
  loss(snr_contrastive, SnrContrastive, SnrContrastiveOptions, labels, OfCentredRows)               \
  loss(sup_con, SupCon, SupConOptions, labels, Symmetric)                                           \
  loss(tuplet_margin, TupletMargin, TupletMarginOptions, labels, CosineAlone)

/// Losses of labelled rows against proxies of classes.
#define NEARFAR_LOSSES_OVER_PROXIES(loss)                                                  \
  loss(arc_face, ArcFace, ArcFaceOptions, proxies, None)                                   \
  loss(cos_face, CosFace, CosFaceOptions, proxies, None)                                   \
  loss(large_margin_softmax, LargeMarginSoftmax, LargeMarginSoftmaxOptions, proxies, None) \
  loss(normalized_softmax, NormalizedSoftmax, NormalizedSoftmaxOptions, proxies, None)     \
  loss(proxy_anchor, ProxyAnchor, ProxyAnchorOptions, proxies, None)                       \
  loss(proxy_nca, ProxyNca, ProxyNcaOptions, proxies, None)                                \
  loss(soft_triple, SoftTriple, SoftTripleOptions, proxies, None)                          \
  loss(sphere_face, SphereFace, SphereFaceOptions, proxies, None)                          \
  loss(sub_center_arc_face, SubCenterArcFace, SubCenterArcFaceOptions, proxies, None)

/// All others.
#define NEARFAR_OTHER_LOSSES(loss)                                                            \
  loss(alignment, Alignment, AlignmentOptions, pairs, None)                                   \
  loss(angle, Angle, AngleOptions, scored_pairs, None)                                        \
  loss(barlow_twins, BarlowTwins, BarlowTwinsOptions, pairs, None)                            \
  loss(byol, Byol, ByolOptions, predictions, None)                                            \
  loss(centroid_triplet, CentroidTriplet, CentroidTripletOptions, classes, Straight)          \
  loss(clip, Clip, ClipOptions, pairs, Similarities)                                          \
  loss(co_sent, CoSent, CoSentOptions, scored_pairs, All)                                     \
  loss(cosine_embedding, CosineEmbedding, CosineEmbeddingOptions, matched_pairs, None)        \
  loss(cpc, Cpc, CpcOptions, sequences, None)                                                 \
  loss(dclw, Dclw, DclwOptions, views, Symmetric)                                             \
  loss(dhel, Dhel, DhelOptions, pairs, Symmetric)                                             \
  loss(distill_kl, DistillKl, DistillKlOptions, scored_lists, All)                            \
  loss(gor, Gor, GorOptions, one_set, None)                                                   \
  loss(hadsell_contrastive, HadsellContrastive, HadsellOptions, labels_or_pairs, Distances)   \
  loss(hard_negative, HardNegative, HardNegativeOptions, views, None)                         \
  loss(in_batch_info_nce, InBatchInfoNce, InBatchInfoNceOptions, pairs, Symmetric)            \
  loss(info_nce, InfoNce, InfoNceOptions, queries, All)                                       \
  loss(ko_leo, KoLeo, KoLeoOptions, one_set, None)                                            \
  loss(margin_mse, MarginMse, MarginMseOptions, scored_triplets, All)                         \
  loss(max_sim_info_nce, MaxSimInfoNce, MaxSimInfoNceOptions, tokens, SymmetricSimilarities)  \
  loss(mutual_information, MutualInformation, MutualInformationOptions, pairs, All)           \
  loss(n_pair, NPair, NPairOptions, queries, None)                                            \
  loss(nce, Nce, NceOptions, noise, Similarities)                                             \
  loss(negative_cosine, NegativeCosine, NegativeCosineOptions, predictions, None)             \
  loss(negative_sampling, NegativeSampling, NegativeSamplingOptions, negatives, Similarities) \
  loss(nt_xent, NtXent, NtXentOptions, views, Symmetric)                                      \
  loss(rince, Rince, RinceOptions, pairs, All)                                                \
  loss(rince_views, RinceViews, RinceViewsOptions, views, Symmetric)                          \
  loss(score_regression, ScoreRegression, ScoreRegressionOptions, scored_pairs, All)          \
  loss(sig_lip, SigLip, SigLipOptions, pairs, Similarities)                                   \
  loss(sig_reg, SigReg, SigRegOptions, slices, None)                                          \
  loss(triplet, Triplet, TripletOptions, triplets, All)                                       \
  loss(uniformity, Uniformity, UniformityOptions, one_set, None)                              \
  loss(vic_reg, VicReg, VicRegOptions, pairs, None)

// clang-format on

namespace nearfar::registered {

/// Arguments of a loss's forward calls.
enum class Takes {
  labels,           ///< (x, labels); (queries, labels, references, labels)
  labels_or_pairs,  ///< the same; (a, b, same)
  classes,          ///< (x, labels), one label a row and nothing else
  proxies,          ///< (x, labels, proxies)
  pairs,            ///< (a, b), row i of one with row i of the other, some with targets of the
                    ///< pairs, too: (a, b, targets); a value a pair
  views,            ///< (view1, view2), likewise; a value a view, those of view1 first
  queries,          ///< (queries, keys); (queries, keys, targets); (queries, keys, positives);
                    ///< (queries, keys, negatives)
  negatives,        ///< (queries, keys, negatives)
  noise,            ///< (queries, keys, negatives, log_noise_keys, log_noise_negatives)
  triplets,         ///< (anchors, positives, negatives)
  matched_pairs,    ///< (a, b, same)
  scored_pairs,     ///< (a, b, scores), a number a pair
  scored_lists,  ///< (queries, candidates, scores), a number a candidate, of which each query has
                 ///< as many of its own
  scored_triplets,  ///< (queries, positives, negatives, margins), likewise
  sequences,        ///< (contexts, targets, weights)
  one_set,          ///< (x)
  slices,           ///< (x, slices); the slices have no gradient
  predictions,      ///< (prediction1, prediction2, target1, target2); the targets have no gradient
  tokens            ///< (queries, query_offsets, documents, document_offsets)
};

/// Kernels of scalar type S that a loss allows.
template <class... K>
struct KernelList {};
namespace kernel_lists {
template <class S>
using None = KernelList<>;  ///< the class has no choice of kernels
template <class S>
using Straight = KernelList<Euclidean, SquaredEuclidean>;
template <class S>
using OfCentredRows = KernelList<SquaredEuclidean>;
template <class S>
using CosineAlone = KernelList<Cosine>;
template <class S>
using SymmetricSimilarities = KernelList<Cosine, InnerProduct>;
template <class S>
using Similarities = KernelList<Cosine, InnerProduct, Bilinear<S>>;
template <class S>
using Distances = KernelList<Euclidean, SquaredEuclidean, CosineDistance, Mahalanobis<S>>;
template <class S>
using Symmetric =
    KernelList<Cosine, InnerProduct, Euclidean, SquaredEuclidean, CosineDistance, Mahalanobis<S>>;
template <class S>
using All = KernelList<Cosine, InnerProduct, Euclidean, SquaredEuclidean, CosineDistance,
                       Mahalanobis<S>, Bilinear<S>>;
}  // namespace kernel_lists

/// `Loss<S>` with kernel K in place of its default, if the class has a choice.
template <class Default, class... K>
struct WithKernel {
  using Type = Default;
};
// Not `template <class, Kernel> class`: clang 14 cannot write that to a precompiled header.
template <template <class, class> class Loss, class S, class Its, Kernel K>
struct WithKernel<Loss<S, Its>, K> {
  using Type = Loss<S, K>;
};

// Each line as a type.
#define NEARFAR_REGISTERED(its_name, Class, ItsOptions, arguments, ItsKernels) \
  struct its_name {                                                            \
    static constexpr const char* name = #its_name;                             \
    static constexpr const char* class_name = #Class;                          \
    static constexpr Takes takes = Takes::arguments;                           \
    using Options = ItsOptions;                                                \
    template <class S>                                                         \
    using Kernels = kernel_lists::ItsKernels<S>;                               \
    template <class S, class... K>                                             \
    using Loss = typename WithKernel<Class<S>, K...>::Type;                    \
  };
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_REGISTERED)
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_REGISTERED)
NEARFAR_OTHER_LOSSES(NEARFAR_REGISTERED)
#undef NEARFAR_REGISTERED

/// Calls body(line) for each loss, where line has one of the types above.
template <class Body>
void for_each(const Body& body) {
#define NEARFAR_VISITED(name, ...) body(name());
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_VISITED)
  NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_VISITED)
  NEARFAR_OTHER_LOSSES(NEARFAR_VISITED)
#undef NEARFAR_VISITED
}

/// The names of an option's choices, in the enum's order.
template <class E>
inline constexpr std::array<std::string_view, 0> choices_of{};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<bool>{"false", "true"};
template <>
inline constexpr std::array<std::string_view, 4> choices_of<Reduction>{"mean", "sum",
                                                                       "mean_nonzero", "none"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<UnusableAnchor>{"skip", "error"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<CircleWeights>{"constant",
                                                                           "differentiated"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<ClipDirections>{"mean", "sum"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<Denominator>{"with_positive",
                                                                         "negatives_only"};
template <>
inline constexpr std::array<std::string_view, 3> choices_of<FalseNegatives>{"keep", "drop",
                                                                            "drop_relative"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<Products>{"scalar", "bfloat16"};
template <>
inline constexpr std::array<std::string_view, 4> choices_of<Hardness>{
    "none", "in_batch_negatives", "hard_negatives", "all_negatives"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<Partition>{"joint", "per_direction"};
template <>
inline constexpr std::array<std::string_view, 8> choices_of<Mining>{"all",
                                                                    "hard",
                                                                    "semihard",
                                                                    "easy",
                                                                    "batch_hard",
                                                                    "batch_easy_hard",
                                                                    "semi_hard_per_pair",
                                                                    "distance_weighted"};
template <>
inline constexpr std::array<std::string_view, 4> choices_of<MutualInformationBound>{
    "info_nce", "nwj", "donsker_varadhan", "club"};
template <>
inline constexpr std::array<std::string_view, 3> choices_of<NegativeChoice>{"easy", "semihard",
                                                                            "hard"};
template <>
inline constexpr std::array<std::string_view, 3> choices_of<PositiveChoice>{"easy", "semihard",
                                                                            "hard"};
template <>
inline constexpr std::array<std::string_view, 3> choices_of<SequenceNegatives>{
    "same_time", "same_sequence", "all"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<SincereTerms>{"anchors",
                                                                          "positive_pairs"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<SquareFactor>{"half", "one"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<SupConVariant>{"out", "in"};
template <>
inline constexpr std::array<std::string_view, 2> choices_of<TripletForm>{"hinge", "soft"};

}  // namespace nearfar::registered
