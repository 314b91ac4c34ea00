#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"

/// \file
/// Losses of predictions and targets of two views, without negatives. Each prediction is drawn to
/// the target of the other view. Targets are constants: projections with SimSiam, outputs of the
/// target network with BYOL.

namespace nearfar {

/// Settings of NegativeCosine.
struct NegativeCosineOptions {
  Reduction reduction = Reduction::mean;  ///< terms are samples, N of them

  /// Calls visit("reduction", o.reduction...).
  static void fields(const auto& visit, auto&... o) { visit("reduction", o.reduction...); }
};

/// Settings of Byol.
struct ByolOptions {
  Reduction reduction = Reduction::mean;  ///< terms are samples, N of them

  /// Calls visit("reduction", o.reduction...).
  static void fields(const auto& visit, auto&... o) { visit("reduction", o.reduction...); }
};

namespace detail {

template <class S>
Result evaluate(const NegativeCosineOptions& options, const Inputs<S, 4>& inputs);
template <class S>
Result evaluate(const ByolOptions& options, const Inputs<S, 4>& inputs);

}  // namespace detail

/// The public calls of a loss of two views' predictions against their targets. Loss has `options()`
/// and an overload `Result detail::evaluate(options, Inputs<S, 4>)`.
template <class Loss, class S>
class PredictionCalls {
 public:
  /// The loss of the predictions of two views with the targets of both, all N x D; row i of each
  /// belongs to sample i. An empty batch has value 0. Throws std::invalid_argument on shapes that
  /// do not fit, std::domain_error on an element that is not finite.
  Result forward(Rows<S> prediction1, Rows<S> prediction2, Rows<S> target1, Rows<S> target2,
                 CallOptions<S> call = {}) const {
    return evaluate({{prediction1, prediction2, target1, target2}, {}, false, call});
  }

  /// Value and gradients of the predictions, N x D, times `call.upstream`: one number, or N numbers
  /// with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`. Targets have
  /// none.
  Result forward_backward(Rows<S> prediction1, Rows<S> prediction2, Rows<S> target1,
                          Rows<S> target2, GradientRows<S> d_prediction1,
                          GradientRows<S> d_prediction2, CallOptions<S> call = {}) const {
    return evaluate({{prediction1, prediction2, target1, target2},
                     {d_prediction1, d_prediction2, no_gradient, no_gradient},
                     true,
                     call});
  }

 private:
  Result evaluate(const detail::Inputs<S, 4>& inputs) const {
    return detail::evaluate(static_cast<const Loss&>(*this).options(), inputs);
  }
};

/// SimSiam's loss (Chen & He, Exploring simple siamese representation learning, 2021, eq. 1 to 4),
/// for predictions p, p' of two views and targets z, z' of the same views:
///
///     L_i = -1/2 cos(p_i, z'_i) - 1/2 cos(p'_i, z_i)
///
/// Terms are samples: Reduction::mean divides by N; none gives N values. The loss normalises the
/// rows; a zero row has cosine 0 and zero gradient. Time and memory are O(N D). An object is
/// immutable and may be shared by threads, each with its own Workspace. Results have the same bits
/// at any number of threads.
template <class S>
class NegativeCosine : public PredictionCalls<NegativeCosine<S>, S> {
 public:
  explicit NegativeCosine(NegativeCosineOptions options = {}) : options_(options) {}

  const NegativeCosineOptions& options() const { return options_; }

 private:
  NegativeCosineOptions options_;
};

/// BYOL's loss (Grill et al., Bootstrap your own latent, 2020, eq. 2), for predictions p, p' of two
/// views and targets z, z' of the same views:
///
///     L_i = (2 - 2 cos(p_i, z'_i)) + (2 - 2 cos(p'_i, z_i))
///
/// It is 4 + 4 times NegativeCosine's value, and has all digits near 0. Terms are samples:
/// Reduction::mean divides by N; none gives N values. The loss normalises the rows; a zero row has
/// cosine 0 and zero gradient. Time and memory are O(N D). An object is immutable and may be shared
/// by threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S>
class Byol : public PredictionCalls<Byol<S>, S> {
 public:
  explicit Byol(ByolOptions options = {}) : options_(options) {}

  const ByolOptions& options() const { return options_; }

 private:
  ByolOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/negative_cosine.hpp"
#endif
