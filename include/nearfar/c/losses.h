#ifndef NEARFAR_C_LOSSES_H
#define NEARFAR_C_LOSSES_H

#include "nearfar/c/calls.h"

/// \file
/// The losses: for each its settings, a function that sets them to the defaults of the C++ class,
/// and one that makes the loss.
///
/// `_options_init` takes sizeof its struct and fails with NEARFAR_INVALID_ARGUMENT for a size that
/// no version's struct has.
/// `_create` makes a loss that the caller destroys with nearfar_loss_destroy; null options are the
/// defaults. NEARFAR_INVALID_ARGUMENT: a null `loss`, a size that is not the struct's, a choice
/// that is none, a kernel that the loss has no use for, a matrix where the kernel has none and none
/// where it has one, numbers out of range. Numbers that are learnt (temperature, logit_scale,
/// log_z, scale) are settings: after each step make a new loss, which costs less than a
/// microsecond.
///
/// At each setting stands its default. What a loss computes, sources and all, is at the C++ class.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/// How the terms of a loss become its value: nearfar::Reduction.
typedef int32_t nearfar_reduction;
enum {
  NEARFAR_MEAN = 0,          ///< sum of the terms / number of terms
  NEARFAR_SUM = 1,           ///< sum of the terms
  NEARFAR_MEAN_NONZERO = 2,  ///< sum of the terms / number of terms that are not zero
  NEARFAR_NONE = 3           ///< a value a row: see nearfar_result
};

/// Treatment of unusable anchors: nearfar::UnusableAnchor.
typedef int32_t nearfar_unusable;
enum {
  NEARFAR_SKIP = 0,   ///< it adds nothing, and anchors_without_... count it
  NEARFAR_REFUSE = 1  ///< the call is NEARFAR_INVALID_ARGUMENT
};

/// The denominator of InfoNce and NtXent: nearfar::Denominator.
typedef int32_t nearfar_denominator;
enum {
  NEARFAR_WITH_POSITIVE = 0,
  NEARFAR_NEGATIVES_ONLY = 1  ///< decoupled contrastive learning
};

/// The sums of InBatchInfoNce below the fraction: nearfar::Partition.
typedef int32_t nearfar_partition;
enum { NEARFAR_PARTITION_JOINT = 0, NEARFAR_PARTITION_PER_DIRECTION = 1 };

/// The negatives of InBatchInfoNce whose logits grow with their own score: nearfar::Hardness.
typedef int32_t nearfar_hardness;
enum {
  NEARFAR_HARDNESS_NONE = 0,
  NEARFAR_HARDNESS_IN_BATCH_NEGATIVES = 1,  ///< keys and negatives of other queries
  NEARFAR_HARDNESS_HARD_NEGATIVES = 2,      ///< the query's own negatives
  NEARFAR_HARDNESS_ALL_NEGATIVES = 3        ///< both
};

/// Negatives of InBatchInfoNce that score like positives: nearfar::FalseNegatives.
typedef int32_t nearfar_false_negatives;
enum {
  NEARFAR_FALSE_NEGATIVES_KEEP = 0,
  NEARFAR_FALSE_NEGATIVES_DROP = 1,          ///< above s_ii - margin
  NEARFAR_FALSE_NEGATIVES_DROP_RELATIVE = 2  ///< above s_ii - margin |s_ii|
};

/// Treatment of the weights in Circle's gradient: nearfar::CircleWeights.
typedef int32_t nearfar_circle_weights;
enum { NEARFAR_CIRCLE_CONSTANT = 0, NEARFAR_CIRCLE_DIFFERENTIATED = 1 };

/// The reduction of Clip's two directions: nearfar::ClipDirections.
typedef int32_t nearfar_clip_directions;
enum { NEARFAR_CLIP_MEAN = 0, NEARFAR_CLIP_SUM = 1 };

/// The negatives of a context in Cpc: nearfar::SequenceNegatives.
typedef int32_t nearfar_sequence_negatives;
enum {
  NEARFAR_SEQUENCE_SAME_TIME = 0,  ///< those of the other sequences at the same time
  NEARFAR_SEQUENCE_SAME = 1,       ///< others of the same sequence
  NEARFAR_SEQUENCE_ALL = 2         ///< all others
};

/// The factor of Hadsell's squares: nearfar::SquareFactor.
typedef int32_t nearfar_square_factor;
enum { NEARFAR_SQUARE_HALF = 0, NEARFAR_SQUARE_ONE = 1 };

/// The loss of a violated triplet: nearfar::TripletForm.
typedef int32_t nearfar_triplet_form;
enum { NEARFAR_TRIPLET_HINGE = 0, NEARFAR_TRIPLET_SOFT = 1 };

/// The triplets that take part: nearfar::Mining.
typedef int32_t nearfar_mining;
enum {
  NEARFAR_MINING_ALL = 0,
  NEARFAR_MINING_HARD = 1,
  NEARFAR_MINING_SEMIHARD = 2,
  NEARFAR_MINING_EASY = 3,
  NEARFAR_MINING_BATCH_HARD = 4,
  NEARFAR_MINING_BATCH_EASY_HARD = 5,
  NEARFAR_MINING_SEMI_HARD_PER_PAIR = 6,
  NEARFAR_MINING_DISTANCE_WEIGHTED = 7
};

/// The positive and the negative of an anchor: nearfar::PositiveChoice,
/// nearfar::NegativeChoice.
typedef int32_t nearfar_choice;
enum { NEARFAR_CHOICE_EASY = 0, NEARFAR_CHOICE_SEMIHARD = 1, NEARFAR_CHOICE_HARD = 2 };

/// The bound: nearfar::MutualInformation has the formulas.
typedef int32_t nearfar_bound;
enum {
  NEARFAR_BOUND_INFO_NCE = 0,
  NEARFAR_BOUND_NWJ = 1,
  NEARFAR_BOUND_DONSKER_VARADHAN = 2,
  NEARFAR_BOUND_CLUB = 3
};

/// What a term of Sincere is: nearfar::SincereTerms.
typedef int32_t nearfar_sincere_terms;
enum { NEARFAR_SINCERE_ANCHORS = 0, NEARFAR_SINCERE_POSITIVE_PAIRS = 1 };

/// SupCon's two losses: nearfar::SupConVariant.
typedef int32_t nearfar_sup_con_variant;
enum { NEARFAR_SUP_CON_OUT = 0, NEARFAR_SUP_CON_IN = 1 };

// ---- the losses ---------------------------------------------------------------------------------

/// Settings of Alignment.
typedef struct nearfar_alignment_options {
  size_t size;
  double alpha;                 ///< 2; > 0: power of the distance
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are pairs
} nearfar_alignment_options;

/// nearfar::Alignment (nearfar/losses/alignment.hpp): how far apart the rows of a pair are on the
/// unit sphere,
///
///     |x_i / |x_i| - y_i / |y_i||^alpha
///
/// Form: two sets. NEARFAR_INVALID_ARGUMENT
/// unless alpha > 0.
nearfar_status nearfar_alignment_create(const nearfar_alignment_options* options,
                                        nearfar_loss** loss);
nearfar_status nearfar_alignment_options_init(nearfar_alignment_options* options, size_t size);

/// Settings of Angle.
typedef struct nearfar_angle_options {
  size_t size;
  double scale;  ///< 20; > 0
} nearfar_angle_options;

/// nearfar::Angle (nearfar/losses/co_sent.hpp): pairs whose scores, of rows as complex numbers, are
/// to be in the order of their targets,
///
///     log(1 + sum over (i, j) with scores_i < scores_j of exp(scale (s_i - s_j)))
///
/// Form: scored. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0.
nearfar_status nearfar_angle_create(const nearfar_angle_options* options, nearfar_loss** loss);
nearfar_status nearfar_angle_options_init(nearfar_angle_options* options, size_t size);

/// Settings of Angular.
typedef struct nearfar_angular_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  double angle;                       ///< pi/4; alpha in radians, from 0.01 to 1.56
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are positive pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_angular_options;

/// nearfar::Angular (nearfar/losses/angular.hpp): every positive p of an anchor against the
/// anchor's negatives, by the angle at the negative, with t = tan(angle)^2 and normalised rows,
///
///     log(1 + sum_n exp(4 t (x_i + x_p) . x_n - 2 (1 + t) x_i . x_p))
///
/// Forms: labelled, references. Kernel: cosine. NEARFAR_INVALID_ARGUMENT
/// unless the angle is from 0.01 to 1.56.
nearfar_status nearfar_angular_create(const nearfar_angular_options* options, nearfar_loss** loss);
nearfar_status nearfar_angular_options_init(nearfar_angular_options* options, size_t size);

/// Settings of BarlowTwins.
typedef struct nearfar_barlow_twins_options {
  size_t size;
  double lambda;   ///< 0.005; >= 0: weight of the elements off the diagonal
  double epsilon;  ///< 1e-5; >= 0: added to the variance of a column
} nearfar_barlow_twins_options;

/// nearfar::BarlowTwins (nearfar/losses/barlow_twins.hpp): the cross-correlation matrix C of two
/// views is drawn to the identity,
///
///     sum_d (C_dd - 1)^2 + lambda sum_{d != e} C_de^2
///
/// Form: two sets. No reduction. NEARFAR_INVALID_ARGUMENT unless both numbers are finite and >= 0.
nearfar_status nearfar_barlow_twins_create(const nearfar_barlow_twins_options* options,
                                           nearfar_loss** loss);
nearfar_status nearfar_barlow_twins_options_init(nearfar_barlow_twins_options* options,
                                                 size_t size);

/// Settings of Byol.
typedef struct nearfar_byol_options {
  size_t size;
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are samples
} nearfar_byol_options;

/// nearfar::Byol (nearfar/losses/negative_cosine.hpp): predictions near the targets of the other
/// view,
///
///     (2 - 2 cos(p_i, z'_i)) + (2 - 2 cos(p'_i, z_i))
///
/// Form: predictions.
nearfar_status nearfar_byol_create(const nearfar_byol_options* options, nearfar_loss** loss);
nearfar_status nearfar_byol_options_init(nearfar_byol_options* options, size_t size);

/// Settings of ArcFace.
typedef struct nearfar_arc_face_options {
  size_t size;
  double scale;                 ///< 64; sigma > 0: the factor of cosines
  double margin;                ///< 0.5; m from 0 to pi, in radians
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_arc_face_options;

/// nearfar::ArcFace (nearfar/losses/class_softmax.hpp): an additive margin on the
/// own class's angle,
///
///     -log softmax_c(sigma z_ic)[y_i], own: cos(theta + m)
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0 and margin is from 0 to pi.
nearfar_status nearfar_arc_face_create(const nearfar_arc_face_options* options,
                                       nearfar_loss** loss);
nearfar_status nearfar_arc_face_options_init(nearfar_arc_face_options* options, size_t size);

/// Settings of Circle.
typedef struct nearfar_circle_options {
  size_t size;
  nearfar_kernel kernel;           ///< NEARFAR_COSINE
  double m;                        ///< 0.4: relaxation
  double gamma;                    ///< 80; > 0: scale of the logits
  nearfar_circle_weights weights;  ///< NEARFAR_CIRCLE_CONSTANT
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are anchors with a positive and a negative
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive or no negative
} nearfar_circle_options;

/// nearfar::Circle (nearfar/losses/circle.hpp): self-paced weights for positives and negatives of
/// labelled rows,
///
///     log(1 + sum_n exp(gamma a_n (s_n - m)) sum_p exp(-gamma a_p (s_p - (1 - m))))
///
/// Forms: labelled, references. Kernels: cosine, inner product. NEARFAR_INVALID_ARGUMENT
/// unless gamma > 0 and m is finite.
nearfar_status nearfar_circle_create(const nearfar_circle_options* options, nearfar_loss** loss);
nearfar_status nearfar_circle_options_init(nearfar_circle_options* options, size_t size);

/// Settings of Clip.
typedef struct nearfar_clip_options {
  size_t size;
  nearfar_kernel kernel;       ///< NEARFAR_COSINE
  nearfar_rows matrix;         ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double logit_scale;          ///< 1 / 0.07; sigma > 0
  double largest_logit_scale;  ///< infinity; a larger logit_scale counts as this one
  nearfar_clip_directions directions;  ///< NEARFAR_CLIP_MEAN
  nearfar_reduction reduction;         ///< NEARFAR_MEAN; terms are pairs
  nearfar_unusable unusable_anchors;   ///< NEARFAR_SKIP; unusable: no negative
} nearfar_clip_options;

/// nearfar::Clip (nearfar/losses/clip.hpp): each image finds its text among all texts, each text
/// its image,
///
///     1/2 (-log softmax_j(sigma s_ij)[i] - log softmax_j(sigma s_ji)[i])
///
/// Form: two sets. Kernels: cosine, inner product, bilinear. NEARFAR_INVALID_ARGUMENT
/// unless logit_scale is finite and > 0 and largest_logit_scale > 0.
nearfar_status nearfar_clip_create(const nearfar_clip_options* options, nearfar_loss** loss);
nearfar_status nearfar_clip_options_init(nearfar_clip_options* options, size_t size);

/// Settings of CoSent.
typedef struct nearfar_co_sent_options {
  size_t size;
  nearfar_kernel kernel;  ///< NEARFAR_COSINE
  nearfar_rows matrix;    ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double scale;           ///< 20; > 0
} nearfar_co_sent_options;

/// nearfar::CoSent (nearfar/losses/co_sent.hpp): pairs whose scores are to be in the order of their
/// targets,
///
///     log(1 + sum over (i, j) with scores_i < scores_j of exp(scale (s_i - s_j)))
///
/// Form: scored. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0.
nearfar_status nearfar_co_sent_create(const nearfar_co_sent_options* options, nearfar_loss** loss);
nearfar_status nearfar_co_sent_options_init(nearfar_co_sent_options* options, size_t size);

/// Settings of CosineEmbedding.
typedef struct nearfar_cosine_embedding_options {
  size_t size;
  double margin;                ///< 0; m in [-1, 1]
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are pairs
} nearfar_cosine_embedding_options;

/// nearfar::CosineEmbedding (nearfar/losses/cosine_embedding.hpp): pairs that are similar or not,
///
///     1 - cos(a, b) of a similar pair, max(0, cos(a, b) - m) of another
///
/// Form: two sets. NEARFAR_INVALID_ARGUMENT
/// unless margin is in [-1, 1].
nearfar_status nearfar_cosine_embedding_create(const nearfar_cosine_embedding_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_cosine_embedding_options_init(nearfar_cosine_embedding_options* options,
                                                     size_t size);

/// Settings of CosFace.
typedef struct nearfar_cos_face_options {
  size_t size;
  double scale;                 ///< 64; sigma > 0: the factor of cosines
  double margin;                ///< 0.35; m, finite
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_cos_face_options;

/// nearfar::CosFace (nearfar/losses/class_softmax.hpp): an additive margin on the
/// own class's cosine,
///
///     -log softmax_c(sigma z_ic)[y_i], own: z - m
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0 and margin is finite.
nearfar_status nearfar_cos_face_create(const nearfar_cos_face_options* options,
                                       nearfar_loss** loss);
nearfar_status nearfar_cos_face_options_init(nearfar_cos_face_options* options, size_t size);

/// Settings of Cpc.
typedef struct nearfar_cpc_options {
  size_t size;
  int64_t length;      ///< 0, which is no length: positions of a sequence, > steps
  int64_t steps;       ///< 1; >= 1: how far ahead is predicted
  double temperature;  ///< 1; tau > 0
  nearfar_sequence_negatives negatives;  ///< NEARFAR_SEQUENCE_ALL
  nearfar_reduction reduction;           ///< NEARFAR_MEAN; terms are contexts, at each step
  nearfar_unusable unusable_anchors;     ///< NEARFAR_SKIP; unusable: no other target
} nearfar_cpc_options;

/// nearfar::Cpc (nearfar/losses/cpc.hpp): from what a sequence was, find what comes k steps later,
///
///     1/K sum_k mean_i -log softmax_j(z_j^T W_k c_i / tau)[i + k]
///
/// Form: three sets. NEARFAR_INVALID_ARGUMENT
/// unless 1 <= steps < length and temperature > 0.
nearfar_status nearfar_cpc_create(const nearfar_cpc_options* options, nearfar_loss** loss);
nearfar_status nearfar_cpc_options_init(nearfar_cpc_options* options, size_t size);

/// Settings of Dclw.
typedef struct nearfar_dclw_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 0.1; tau > 0
  double sigma;                 ///< 0.5; > 0: the larger, the nearer weights are to 1
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are views
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_dclw_options;

/// nearfar::Dclw (nearfar/losses/dclw.hpp): decoupled contrastive learning of two views, pairs that
/// are far apart weighing more,
///
///     -w_i s_ip / tau + log sum_j exp(s_ij / tau)
///
/// Form: two sets. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature and sigma > 0.
nearfar_status nearfar_dclw_create(const nearfar_dclw_options* options, nearfar_loss** loss);
nearfar_status nearfar_dclw_options_init(nearfar_dclw_options* options, size_t size);

/// Settings of Dhel.
typedef struct nearfar_dhel_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 0.5; tau > 0
  int32_t both_views;           ///< 1; 0: the first view alone is spread
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are samples
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_dhel_options;

/// nearfar::Dhel (nearfar/losses/dhel.hpp): two views u and v of a sample drawn together, the
/// samples of each view spread among themselves,
///
///     -s(u_i, v_i) / tau + log sum_{j != i} exp(s(u_i, u_j) / tau)
///                        + log sum_{j != i} exp(s(v_i, v_j) / tau)
///
/// Form: two sets. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_dhel_create(const nearfar_dhel_options* options, nearfar_loss** loss);
nearfar_status nearfar_dhel_options_init(nearfar_dhel_options* options, size_t size);

/// Settings of DistillKl.
typedef struct nearfar_distill_kl_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_INNER_PRODUCT
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 1; tau > 0
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are queries
} nearfar_distill_kl_options;

/// nearfar::DistillKl (nearfar/losses/distillation.hpp): a query's candidates with a teacher's
/// scores,
///
///     tau^2 sum_k P_k log(P_k / S_k), P and S the softmaxes of the teacher's and of its own scores
///
/// Form: scored. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_distill_kl_create(const nearfar_distill_kl_options* options,
                                         nearfar_loss** loss);
nearfar_status nearfar_distill_kl_options_init(nearfar_distill_kl_options* options, size_t size);

/// Settings of FastAp.
typedef struct nearfar_fast_ap_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  int64_t bins;                       ///< 10; from 1 to 1024: intervals of squared distances
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are anchors that have a positive
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_fast_ap_options;

/// nearfar::FastAp (nearfar/losses/fast_ap.hpp): one minus the average precision of an anchor's
/// ranking, from a histogram of its squared distances,
///
///     1 - 1/|P| sum_b h+_b H+_b / H_b
///
/// Forms: labelled, references. Kernel: cosine. NEARFAR_INVALID_ARGUMENT
/// unless bins is from 1 to 1024.
nearfar_status nearfar_fast_ap_create(const nearfar_fast_ap_options* options, nearfar_loss** loss);
nearfar_status nearfar_fast_ap_options_init(nearfar_fast_ap_options* options, size_t size);

/// Settings of GeneralizedLiftedStructure.
typedef struct nearfar_generalized_lifted_structure_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;                ///< 1; m, in the kernel's score
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are anchors with a positive and a negative
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive or no negative
} nearfar_generalized_lifted_structure_options;

/// nearfar::GeneralizedLiftedStructure (nearfar/losses/generalized_lifted_structure.hpp): all
/// positives of an anchor against all of its negatives,
///
///     max(0, m + log sum_p exp(d_p) + log sum_n exp(-d_n))
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless margin is finite.
nearfar_status nearfar_generalized_lifted_structure_create(
    const nearfar_generalized_lifted_structure_options* options, nearfar_loss** loss);
nearfar_status nearfar_generalized_lifted_structure_options_init(
    nearfar_generalized_lifted_structure_options* options, size_t size);

/// Settings of Gor.
typedef struct nearfar_gor_options {
  size_t size;
  double mean_weight;           ///< 1; >= 0: weight of the squared mean
  double second_moment_weight;  ///< 1; >= 0: weight of the hinge of the second moment
} nearfar_gor_options;

/// nearfar::Gor (nearfar/losses/gor.hpp): mean M1 and second moment M2 of the cosines of different
/// rows as random directions have them,
///
///     mean_weight M1^2 + second_moment_weight max(0, M2 - 1/D)
///
/// Form: one set. No reduction. NEARFAR_INVALID_ARGUMENT unless the weights are finite and >= 0.
nearfar_status nearfar_gor_create(const nearfar_gor_options* options, nearfar_loss** loss);
nearfar_status nearfar_gor_options_init(nearfar_gor_options* options, size_t size);

/// Settings of HadsellContrastive.
typedef struct nearfar_hadsell_contrastive_options {
  size_t size;
  nearfar_kernel kernel;         ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;           ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;                 ///< 1; m > 0
  nearfar_square_factor factor;  ///< NEARFAR_SQUARE_HALF
  nearfar_reduction reduction;   ///< NEARFAR_MEAN; terms are pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other row
} nearfar_hadsell_contrastive_options;

/// nearfar::HadsellContrastive (nearfar/losses/hadsell.hpp): similar pairs drawn together, others
/// pushed apart until the margin,
///
///     same d^2 / 2 + (1 - same) max(0, m - d)^2 / 2
///
/// Forms: two sets (pairs given), listed pairs, labelled, references. Kernels: Euclidean, squared
/// Euclidean, cosine distance, Mahalanobis. NEARFAR_INVALID_ARGUMENT unless margin > 0.
nearfar_status nearfar_hadsell_contrastive_create(
    const nearfar_hadsell_contrastive_options* options, nearfar_loss** loss);
nearfar_status nearfar_hadsell_contrastive_options_init(
    nearfar_hadsell_contrastive_options* options, size_t size);

/// Settings of HardNegative.
typedef struct nearfar_hard_negative_options {
  size_t size;
  double temperature;                 ///< 0.5; tau > 0
  double positive_prior;              ///< 0.1; in [0, 1): share of negatives that are positives
  double concentration;               ///< 1; beta >= 0; 0: debiased only
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are views
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_hard_negative_options;

/// nearfar::HardNegative (nearfar/losses/hard_negative.hpp): two views, debiased, with hard
/// negatives weighted up,
///
///     -log(P / (P + G))
///
/// Form: two sets. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0, positive_prior is in [0, 1) and concentration >= 0.
nearfar_status nearfar_hard_negative_create(const nearfar_hard_negative_options* options,
                                            nearfar_loss** loss);
nearfar_status nearfar_hard_negative_options_init(nearfar_hard_negative_options* options,
                                                  size_t size);

/// Settings of InBatchInfoNce.
typedef struct nearfar_in_batch_info_nce_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS
  double temperature;           ///< 0.05; tau > 0
  int32_t query_to_query;       ///< 0; 1: query i is compared with the other queries, too
  int32_t key_to_query;         ///< 0; 1: key i is compared with all queries, too
  int32_t key_to_key;           ///< 0; 1: key i is compared with the other keys, too
  nearfar_partition partition;  ///< NEARFAR_PARTITION_JOINT
  nearfar_hardness hardness;    ///< NEARFAR_HARDNESS_NONE
  double hardness_strength;     ///< 0; alpha >= 0
  nearfar_false_negatives false_negatives;  ///< NEARFAR_FALSE_NEGATIVES_KEEP
  double margin;                            ///< 0; finite
  nearfar_reduction reduction;              ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;        ///< NEARFAR_SKIP; unusable: no negative
} nearfar_in_batch_info_nce_options;

/// nearfar::InBatchInfoNce (nearfar/losses/in_batch_info_nce.hpp): InfoNCE of pairs whose sum has
/// further directions, weighs hard negatives up or drops false ones.
///
/// Forms: two sets, in batch. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT unless
/// temperature > 0, hardness_strength >= 0 and margin is finite.
nearfar_status nearfar_in_batch_info_nce_create(const nearfar_in_batch_info_nce_options* options,
                                                nearfar_loss** loss);
nearfar_status nearfar_in_batch_info_nce_options_init(nearfar_in_batch_info_nce_options* options,
                                                      size_t size);

/// Settings of InfoNce.
typedef struct nearfar_info_nce_options {
  size_t size;
  nearfar_kernel kernel;            ///< NEARFAR_COSINE
  nearfar_rows matrix;              ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;               ///< 0.07; tau > 0
  nearfar_denominator denominator;  ///< NEARFAR_WITH_POSITIVE; else decoupled
  nearfar_reduction reduction;      ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_info_nce_options;

/// nearfar::InfoNce (nearfar/losses/info_nce.hpp): pick the positive out of all keys,
///
///     -log(exp(s_it / tau) / sum_j exp(s_ij / tau))
///
/// Forms: two sets, negatives. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_info_nce_create(const nearfar_info_nce_options* options,
                                       nearfar_loss** loss);
nearfar_status nearfar_info_nce_options_init(nearfar_info_nce_options* options, size_t size);

/// Settings of KoLeo.
typedef struct nearfar_ko_leo_options {
  size_t size;
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_ko_leo_options;

/// nearfar::KoLeo (nearfar/losses/ko_leo.hpp): each row far from its nearest other row on the unit
/// sphere,
///
///     -log min_{j != i} |u_i - u_j|
///
/// Form: one set.
nearfar_status nearfar_ko_leo_create(const nearfar_ko_leo_options* options, nearfar_loss** loss);
nearfar_status nearfar_ko_leo_options_init(nearfar_ko_leo_options* options, size_t size);

/// Settings of LargeMarginSoftmax.
typedef struct nearfar_large_margin_softmax_options {
  size_t size;
  double scale;                 ///< 1; sigma > 0: the factor of inner products
  int32_t margin;               ///< 4; m from 1 to 100: the factor of the angle
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_large_margin_softmax_options;

/// nearfar::LargeMarginSoftmax (nearfar/losses/class_softmax.hpp): a multiple of
/// the own class's angle,
///
///     -log softmax_c(sigma |x_i| |w_c| z_ic)[y_i], own: (-1)^k cos(m theta) - 2k
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0 and margin is from 1 to 100.
nearfar_status nearfar_large_margin_softmax_create(
    const nearfar_large_margin_softmax_options* options, nearfar_loss** loss);
nearfar_status nearfar_large_margin_softmax_options_init(
    nearfar_large_margin_softmax_options* options, size_t size);

/// Settings of LiftedStructure.
typedef struct nearfar_lifted_structure_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;                ///< 1: alpha, in the kernel's score
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are positive pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive or no negative
} nearfar_lifted_structure_options;

/// nearfar::LiftedStructure (nearfar/losses/lifted_structure.hpp): each positive pair against all
/// negatives of both rows,
///
///     max(0, log(sum_k exp(m - d_ik) + sum_l exp(m - d_jl)) + d_ij)^2 / 2
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless margin is finite.
nearfar_status nearfar_lifted_structure_create(const nearfar_lifted_structure_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_lifted_structure_options_init(nearfar_lifted_structure_options* options,
                                                     size_t size);

/// Settings of LinearContrastive.
typedef struct nearfar_linear_contrastive_options {
  size_t size;
  nearfar_kernel kernel;   ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;     ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double positive_margin;  ///< NaN: positives at least that near cost nothing; then 0 for distances
                           ///< and 1 for similarities
  double negative_margin;  ///< NaN: negatives at least that far cost nothing; then 1 for distances
                           ///< and 0 for similarities
  nearfar_reduction reduction;        ///< NEARFAR_MEAN_NONZERO; terms are ordered pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other row
} nearfar_linear_contrastive_options;

/// nearfar::LinearContrastive (nearfar/losses/linear_contrastive.hpp): linear hinges and a margin
/// for either kind of pair,
///
///     mean max(0, d - m_pos) + mean max(0, m_neg - d)
///
/// Forms: listed pairs, labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless both margins are NaN or scores that the kernel can have.
nearfar_status nearfar_linear_contrastive_create(const nearfar_linear_contrastive_options* options,
                                                 nearfar_loss** loss);
nearfar_status nearfar_linear_contrastive_options_init(nearfar_linear_contrastive_options* options,
                                                       size_t size);

/// Settings of SnrContrastive.
typedef struct nearfar_snr_contrastive_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_SQUARED_EUCLIDEAN, of rows less their means
  double positive_margin;             ///< 0; >= 0: positives at least that near cost nothing
  double negative_margin;             ///< 1; >= 0: negatives at least that far cost nothing
  nearfar_reduction reduction;        ///< NEARFAR_MEAN_NONZERO; terms are ordered pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other row, or no variance
} nearfar_snr_contrastive_options;

/// nearfar::SnrContrastive (nearfar/losses/linear_contrastive.hpp): linear hinges on
/// signal-to-noise distances,
///
///     mean max(0, d - m_pos) + mean max(0, m_neg - d),  d_ij = var(x_i - x_j) / var(x_i)
///
/// Forms: labelled, references. NEARFAR_INVALID_ARGUMENT unless both margins are >= 0.
nearfar_status nearfar_snr_contrastive_create(const nearfar_snr_contrastive_options* options,
                                              nearfar_loss** loss);
nearfar_status nearfar_snr_contrastive_options_init(nearfar_snr_contrastive_options* options,
                                                    size_t size);

/// Settings of IntraPairVariance.
typedef struct nearfar_intra_pair_variance_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  double positive_epsilon;            ///< 0.01; >= 0
  double negative_epsilon;            ///< 0.01; >= 0
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are ordered pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other row
} nearfar_intra_pair_variance_options;

/// nearfar::IntraPairVariance (nearfar/losses/intra_pair_variance.hpp): squared hinges about the
/// mean score of either kind of pair,
///
///     mean max(0, (1 - positive_epsilon) m_p - s)^2 + mean max(0, s - (1 + negative_epsilon)
///     m_n)^2
///
/// Forms: labelled, references. Kernels: cosine, inner product. NEARFAR_INVALID_ARGUMENT unless
/// both epsilons are >= 0.
nearfar_status nearfar_intra_pair_variance_create(
    const nearfar_intra_pair_variance_options* options, nearfar_loss** loss);
nearfar_status nearfar_intra_pair_variance_options_init(
    nearfar_intra_pair_variance_options* options, size_t size);

/// Settings of CentroidTriplet.
typedef struct nearfar_centroid_triplet_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_EUCLIDEAN
  double margin;                      ///< 0.05; m >= 0
  nearfar_reduction reduction;        ///< NEARFAR_MEAN_NONZERO; terms: an anchor and another class
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive or no other class
} nearfar_centroid_triplet_options;

/// nearfar::CentroidTriplet (nearfar/losses/centroid_triplet.hpp): rows and the centroids of
/// classes,
///
///     max(0, d(x_i, mean of the other rows of i's class) - d(x_i, mean of another class) + m)
///
/// Forms: labelled, by labels alone. Kernels: Euclidean, squared Euclidean.
/// NEARFAR_INVALID_ARGUMENT unless margin >= 0.
nearfar_status nearfar_centroid_triplet_create(const nearfar_centroid_triplet_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_centroid_triplet_options_init(nearfar_centroid_triplet_options* options,
                                                     size_t size);

/// Settings of MarginLoss.
typedef struct nearfar_margin_loss_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;                ///< 0.2; alpha, in the kernel's score
  double beta;                  ///< 1.2; the boundary, in the kernel's score; can be learnt
  double nu;                    ///< 0; weight of the boundary itself
  nearfar_reduction reduction;  ///< NEARFAR_MEAN_NONZERO; terms are hinges, two a triplet
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive or no negative
} nearfar_margin_loss_options;

/// nearfar::MarginLoss (nearfar/losses/margin_loss.hpp) with one boundary: over all triplets,
///
///     max(0, d_ip - beta + alpha) + max(0, beta - d_in + alpha), plus nu beta
///
/// The result has d_beta. Forms: labelled, references. Kernels: all but bilinear.
/// NEARFAR_INVALID_ARGUMENT unless margin, beta and nu are finite.
nearfar_status nearfar_margin_loss_create(const nearfar_margin_loss_options* options,
                                          nearfar_loss** loss);
nearfar_status nearfar_margin_loss_options_init(nearfar_margin_loss_options* options, size_t size);

/// How NEARFAR_MINING_DISTANCE_WEIGHTED draws negatives: nearfar::DistanceWeighting.
typedef struct nearfar_distance_weighting {
  uint64_t seed;    ///< 0
  uint64_t step;    ///< 0; each training step its own
  double nearest;   ///< 0.5; in (0, 2)
  double farthest;  ///< 1.4; > nearest
} nearfar_distance_weighting;

/// Settings of MarginMse.
typedef struct nearfar_margin_mse_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_INNER_PRODUCT
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are pairs of a query and a negative
} nearfar_margin_mse_options;

/// nearfar::MarginMse (nearfar/losses/distillation.hpp): a positive's margin over each negative is
/// to be a teacher's,
///
///     (s(q, p) - s(q, n) - margin)^2
///
/// Form: scored triplets. Kernels: all.
nearfar_status nearfar_margin_mse_create(const nearfar_margin_mse_options* options,
                                         nearfar_loss** loss);
nearfar_status nearfar_margin_mse_options_init(nearfar_margin_mse_options* options, size_t size);

/// Settings of MatryoshkaInfoNce. Lists are copied by `_create`.
typedef struct nearfar_matryoshka_info_nce_options {
  size_t size;
  nearfar_kernel kernel;  ///< NEARFAR_COSINE
  /// None, which is too few: lengths of the prefixes, ascending, the last one D.
  nearfar_integers prefixes;
  nearfar_doubles weights;            ///< none, 1 for each: one >= 0 a prefix
  double temperature;                 ///< 0.07; tau > 0
  nearfar_denominator denominator;    ///< NEARFAR_WITH_POSITIVE
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_matryoshka_info_nce_options;

/// nearfar::MatryoshkaInfoNce (nearfar/losses/matryoshka.hpp): InfoNCE of several prefixes of the
/// same rows,
///
///     sum_p w_p InfoNce(queries[:, :d_p], keys[:, :d_p])
///
/// Form: two sets. Kernels: cosine, inner product. NEARFAR_INVALID_ARGUMENT
/// unless prefixes ascend from 1 or more, weights are >= 0 and as many, and temperature > 0.
nearfar_status nearfar_matryoshka_info_nce_create(
    const nearfar_matryoshka_info_nce_options* options, nearfar_loss** loss);
nearfar_status nearfar_matryoshka_info_nce_options_init(
    nearfar_matryoshka_info_nce_options* options, size_t size);

/// Settings of MaxSimInfoNce.
typedef struct nearfar_max_sim_info_nce_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  double temperature;                 ///< 1; tau > 0
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other document
} nearfar_max_sim_info_nce_options;

/// nearfar::MaxSimInfoNce (nearfar/losses/max_sim.hpp): InfoNCE of queries and documents that are
/// sets of tokens, by late interaction,
///
///     -log softmax_m(S_im / tau)[i],   S_im = sum_u max_v s(q_iu, d_mv)
///
/// Form: tokens. Kernels: cosine, inner product. NEARFAR_INVALID_ARGUMENT unless temperature > 0.
nearfar_status nearfar_max_sim_info_nce_create(const nearfar_max_sim_info_nce_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_max_sim_info_nce_options_init(nearfar_max_sim_info_nce_options* options,
                                                     size_t size);

/// Settings of MinedTriplet.
typedef struct nearfar_mined_triplet_options {
  size_t size;
  nearfar_kernel kernel;      ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;        ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;              ///< 0.2; m >= 0, in the kernel's score
  nearfar_triplet_form form;  ///< NEARFAR_TRIPLET_HINGE
  nearfar_mining mining;      ///< NEARFAR_MINING_BATCH_HARD
  nearfar_choice positive;    ///< NEARFAR_CHOICE_EASY; for BATCH_EASY_HARD
  nearfar_choice negative;    ///< NEARFAR_CHOICE_SEMIHARD; for BATCH_EASY_HARD
  nearfar_distance_weighting weighting;  ///< for DISTANCE_WEIGHTED
  nearfar_reduction reduction;           ///< NEARFAR_MEAN; terms are the triplets mined
  nearfar_unusable unusable_anchors;     ///< NEARFAR_SKIP; unusable: no positive or no negative
} nearfar_mined_triplet_options;

/// nearfar::MinedTriplet (nearfar/losses/mined_triplet.hpp): triplets mined from labelled rows,
///
///     max(0, d(a, p) - d(a, n) + m)
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless margin >= 0, 0 < weighting.nearest < 2, weighting.farthest > weighting.nearest, and
/// positive and negative are not both semi-hard.
nearfar_status nearfar_mined_triplet_create(const nearfar_mined_triplet_options* options,
                                            nearfar_loss** loss);
nearfar_status nearfar_mined_triplet_options_init(nearfar_mined_triplet_options* options,
                                                  size_t size);

/// Settings of MultiSimilarity.
typedef struct nearfar_multi_similarity_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  double alpha;                       ///< 2; > 0: how sharply positives are weighted
  double beta;                        ///< 50; > 0: how sharply negatives are weighted
  double base;                        ///< 0.5: the score from which on a pair counts for much
  double epsilon;                     ///< NaN: all pairs count; else of the paper's pair mining
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are anchors, all of them
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive and no negative
} nearfar_multi_similarity_options;

/// nearfar::MultiSimilarity (nearfar/losses/multi_similarity.hpp): soft thresholds on positives and
/// negatives of labelled rows,
///
///     1/alpha log(1 + sum_p exp(-alpha (s_p - base))) + 1/beta log(1 + sum_n exp(beta (s_n -
///     base)))
///
/// Forms: labelled, references. Kernels: cosine, inner product. NEARFAR_INVALID_ARGUMENT
/// unless alpha > 0, beta > 0, base is finite and epsilon is NaN or finite.
nearfar_status nearfar_multi_similarity_create(const nearfar_multi_similarity_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_multi_similarity_options_init(nearfar_multi_similarity_options* options,
                                                     size_t size);

/// Settings of MutualInformation.
typedef struct nearfar_mutual_information_options {
  size_t size;
  nearfar_kernel kernel;  ///< NEARFAR_INNER_PRODUCT
  nearfar_rows matrix;    ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  nearfar_bound bound;    ///< NEARFAR_BOUND_INFO_NCE
  double temperature;     ///< 1; tau > 0
} nearfar_mutual_information_options;

/// nearfar::MutualInformation (nearfar/losses/mutual_information.hpp): bounds on the mutual
/// information of x and y, in nats,
///
///     info_nce: log N + 1/N sum_i (f_ii - log sum_j exp(f_ij)), f = s / tau
///
/// Form: two sets. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_mutual_information_create(const nearfar_mutual_information_options* options,
                                                 nearfar_loss** loss);
nearfar_status nearfar_mutual_information_options_init(nearfar_mutual_information_options* options,
                                                       size_t size);

/// Settings of NPair.
typedef struct nearfar_n_pair_options {
  size_t size;
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_n_pair_options;

/// nearfar::NPair (nearfar/losses/info_nce.hpp): InfoNce of inner products at temperature 1,
///
///     -log softmax_j(x_i . y_j)[i]
///
/// Forms: two sets, negatives. NEARFAR_INVALID_ARGUMENT
/// on a bad reduction.
nearfar_status nearfar_n_pair_create(const nearfar_n_pair_options* options, nearfar_loss** loss);
nearfar_status nearfar_n_pair_options_init(nearfar_n_pair_options* options, size_t size);

/// Settings of Nca.
typedef struct nearfar_nca_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_SQUARED_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 1; tau > 0
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are anchors that have a positive
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_nca_options;

/// nearfar::Nca (nearfar/losses/nca.hpp): the probability that an anchor picks a row of its class,
///
///     -log(sum_p exp(-d_ip / tau) / sum_{j != i} exp(-d_ij / tau))
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_nca_create(const nearfar_nca_options* options, nearfar_loss** loss);
nearfar_status nearfar_nca_options_init(nearfar_nca_options* options, size_t size);

/// Settings of Nce.
typedef struct nearfar_nce_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_INNER_PRODUCT
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 1; tau > 0
  double log_z;                 ///< 0: log of the model's partition function
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are queries
} nearfar_nce_options;

/// nearfar::Nce (nearfar/losses/nce.hpp): data against noise whose distribution is known,
///
///     softplus(-D(q, k)) + sum_j softplus(D(q, n_j)), D = s / tau - log Z - log(K p_n)
///
/// Form: negatives, with log_noise. Kernels: cosine, inner product, bilinear.
/// NEARFAR_INVALID_ARGUMENT unless temperature > 0 and log_z is finite.
nearfar_status nearfar_nce_create(const nearfar_nce_options* options, nearfar_loss** loss);
nearfar_status nearfar_nce_options_init(nearfar_nce_options* options, size_t size);

/// Settings of NegativeCosine.
typedef struct nearfar_negative_cosine_options {
  size_t size;
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are samples
} nearfar_negative_cosine_options;

/// nearfar::NegativeCosine (nearfar/losses/negative_cosine.hpp): SimSiam's loss,
///
///     -1/2 cos(p_i, z'_i) - 1/2 cos(p'_i, z_i)
///
/// Form: predictions.
nearfar_status nearfar_negative_cosine_create(const nearfar_negative_cosine_options* options,
                                              nearfar_loss** loss);
nearfar_status nearfar_negative_cosine_options_init(nearfar_negative_cosine_options* options,
                                                    size_t size);

/// Settings of NegativeSampling.
typedef struct nearfar_negative_sampling_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_INNER_PRODUCT
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 1; tau > 0
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are queries
} nearfar_negative_sampling_options;

/// nearfar::NegativeSampling (nearfar/losses/nce.hpp): word2vec's simplification of Nce,
///
///     softplus(-s(q, k) / tau) + sum_j softplus(s(q, n_j) / tau)
///
/// Form: negatives. Kernels: cosine, inner product, bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_negative_sampling_create(const nearfar_negative_sampling_options* options,
                                                nearfar_loss** loss);
nearfar_status nearfar_negative_sampling_options_init(nearfar_negative_sampling_options* options,
                                                      size_t size);

/// Settings of NormalizedSoftmax.
typedef struct nearfar_normalized_softmax_options {
  size_t size;
  double temperature;           ///< 0.05; tau > 0
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_normalized_softmax_options;

/// nearfar::NormalizedSoftmax (nearfar/losses/class_softmax.hpp): cross entropy
/// of cosines with class weights,
///
///     -log softmax_c(z_ic / tau)[y_i]
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_normalized_softmax_create(const nearfar_normalized_softmax_options* options,
                                                 nearfar_loss** loss);
nearfar_status nearfar_normalized_softmax_options_init(nearfar_normalized_softmax_options* options,
                                                       size_t size);

/// Settings of NtXent.
typedef struct nearfar_nt_xent_options {
  size_t size;
  nearfar_kernel kernel;            ///< NEARFAR_COSINE
  nearfar_rows matrix;              ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;               ///< 0.5; tau > 0
  nearfar_denominator denominator;  ///< NEARFAR_WITH_POSITIVE; else decoupled
  nearfar_reduction reduction;      ///< NEARFAR_MEAN; terms are views
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_nt_xent_options;

/// nearfar::NtXent (nearfar/losses/nt_xent.hpp): SimCLR: a view's partner among the 2N - 1 other
/// views,
///
///     -log(exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau))
///
/// Form: two sets. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_nt_xent_create(const nearfar_nt_xent_options* options, nearfar_loss** loss);
nearfar_status nearfar_nt_xent_options_init(nearfar_nt_xent_options* options, size_t size);

/// Settings of ProxyAnchor.
typedef struct nearfar_proxy_anchor_options {
  size_t size;
  double margin;  ///< 0.1; delta, finite
  double alpha;   ///< 32; > 0: the factor of cosines
} nearfar_proxy_anchor_options;

/// nearfar::ProxyAnchor (nearfar/losses/proxy_anchor.hpp): each class's proxy as
/// an anchor of the batch,
///
///     1/|P+| sum_{c in P+} log(1 + sum_{i: y_i = c} exp(-alpha (s_ic - delta)))
///       + 1/C sum_c log(1 + sum_{i: y_i != c} exp(alpha (s_ic + delta)))
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless alpha > 0 and margin is finite.
nearfar_status nearfar_proxy_anchor_create(const nearfar_proxy_anchor_options* options,
                                           nearfar_loss** loss);
nearfar_status nearfar_proxy_anchor_options_init(nearfar_proxy_anchor_options* options,
                                                 size_t size);

/// Settings of ProxyNca.
typedef struct nearfar_proxy_nca_options {
  size_t size;
  double scale;                     ///< 1; sigma > 0: the factor of squared distances
  nearfar_denominator denominator;  ///< NEARFAR_WITH_POSITIVE
  nearfar_reduction reduction;      ///< NEARFAR_MEAN; terms are rows
} nearfar_proxy_nca_options;

/// nearfar::ProxyNca (nearfar/losses/class_softmax.hpp): the own proxy's share by
/// squared distances d of normalised rows,
///
///     -log softmax_c(-sigma d_ic)[y_i]
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0.
nearfar_status nearfar_proxy_nca_create(const nearfar_proxy_nca_options* options,
                                        nearfar_loss** loss);
nearfar_status nearfar_proxy_nca_options_init(nearfar_proxy_nca_options* options, size_t size);

/// Settings of RankedList.
typedef struct nearfar_ranked_list_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS
  double margin;                ///< 0.4; m >= 0: positives should be within alpha - m
  double alpha;                 ///< 1.2: negatives should be at least this far apart
  double t_p;                   ///< 0; T_p >= 0: the larger, the more the farthest positives weigh
  double t_n;                   ///< 10; T_n >= 0: the larger, the more the nearest negatives weigh
  double imbalance;             ///< 0.5; lambda, from 0 to 1: weight of the negatives
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are anchors
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no other row
} nearfar_ranked_list_options;

/// nearfar::RankedList (nearfar/losses/ranked_list.hpp): hinges of pairs that are not yet where
/// they should be, with weights that the gradient treats as constants,
///
///     (1 - lambda) sum_p w_p (d_p - (alpha - m)) / sum_p w_p
///         + lambda sum_n w_n (alpha - d_n) / sum_n w_n,
///     w_p = exp(T_p (d_p - (alpha - m))), w_n = exp(T_n (alpha - d_n))
///
/// Forms: labelled, references. Kernels: distances. NEARFAR_INVALID_ARGUMENT unless margin, t_p and
/// t_n are finite and >= 0, imbalance is from 0 to 1, and alpha and alpha - margin are possible
/// scores of the kernel.
nearfar_status nearfar_ranked_list_create(const nearfar_ranked_list_options* options,
                                          nearfar_loss** loss);
nearfar_status nearfar_ranked_list_options_init(nearfar_ranked_list_options* options, size_t size);

/// Settings of Rince.
typedef struct nearfar_rince_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 0.5; tau > 0
  double lambda;                ///< 0.01; > 0: weight of the sum over all keys
  double q;                     ///< 0.5; in (0, 1]
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are queries
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_rince_options;

/// nearfar::Rince (nearfar/losses/rince.hpp): queries and their keys, some of which may be wrong,
///
///     -exp(q s_ii / tau) / q + (lambda sum_j exp(s_ij / tau))^q / q
///
/// Form: two sets. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless temperature and lambda > 0 and q is in (0, 1].
nearfar_status nearfar_rince_create(const nearfar_rince_options* options, nearfar_loss** loss);
nearfar_status nearfar_rince_options_init(nearfar_rince_options* options, size_t size);

/// Settings of RinceViews.
typedef struct nearfar_rince_views_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 0.5; tau > 0
  double lambda;                ///< 0.01; > 0: weight of the sum over all other views
  double q;                     ///< 0.5; in (0, 1]
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are views
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no negative
} nearfar_rince_views_options;

/// nearfar::RinceViews (nearfar/losses/rince.hpp): the same of two views,
///
///     -exp(q s_ip / tau) / q + (lambda sum_{j != i} exp(s_ij / tau))^q / q
///
/// Form: two sets. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature and lambda > 0 and q is in (0, 1].
nearfar_status nearfar_rince_views_create(const nearfar_rince_views_options* options,
                                          nearfar_loss** loss);
nearfar_status nearfar_rince_views_options_init(nearfar_rince_views_options* options, size_t size);

/// Settings of ScoreRegression.
typedef struct nearfar_score_regression_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are pairs
} nearfar_score_regression_options;

/// nearfar::ScoreRegression (nearfar/losses/score_regression.hpp): a pair's score is to be a number
/// that is given,
///
///     (s(a, b) - score)^2
///
/// Form: scored. Kernels: all.
nearfar_status nearfar_score_regression_create(const nearfar_score_regression_options* options,
                                               nearfar_loss** loss);
nearfar_status nearfar_score_regression_options_init(nearfar_score_regression_options* options,
                                                     size_t size);

/// Settings of SigLip.
typedef struct nearfar_sig_lip_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double logit_scale;           ///< 10; sigma > 0
  double logit_bias;            ///< -10: b
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are images
} nearfar_sig_lip_options;

/// nearfar::SigLip (nearfar/losses/sig_lip.hpp): every pair of an image and a text a yes-or-no
/// question,
///
///     -sum_j log sigmoid(y_ij (sigma s_ij + b))
///
/// Form: two sets. Kernels: cosine, inner product, bilinear. NEARFAR_INVALID_ARGUMENT
/// unless logit_scale > 0 and logit_bias is finite.
nearfar_status nearfar_sig_lip_create(const nearfar_sig_lip_options* options, nearfar_loss** loss);
nearfar_status nearfar_sig_lip_options_init(nearfar_sig_lip_options* options, size_t size);

/// Settings of SigReg.
typedef struct nearfar_sig_reg_options {
  size_t size;
  int64_t knots;  ///< 17; >= 2: points of the integral over t
  double t_max;   ///< 3; > 0: its end
} nearfar_sig_reg_options;

/// nearfar::SigReg (nearfar/losses/sig_reg.hpp): projections of rows to slices are drawn to a
/// standard normal distribution, by the statistic of Epps and Pulley.
///
/// Form: two sets, y the slices, dy null. No reduction. NEARFAR_INVALID_ARGUMENT unless knots >= 2
/// and t_max > 0.
nearfar_status nearfar_sig_reg_create(const nearfar_sig_reg_options* options, nearfar_loss** loss);
nearfar_status nearfar_sig_reg_options_init(nearfar_sig_reg_options* options, size_t size);

/// Settings of Sincere.
typedef struct nearfar_sincere_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;           ///< 0.1; tau > 0
  nearfar_sincere_terms terms;  ///< NEARFAR_SINCERE_ANCHORS: those that have a positive
  nearfar_reduction reduction;  ///< NEARFAR_MEAN
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_sincere_options;

/// nearfar::Sincere (nearfar/losses/sincere.hpp): each positive of an anchor against the rows of
/// other labels,
///
///     -1/|P| sum_p log(exp(s_ip / tau) / (exp(s_ip / tau) + sum_n exp(s_in / tau)))
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_sincere_create(const nearfar_sincere_options* options, nearfar_loss** loss);
nearfar_status nearfar_sincere_options_init(nearfar_sincere_options* options, size_t size);

/// Settings of SmoothAp.
typedef struct nearfar_smooth_ap_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_COSINE
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS
  double temperature;           ///< 0.01; tau > 0
  int32_t include_self;         ///< 0; 1: an anchor of a batch ranks itself, too, as a positive
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are anchors that have a positive
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_smooth_ap_options;

/// nearfar::SmoothAp (nearfar/losses/smooth_ap.hpp): one minus the average precision of an anchor's
/// ranking, with sigmoids in the place of comparisons,
///
///     1 - 1/|P| sum_p R+(p) / R(p), R(p) = 1 + sum_{k != p} sigmoid((s_k - s_p) / tau)
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_smooth_ap_create(const nearfar_smooth_ap_options* options,
                                        nearfar_loss** loss);
nearfar_status nearfar_smooth_ap_options_init(nearfar_smooth_ap_options* options, size_t size);

/// Settings of SoftTriple.
typedef struct nearfar_soft_triple_options {
  size_t size;
  double lambda;                ///< 20; > 0: the factor of similarities to classes
  double gamma;                 ///< 0.1; > 0: how evenly a class's centres share a row
  double margin;                ///< 0.01; delta, finite
  int32_t centers_per_class;    ///< 10; K >= 1: proxies a class
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_soft_triple_options;

/// nearfar::SoftTriple (nearfar/losses/class_centers.hpp): softmax over classes
/// with several centres,
///
///     -log softmax_c(lambda (sum_k p_ick s_ick - delta [c = y_i]))[y_i]
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless lambda and gamma > 0, margin is finite and centers_per_class >= 1.
nearfar_status nearfar_soft_triple_create(const nearfar_soft_triple_options* options,
                                          nearfar_loss** loss);
nearfar_status nearfar_soft_triple_options_init(nearfar_soft_triple_options* options, size_t size);

/// Settings of SphereFace.
typedef struct nearfar_sphere_face_options {
  size_t size;
  double scale;                 ///< 1; sigma > 0: the factor of |x_i| cos(theta)
  int32_t margin;               ///< 4; m from 1 to 100: the factor of the angle
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_sphere_face_options;

/// nearfar::SphereFace (nearfar/losses/class_softmax.hpp): a multiple of the own
/// class's angle,
///
///     -log softmax_c(sigma |x_i| z_ic)[y_i], own: (-1)^k cos(m theta) - 2k
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0 and margin is from 1 to 100.
nearfar_status nearfar_sphere_face_create(const nearfar_sphere_face_options* options,
                                          nearfar_loss** loss);
nearfar_status nearfar_sphere_face_options_init(nearfar_sphere_face_options* options, size_t size);

/// Settings of SubCenterArcFace.
typedef struct nearfar_sub_center_arc_face_options {
  size_t size;
  double scale;                 ///< 64; sigma > 0: the factor of cosines
  double margin;                ///< 0.5; m from 0 to pi, in radians
  int32_t sub_centers;          ///< 3; K >= 1: proxies a class
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are rows
} nearfar_sub_center_arc_face_options;

/// nearfar::SubCenterArcFace (nearfar/losses/class_centers.hpp): ArcFace of
/// each class's nearest centre,
///
///     -log softmax_c(sigma max_k s_ick)[y_i], own: cos(theta + m)
///
/// Form: proxies. NEARFAR_INVALID_ARGUMENT
/// unless scale > 0, margin is from 0 to pi and sub_centers >= 1.
nearfar_status nearfar_sub_center_arc_face_create(
    const nearfar_sub_center_arc_face_options* options, nearfar_loss** loss);
nearfar_status nearfar_sub_center_arc_face_options_init(
    nearfar_sub_center_arc_face_options* options, size_t size);

/// Settings of SupCon.
typedef struct nearfar_sup_con_options {
  size_t size;
  nearfar_kernel kernel;            ///< NEARFAR_COSINE
  nearfar_rows matrix;              ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double temperature;               ///< 0.1; tau > 0
  nearfar_sup_con_variant variant;  ///< NEARFAR_SUP_CON_OUT
  nearfar_reduction reduction;      ///< NEARFAR_MEAN; terms are anchors that have a positive
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_sup_con_options;

/// nearfar::SupCon (nearfar/losses/sup_con.hpp): an anchor's positives are all other rows with its
/// label,
///
///     -1/|P| sum_p log(exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau))
///
/// Forms: labelled, references. Kernels: all but bilinear. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0.
nearfar_status nearfar_sup_con_create(const nearfar_sup_con_options* options, nearfar_loss** loss);
nearfar_status nearfar_sup_con_options_init(nearfar_sup_con_options* options, size_t size);

/// Settings of Triplet.
typedef struct nearfar_triplet_options {
  size_t size;
  nearfar_kernel kernel;        ///< NEARFAR_EUCLIDEAN
  nearfar_rows matrix;          ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  double margin;                ///< 1; m >= 0, in the kernel's score
  nearfar_triplet_form form;    ///< NEARFAR_TRIPLET_HINGE
  int32_t swap;                 ///< 0; 1: the positive in the anchor's place where nearer
  nearfar_reduction reduction;  ///< NEARFAR_MEAN; terms are triplets
} nearfar_triplet_options;

/// nearfar::Triplet (nearfar/losses/triplet.hpp): an anchor nearer to its positive than to its
/// negative, by a margin,
///
///     max(0, d(a, p) - d(a, n) + m)
///
/// Forms: three sets, listed triplets. Kernels: all. NEARFAR_INVALID_ARGUMENT
/// unless margin >= 0 and swap is not set with NEARFAR_BILINEAR.
nearfar_status nearfar_triplet_create(const nearfar_triplet_options* options, nearfar_loss** loss);
nearfar_status nearfar_triplet_options_init(nearfar_triplet_options* options, size_t size);

/// Settings of TupletMargin.
typedef struct nearfar_tuplet_margin_options {
  size_t size;
  nearfar_kernel kernel;              ///< NEARFAR_COSINE
  double temperature;                 ///< 1/64; tau > 0, one over the paper's scale
  double margin;                      ///< 0.1; an angle in radians, from 0 to pi/2
  nearfar_reduction reduction;        ///< NEARFAR_MEAN; terms are positive pairs
  nearfar_unusable unusable_anchors;  ///< NEARFAR_SKIP; unusable: no positive
} nearfar_tuplet_margin_options;

/// nearfar::TupletMargin (nearfar/losses/tuplet_margin.hpp): every positive p of an anchor against
/// the anchor's negatives, with a margin on the positive's angle,
///
///     log(1 + sum_n exp((cos theta_in - cos(theta_ip - margin)) / tau))
///
/// Forms: labelled, references. Kernel: cosine. NEARFAR_INVALID_ARGUMENT
/// unless temperature > 0 and the margin is from 0 to pi/2.
nearfar_status nearfar_tuplet_margin_create(const nearfar_tuplet_margin_options* options,
                                            nearfar_loss** loss);
nearfar_status nearfar_tuplet_margin_options_init(nearfar_tuplet_margin_options* options,
                                                  size_t size);

/// Settings of Uniformity.
typedef struct nearfar_uniformity_options {
  size_t size;
  double t;  ///< 2; > 0: the inverse width of the Gaussian
} nearfar_uniformity_options;

/// nearfar::Uniformity (nearfar/losses/uniformity.hpp): how evenly rows cover the unit sphere,
///
///     log(2 / (N (N - 1)) sum_{i < j} exp(-t |x_i / |x_i| - x_j / |x_j||^2))
///
/// Form: one set. NEARFAR_INVALID_ARGUMENT
/// unless t > 0.
nearfar_status nearfar_uniformity_create(const nearfar_uniformity_options* options,
                                         nearfar_loss** loss);
nearfar_status nearfar_uniformity_options_init(nearfar_uniformity_options* options, size_t size);

/// Settings of VicReg.
typedef struct nearfar_vic_reg_options {
  size_t size;
  double invariance;  ///< 25; >= 0: weight of the distance between the views
  double variance;    ///< 25; >= 0: weight of the hinge of columns' deviations
  double covariance;  ///< 1; >= 0: weight of the covariances of columns
  double epsilon;     ///< 1e-4; >= 0: added to the variance of a column
} nearfar_vic_reg_options;

/// nearfar::VicReg (nearfar/losses/vic_reg.hpp): two views of a sample are near each other, columns
/// vary and are not correlated.
///
/// Form: two sets, of at least two rows. No reduction. NEARFAR_INVALID_ARGUMENT unless the numbers
/// are finite and >= 0.
nearfar_status nearfar_vic_reg_create(const nearfar_vic_reg_options* options, nearfar_loss** loss);
nearfar_status nearfar_vic_reg_options_init(nearfar_vic_reg_options* options, size_t size);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
