#pragma once

#include "golden/runner.hpp"

/// \file
/// Losses over labels whose terms are tuples of rows.

namespace golden {

/// Value and gradient of a loss for a batch x with labels.
template <class Line, class S, class K, class Through, class Options>
Computed<S> over_batch(Case& c, const Options& options) {
  Computed<S> out;
  out.loss = Through::template labelled<Line, S, K>(options, c.matrix<S>("x"), c.labels("labels"),
                                                    out.gradients["x"]);
  return out;
}

/// Cases have a scale, the inverse of the temperature.
template <class S, class Through>
Computed<S> nca(Case& c) {
  const nearfar::NcaOptions options{.temperature = 1 / c.number("scale"),
                                    .reduction = c.reduction()};
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    return over_batch<nearfar::registered::nca, S, K, Through>(c, options);
  });
}

template <class S, class Through>
Computed<S> tuplet_margin(Case& c) {
  return over_batch<nearfar::registered::tuplet_margin, S, nearfar::Cosine, Through>(
      c, nearfar::TupletMarginOptions{.temperature = 1 / c.number("scale"),
                                      .margin = c.number("margin"),
                                      .reduction = c.reduction()});
}

/// Only the difference of a case's two margins counts.
template <class S, class Through>
Computed<S> generalized_lifted_structure(Case& c) {
  const nearfar::GeneralizedLiftedStructureOptions options{
      .margin = c.number("negative_margin") - c.number("positive_margin"),
      .reduction = c.reduction()};
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    return over_batch<nearfar::registered::generalized_lifted_structure, S, K, Through>(c, options);
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

/// Runners of losses over labels, through the classes or through an interface to them.
template <class S, class Through>
std::map<std::string, Runner<S>> labelled_runners() {
  // The first runner of a name stays: it has options that the line of the register does not have.
  std::map<std::string, Runner<S>> out = {
      {"multi_similarity_mined", over_labels<S, nearfar::registered::multi_similarity, Through>},
      {"nca", nca<S, Through>},
      {"tuplet_margin", tuplet_margin<S, Through>},
      {"generalized_lifted_structure", generalized_lifted_structure<S, Through>},
  };
  out.merge(registered_runners<S, Through>());
  out.erase("margin_loss");  // its boundaries are inputs
  return out;
}

template <class S>
std::map<std::string, Runner<S>> tuples_runners() {
  return {{"margin_loss", margin_loss<S>}};
}

}  // namespace golden
