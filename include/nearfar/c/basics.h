#ifndef NEARFAR_C_BASICS_H
#define NEARFAR_C_BASICS_H

#include <stddef.h>
#include <stdint.h>

/// \file
/// Parts of the C interface: errors, views of the caller's memory, scratch memory.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

// ---- errors and version -------------------------------------------------------------------------

/// How a call went.
typedef int32_t nearfar_status;
enum {
  NEARFAR_OK = 0,
  NEARFAR_INVALID_ARGUMENT = 1,  ///< a null pointer, a shape, a label, an option, a struct's size
  NEARFAR_NOT_FINITE = 2,        ///< NaN or infinity in the input, or no finite result exists
  NEARFAR_OUT_OF_MEMORY = 3,
  NEARFAR_INTERNAL = 4,  ///< anything else: a bug of nearfar's
  NEARFAR_FILE = 5       ///< a file that cannot be written or read, or does not hold what it should
};

/// The meaning of a status, in a few words; for a number that is none, "unknown status". Never
/// null.
const char* nearfar_status_message(nearfar_status status);

/// Why the last call that failed on this thread did: "nearfar: <argument>: wanted <what>, got
/// <what>". An empty string before any has failed. Calls that succeed leave it as it is. The text
/// is the thread's, at most 1023 bytes, and stays until its next call that fails.
const char* nearfar_last_error(void);

/// The library's version, "0.1.0".
const char* nearfar_version(void);

/// The instruction set that losses run with, "baseline", "avx2" or "avx512": see
/// nearfar::active_instruction_set.
const char* nearfar_instruction_set_name(void);

/// How a call multiplies rows: see nearfar::Products.
typedef int32_t nearfar_products;
enum {
  NEARFAR_PRODUCTS_SCALAR = 0,   ///< in the type that the call computes in
  NEARFAR_PRODUCTS_BFLOAT16 = 1  ///< in bfloat16 with sums in float; rows are NEARFAR_BFLOAT16
};

/// 1 if calls take NEARFAR_PRODUCTS_BFLOAT16: the processor has AVX-512 BF16, and the instruction
/// set is avx512. Else 0.
int32_t nearfar_has_bfloat16_products(void);

/// Where equal calls give equal bits: see nearfar::Determinism.
typedef int32_t nearfar_determinism;
enum {
  NEARFAR_ACROSS_THREADS = 0,  ///< at any number of threads, with one instruction set
  NEARFAR_ACROSS_MACHINES = 1  ///< on every x86-64 processor, and with any build of this version
};

/// Sets where equal calls give equal bits, for all later calls of the program. No call of the
/// library may run in another thread meanwhile. NEARFAR_INVALID_ARGUMENT if the library was built
/// for one instruction set.
nearfar_status nearfar_set_determinism(nearfar_determinism wanted);

// ---- rows in, gradients out ---------------------------------------------------------------------

/// Type of elements. No type is 0, so that a forgotten one is found.
typedef int32_t nearfar_scalar;
enum {
  NEARFAR_FLOAT = 1,
  NEARFAR_DOUBLE = 2,
  NEARFAR_BFLOAT16 = 3,  ///< in calls that compute in float, as NEARFAR_HALF
  NEARFAR_HALF = 4       ///< IEEE 754's 16 bits
};

/// A read-only view of embeddings, rows x cols: element k of row i is data[i * stride + k]. All
/// rows of a call are NEARFAR_DOUBLE, or each has one of the other types and the call computes in
/// float. So have the gradients; one that is beyond a half's range is NEARFAR_NOT_FINITE. Matrices
/// of kernels, numbers and memory for results other than gradients are float or double. A
/// column-major D x N matrix is the same memory: N rows of D.
typedef struct nearfar_rows {
  const void* data;  ///< elements as `scalar` says; null only where there is no element
  int64_t rows;      ///< >= 0
  int64_t cols;      ///< >= 0
  int64_t stride;    ///< elements from one row to the next, >= cols; 0: cols
  nearfar_scalar scalar;
} nearfar_rows;

/// Use of a gradient's memory by a call.
typedef int32_t nearfar_write;
enum {
  NEARFAR_OVERWRITE = 0,  ///< whatever it held
  NEARFAR_ACCUMULATE = 1  ///< adds to what it holds
};

/// Memory for a gradient, or for other rows that a call writes, laid out as nearfar_rows. The shape
/// of a gradient is that of the rows it is the gradient of. A null nearfar_gradient* says that
/// nobody wants that gradient, and saves the work.
typedef struct nearfar_gradient {
  void* data;
  int64_t rows;
  int64_t cols;
  int64_t stride;  ///< elements from one row to the next, >= cols; 0: cols
  nearfar_scalar scalar;
  nearfar_write write;
} nearfar_gradient;

/// Integers, one a row: labels, indices, ids.
typedef struct nearfar_integers {
  const int64_t* data;  ///< null: none are given
  int64_t count;        ///< >= 0
} nearfar_integers;

/// Numbers of double, one a row or one a column.
typedef struct nearfar_doubles {
  const double* data;  ///< null: none are given
  int64_t count;       ///< >= 0
} nearfar_doubles;

/// Contiguous rows of float.
nearfar_rows nearfar_float_rows(const float* data, int64_t rows, int64_t cols);

/// Contiguous rows of double.
nearfar_rows nearfar_double_rows(const double* data, int64_t rows, int64_t cols);

/// Contiguous rows of float for a gradient, which overwrites them.
nearfar_gradient nearfar_float_gradient(float* data, int64_t rows, int64_t cols);

/// Contiguous rows of double for a gradient, which overwrites them.
nearfar_gradient nearfar_double_gradient(double* data, int64_t rows, int64_t cols);

// ---- kernels ------------------------------------------------------------------------------------

/// The kernel, which turns two rows into a score: nearfar/kernels.
typedef int32_t nearfar_kernel;
enum {
  NEARFAR_COSINE = 0,
  NEARFAR_INNER_PRODUCT = 1,
  NEARFAR_EUCLIDEAN = 2,
  NEARFAR_SQUARED_EUCLIDEAN = 3,
  NEARFAR_COSINE_DISTANCE = 4,
  /// |L (x - y)|, `matrix` is L, E x D. Options hold a view: L must outlive the loss, and an
  /// optimiser may change it in place between calls.
  NEARFAR_MAHALANOBIS = 5,
  NEARFAR_BILINEAR = 6  ///< y^T W x, `matrix` is W, (columns of y) x (columns of x); else as above
};

// ---- scratch memory -----------------------------------------------------------------------------

/// Scratch memory that calls may share, one call at a time: see nearfar::Workspace. Keep one a
/// thread; after the first call of a given shape, later ones allocate nothing for their scratch.
typedef struct nearfar_workspace nearfar_workspace;

/// Makes a workspace whose calls use `threads` threads; 0: OpenMP's own setting. The caller
/// destroys it. NEARFAR_INVALID_ARGUMENT when `threads` is negative or `workspace` null.
nearfar_status nearfar_workspace_create(int32_t threads, nearfar_workspace** workspace);

/// Bytes held from call to call; 0 for null.
size_t nearfar_workspace_bytes(const nearfar_workspace* workspace);

/// Frees a workspace that no call is using. Null is no error.
void nearfar_workspace_destroy(nearfar_workspace* workspace);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
