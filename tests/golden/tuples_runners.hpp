#pragma once

#include "golden/runner.hpp"

/// \file
/// Losses over labels whose terms are tuples of rows.

namespace golden {

/// Multi-similarity with its pair mining.
template <class S>
Computed<S> multi_similarity_mined(Case& c) {
  return over_labels<S, nearfar::registered::multi_similarity>(c);
}

/// Value and gradient of `loss` for a batch x with labels.
template <class S, class Loss>
Computed<S> over_batch(Case& c, const Loss& loss) {
  Computed<S> out;
  out.loss = loss.forward_backward(c.matrix<S>("x"), c.labels("labels"), out.gradients["x"]).value;
  return out;
}

/// Cases have a scale, the inverse of the temperature.
template <class S>
Computed<S> nca(Case& c) {
  const nearfar::NcaOptions options{.temperature = 1 / c.number("scale"),
                                    .reduction = c.reduction()};
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(
      c, [&]<class K>(const K&) { return over_batch<S>(c, nearfar::Nca<S, K>(options)); });
}

template <class S>
Computed<S> tuplet_margin(Case& c) {
  return over_batch<S>(c, nearfar::TupletMargin<S>({.temperature = 1 / c.number("scale"),
                                                    .margin = c.number("margin"),
                                                    .reduction = c.reduction()}));
}

template <class S>
Computed<S> angular(Case& c) {
  return over_batch<S>(
      c, nearfar::Angular<S>({.angle = c.number("angle"), .reduction = c.reduction()}));
}

/// Only the difference of a case's two margins counts.
template <class S>
Computed<S> generalized_lifted_structure(Case& c) {
  const nearfar::GeneralizedLiftedStructureOptions options{
      .margin = c.number("negative_margin") - c.number("positive_margin"),
      .reduction = c.reduction()};
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    return over_batch<S>(c, nearfar::GeneralizedLiftedStructure<S, K>(options));
  });
}

/// One boundary, or one for each class.
template <class S>
Computed<S> margin_loss(Case& c) {
  const bool per_class = c.is_list("beta");
  nearfar::MarginLossOptions options{.margin = c.number("margin"), .nu = c.number("nu")};
  if (!per_class) options.beta = c.input_number("beta");
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    const nearfar::MarginLoss<S, K> loss(options);
    const auto x = c.matrix<S>("x");
    const auto labels = c.labels("labels");
    Computed<S> out;
    auto& dx = out.gradients["x"];
    if (!per_class) {
      const auto result = loss.forward_backward(x, labels, dx);
      out.loss = result.value;
      out.gradients["beta"] = as_matrix<S>(result.d_beta);
      return out;
    }
    const std::vector<S> betas = c.numbers<S>("beta");
    const nearfar::Rows<S> rows(betas, static_cast<nearfar::Index>(betas.size()), 1);
    nearfar::Matrix<S> d_betas;
    out.loss = loss.forward_backward(x, labels, rows, dx, d_betas).value;
    out.gradients["beta"] = d_betas.transpose();
    return out;
  });
}

template <class S>
std::map<std::string, Runner<S>> tuples_runners() {
  return {
      {"multi_similarity_mined", multi_similarity_mined<S>},
      {"nca", nca<S>},
      {"tuplet_margin", tuplet_margin<S>},
      {"angular", angular<S>},
      {"generalized_lifted_structure", generalized_lifted_structure<S>},
      {"margin_loss", margin_loss<S>},
  };
}

}  // namespace golden
