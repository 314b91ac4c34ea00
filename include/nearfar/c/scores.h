#ifndef NEARFAR_C_SCORES_H
#define NEARFAR_C_SCORES_H

#include "nearfar/c/basics.h"

/// \file
/// Scores by a kernel, and their gradients: nearfar::paired and nearfar::pairwise.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

// In all calls: `matrix` is that of NEARFAR_MAHALANOBIS and NEARFAR_BILINEAR, null for other
// kernels; `workspace` may be null. Errors are NEARFAR_INVALID_ARGUMENT for null pointers, shapes
// and scalar types that do not fit, and memory that is written and overlaps other;
// NEARFAR_NOT_FINITE for NaN or infinity in the input, and where no finite result exists.

/// scores_i = kernel(a_i, b_i) for rows of a and b, both N x D. `scores` is N x 1, and overwritten.
nearfar_status nearfar_paired(nearfar_kernel kernel, const nearfar_rows* matrix,
                              const nearfar_rows* a, const nearfar_rows* b,
                              nearfar_workspace* workspace, const nearfar_gradient* scores);

/// Gradients of sum_i upstream_i scores_i, upstream N x 1 without gaps: da and db are N x D,
/// d_matrix has the shape of the matrix. Each may be null: not wanted.
nearfar_status nearfar_paired_backward(nearfar_kernel kernel, const nearfar_rows* matrix,
                                       const nearfar_rows* upstream, const nearfar_rows* a,
                                       const nearfar_rows* b, nearfar_workspace* workspace,
                                       const nearfar_gradient* da, const nearfar_gradient* db,
                                       const nearfar_gradient* d_matrix);

/// scores_ij = kernel(a_i, b_j) for rows of a (N x D) and b (M x D). `scores` is N x M, and
/// overwritten. Another N x M numbers are taken until the end of the call.
nearfar_status nearfar_pairwise(nearfar_kernel kernel, const nearfar_rows* matrix,
                                const nearfar_rows* a, const nearfar_rows* b,
                                nearfar_workspace* workspace, const nearfar_gradient* scores);

/// Gradients of sum_ij upstream_ij scores_ij, upstream N x M; as nearfar_paired_backward, db is
/// M x D.
nearfar_status nearfar_pairwise_backward(nearfar_kernel kernel, const nearfar_rows* matrix,
                                         const nearfar_rows* upstream, const nearfar_rows* a,
                                         const nearfar_rows* b, nearfar_workspace* workspace,
                                         const nearfar_gradient* da, const nearfar_gradient* db,
                                         const nearfar_gradient* d_matrix);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
