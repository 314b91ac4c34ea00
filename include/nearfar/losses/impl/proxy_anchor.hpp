#pragma once

#include <numeric>

#include "nearfar/losses/proxy_anchor.hpp"
#include "nearfar/terms/class_call.hpp"
#include "nearfar/terms/pair_logit_term.hpp"

namespace nearfar::detail {

/// The loss in the frame of one process or of many.
template <class S, class Frame>
Result proxy_anchor(const ProxyAnchorOptions& options, Frame& call) {
  const Index n = call.own_rows(0);
  const Index classes = call.classes();
  Result result;
  Diagnostics& d = result.diagnostics;

  Index* members = nullptr;
  PositiveRule<S> rule;
  call.agree([&] {
    members = call.scratch().template take<Index>(classes);
    auto* numbers = call.scratch().template take<Index>(classes);
    std::iota(numbers, numbers + classes, Index(0));
    const Targets of_proxies = Labels(numbers, classes);
    const Targets of_rows = Labels(call.own(), n);
    rule = PositiveRule<S>(call.scratch(), of_proxies, of_rows);
  });
  std::fill_n(members, classes, Index(0));
  for (Index i = 0; i < n; ++i) ++members[call.own()[i]];
  call.add_up(members);
  const Index rows = std::accumulate(members, members + classes, Index(0));
  const auto present =
      static_cast<double>(classes - std::count(members, members + classes, Index(0)));

  const ProxyAnchorForm form{{options.alpha, options.alpha, 0},
                             options.alpha * options.margin,
                             present > 0 ? 1 / present : 0,
                             classes > 0 ? 1 / static_cast<double>(classes) : 0};
  auto term = call.template make<PairLogitTerm<S, ProxyAnchorForm>>(1, form, rule, call.upstream());
  call.run_from_proxies(term, d);
  call.combine(d);  // before proxies are counted, which all processes have
  const auto value_of = [&](Index c) { return term.value(c); };
  count_terms(
      classes, value_of, [&](Index c) { return rows - members[c]; }, d);
  for (Index c = 0; c < classes; ++c) d.anchors_without_positive += members[c] == 0 ? 1 : 0;
  call.reduce_proxies(value_of, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const ProxyAnchorOptions& options, const ProxyInputs<S>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  // Upstream is one number, like the loss.
  ClassCall<S> call(kernel, Reduction::sum, inputs);
  return proxy_anchor<S>(options, call);
}

}  // namespace nearfar::detail
