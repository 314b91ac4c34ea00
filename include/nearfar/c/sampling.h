#ifndef NEARFAR_C_SAMPLING_H
#define NEARFAR_C_SAMPLING_H

#include "nearfar/c/basics.h"

/// \file
/// Samplers: nearfar::NoiseSampler, nearfar::MPerClassSampler and nearfar::ClassSampler.
/// Draws are a function of the seed, the step and the arguments alone. Each is made by
/// `_create`, never changes, may be shared by threads, and is freed by `_destroy`, for which null
/// is no error. Steps count modulo 2^32.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

// ---- items of a noise distribution --------------------------------------------------------------

typedef struct nearfar_noise_sampler nearfar_noise_sampler;

/// Sets `weights`, as many numbers as counts, to counts^power: word2vec's noise for power 0.75.
/// NEARFAR_INVALID_ARGUMENT on a negative or non-finite number.
nearfar_status nearfar_powered_counts(const nearfar_doubles* counts, double power, double* weights);

/// Item i has probability weights[i] / sum. NEARFAR_INVALID_ARGUMENT when there are no weights, one
/// is negative or not finite, or all are zero.
nearfar_status nearfar_noise_sampler_create(const nearfar_doubles* weights,
                                            nearfar_noise_sampler** sampler);

/// Fills `items` with draws 0 to count - 1 of a row at a step.
nearfar_status nearfar_noise_sampler_draw(const nearfar_noise_sampler* sampler, uint64_t seed,
                                          uint64_t step, uint64_t row, int64_t* items,
                                          int64_t count);

/// Sets `out`, a column of as many numbers as items, to their log probabilities, as Nce takes them.
/// NEARFAR_INVALID_ARGUMENT on an item that is not there or is never drawn.
nearfar_status nearfar_noise_sampler_log_probabilities(const nearfar_noise_sampler* sampler,
                                                       const nearfar_integers* items,
                                                       const nearfar_gradient* out);

void nearfar_noise_sampler_destroy(nearfar_noise_sampler* sampler);

// ---- batches of classes with m rows each --------------------------------------------------------

typedef struct nearfar_m_per_class_sampler nearfar_m_per_class_sampler;

/// Treatment of classes of fewer than m rows: nearfar::SmallClasses.
typedef int32_t nearfar_small_classes;
enum { NEARFAR_SMALL_CLASSES_REPEAT = 0, NEARFAR_SMALL_CLASSES_LEAVE_OUT = 1 };

typedef struct nearfar_m_per_class_options {
  size_t size;
  int64_t classes;                      ///< 8; P >= 1: classes of a batch
  int64_t m;                            ///< 4; >= 1: rows of each
  nearfar_small_classes small_classes;  ///< NEARFAR_SMALL_CLASSES_REPEAT
  uint64_t seed;                        ///< 0
} nearfar_m_per_class_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_m_per_class_options_init(nearfar_m_per_class_options* options, size_t size);

/// Draws from rows with these labels; null options are the defaults. NEARFAR_INVALID_ARGUMENT when
/// P or m is < 1, and when there are fewer than P classes to draw from.
nearfar_status nearfar_m_per_class_sampler_create(const nearfar_integers* labels,
                                                  const nearfar_m_per_class_options* options,
                                                  nearfar_m_per_class_sampler** sampler);

/// Sets `rows`, with room for `capacity` numbers, to the P m rows of batch `step`, m of a class
/// together.
nearfar_status nearfar_m_per_class_sampler_draw(const nearfar_m_per_class_sampler* sampler,
                                                uint64_t step, int64_t* rows, int64_t capacity);

void nearfar_m_per_class_sampler_destroy(nearfar_m_per_class_sampler* sampler);

// ---- classes of a softmax over some of them -----------------------------------------------------

typedef struct nearfar_class_sampler nearfar_class_sampler;

typedef struct nearfar_class_sampler_options {
  size_t size;
  int64_t classes;  ///< 1; C >= 1: labels are from 0 to C - 1
  int64_t count;    ///< 1; from 1 to C: classes of a step
  uint64_t seed;    ///< 0
} nearfar_class_sampler_options;

/// NEARFAR_INVALID_ARGUMENT unless size is that of the struct.
nearfar_status nearfar_class_sampler_options_init(nearfar_class_sampler_options* options,
                                                  size_t size);

/// NEARFAR_INVALID_ARGUMENT unless there is a class and the count is from 1 to their number.
nearfar_status nearfar_class_sampler_create(const nearfar_class_sampler_options* options,
                                            nearfar_class_sampler** sampler);

/// Sets `numbers`, with room for `capacity` of them, to the classes of a step in ascending order,
/// and `count` to how many they are: that of the options, or the classes of `labels` where these
/// are more.
nearfar_status nearfar_class_sampler_draw(const nearfar_class_sampler* sampler,
                                          const nearfar_integers* labels, uint64_t step,
                                          int64_t* numbers, int64_t capacity, int64_t* count);

void nearfar_class_sampler_destroy(nearfar_class_sampler* sampler);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
