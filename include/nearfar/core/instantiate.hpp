#pragma once

/// \file
/// The losses that the compiled library contains. The header of a loss ends with
/// `NEARFAR_FOR_EACH_...(NEARFAR_EXTERN_LOSS, Loss)`. Its file in src/ has the same list with
/// NEARFAR_INSTANTIATE_LOSS. With NEARFAR_HEADER_ONLY the program's own files compile the losses.

#define NEARFAR_EXTERN_LOSS(Loss, S, ...) extern template class Loss<S, __VA_ARGS__>;
#define NEARFAR_INSTANTIATE_LOSS(Loss, S, ...) template class Loss<S, __VA_ARGS__>;

/// The same for losses over labels, whose calls are in one class.
#define NEARFAR_EXTERN_LABEL_LOSS(Loss, S, ...)                          \
  NEARFAR_EXTERN_LOSS(Loss, S, __VA_ARGS__)                              \
  extern template class LabelCalls<Loss<S, __VA_ARGS__>, S, __VA_ARGS__, \
                                   typename Loss<S, __VA_ARGS__>::Outcome>;
#define NEARFAR_INSTANTIATE_LABEL_LOSS(Loss, S, ...)              \
  NEARFAR_INSTANTIATE_LOSS(Loss, S, __VA_ARGS__)                  \
  template class LabelCalls<Loss<S, __VA_ARGS__>, S, __VA_ARGS__, \
                            typename Loss<S, __VA_ARGS__>::Outcome>;

/// Kernels that are distances, for both scalar types.
#define NEARFAR_FOR_EACH_DISTANCE(apply, Loss)                                   \
  apply(Loss, float, Euclidean) apply(Loss, double, Euclidean)                   \
      apply(Loss, float, SquaredEuclidean) apply(Loss, double, SquaredEuclidean) \
          apply(Loss, float, CosineDistance) apply(Loss, double, CosineDistance) \
              apply(Loss, float, Mahalanobis<float>) apply(Loss, double, Mahalanobis<double>)

/// Similarities that are symmetric in their two rows, for both scalar types.
#define NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(apply, Loss)                                \
  apply(Loss, float, Cosine) apply(Loss, double, Cosine) apply(Loss, float, InnerProduct) \
      apply(Loss, double, InnerProduct)

/// Kernels that are similarities, for both scalar types.
#define NEARFAR_FOR_EACH_SIMILARITY(apply, Loss)     \
  NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(apply, Loss) \
  apply(Loss, float, Bilinear<float>) apply(Loss, double, Bilinear<double>)
