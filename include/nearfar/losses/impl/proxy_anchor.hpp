#pragma once

#include <numeric>

#include "nearfar/losses/proxy_anchor.hpp"
#include "nearfar/terms/class_call.hpp"
#include "nearfar/terms/pair_logit_term.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const ProxyAnchorOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  // Upstream is one number, like the loss.
  ClassCall<S> call(kernel, Reduction::sum, inputs);
  Scratch& scratch = call.scratch();
  const Index n = call.own_rows(0);
  const Index classes = call.classes();
  Result result;
  Diagnostics& d = result.diagnostics;

  auto* members = scratch.take<Index>(classes);
  std::fill_n(members, classes, Index(0));
  for (Index i = 0; i < n; ++i) ++members[call.own()[i]];
  const auto present =
      static_cast<double>(classes - std::count(members, members + classes, Index(0)));
  auto* numbers = scratch.take<Index>(classes);
  std::iota(numbers, numbers + classes, Index(0));
  const Targets of_proxies = Labels(numbers, classes);
  const Targets of_rows = Labels(call.own(), n);
  const PositiveRule<S> rule(scratch, of_proxies, of_rows);

  const ProxyAnchorForm form{{options.alpha, options.alpha, 0},
                             options.alpha * options.margin,
                             present > 0 ? 1 / present : 0,
                             classes > 0 ? 1 / static_cast<double>(classes) : 0};
  PairLogitTerm<S, ProxyAnchorForm> term(scratch, classes, form, rule, call.upstream());
  call.run(term, 1, 0, d);  // proxies are the queries
  count_terms(
      classes, [&](Index c) { return term.value(c); }, [&](Index c) { return n - members[c]; }, d);
  for (Index c = 0; c < classes; ++c) d.anchors_without_positive += members[c] == 0 ? 1 : 0;
  call.reduce(
      classes, [&](Index c) { return term.value(c); }, result);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
