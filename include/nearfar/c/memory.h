#ifndef NEARFAR_C_MEMORY_H
#define NEARFAR_C_MEMORY_H

#include "nearfar/c/targets.h"

/// \file
/// Embeddings kept between steps: nearfar::KeyQueue, nearfar::CrossBatchMemory and
/// nearfar::MemoryBank. Numbers are of the type that `_create` is given; of NEARFAR_BFLOAT16 and
/// NEARFAR_HALF they are rounded to nearest, and views are of that type: for calls that compute in
/// float. Each is made by `_create` and freed by `_destroy`, for which null is no error. One that
/// is pushed to, updated or loaded may not be in use by another thread. Views hold until then.
///
/// `_save` writes a file, and `_load` takes one that was saved from a memory of the same kind,
/// scalar type and sizes; C++ reads and writes the same files. NEARFAR_FILE for a file that cannot
/// be written or read, is damaged or of something else; the memory, or the file, is then as before.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

// ---- key queue ----------------------------------------------------------------------------------

/// The newest keys of earlier batches, as negatives: nearfar::KeyQueue.
typedef struct nearfar_key_queue nearfar_key_queue;

/// An empty queue of at most `capacity` keys of `dim` elements. NEARFAR_INVALID_ARGUMENT unless
/// both are > 0.
nearfar_status nearfar_key_queue_create(nearfar_scalar scalar, int64_t capacity, int64_t dim,
                                        nearfar_key_queue** queue);

/// Appends keys (n x dim); the oldest make room. `ids`, one a key, may be null; either all keys
/// have ids or none.
nearfar_status nearfar_key_queue_push(nearfar_key_queue* queue, const nearfar_rows* keys,
                                      const nearfar_integers* ids);

/// Sets `keys` to a view of those that the queue holds, and `ids` (may be null) to one of their
/// ids, of none where none were given: for nearfar_negatives.
nearfar_status nearfar_key_queue_view(const nearfar_key_queue* queue, nearfar_rows* keys,
                                      nearfar_integers* ids);

nearfar_status nearfar_key_queue_clear(nearfar_key_queue* queue);
nearfar_status nearfar_key_queue_save(const nearfar_key_queue* queue, const char* file);
nearfar_status nearfar_key_queue_load(nearfar_key_queue* queue, const char* file);
void nearfar_key_queue_destroy(nearfar_key_queue* queue);

// ---- cross-batch memory -------------------------------------------------------------------------

/// The newest rows of earlier batches with their labels, as references:
/// nearfar::CrossBatchMemory.
typedef struct nearfar_cross_batch_memory nearfar_cross_batch_memory;

/// An empty memory of at most `capacity` rows of `dim` elements. NEARFAR_INVALID_ARGUMENT unless
/// both are > 0.
nearfar_status nearfar_cross_batch_memory_create(nearfar_scalar scalar, int64_t capacity,
                                                 int64_t dim, nearfar_cross_batch_memory** memory);

/// Appends rows (n x dim) with a label each; the oldest make room. `ids`, one a row, may be null;
/// either all rows have ids or none.
nearfar_status nearfar_cross_batch_memory_push(nearfar_cross_batch_memory* memory,
                                               const nearfar_rows* rows,
                                               const nearfar_integers* labels,
                                               const nearfar_integers* ids);

/// Sets `rows` to a view of those that the memory holds, and `targets`, a nearfar_targets of
/// `targets_size` bytes, to their labels, and ids where there are some: for
/// nearfar_references_forward.
nearfar_status nearfar_cross_batch_memory_view(const nearfar_cross_batch_memory* memory,
                                               nearfar_rows* rows, nearfar_targets* targets,
                                               size_t targets_size);

nearfar_status nearfar_cross_batch_memory_clear(nearfar_cross_batch_memory* memory);
nearfar_status nearfar_cross_batch_memory_save(const nearfar_cross_batch_memory* memory,
                                               const char* file);
nearfar_status nearfar_cross_batch_memory_load(nearfar_cross_batch_memory* memory,
                                               const char* file);
void nearfar_cross_batch_memory_destroy(nearfar_cross_batch_memory* memory);

// ---- memory bank --------------------------------------------------------------------------------

/// A row of unit length for each sample of a data set: nearfar::MemoryBank.
typedef struct nearfar_memory_bank nearfar_memory_bank;

/// Settings of a memory bank.
typedef struct nearfar_memory_bank_options {
  size_t size;
  double momentum;  ///< 0.5; m in [0, 1): how much of the old row stays
  uint64_t seed;    ///< 0; of the rows it starts with
} nearfar_memory_bank_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_memory_bank_options_init(nearfar_memory_bank_options* options, size_t size);

/// `count` random rows of `dim` elements; null options are the defaults. NEARFAR_INVALID_ARGUMENT
/// unless both numbers are > 0 and the momentum is in [0, 1).
nearfar_status nearfar_memory_bank_create(nearfar_scalar scalar, int64_t count, int64_t dim,
                                          const nearfar_memory_bank_options* options,
                                          nearfar_memory_bank** bank);

/// Sets `rows` to a view of all rows, row i that of sample i.
nearfar_status nearfar_memory_bank_view(const nearfar_memory_bank* bank, nearfar_rows* rows);

/// Copies the rows of n samples to `out`, n x dim of the bank's type, which is overwritten.
nearfar_status nearfar_memory_bank_gather(const nearfar_memory_bank* bank,
                                          const nearfar_integers* indices,
                                          const nearfar_gradient* out);

/// Mixes new embeddings x (n x dim) into the rows of n samples: nearfar::MemoryBank::update.
nearfar_status nearfar_memory_bank_update(nearfar_memory_bank* bank,
                                          const nearfar_integers* indices, const nearfar_rows* x);

nearfar_status nearfar_memory_bank_save(const nearfar_memory_bank* bank, const char* file);
nearfar_status nearfar_memory_bank_load(nearfar_memory_bank* bank, const char* file);
void nearfar_memory_bank_destroy(nearfar_memory_bank* bank);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
