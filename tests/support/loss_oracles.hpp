#pragma once

#include <cstdint>
#include <limits>
#include <nearfar/core/reduction.hpp>
#include <nearfar/core/result.hpp>
#include <vector>

#include "support/oracle.hpp"

/// \file
/// The losses as plain loops over pairs, in long double, with per-row values, counts and all
/// gradients.

namespace oracle {

struct Loss {
  Real value = 0;
  std::vector<Real> values;  ///< one a row, for any reduction
  nearfar::Diagnostics diagnostics;
  Gradient first;   ///< of the queries, a or x
  Gradient second;  ///< of the keys or b
  Gradient third;   ///< of the negatives
  Gradient parameter;
  Real d_temperature = 0;
  Real d_temperature_scale = 0;
};

/// Arguments of a call besides its rows. An empty upstream means 1, or ones.
struct Request {
  nearfar::Reduction reduction = nearfar::Reduction::mean;
  std::vector<double> upstream = {};
  Index parameter_rows = 0;
  Index parameter_cols = 0;

  /// dL/d(value of row i), after the counts are known.
  Real weight(const nearfar::Diagnostics& d, Index i) const {
    const auto at = static_cast<std::size_t>(i);
    const Real given = upstream.empty() ? Real(1) : upstream[upstream.size() == 1 ? 0 : at];
    if (reduction == nearfar::Reduction::mean) {
      return d.terms > 0 ? given / static_cast<Real>(d.terms) : 0;
    }
    if (reduction == nearfar::Reduction::mean_nonzero) {
      return d.active_terms > 0 ? given / static_cast<Real>(d.active_terms) : 0;
    }
    return given;
  }
};

namespace detail {

inline void count_score(nearfar::Diagnostics& d, Real score, bool similarity) {
  d.smallest_score = std::min(d.smallest_score, static_cast<double>(score));
  d.largest_score = std::max(d.largest_score, static_cast<double>(score));
  if (!similarity && score == 0) ++d.zero_distances;
}

inline Real reduced(const Request& request, const nearfar::Diagnostics& d, Real sum) {
  Request plain = request;
  plain.upstream.clear();
  return sum * plain.weight(d, 0);
}

/// One query: -log softmax of its positive among it and the negatives. Nearness is a score, or
/// minus a distance; slopes are dL/d(nearness).
struct Softmax {
  Real value = 0;
  Real positive_slope = 0;
  std::vector<Real> slopes;

  Softmax(Real positive, const std::vector<Real>& negatives, Real temperature) {
    Real best = positive;
    for (const Real s : negatives) best = std::max(best, s);
    const Real own = std::exp((positive - best) / temperature);
    Real others = 0;
    for (const Real s : negatives) others += std::exp((s - best) / temperature);
    // log(1 + others) keeps the digits of a small loss.
    value = positive == best ? std::log1p(others)
                             : std::log(own + others) - (positive - best) / temperature;
    positive_slope = -others / (own + others) / temperature;
    for (const Real s : negatives) {
      slopes.push_back(std::exp((s - best) / temperature) / (own + others) / temperature);
    }
  }
};

}  // namespace detail

/// InfoNCE of queries against keys, key i the positive of query i; with `negatives` not null,
/// against key i and all negatives alone.
template <class K>
Loss info_nce(const K& kernel, Real temperature, const Matrix& queries, const Matrix& keys,
              const Matrix* negatives, const Request& request) {
  const Real sign = K::similarity ? 1 : -1;
  const Matrix& others = negatives != nullptr ? *negatives : keys;
  const auto is_negative = [&](Index i, Index j) { return negatives != nullptr || j != i; };

  Loss out;
  nearfar::Diagnostics& d = out.diagnostics;
  std::vector<detail::Softmax> rows;
  Matrix scores = pairwise(kernel, queries, others);
  std::vector<Real> positives;
  for (Index i = 0; i < queries.rows(); ++i) {
    positives.push_back(kernel.score(row(queries, i), row(keys, i)));
    detail::count_score(d, positives.back(), K::similarity);
    std::vector<Real> nearness;
    for (Index j = 0; j < others.rows(); ++j) {
      if (!is_negative(i, j)) continue;
      nearness.push_back(sign * scores(i, j));
      detail::count_score(d, scores(i, j), K::similarity);
    }
    rows.emplace_back(sign * positives.back(), nearness, temperature);
    out.values.push_back(rows.back().value);
    ++d.anchors;
    ++d.terms;
    if (nearness.empty()) ++d.anchors_without_negative;
    if (rows.back().value > 0) ++d.active_terms;
  }
  Real sum = 0;
  for (const Real v : out.values) sum += v;
  out.value = detail::reduced(request, d, sum);

  Gradients own(queries, keys, request.parameter_rows, request.parameter_cols);
  Gradients rest(queries, others, request.parameter_rows, request.parameter_cols);
  const auto add = [&](Gradients& to, Real slope, Real score, Index i, const Matrix& set, Index j) {
    const Real g = sign * slope * request.weight(d, i);
    to.add(kernel, g, queries, i, set, j);
    out.d_temperature -= g * score / temperature;
    out.d_temperature_scale += std::abs(g * score) / temperature;
  };
  for (Index i = 0; i < queries.rows(); ++i) {
    const detail::Softmax& r = rows[static_cast<std::size_t>(i)];
    add(own, r.positive_slope, positives[static_cast<std::size_t>(i)], i, keys, i);
    std::size_t next = 0;
    for (Index j = 0; j < others.rows(); ++j) {
      if (is_negative(i, j)) add(rest, r.slopes[next++], scores(i, j), i, others, j);
    }
  }
  const auto sum_of = [](const Gradient& p, const Gradient& q) {
    Gradient g = p;
    g.values += q.values;
    for (std::size_t i = 0; i < g.row_scales.size(); ++i) g.row_scales[i] += q.row_scales[i];
    return g;
  };
  out.first = sum_of(own.a, rest.a);
  out.second = negatives != nullptr ? own.b : sum_of(own.b, rest.b);
  if (negatives != nullptr) out.third = rest.b;
  out.parameter = sum_of(own.parameter, rest.parameter);
  return out;
}

namespace detail {

/// Hadsell's loss of one pair.
struct HadsellTerm {
  Real value;
  Real slope;
  HadsellTerm(Real distance, bool same, Real margin) {
    const Real gap = std::max(margin - distance, Real(0));
    value = same ? distance * distance / 2 : gap * gap / 2;
    slope = same ? distance : -gap;
  }
};

}  // namespace detail

/// Hadsell's loss of row i of a with row i of b.
template <class K>
Loss hadsell_pairs(const K& kernel, Real margin, const Matrix& a, const Matrix& b,
                   const std::vector<int>& same, const Request& request) {
  Loss out;
  nearfar::Diagnostics& d = out.diagnostics;
  std::vector<detail::HadsellTerm> terms;
  Real sum = 0;
  for (Index i = 0; i < a.rows(); ++i) {
    const Real score = kernel.score(row(a, i), row(b, i));
    detail::count_score(d, score, K::similarity);
    terms.emplace_back(score, same[static_cast<std::size_t>(i)] == 1, margin);
    out.values.push_back(terms.back().value);
    sum += terms.back().value;
    ++d.anchors;
    ++d.terms;
    if (terms.back().value > 0) ++d.active_terms;
  }
  out.value = detail::reduced(request, d, sum);
  Gradients g(a, b, request.parameter_rows, request.parameter_cols);
  for (Index i = 0; i < a.rows(); ++i) {
    g.add(kernel, terms[static_cast<std::size_t>(i)].slope * request.weight(d, i), a, i, b, i);
  }
  out.first = g.a;
  out.second = g.b;
  out.parameter = g.parameter;
  return out;
}

/// Hadsell's loss of all pairs i < j of a labelled batch. Half of each pair's value belongs to each
/// row.
template <class K>
Loss hadsell_batch(const K& kernel, Real margin, const Matrix& x, const std::vector<int>& labels,
                   const Request& request) {
  Loss out;
  nearfar::Diagnostics& d = out.diagnostics;
  const auto same = [&](Index i, Index j) {
    return labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
  };
  const auto term = [&](Index i, Index j) {
    return detail::HadsellTerm(kernel.score(row(x, i), row(x, j)), same(i, j), margin);
  };
  out.values.assign(static_cast<std::size_t>(x.rows()), 0);
  d.anchors = x.rows();
  Real sum = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    bool has_positive = false;
    bool has_negative = false;
    for (Index j = 0; j < x.rows(); ++j) {
      if (j == i) continue;
      (same(i, j) ? has_positive : has_negative) = true;
      if (j < i) continue;
      detail::count_score(d, kernel.score(row(x, i), row(x, j)), K::similarity);
      const Real value = term(i, j).value;
      sum += value;
      out.values[static_cast<std::size_t>(i)] += value / 2;
      out.values[static_cast<std::size_t>(j)] += value / 2;
      ++d.terms;
      if (value > 0) ++d.active_terms;
    }
    if (!has_positive) ++d.anchors_without_positive;
    if (!has_negative) ++d.anchors_without_negative;
  }
  out.value = detail::reduced(request, d, sum);
  Gradients g(x, x, request.parameter_rows, request.parameter_cols);
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = i + 1; j < x.rows(); ++j) {
      const Real weight = (request.weight(d, i) + request.weight(d, j)) / 2;
      g.add(kernel, term(i, j).slope * weight, x, i, x, j);
    }
  }
  out.first = g.a;
  out.first.values += g.b.values;
  for (std::size_t i = 0; i < out.first.row_scales.size(); ++i) {
    out.first.row_scales[i] += g.b.row_scales[i];
  }
  out.parameter = g.parameter;
  return out;
}

}  // namespace oracle
