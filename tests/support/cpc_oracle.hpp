#pragma once

#include <algorithm>
#include <cmath>
#include <nearfar/losses/cpc.hpp>
#include <vector>

#include "support/loss_oracles.hpp"

/// \file
/// Contrastive predictive coding as plain loops over contexts and candidates in long double.

namespace oracle {

/// The loss, and the gradients of contexts (first), targets (second) and weights (parameter).
struct CpcLoss : Loss {
  std::vector<Real> step_losses;
  std::vector<Real> step_bounds;
};

namespace detail {

inline void add(Gradient& to, const Gradient& share, Index first = 0) {
  to.values.middleRows(first, share.values.rows()) += share.values;
  for (std::size_t i = 0; i < share.row_scales.size(); ++i) {
    to.row_scales[static_cast<std::size_t>(first) + i] += share.row_scales[i];
  }
}

}  // namespace detail

/// Computes every step, context and candidate, one after the other.
inline CpcLoss cpc(const nearfar::CpcOptions& o, const Matrix& c, const Matrix& z,
                   const Matrix& weights, const std::vector<double>& upstream) {
  using nearfar::SequenceNegatives;
  const Index n = c.rows();
  const auto steps = static_cast<Real>(o.steps);
  CpcLoss out;
  out.values.assign(static_cast<std::size_t>(n), 0);
  out.first = Gradient(n, c.cols());
  out.second = Gradient(n, z.cols());
  out.parameter = Gradient(weights.rows(), weights.cols());
  for (Index k = 1; k <= o.steps; ++k) {
    const Matrix w = weights.middleRows((k - 1) * z.cols(), z.cols());
    const Bilinear kernel(w);
    struct Term {
      Index context;
      std::vector<Index> negatives;
      detail::Softmax softmax;
    };
    std::vector<Term> terms;
    nearfar::Diagnostics d;
    Real sum = 0;
    for (Index i = 0; i < n; ++i) {
      if (i % o.length + k >= o.length) continue;
      std::vector<Index> negatives;
      std::vector<Real> scores;
      const Real positive = kernel.score(row(c, i), row(z, i + k));
      detail::count_score(d, positive, true);
      for (Index j = 0; j < n; ++j) {
        if (j == i + k || j % o.length < k) continue;
        const bool same_sequence = j / o.length == i / o.length;
        const bool same_time = j % o.length == (i + k) % o.length;
        if (o.negatives == SequenceNegatives::same_time && !same_time) continue;
        if (o.negatives == SequenceNegatives::same_sequence && !same_sequence) continue;
        negatives.push_back(j);
        scores.push_back(kernel.score(row(c, i), row(z, j)));
        detail::count_score(d, scores.back(), true);
      }
      terms.push_back({i, negatives, {positive, scores, Real(o.temperature)}});
      const Real value = terms.back().softmax.value;
      sum += value;
      out.values[static_cast<std::size_t>(i)] += value / steps;
      ++d.anchors;
      ++d.terms;
      if (value > 0) ++d.active_terms;
      if (negatives.empty()) ++d.anchors_without_negative;
    }
    const Request request{.reduction = o.reduction, .upstream = upstream};
    out.step_losses.push_back(detail::reduced(request, d, sum));
    out.step_bounds.push_back(std::log(static_cast<Real>(terms[0].negatives.size() + 1)) -
                              sum / static_cast<Real>(terms.size()));
    out.value += out.step_losses.back() / steps;

    Gradients g(c, z, w.rows(), w.cols());
    for (const Term& t : terms) {
      const Real weight = request.weight(d, t.context) / steps;
      const auto push = [&](Real slope, Index j) {
        g.add(kernel, weight * slope, c, t.context, z, j);
        const Real score = kernel.score(row(c, t.context), row(z, j));
        out.d_temperature -= weight * slope * score / o.temperature;
        out.d_temperature_scale += std::abs(weight * slope * score) / o.temperature;
      };
      push(t.softmax.positive_slope, t.context + k);
      for (std::size_t j = 0; j < t.negatives.size(); ++j)
        push(t.softmax.slopes[j], t.negatives[j]);
    }
    detail::add(out.first, g.a);
    detail::add(out.second, g.b);
    detail::add(out.parameter, g.parameter, (k - 1) * z.cols());
    nearfar::Diagnostics& all = out.diagnostics;
    all.anchors += d.anchors;
    all.terms += d.terms;
    all.active_terms += d.active_terms;
    all.anchors_without_negative += d.anchors_without_negative;
    all.smallest_score = std::min(all.smallest_score, d.smallest_score);
    all.largest_score = std::max(all.largest_score, d.largest_score);
  }
  return out;
}

}  // namespace oracle
