#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/own_rows.hpp"
#include "nearfar/losses/distillation.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const MarginMseOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 3>& inputs, const Numbers<S>& teacher_margins) {
  const auto& [queries, positives, negatives] = inputs.rows;
  const Index n = queries.rows();
  if (positives.rows() != n) {
    fail_argument("positives", "one positive for each of " + std::to_string(n) + " queries",
                  std::to_string(positives.rows()) + " positives");
  }
  check_own_rows("negatives", negatives, n);
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add(Side::key, {"positives", positives, inputs.gradients[1]});
  call.add_optional(Side::key, {"negatives", negatives, inputs.gradients[2]});
  call.check(n);
  check_numbers("teacher_margins", teacher_margins, negatives.rows());
  call.pack();

  const PairedScores<S> of_positives(call.scratch(), n);
  paired_scores(call.threads(), kernel, call.rows(0), call.rows(1), of_positives);
  const OwnRows<S> own(call, 2);
  const Index count = own.count();
  // A query's margin less the teacher's.
  const auto excess = [&](Index i, Index k) {
    return kernel.sign() *
               (static_cast<double>(of_positives.s[i]) - static_cast<double>(own.scores(i)[k])) -
           static_cast<double>(teacher_margins[i * count + k]);
  };
  Result result;
  Diagnostics& d = result.diagnostics;
  fold_scores(kernel, n, of_positives.s, d);
  own.fold_scores(d);
  d.anchors = n;
  d.anchors_without_negative = count > 0 ? 0 : n;
  d.terms = n * count;
  double* values = call.scratch().template take<double>(n);
  for (Index i = 0; i < n; ++i) {
    values[i] = 0;
    double slope = 0;
    for (Index k = 0; k < count; ++k) {
      const double e = excess(i, k);
      values[i] += e * e;
      d.active_terms += e != 0 ? 1 : 0;
      const double g = 2 * kernel.sign() * e * row_upstream(call.upstream(), i);
      own.slopes(i)[k] = static_cast<S>(-g);
      slope += g;
    }
    of_positives.g[i] = static_cast<S>(slope);
  }
  call.reduce(
      n, [&](Index i) { return values[i]; }, result);
  if (!call.wants_gradients()) return result;
  add_paired_gradients(call.threads(), kernel, call.rows(0), call.rows(1), of_positives,
                       call.gradients(0), call.gradients(1));
  own.add_gradients();
  call.scatter(call.scale(d));
  return result;
}

/// softmax(x / tau) of some numbers, as logarithms relative to the largest.
template <class Number>
class LogSoftmax {
 public:
  LogSoftmax(Index n, double tau, const Number& number) : number_(number), tau_(tau) {
    for (Index k = 0; k < n; ++k) largest_ = std::max(largest_, number(k));
    double sum = 0;
    for (Index k = 0; k < n; ++k) sum += portable::exp(logit(k));
    log_sum_ = portable::log(sum);
  }

  /// x_k / tau, less the largest.
  double logit(Index k) const { return (number_(k) - largest_) / tau_; }
  double operator()(Index k) const { return logit(k) - log_sum_; }

 private:
  Number number_;
  double tau_;
  double largest_ = -std::numeric_limits<double>::infinity();
  double log_sum_;
};

/// One candidate's summand of a divergence, and the student's softmax less the teacher's.
struct KlPart {
  double value;
  double excess;
};

/// sum_k P (log P - log S) is also the sum of S - P + P (log P - log S), whose summands are
/// all >= 0: a divergence near zero keeps its digits.
inline KlPart kl_part(double log_teacher, double log_student) {
  const double p = portable::exp(log_teacher);
  const double s = portable::exp(log_student);
  if (p == 0) return {s, s};
  const double r = log_teacher - log_student;
  const double excess = r > -1 ? p * portable::expm1(-r) : s - p;
  return {excess + p * r, excess};
}

template <class S>
TemperatureResult evaluate(const DistillKlOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const Numbers<S>& teacher_scores) {
  const auto& [queries, candidates] = inputs.rows;
  const Index n = queries.rows();
  const double tau = options.temperature;
  check_own_rows("candidates", candidates, n);
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", queries, inputs.gradients[0]});
  call.add_optional(Side::key, {"candidates", candidates, inputs.gradients[1]});
  call.check(n);
  check_numbers("teacher_scores", teacher_scores, candidates.rows());
  call.pack();

  const OwnRows<S> own(call, 1);
  const Index count = own.count();
  double* values = call.scratch().template take<double>(n);
  double* derivatives = call.scratch().template take<double>(n);  // with respect to tau
  each_row(n, call.threads(), [&](Index i) {
    const double above = row_upstream(call.upstream(), i);
    const LogSoftmax teacher(
        count, tau, [&, i](Index k) { return static_cast<double>(teacher_scores[i * count + k]); });
    const LogSoftmax student(count, tau, [&, i](Index k) {
      return kernel.sign() * static_cast<double>(own.scores(i)[k]);
    });
    double divergence = 0;
    double moment = 0;  // of logits with the derivatives with respect to them
    for (Index k = 0; k < count; ++k) {
      const KlPart part = kl_part(teacher(k), student(k));
      divergence += part.value;
      if (part.excess != 0) moment += part.excess * student.logit(k);
      own.slopes(i)[k] = static_cast<S>(kernel.sign() * above * tau * part.excess);
    }
    for (Index k = 0; k < count; ++k) {
      const double p = portable::exp(teacher(k));
      if (p > 0) moment += p * (teacher(k) - student(k) - divergence) * teacher.logit(k);
    }
    values[i] = tau * (tau * divergence);
    derivatives[i] = above * tau * (2 * divergence - moment);
  });
  const auto value_of = [&](Index i) { return values[i]; };
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  own.fold_scores(d);
  count_terms(n, value_of, d);
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  double derivative = 0;
  for (Index i = 0; i < n; ++i) derivative += derivatives[i];
  result.d_temperature = checked_derivative("d_temperature", call.scale(d) * derivative);
  own.add_gradients();
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
