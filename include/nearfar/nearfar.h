#ifndef NEARFAR_NEARFAR_H
#define NEARFAR_NEARFAR_H

/// \file
/// nearfar's losses in C, for programs and for languages that call C. The same bits as the C++
/// classes give, for all of their losses and kernels, float and double.
///
/// A loss is made from its settings and may be used by any number of threads; a call takes views of
/// the caller's rows and writes gradients into the caller's memory:
///
/// ```c
/// nearfar_info_nce_options options;
/// nearfar_info_nce_options_init(&options, sizeof options);
/// options.temperature = 0.1;
/// nearfar_loss* loss = NULL;
/// if (nearfar_info_nce_create(&options, &loss) != NEARFAR_OK) { puts(nearfar_last_error()); ... }
///
/// nearfar_rows queries = nearfar_float_rows(q, n, d), keys = nearfar_float_rows(k, n, d);
/// nearfar_gradient d_queries = nearfar_float_gradient(dq, n, d);  // dq: n x d floats
/// nearfar_result result;
/// nearfar_result_init(&result, sizeof result);
/// nearfar_two_sets_forward_backward(loss, &queries, &keys, NULL, &d_queries, NULL, NULL, &result);
/// // result.value, dq
/// nearfar_loss_destroy(loss);
/// ```
///
/// Common to all functions:
/// - Every function of the interface but one, which only spares a line in C, is a symbol of the
///   library.
/// - A function that can fail returns a nearfar_status; nearfar_last_error() has the message. A
///   call that fails has written nothing: no gradient, no result. No C++ exception comes out.
/// - Structs that may grow begin with their size. Their `_init` sets all members to defaults and
///   takes `sizeof` of what it is given. New members come at the end: code that was compiled before
///   they were added passes a smaller size, which means their defaults. A size beyond that of the
///   library's own struct is refused. Structs without a size never change.
/// - Choices are 32-bit integers with the constants below; others are refused.
/// - Nothing is copied that need not be, and nothing of the caller's is kept after a call, but for
///   the matrix of a kernel (see nearfar_rows in the options), which must outlive the loss.

#include "nearfar/c/basics.h"
#include "nearfar/c/calls.h"
#include "nearfar/c/dlpack.h"
#include "nearfar/c/losses.h"
#include "nearfar/c/memory.h"
#include "nearfar/c/metrics.h"
#include "nearfar/c/sampling.h"
#include "nearfar/c/scores.h"
#include "nearfar/c/targets.h"

#endif
