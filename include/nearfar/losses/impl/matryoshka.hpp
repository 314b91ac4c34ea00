#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/prefix_pass.hpp"
#include "nearfar/losses/matryoshka.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

template <class S>
MatryoshkaResult evaluate(const MatryoshkaOptions& options, const KernelValue<S>& kernel,
                          const Inputs<S, 2>& inputs) {
  const auto& [queries, keys] = inputs.rows;
  const Index n = queries.rows();
  if (keys.rows() < n) {
    fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  if (n > 0 && queries.cols() != options.prefixes.back()) {
    fail_argument("prefixes", std::to_string(queries.cols()) + ", the rows' elements, as the last",
                  std::to_string(options.prefixes.back()));
  }
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.check(n);
  refuse_unusable(options.unusable_anchors, keys.rows() == 1 ? n : 0, "without a negative");
  call.pack();

  std::vector<OnePositiveSoftmax<S>> terms;
  std::vector<RowTerm<S>*> rows;
  terms.reserve(options.prefixes.size());
  for (std::size_t p = 0; p < options.prefixes.size(); ++p) {
    terms.emplace_back(
        call.scratch(), n,
        OnePositiveSettings<S>{kernel.sign(), options.temperature, options.denominator},
        call.upstream());
    rows.push_back(&terms.back());
  }
  MatryoshkaResult result;
  Diagnostics& d = result.diagnostics;
  if (n > 0) {
    PrefixPass<S> pass(call.scratch(), call.threads(), kernel.geometry, call.rows(0), call.rows(1),
                       options.prefixes);
    if (call.wants_gradients()) {
      pass.forward_backward(rows, options.weights, call.gradients(0), call.gradients(1), d);
    } else {
      pass.forward(rows, d);
    }
  }
  const auto value_of = [&](Index i) {
    double sum = 0;
    for (std::size_t p = 0; p < terms.size(); ++p) sum += options.weights[p] * terms[p].value(i);
    return sum;
  };
  count_terms(
      n, value_of, [&](Index i) { return terms[0][i].negatives; }, d);
  call.reduce(n, value_of, result);
  for (const OnePositiveSoftmax<S>& term : terms) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += term.value(i);
    result.prefix_values.push_back(sum * reduction_scale(options.reduction, d));
  }
  if (!call.wants_gradients()) return result;
  const double scale = call.scale(d);
  double d_temperature = 0;
  for (std::size_t p = 0; p < terms.size(); ++p) {
    d_temperature += options.weights[p] * terms[p].temperature_gradient(scale);
  }
  result.d_temperature = checked_derivative("d_temperature", d_temperature);
  call.scatter(scale);
  return result;
}

}  // namespace nearfar::detail
