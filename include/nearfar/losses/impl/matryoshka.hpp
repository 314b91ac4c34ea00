#pragma once

#include <span>
#include <string>
#include <vector>

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/prefix_pass.hpp"
#include "nearfar/losses/matryoshka.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

/// A softmax for each prefix.
template <class S>
class PrefixTerms {
 public:
  /// In the frame of one process or of many.
  template <class Frame>
  PrefixTerms(const MatryoshkaOptions& options, Frame& call) : weights_(options.weights) {
    const std::size_t prefixes = options.prefixes.size();
    call.agree([&] {
      terms_.reserve(prefixes);
      rows_.reserve(prefixes);
    });
    for (std::size_t p = 0; p < prefixes; ++p) {
      terms_.push_back(call.template make<OnePositiveSoftmax<S>>(
          0, OnePositiveSettings<S>{call.kernel().sign(), options.temperature, options.denominator},
          call.upstream()));
      rows_.push_back(&terms_.back());
    }
  }
  PrefixTerms(const PrefixTerms&) = delete;
  PrefixTerms& operator=(const PrefixTerms&) = delete;

  /// As passes take them.
  std::span<RowTerm<S>* const> rows() const { return rows_; }

  std::size_t size() const { return terms_.size(); }
  const OnePositiveSoftmax<S>& operator[](std::size_t p) const { return terms_[p]; }

  /// sum_p weights[p] number_of(row i of prefix p).
  template <class NumberOf>
  double sum(Index i, const NumberOf& number_of) const {
    double sum = 0;
    for (std::size_t p = 0; p < size(); ++p) sum += weights_[p] * number_of(terms_[p][i]);
    return sum;
  }

 private:
  const std::vector<double>& weights_;
  std::vector<OnePositiveSoftmax<S>> terms_;
  std::vector<RowTerm<S>*> rows_;
};

/// The loss in the frame of one process or of many: run(terms, diagnostics) closes own queries over
/// all keys, with gradients if the call wants any.
template <class S, class Frame, class Run>
MatryoshkaResult matryoshka(const MatryoshkaOptions& options, Frame& call, const Run& run) {
  PrefixTerms<S> terms(options, call);
  MatryoshkaResult result;
  Diagnostics& d = result.diagnostics;
  run(terms, d);
  const Index n = call.own_rows(0);
  const auto value_of = [&](Index i) {
    return terms.sum(i, [](const SoftmaxRow<S>& row) { return row.value; });
  };
  count_terms(
      n, value_of, [&](Index i) { return terms[0][i].negatives; }, d);
  call.combine(d);
  refuse_unusable(options.unusable_anchors, d.anchors_without_negative, "without a negative");
  call.reduce(n, value_of, result);
  call.agree([&] { result.prefix_values.reserve(terms.size()); });
  for (std::size_t p = 0; p < terms.size(); ++p) {
    const double sum = call.sum(n, [&](Index i) { return terms[p].value(i); });
    result.prefix_values.push_back(sum * reduction_scale(options.reduction, d));
  }
  if (!call.wants_gradients()) return result;
  const double scale = call.scale(d);
  double d_temperature = 0;
  for (std::size_t p = 0; p < terms.size(); ++p) {
    const double moments = call.sum(n, [&](Index i) { return terms[p][i].temperature; });
    d_temperature += options.weights[p] * (-scale * moments / options.temperature);
  }
  result.d_temperature = checked_derivative("d_temperature", d_temperature);
  call.scatter(scale);
  return result;
}

/// Throws unless the longest prefix is a whole row, where there are rows.
inline void check_row_length(const MatryoshkaOptions& options, Index rows, Index cols) {
  if (rows == 0 || cols == options.prefixes.back()) return;
  fail_argument("prefixes", std::to_string(cols) + ", the rows' elements, as the last",
                std::to_string(options.prefixes.back()));
}

template <class S>
MatryoshkaResult evaluate(const MatryoshkaOptions& options, const KernelValue<S>& kernel,
                          const Inputs<S, 2>& inputs) {
  const auto& [queries, keys] = inputs.rows;
  const Index n = queries.rows();
  if (keys.rows() < n) {
    fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                  std::to_string(keys.rows()) + " keys");
  }
  check_row_length(options, n, queries.cols());
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"keys", keys, inputs.gradients[1]});
  call.check(n);
  call.pack();
  return matryoshka<S>(options, call, [&](const PrefixTerms<S>& terms, Diagnostics& d) {
    if (n == 0) return;
    Scratch& scratch = call.scratch();
    const PrefixColumns<S> columns(scratch, options.prefixes);
    PrefixRows<S> x(scratch, call.threads(), columns, kernel.geometry, call.rows(0));
    PrefixRows<S> y(scratch, call.threads(), columns, kernel.geometry, call.rows(1));
    PrefixPass<S> pass(scratch, call.threads(), columns, x, y);
    if (!call.wants_gradients()) {
      pass.forward(terms.rows(), d);
      return;
    }
    x.take_gradients(scratch, call.gradients(0).wanted());
    y.take_gradients(scratch, call.gradients(1).wanted());
    pass.forward_backward(terms.rows(), options.weights, d);
    x.add_gradients(options.weights, call.gradients(0));
    y.add_gradients(options.weights, call.gradients(1));
  });
}

}  // namespace nearfar::detail
