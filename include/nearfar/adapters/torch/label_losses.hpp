#pragma once

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/losses/circle.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/losses/multi_similarity.hpp"
#include "nearfar/losses/sup_con.hpp"

/// \file
/// Losses over labels, each in two forms: a batch x (N x D), whose rows are compared with all other
/// rows; and queries (N x D), the anchors, compared with references (M x D). Labels are int64
/// tensors, one a row, or another rule of TensorTargets. What all functions have in common is said
/// in nearfar/adapters/torch.hpp.

namespace nearfar::libtorch {

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

/// LinearContrastive: all pairs, with linear hinges.
template <class K = Euclidean>
Tensor linear_contrastive(const Tensor& x, const TensorTargets& labels,
                          const LinearContrastiveOptions& options = {}, const K& kernel = {}) {
  return detail::over_batch<LinearContrastive, LinearContrastiveResult>(x, labels, options, kernel);
}
template <class K = Euclidean>
Tensor linear_contrastive(const Tensor& queries, const TensorTargets& query_labels,
                          const Tensor& references, const TensorTargets& reference_labels,
                          const LinearContrastiveOptions& options = {}, const K& kernel = {}) {
  return detail::over_references<LinearContrastive, LinearContrastiveResult>(
      queries, query_labels, references, reference_labels, options, kernel);
}

/// MinedTriplet: triplets mined from labels, by Mining.
template <class K = Euclidean>
Tensor mined_triplet(const Tensor& x, const TensorTargets& labels,
                     const MinedTripletOptions& options = {}, const K& kernel = {}) {
  return detail::over_batch<MinedTriplet, MinedTripletResult>(x, labels, options, kernel);
}
template <class K = Euclidean>
Tensor mined_triplet(const Tensor& queries, const TensorTargets& query_labels,
                     const Tensor& references, const TensorTargets& reference_labels,
                     const MinedTripletOptions& options = {}, const K& kernel = {}) {
  return detail::over_references<MinedTriplet, MinedTripletResult>(
      queries, query_labels, references, reference_labels, options, kernel);
}

/// MultiSimilarity.
template <class K = Cosine>
Tensor multi_similarity(const Tensor& x, const TensorTargets& labels,
                        const MultiSimilarityOptions& options = {}, const K& kernel = {}) {
  return detail::over_batch<MultiSimilarity, Result>(x, labels, options, kernel);
}
template <class K = Cosine>
Tensor multi_similarity(const Tensor& queries, const TensorTargets& query_labels,
                        const Tensor& references, const TensorTargets& reference_labels,
                        const MultiSimilarityOptions& options = {}, const K& kernel = {}) {
  return detail::over_references<MultiSimilarity, Result>(queries, query_labels, references,
                                                          reference_labels, options, kernel);
}

/// Circle; its gradient is the published one, weights constant, unless options say otherwise.
template <class K = Cosine>
Tensor circle(const Tensor& x, const TensorTargets& labels, const CircleOptions& options = {},
              const K& kernel = {}) {
  return detail::over_batch<Circle, Result>(x, labels, options, kernel);
}
template <class K = Cosine>
Tensor circle(const Tensor& queries, const TensorTargets& query_labels, const Tensor& references,
              const TensorTargets& reference_labels, const CircleOptions& options = {},
              const K& kernel = {}) {
  return detail::over_references<Circle, Result>(queries, query_labels, references,
                                                 reference_labels, options, kernel);
}

/// LiftedStructure.
template <class K = Euclidean>
Tensor lifted_structure(const Tensor& x, const TensorTargets& labels,
                        const LiftedStructureOptions& options = {}, const K& kernel = {}) {
  return detail::over_batch<LiftedStructure, Result>(x, labels, options, kernel);
}
template <class K = Euclidean>
Tensor lifted_structure(const Tensor& queries, const TensorTargets& query_labels,
                        const Tensor& references, const TensorTargets& reference_labels,
                        const LiftedStructureOptions& options = {}, const K& kernel = {}) {
  return detail::over_references<LiftedStructure, Result>(queries, query_labels, references,
                                                          reference_labels, options, kernel);
}

/// SupCon.
template <class K = Cosine>
Tensor sup_con(const Tensor& x, const TensorTargets& labels, const SupConOptions& options = {},
               const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::over_batch<SupCon, TemperatureResult>(
      x, labels, options, kernel, detail::temperature_of<SupConOptions, TemperatureResult>(learnt));
}
template <class K = Cosine>
Tensor sup_con(const Tensor& queries, const TensorTargets& query_labels, const Tensor& references,
               const TensorTargets& reference_labels, const SupConOptions& options = {},
               const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::over_references<SupCon, TemperatureResult>(
      queries, query_labels, references, reference_labels, options, kernel,
      detail::temperature_of<SupConOptions, TemperatureResult>(learnt));
}

}  // namespace nearfar::libtorch
