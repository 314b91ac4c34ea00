#ifndef NEARFAR_C_CALLS_H
#define NEARFAR_C_CALLS_H

#include "nearfar/c/targets.h"

/// \file
/// Calls of a loss. Forms are by what a loss compares, each with a forward call (the value) and a
/// forward_backward call (value and gradients). Which forms a loss has is in its
/// `_create`; for others a call is NEARFAR_INVALID_ARGUMENT.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/// A loss with its settings: immutable, and free to be used by several threads at once.
typedef struct nearfar_loss nearfar_loss;

/// Frees a loss that no call is using. Null is no error.
void nearfar_loss_destroy(nearfar_loss* loss);

/// Its name, as that of the C++ class, "InfoNce"; "" for null.
const char* nearfar_loss_name(const nearfar_loss* loss);

// ---- what every call may be given, and what it gives --------------------------------------------

/// Options of a call besides its inputs. A null nearfar_call* means: all defaults.
typedef struct nearfar_call {
  size_t size;  ///< of this struct; nearfar_call_init sets it
  /// Scratch memory to reuse; null: the call makes its own.
  nearfar_workspace* workspace;
  /// dL/d(value) from what comes after the loss, which all gradients are multiplied by: one number,
  /// or one a value with NEARFAR_NONE. Not given: 1. For forward_backward only.
  nearfar_doubles upstream;
  /// Gradient of the kernel's matrix, in its shape; null: not wanted. For forward_backward only.
  const nearfar_gradient* d_parameter;
  /// How rows are multiplied; NEARFAR_PRODUCTS_SCALAR by default.
  nearfar_products products;
} nearfar_call;

/// All defaults. NEARFAR_INVALID_ARGUMENT unless size is that of a nearfar_call.
nearfar_status nearfar_call_init(nearfar_call* call, size_t size);

/// The result of a call. Buffers are the caller's, and set before the call; all else a call that
/// succeeds writes, whether its loss has it or not. A call that fails writes nothing.
typedef struct nearfar_result {
  size_t size;  ///< of this struct; nearfar_result_init sets it

  // Buffers, each may be null.
  double* values;             ///< with NEARFAR_NONE: gets a value a row; see values_count
  int64_t values_capacity;    ///< numbers that fit `values`
  double* step_losses;        ///< of Cpc: gets the loss of each prediction step, after reduction
  double* step_bounds;        ///< of Cpc: gets log(candidates) - mean loss of each step, in nats
  int64_t steps_capacity;     ///< numbers that fit step_losses and step_bounds each
  double* prefix_values;      ///< of MatryoshkaInfoNce: gets each prefix's own loss, not weighted
  int64_t prefixes_capacity;  ///< numbers that fit prefix_values

  double value;            ///< the loss after reduction; with NEARFAR_NONE the sum of values
  int64_t values_count;    ///< values a row there are (with NEARFAR_NONE, else 0)
  int64_t steps_count;     ///< steps of Cpc, else 0
  int64_t prefixes_count;  ///< prefixes of MatryoshkaInfoNce, else 0

  // Counts of what the value was made of (nearfar::Diagnostics).
  int64_t anchors;                   ///< rows that could be anchors
  int64_t anchors_without_positive;  ///< of these, with no positive
  int64_t anchors_without_negative;  ///< of these, with no negative
  int64_t terms;                     ///< terms of the loss, the divisor of NEARFAR_MEAN
  int64_t active_terms;              ///< terms that are not zero
  int64_t zero_distances;            ///< pairs at distance 0 (distance kernels only)
  int64_t false_negatives;           ///< pairs dropped as such (InBatchInfoNce only)
  double smallest_score;             ///< of all pairs compared; infinity when there are none
  double largest_score;              ///< of all pairs compared; -infinity when there are none

  // Gradients of learnable numbers, times upstream; 0 from forward, and where a loss has none.
  double d_temperature;
  double d_log_z;        ///< of Nce
  double d_logit_scale;  ///< of Clip and SigLip
  double d_logit_bias;   ///< of SigLip
  double d_beta;         ///< of MarginLoss
  double d_scale;        ///< of CoSent, Angle and losses against proxies that have a scale
  double d_lambda;       ///< of SoftTriple
  double d_gamma;        ///< of SoftTriple

  /// MutualInformation: what the bound can't exceed, log N for NEARFAR_BOUND_INFO_NCE. Else
  /// infinity.
  double ceiling;

  // LinearContrastive: ordered pairs, and of these those with a loss above 0.
  int64_t positive_pairs;
  int64_t negative_pairs;
  int64_t active_positive_pairs;
  int64_t active_negative_pairs;

  // MinedTriplet: triplets by kind (nearfar::MinedTripletResult).
  int64_t hard_triplets;
  int64_t semihard_triplets;
  int64_t easy_triplets;
} nearfar_result;

/// No buffers, zeros else. NEARFAR_INVALID_ARGUMENT unless size is that of a nearfar_result.
nearfar_status nearfar_result_init(nearfar_result* result, size_t size);

// In all calls: `call` may be null, everything else that is not said to be optional may not. A
// gradient argument may be null: not wanted. Errors are NEARFAR_INVALID_ARGUMENT for a null
// pointer, for a loss that has no such form, for shapes, scalar types or targets that do not fit
// and for a workspace in use; NEARFAR_NOT_FINITE for NaN or infinity in the input, named with row
// and column, and where no finite result exists.
//
// Memory that a call writes (gradients and the buffers of its result) may not overlap rows, the
// kernel's matrix or `upstream`, nor anything else that it writes; but gradients with
// NEARFAR_ACCUMULATE may share memory with each other: they add up. Rows that are only read may
// overlap in any way. Another overlap is NEARFAR_INVALID_ARGUMENT.

// ---- one set ------------------------------------------------------------------------------------

/// Rows x (N x D) among themselves: Gor, KoLeo, Uniformity. For KoLeo a value each row.
nearfar_status nearfar_one_set_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                       const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_one_set_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                const nearfar_gradient* dx,
                                                const nearfar_call* call, nearfar_result* result);

// ---- two sets -----------------------------------------------------------------------------------

/// Rows of x with rows of y, row i of one belonging to row i of the other:
/// - Alignment, BarlowTwins and VicReg (two views), Clip (images, texts), Dclw, Dhel, HardNegative
///   and NtXent (two views), InBatchInfoNce (queries, keys), MutualInformation, Rince (queries,
///   keys), RinceViews (two views), SigLip (images, texts): both N x D; `match` null.
/// - SigReg: rows x (N x D) and slices y (M x D), which have no gradient: dy and `match` null.
/// - MatryoshkaInfoNce: queries (N x D) and keys (M x D, M >= N), key i query i's positive; `match`
///   null. D is the last prefix.
/// - InfoNce and NPair: queries (N x D) and keys (M x D, M >= N). `match` null: key i is query i's
///   positive; else match[i], N integers from 0 to M - 1, is the number of its key, and M is free.
/// - CosineEmbedding, HadsellContrastive: pairs, both N x D; `match` has N integers, 1 for a
/// similar
///   pair, 0 for another.
/// With the kernel NEARFAR_BILINEAR x has the columns of the matrix and y its rows.
/// With NEARFAR_NONE there is a value for each row of x; for Dclw, HardNegative, NtXent and
/// RinceViews 2N, those of x first.
nearfar_status nearfar_two_sets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                        const nearfar_rows* y, const nearfar_integers* match,
                                        const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_two_sets_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                 const nearfar_rows* y,
                                                 const nearfar_integers* match,
                                                 const nearfar_gradient* dx,
                                                 const nearfar_gradient* dy,
                                                 const nearfar_call* call, nearfar_result* result);

// ---- rows with numbers --------------------------------------------------------------------------

/// Rows of x with rows of y and numbers that are given, one for each row of y, as rows of one
/// column:
/// - Angle, CoSent, ScoreRegression: pairs, both N x D; `scores` are their N targets.
/// - DistillKl: x queries (N x D), y candidates ((N K) x D), those of query i from row i K on;
///   `scores` are the teacher's, N K of them.
/// With NEARFAR_NONE ScoreRegression and DistillKl have a value for each row of x.
nearfar_status nearfar_scored_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                      const nearfar_rows* y, const nearfar_rows* scores,
                                      const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_scored_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* y, const nearfar_rows* scores,
                                               const nearfar_gradient* dx,
                                               const nearfar_gradient* dy, const nearfar_call* call,
                                               nearfar_result* result);

/// MarginMse: x queries and y positives (both N x D), z negatives ((N K) x D), those of query i
/// from row i K on; `margins` are the teacher's, N K of them, as rows of one column. A value each
/// query.
nearfar_status nearfar_scored_triplets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* y, const nearfar_rows* z,
                                               const nearfar_rows* margins,
                                               const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_scored_triplets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* y, const nearfar_rows* z,
    const nearfar_rows* margins, const nearfar_gradient* dx, const nearfar_gradient* dy,
    const nearfar_gradient* dz, const nearfar_call* call, nearfar_result* result);

// ---- three sets ---------------------------------------------------------------------------------

/// - Triplet: x anchors, y positives, z negatives, all N x D; a value each triplet.
/// - Cpc: x contexts (B T x Dc), y targets (B T x Dz), z the matrices of all steps (K Dz x Dc), W_k
///   in rows (k - 1) Dz .. k Dz - 1; a value each context.
nearfar_status nearfar_three_sets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                          const nearfar_rows* y, const nearfar_rows* z,
                                          const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_three_sets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* y, const nearfar_rows* z,
    const nearfar_gradient* dx, const nearfar_gradient* dy, const nearfar_gradient* dz,
    const nearfar_call* call, nearfar_result* result);

// ---- queries and keys against negatives ---------------------------------------------------------

/// Negatives: K x D, shared by all queries; or each query's own.
typedef struct nearfar_negatives {
  size_t size;  ///< of this struct; nearfar_negatives_init sets it
  nearfar_rows rows;
  /// 0: shared by all queries. 1: each query's own, (N K) x D, those of query i from row i K on.
  int32_t per_query;
  /// Optional, for InfoNce: one id a negative and one a query; a query is not
  /// compared with negatives of its own id. Both or neither.
  nearfar_integers ids;
  nearfar_integers query_ids;
  /// For Nce, which needs both, and for no other: log p_n of the keys (N x 1) and of the negatives
  /// (one a row), of the rows' scalar type.
  nearfar_rows log_noise_keys;
  nearfar_rows log_noise_negatives;
  /// Optional, with per_query 1, not for Nce: N + 1 numbers from 0 to the number of rows, M; those
  /// of query i are rows offsets[i] .. offsets[i + 1] - 1 of M x D.
  nearfar_integers offsets;
  /// Optional, for InfoNce and NPair with shared negatives: each query's own as well, of per_query
  /// 1; `own` and `d_own` of these are null.
  const struct nearfar_negatives* own;
  /// Gradient of the rows of `own`; null: not wanted. For forward_backward only.
  const nearfar_gradient* d_own;
} nearfar_negatives;

/// Shared, no ids, no rows yet. NEARFAR_INVALID_ARGUMENT unless size is that of a
/// nearfar_negatives.
nearfar_status nearfar_negatives_init(nearfar_negatives* negatives, size_t size);

/// Queries with keys (both N x D), key i query i's positive, against negatives: InfoNce, NPair,
/// Nce, NegativeSampling. A value each query.
nearfar_status nearfar_negatives_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                         const nearfar_rows* keys,
                                         const nearfar_negatives* negatives,
                                         const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_negatives_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_rows* keys,
    const nearfar_negatives* negatives, const nearfar_gradient* d_queries,
    const nearfar_gradient* d_keys, const nearfar_gradient* d_negatives, const nearfar_call* call,
    nearfar_result* result);

// ---- rows with labels against proxies -----------------------------------------------------------

/// The proxies (class weights) of C classes, row c that of class c, C x D; of losses with K centres
/// a class (C K) x D, those of class c in rows c K .. c K + K - 1: nearfar::Proxies.
typedef struct nearfar_proxies {
  size_t size;  ///< of this struct; nearfar_proxies_init sets it
  nearfar_rows rows;
  /// Optional: C different integers, the number of each class; labels are then these numbers, and
  /// the softmax runs over these classes alone.
  nearfar_integers classes;
  /// Optional: the margin of each class, C x 1, of the rows' scalar type. For ArcFace, CosFace,
  /// SubCenterArcFace and SoftTriple.
  nearfar_rows margins;
} nearfar_proxies;

/// No rows yet, classes by their places, one margin for all. NEARFAR_INVALID_ARGUMENT unless size
/// is that of a nearfar_proxies.
nearfar_status nearfar_proxies_init(nearfar_proxies* proxies, size_t size);

/// Rows x (N x D) with a label each, N integers from 0 to C - 1 or numbers of classes, against
/// proxies: ArcFace, CosFace, LargeMarginSoftmax, NormalizedSoftmax, ProxyAnchor, ProxyNca,
/// SoftTriple, SphereFace, SubCenterArcFace. A value each row; of ProxyAnchor one alone.
nearfar_status nearfar_proxies_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                       const nearfar_integers* labels,
                                       const nearfar_proxies* proxies, const nearfar_call* call,
                                       nearfar_result* result);
nearfar_status nearfar_proxies_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                const nearfar_integers* labels,
                                                const nearfar_proxies* proxies,
                                                const nearfar_gradient* dx,
                                                const nearfar_gradient* d_proxies,
                                                const nearfar_call* call, nearfar_result* result);

// ---- rows with labels ---------------------------------------------------------------------------

/// Rows x (N x D), each with all others: losses over labels. A value each row.
nearfar_status nearfar_labelled_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                        const nearfar_targets* targets, const nearfar_call* call,
                                        nearfar_result* result);
nearfar_status nearfar_labelled_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                 const nearfar_targets* targets,
                                                 const nearfar_gradient* dx,
                                                 const nearfar_call* call, nearfar_result* result);

/// Queries (N x D), the anchors, with references (M x D): the same losses against a memory or a
/// gallery. InfoNce and NPair: references are keys (M >= N), key i query i's positive, and targets
/// are ids alone. A value each query.
nearfar_status nearfar_references_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                          const nearfar_targets* query_targets,
                                          const nearfar_rows* references,
                                          const nearfar_targets* reference_targets,
                                          const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_references_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_targets* query_targets,
    const nearfar_rows* references, const nearfar_targets* reference_targets,
    const nearfar_gradient* d_queries, const nearfar_gradient* d_references,
    const nearfar_call* call, nearfar_result* result);

/// Row i of x with row i of y (both N x D), which share target i:
/// - HardNegative and NtXent (one a sample), InfoNce, NPair: ids alone; other pairs of the same id
/// are left out.
/// - Clip, SigLip: ids, and labels, sets or lists: who is positive for whom.
/// A value each row of x; for HardNegative and NtXent 2N, those of x first.
nearfar_status nearfar_pairs_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                     const nearfar_rows* y, const nearfar_targets* targets,
                                     const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_pairs_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                              const nearfar_rows* y, const nearfar_targets* targets,
                                              const nearfar_gradient* dx,
                                              const nearfar_gradient* dy, const nearfar_call* call,
                                              nearfar_result* result);

// ---- rows with labels and boundaries of classes
// --------------------------------------------------

/// MarginLoss with a boundary for each class, in the place of `beta`: `betas` is C x 1, anchor i
/// has that of its label, from 0 to C - 1. `targets` are labels (with ids and weights, if wanted).
/// References (null: none; then their targets and gradient are null, too) as in
/// nearfar_references_forward. A value each row of x.
nearfar_status nearfar_boundaries_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                          const nearfar_targets* targets,
                                          const nearfar_rows* references,
                                          const nearfar_targets* reference_targets,
                                          const nearfar_rows* betas, const nearfar_call* call,
                                          nearfar_result* result);
nearfar_status nearfar_boundaries_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_targets* targets,
    const nearfar_rows* references, const nearfar_targets* reference_targets,
    const nearfar_rows* betas, const nearfar_gradient* dx, const nearfar_gradient* d_references,
    const nearfar_gradient* d_betas, const nearfar_call* call, nearfar_result* result);

// ---- pairs with what else a batch has -----------------------------------------------------------

/// What InBatchInfoNce takes besides pairs: nearfar::InBatchExtras. All may be left out, null or
/// empty.
typedef struct nearfar_in_batch {
  size_t size;  ///< of this struct; nearfar_in_batch_init sets it
  /// Of all queries; those of per_query 1 belong to one of them.
  const nearfar_negatives* negatives;
  const nearfar_targets* targets;  ///< ids of the pairs
  // Other embeddings of the same rows, any number of columns, that decide on false negatives.
  const nearfar_rows* guide_queries;
  const nearfar_rows* guide_keys;
  const nearfar_rows* guide_negatives;
  // Logarithms of sampling probabilities.
  nearfar_doubles log_q;            ///< one a key
  nearfar_doubles log_q_negatives;  ///< one a negative
} nearfar_in_batch;

/// Nothing. NEARFAR_INVALID_ARGUMENT unless size is that of a nearfar_in_batch.
nearfar_status nearfar_in_batch_init(nearfar_in_batch* extras, size_t size);

/// Queries with keys (both N x D), key i query i's positive, and what else the batch has:
/// InBatchInfoNce. d_negatives must be null where there are no negatives. A value each query.
nearfar_status nearfar_in_batch_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                        const nearfar_rows* keys, const nearfar_in_batch* extras,
                                        const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_in_batch_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_rows* keys,
    const nearfar_in_batch* extras, const nearfar_gradient* d_queries,
    const nearfar_gradient* d_keys, const nearfar_gradient* d_negatives, const nearfar_call* call,
    nearfar_result* result);

// ---- pairs and triplets by the numbers of rows --------------------------------------------------

/// Pairs of rows by their numbers: nearfar::PairList. Pair k is row first[k] of x with row
/// second[k] of the references, or of x where there are none.
typedef struct nearfar_pair_list {
  nearfar_integers first;
  nearfar_integers second;
} nearfar_pair_list;

/// Triplets of rows by their numbers: nearfar::TripletList. Anchors are rows of x, the others of
/// the references, or of x where there are none.
typedef struct nearfar_triplet_list {
  nearfar_integers anchors;
  nearfar_integers positives;
  nearfar_integers negatives;
} nearfar_triplet_list;

/// Listed pairs of rows of x (N x D), or of a row of x and one of references (M x D; null: none):
/// HadsellContrastive, LinearContrastive. A value each pair, those of positive pairs first.
nearfar_status nearfar_listed_pairs_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                            const nearfar_rows* references,
                                            const nearfar_pair_list* positive_pairs,
                                            const nearfar_pair_list* negative_pairs,
                                            const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_listed_pairs_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* references,
    const nearfar_pair_list* positive_pairs, const nearfar_pair_list* negative_pairs,
    const nearfar_gradient* dx, const nearfar_gradient* d_references, const nearfar_call* call,
    nearfar_result* result);

/// Listed triplets of rows of x, or of anchors of x and rows of references (null: none): Triplet. A
/// value each triplet.
nearfar_status nearfar_listed_triplets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* references,
                                               const nearfar_triplet_list* triplets,
                                               const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_listed_triplets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* references,
    const nearfar_triplet_list* triplets, const nearfar_gradient* dx,
    const nearfar_gradient* d_references, const nearfar_call* call, nearfar_result* result);

// ---- predictions and targets --------------------------------------------------------------------

/// Predictions of two views with targets of both, all N x D, row i of each of sample i: Byol,
/// NegativeCosine. Targets have no gradient. A value each sample.
nearfar_status nearfar_predictions_forward(const nearfar_loss* loss,
                                           const nearfar_rows* prediction1,
                                           const nearfar_rows* prediction2,
                                           const nearfar_rows* target1, const nearfar_rows* target2,
                                           const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_predictions_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* prediction1, const nearfar_rows* prediction2,
    const nearfar_rows* target1, const nearfar_rows* target2, const nearfar_gradient* d_prediction1,
    const nearfar_gradient* d_prediction2, const nearfar_call* call, nearfar_result* result);

// ---- sets of tokens -----------------------------------------------------------------------------

/// Queries and documents as rows of tokens, T x D and U x D: those of query i are rows
/// query_offsets[i] .. query_offsets[i + 1] - 1, Q + 1 numbers from 0 to T; of documents, M >= Q,
/// likewise. Document i is that of query i: MaxSimInfoNce. A value each query.
nearfar_status nearfar_tokens_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                      const nearfar_integers* query_offsets,
                                      const nearfar_rows* documents,
                                      const nearfar_integers* document_offsets,
                                      const nearfar_call* call, nearfar_result* result);
nearfar_status nearfar_tokens_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_integers* query_offsets,
    const nearfar_rows* documents, const nearfar_integers* document_offsets,
    const nearfar_gradient* d_queries, const nearfar_gradient* d_documents,
    const nearfar_call* call, nearfar_result* result);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
