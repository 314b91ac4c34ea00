#pragma once

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/losses/register.hpp"

/// \file
/// Losses over labels, each in two forms: a batch x (N x D), whose rows are compared with all other
/// rows; and queries (N x D), the anchors, compared with references (M x D). Labels are int64
/// tensors, one a row, or another rule of TensorTargets. What all functions have in common is said
/// in nearfar/adapters/torch.hpp.
///
/// For each line of NEARFAR_LOSSES_OVER_LABELS, such as `multi_similarity`:
///
///     Tensor NAME(x, labels, const OPTIONS& options = {}, const K& kernel = {})
///     Tensor NAME(queries, query_labels, references, reference_labels, const OPTIONS& options =
///     {},
///                 const K& kernel = {})
///
/// with `const TemperatureTensor& learnt = {}` before the kernel where the class's result has
/// d_temperature, as `sup_con`, and `const BoundaryTensor& learnt = {}` where it has d_beta. The
/// kernel is the class's own unless given.

namespace nearfar::libtorch {

namespace detail {

/// What a loss over labels returns.
template <class Line>
using LabelResult =
    decltype(std::declval<typename Line::template Loss<float>>().forward(Rows<float>(), Targets()));

template <class Line>
using OwnKernel =
    std::remove_cvref_t<decltype(std::declval<typename Line::template Loss<float>>().kernel())>;

template <class Line>
concept LearnsBoundary = requires(LabelResult<Line> result) {
  result.d_beta;
};
template <class Line>
concept LearnsNumber = LearnsBoundary<Line> || requires(LabelResult<Line> result) {
  result.d_temperature;
};

/// The tensor of a loss that learns a number.
template <class Line>
using LearntTensor = std::conditional_t<LearnsBoundary<Line>, BoundaryTensor, TemperatureTensor>;

template <class Line>
std::vector<Number<typename Line::Options, LabelResult<Line>>> learnt_by(
    const LearntTensor<Line>& learnt) {
  using Options = typename Line::Options;
  using R = LabelResult<Line>;
  if constexpr (LearnsBoundary<Line>) {
    return {{"beta", learnt.beta, &Options::beta, &R::d_beta}};
  } else {
    return temperature_of<Options, R>(learnt);
  }
}

}  // namespace detail

#define NEARFAR_TORCH_OVER_LABELS(name, Class, Options, ...)                                      \
  template <class K = detail::OwnKernel<registered::name>>                                        \
  requires(!detail::LearnsNumber<registered::name>) Tensor name(                                  \
      const Tensor& x, const TensorTargets& labels, const Options& options = {},                  \
      const K& kernel = {}) {                                                                     \
    return detail::over_batch<Class, detail::LabelResult<registered::name>>(x, labels, options,   \
                                                                            kernel);              \
  }                                                                                               \
  template <class K = detail::OwnKernel<registered::name>>                                        \
  requires(!detail::LearnsNumber<registered::name>) Tensor name(                                  \
      const Tensor& queries, const TensorTargets& query_labels, const Tensor& references,         \
      const TensorTargets& reference_labels, const Options& options = {}, const K& kernel = {}) { \
    return detail::over_references<Class, detail::LabelResult<registered::name>>(                 \
        queries, query_labels, references, reference_labels, options, kernel);                    \
  }                                                                                               \
  template <class K = detail::OwnKernel<registered::name>>                                        \
  requires(detail::LearnsNumber<registered::name>) Tensor name(                                   \
      const Tensor& x, const TensorTargets& labels, const Options& options = {},                  \
      const detail::LearntTensor<registered::name>& learnt = {}, const K& kernel = {}) {          \
    return detail::over_batch<Class, detail::LabelResult<registered::name>>(                      \
        x, labels, options, kernel, detail::learnt_by<registered::name>(learnt));                 \
  }                                                                                               \
  template <class K = detail::OwnKernel<registered::name>>                                        \
  requires(detail::LearnsNumber<registered::name>) Tensor name(                                   \
      const Tensor& queries, const TensorTargets& query_labels, const Tensor& references,         \
      const TensorTargets& reference_labels, const Options& options = {},                         \
      const detail::LearntTensor<registered::name>& learnt = {}, const K& kernel = {}) {          \
    return detail::over_references<Class, detail::LabelResult<registered::name>>(                 \
        queries, query_labels, references, reference_labels, options, kernel,                     \
        detail::learnt_by<registered::name>(learnt));                                             \
  }
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_TORCH_OVER_LABELS)
#undef NEARFAR_TORCH_OVER_LABELS

namespace detail {

/// Boundaries, a number each class, as the column that the class takes.
inline Tensor column_of_boundaries(const Tensor& betas) {
  check_rows("betas", betas, 1, 1);
  return betas.unsqueeze(1);
}

}  // namespace detail

/// MarginLoss with a boundary for each class in the place of the option: betas (C), which get a
/// gradient where they require one. Labels are from 0 to C - 1.
template <class K = Euclidean>
Tensor margin_loss_per_class(const Tensor& x, const TensorTargets& labels, const Tensor& betas,
                             const MarginLossOptions& options = {}, const K& kernel = {}) {
  return detail::call<MarginLoss, Result>(
      {{"x", x}, {"betas", detail::column_of_boundaries(betas)}}, options, kernel, {},
      [labels](const auto& views) { return std::tuple(views[0], labels.view(), views[1]); });
}
template <class K = Euclidean>
Tensor margin_loss_per_class(const Tensor& queries, const TensorTargets& query_labels,
                             const Tensor& references, const TensorTargets& reference_labels,
                             const Tensor& betas, const MarginLossOptions& options = {},
                             const K& kernel = {}) {
  return detail::call<MarginLoss, Result>(
      {{"queries", queries},
       {"references", references},
       {"betas", detail::column_of_boundaries(betas)}},
      options, kernel, {}, [query_labels, reference_labels](const auto& views) {
        return std::tuple(views[0], query_labels.view(), views[1], reference_labels.view(),
                          views[2]);
      });
}

/// CentroidTriplet of a batch: rows and the centroids of their classes.
template <class K = Euclidean>
Tensor centroid_triplet(const Tensor& x, const TensorTargets& labels,
                        const CentroidTripletOptions& options = {}, const K& kernel = {}) {
  return detail::over_batch<CentroidTriplet, Result>(x, labels, options, kernel);
}

/// HadsellContrastive: all pairs.
template <class K = Euclidean>
Tensor hadsell(const Tensor& x, const TensorTargets& labels, const HadsellOptions& options = {},
               const K& kernel = {}) {
  return detail::over_batch<HadsellContrastive, Result>(x, labels, options, kernel);
}
template <class K = Euclidean>
Tensor hadsell(const Tensor& queries, const TensorTargets& query_labels, const Tensor& references,
               const TensorTargets& reference_labels, const HadsellOptions& options = {},
               const K& kernel = {}) {
  return detail::over_references<HadsellContrastive, Result>(queries, query_labels, references,
                                                             reference_labels, options, kernel);
}

}  // namespace nearfar::libtorch
