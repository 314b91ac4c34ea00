#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/centroids.hpp"
#include "nearfar/engine/labelled_rows.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/centroid_triplet.hpp"
#include "nearfar/terms/centroid_term.hpp"

namespace nearfar::detail {

/// Throws unless targets give each of `rows` rows one label.
inline void check_classes(const NamedTargets& of, Index rows) {
  if (of.targets.rule() != Targets::Rule::labels) {
    fail_argument(of.name, "a label a row: a class has a centroid", "another rule");
  }
  if (of.targets.has_ids()) fail_argument(of.name, "no ids: a class has a centroid", "ids");
  check_targets(of, rows, of, rows, true);
}

template <class S>
Result evaluate(const CentroidTripletOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 1>& inputs, const Targets& given) {
  Call<S> call(kernel, options.reduction, inputs);
  Scratch& scratch = call.scratch();
  const LabelledRows labelled = labelled_rows(scratch, {"labels", given}, inputs.rows[0].rows());
  call.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]}, labelled.rows);
  call.check(labelled.rows);
  const Index n = labelled.rows.count;
  check_classes({"labels", labelled.targets}, n);
  const Targets targets = pair_classes(scratch, labelled.targets);
  Upstream upstream = call.wants_gradients() ? call.upstream() : Upstream();
  if (targets.has_weights()) upstream = upstream.weighted(targets.weights().data(), n);
  const Centroids<S> centroids(scratch, call.threads(), call.input(0), targets.labels());
  call.add_made(Side::key, "centroids", centroids.rows());
  call.pack();

  Result result;
  Diagnostics& d = result.diagnostics;
  const PairedScores<S> own(scratch, n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), own, centroids.classes());
  CentroidTerm<S> term(scratch, n, centroids, own.s, options.margin,
                       kernel.function == ScoreFunction::square_root ? 1 : 2, upstream);
  d.anchors = n;
  const Index others = centroids.count() - 1;
  for (Index i = 0; i < n; ++i) {
    d.anchors_without_positive += term.is_anchor(i) ? 0 : 1;
    d.anchors_without_negative += others == 0 ? 1 : 0;
    d.terms += term.is_anchor(i) ? others : 0;
  }
  const std::int64_t unusable = others > 0 ? d.anchors_without_positive : d.anchors;
  refuse_unusable(options.unusable_anchors, unusable, "without a positive or a negative");
  call.run(term, 0, 1, d);
  for (Index i = 0; i < n; ++i) d.active_terms += term[i].active;
  call.reduce(
      n, [&](Index i) { return upstream.weight(i) * term.value(i); }, result);
  if (call.gradients(0).wanted()) {
    centroids.add_to_rows(call.rows(1), call.gradients(1), call.rows(0), call.gradients(0));
  }
  call.scatter(gradient_scale(options.reduction, d, upstream));
  return result;
}

}  // namespace nearfar::detail
