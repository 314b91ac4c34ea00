#ifndef NEARFAR_C_METRICS_H
#define NEARFAR_C_METRICS_H

#include "nearfar/c/targets.h"

/// \file
/// Metrics and mining: nearfar::Retrieval, nearfar::KnnAccuracy, nearfar::NearestKeys and
/// nearfar::collapse, which have the formulas. Each but the last has options (null: the defaults),
/// and a result whose buffers are the caller's and set before the call. A call that fails writes
/// nothing.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

// In all calls: references or keys that are null mean a batch compared with itself, each row with
// all others; what goes with them is null, too. `workspace` may be null. Errors are
// NEARFAR_INVALID_ARGUMENT for null pointers, options out of range, shapes and targets that do not
// fit, buffers that are too small, and buffers that overlap each other or the rows;
// NEARFAR_NOT_FINITE for NaN or infinity in the input, and inner products that overflow.

// ---- retrieval ----------------------------------------------------------------------------------

/// Settings of nearfar_retrieval.
typedef struct nearfar_retrieval_options {
  size_t size;
  nearfar_kernel kernel;      ///< NEARFAR_COSINE
  nearfar_rows matrix;        ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  nearfar_integers ks;        ///< 1, 2, 4, 8; each >= 1: where recall, precision and nDCG are taken
  int32_t average_precision;  ///< 0; 1: find the full average precision, too
  int32_t has_unlabelled;     ///< 0; 1: references with label `unlabelled` are nobody's candidates
  int64_t unlabelled;         ///< 0
} nearfar_retrieval_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_retrieval_options_init(nearfar_retrieval_options* options, size_t size);

/// The result of nearfar_retrieval: means over queries that have a positive.
typedef struct nearfar_retrieval_result {
  size_t size;  ///< of this struct; nearfar_retrieval_result_init sets it

  // Buffers, each may be null. The first three get a number for each of ks.
  double* recall;
  double* precision;
  double* ndcg;
  int64_t ks_capacity;  ///< numbers that fit each of them
  // These get a number for each query; zeros for one without a positive.
  int64_t* positives;              ///< positives among its candidates
  int64_t* first_positive;         ///< rank of the nearest of them, from 1
  double* average_precision_at_r;  ///< average precision at R
  double* r_precisions;            ///< R-precision
  double* average_precisions;      ///< 0 without `average_precision` of the options
  // These get a row for each query, of a number for each of ks.
  double* precision_per_query;
  double* ndcg_per_query;
  int64_t queries_capacity;  ///< queries that fit each of these

  double map_at_r;
  double r_precision;
  double mean_reciprocal_rank;
  double mean_average_precision;     ///< 0 without `average_precision` of the options
  int64_t queries;                   ///< all of them
  int64_t queries_without_positive;  ///< of these, left out of every mean
} nearfar_retrieval_result;

/// No buffers, zeros else. NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_retrieval_result_init(nearfar_retrieval_result* result, size_t size);

/// Ranks references (M x D) by their score with each query (N x D), by targets of any rule.
nearfar_status nearfar_retrieval(const nearfar_retrieval_options* options,
                                 const nearfar_rows* queries, const nearfar_targets* query_targets,
                                 const nearfar_rows* references,
                                 const nearfar_targets* reference_targets,
                                 nearfar_workspace* workspace, nearfar_retrieval_result* result);

// ---- nearest neighbours' votes ------------------------------------------------------------------

/// The weight of a neighbour's vote: nearfar::KnnVote.
typedef int32_t nearfar_knn_vote;
enum { NEARFAR_VOTE_WEIGHTED = 0, NEARFAR_VOTE_MAJORITY = 1 };

/// Settings of nearfar_knn_accuracy.
typedef struct nearfar_knn_options {
  size_t size;
  nearfar_kernel kernel;  ///< NEARFAR_COSINE
  nearfar_rows matrix;    ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  int64_t k;              ///< 200; >= 1: neighbours that vote; at most all there are
  double temperature;     ///< 0.07; tau > 0, for NEARFAR_VOTE_WEIGHTED
  nearfar_knn_vote vote;  ///< NEARFAR_VOTE_WEIGHTED
} nearfar_knn_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_knn_options_init(nearfar_knn_options* options, size_t size);

/// The result of nearfar_knn_accuracy.
typedef struct nearfar_knn_result {
  size_t size;           ///< of this struct; nearfar_knn_result_init sets it
  int64_t* predictions;  ///< may be null: gets a label for each query
  int64_t predictions_capacity;

  double accuracy;                    ///< correct / queries, 0 without a query
  int64_t queries;                    ///< all of them
  int64_t correct;                    ///< of these, predicted as labelled
  int64_t queries_without_neighbour;  ///< with nobody to vote: not correct
  int64_t predictions_count;          ///< written: one a query, 0 when nobody has a neighbour
} nearfar_knn_result;

/// No buffer, zeros else. NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_knn_result_init(nearfar_knn_result* result, size_t size);

/// Predicts a query's label (queries N x D, one label each) from its k nearest references (M x D).
nearfar_status nearfar_knn_accuracy(const nearfar_knn_options* options, const nearfar_rows* queries,
                                    const nearfar_integers* query_labels,
                                    const nearfar_rows* references,
                                    const nearfar_integers* reference_labels,
                                    nearfar_workspace* workspace, nearfar_knn_result* result);

// ---- nearest keys -------------------------------------------------------------------------------

/// Settings of nearfar_nearest_keys: nearfar::NearestOptions.
typedef struct nearfar_nearest_options {
  size_t size;
  nearfar_kernel kernel;   ///< NEARFAR_COSINE
  nearfar_rows matrix;     ///< the kernel's, for NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR
  int64_t k;               ///< 10; >= 1: keys of a query; at most all there are
  int64_t skip;            ///< 0; >= 0: so many of the nearest are passed over
  double smallest_score;   ///< -infinity
  double largest_score;    ///< infinity
  double margin;           ///< NaN, which is none: distance of scores from the own positive's
  double relative_margin;  ///< NaN, which is none: the same as a share of it
} nearfar_nearest_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_nearest_options_init(nearfar_nearest_options* options, size_t size);

/// Known positives, which are not found: nearfar::KnownPositives.
typedef struct nearfar_known_positives {
  size_t size;                     ///< of this struct; nearfar_known_positives_init sets it
  int32_t own_aligned;             ///< 1: key i is query i's own positive
  nearfar_integers own;            ///< or the number of each query's own positive among the keys
  const nearfar_targets* targets;  ///< of the queries, or of the rows of a batch; may be null
  const nearfar_targets* key_targets;
} nearfar_known_positives;

/// Nothing. NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_known_positives_init(nearfar_known_positives* known, size_t size);

/// The result of nearfar_nearest_keys. Buffers, each may be null.
typedef struct nearfar_nearest_result {
  size_t size;  ///< of this struct; nearfar_nearest_result_init sets it
  /// A row of k for each query: numbers of keys, nearest first, then -1 where there are fewer.
  int64_t* indices;
  /// Likewise: their scores; where there is none, infinitely far.
  double* scores;
  int64_t* counts;           ///< keys found of each query, at most k
  int64_t queries_capacity;  ///< queries that fit each of them
} nearfar_nearest_result;

/// No buffers. NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_nearest_result_init(nearfar_nearest_result* result, size_t size);

/// The k nearest keys (M x D) of each query (N x D), exactly, without those that are `known` (may
/// be null) to be positive: hard negatives.
nearfar_status nearfar_nearest_keys(const nearfar_nearest_options* options,
                                    const nearfar_rows* queries, const nearfar_rows* keys,
                                    const nearfar_known_positives* known,
                                    nearfar_workspace* workspace, nearfar_nearest_result* result);

// ---- signs of collapse --------------------------------------------------------------------------

/// The result of nearfar_collapse: nearfar::CollapseResult but for the effective rank, which C
/// lacks.
typedef struct nearfar_collapse_result {
  size_t size;            ///< of this struct; nearfar_collapse_result_init sets it
  double mean_cosine;     ///< over pairs of rows, in [-1, 1]; 0 for fewer than two rows
  double mean_norm;       ///< of |x_i|
  double norm_deviation;  ///< standard deviation of |x_i|, of all N: divided by N
  int64_t rows;
  int64_t zero_rows;  ///< of these, without a direction
} nearfar_collapse_result;

/// Zeros. NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_collapse_result_init(nearfar_collapse_result* result, size_t size);

/// Whether rows x (N x D) point the same way, vanish or scatter.
nearfar_status nearfar_collapse(const nearfar_rows* x, nearfar_workspace* workspace,
                                nearfar_collapse_result* result);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
