#pragma once

#include "support/cpc_oracle.hpp"
#include "support/in_batch_oracle.hpp"
#include "support/pair_definitions.hpp"

/// \file
/// Definitions of losses of rows with more structure: negatives of their own, prefixes, tokens,
/// sequences, slices. See support/definitions.hpp.

namespace oracle {

// ---- negatives ----------------------------------------------------------------------------------

/// The loss by the formula for values and slopes of scores, whose slopes go on the tape.
template <class K>
Number definition(registered::in_batch_info_nce, const nearfar::InBatchInfoNceOptions& o,
                  const Placed<K>& p) {
  const support::NamedArguments<double>& a = p.arguments;
  support::InBatchRows<double> batch;
  batch.n = p.size();
  batch.m = p.sets.size() == 3 ? p.sets[2].size() : 0;
  const auto one_below_the_other = [](const std::vector<support::Matrix<double>>& all) {
    support::Matrix<double> out;
    for (const auto& rows : all) {
      const Index before = out.rows();
      out.conservativeResize(before + rows.rows(), rows.cols());
      out.bottomRows(rows.rows()) = rows;
    }
    return out;
  };
  batch.rows = one_below_the_other(a.sets);
  batch.guide = one_below_the_other(a.constants);
  batch.offsets = a.offsets;
  if (a.per_query) {
    for (Index i = 0; i <= batch.n; ++i) batch.offsets.push_back(i * batch.m / batch.n);
  }
  batch.ids.assign(a.ids.begin(), a.ids.end());
  batch.negative_ids.assign(a.negative_ids.begin(), a.negative_ids.end());
  batch.log_q = a.log_q;
  batch.log_q_negatives = a.log_q_negatives;

  std::vector<Numbers> rows;
  for (const Set& set : p.sets) rows.insert(rows.end(), set.rows.begin(), set.rows.end());
  std::vector<Numbers> scores(rows.size());
  Matrix values(batch.rows.rows(), batch.rows.rows());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows.size(); ++j) {
      scores[i].push_back(nearness<K>(rows[i], rows[j]));
      values(Index(i), Index(j)) = scores[i][j].value;
    }
  }
  const support::InBatchWanted want = support::in_batch_formula(o, batch, values);
  const Numbers terms(want.values.begin(), want.values.end());
  Number total = sum(terms);
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) {
      total += want.slopes(i, j) * (scores[at(i)][at(j)] - values(i, j));
    }
  }
  return total / divisor(o.reduction, terms);
}

/// The rows of the third set that query i is compared with: its own, or all.
template <class K>
Indices noise_of(const Placed<K>& p, Index i) {
  const Index each = p.arguments.per_query ? p.sets[2].size() / p.size() : p.sets[2].size();
  const Index first = p.arguments.per_query ? i * each : 0;
  Indices out;
  for (Index j = first; j < first + each; ++j) out.push_back(j);
  return out;
}

template <class K>
Number definition(registered::nce, const nearfar::NceOptions& o, const Placed<K>& p) {
  const std::vector<double>& log_noise = p.arguments.negatives_numbers;
  return reduced(o.reduction, p.each_row([&](Index i) {
    const Indices noise = noise_of(p, i);
    const auto logit = [&](const Number& s, Real log_p) {
      return s / Real(o.temperature) - Real(o.log_z) - (std::log(Real(noise.size())) + log_p);
    };
    Number out = softplus(-logit(p.near(i, i), p.numbers[at(i)]));
    for (const Index j : noise) {
      out += softplus(logit(nearness<K>(p.sets[0][i], p.sets[2][j]), log_noise[at(j)]));
    }
    return out;
  }));
}

template <class K>
Number definition(registered::negative_sampling, const nearfar::NegativeSamplingOptions& o,
                  const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    Number out = softplus(-p.near(i, i) / Real(o.temperature));
    for (const Index j : noise_of(p, i)) {
      out += softplus(nearness<K>(p.sets[0][i], p.sets[2][j]) / Real(o.temperature));
    }
    return out;
  }));
}

// ---- parts of rows, and rows that are parts -----------------------------------------------------

template <class K>
Number definition(support::MatryoshkaLine, const nearfar::MatryoshkaOptions& o,
                  const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    Number out = 0;
    for (std::size_t k = 0; k < o.prefixes.size(); ++k) {
      const auto near = [&](Index j) {
        const auto prefix = [&](const Numbers& x) {
          return Numbers(x.begin(), x.begin() + o.prefixes[k]);
        };
        return nearness<K>(prefix(p.sets[0][i]), prefix(p.sets[1][j]));
      };
      const Number own = near(i);
      const Numbers others = each(all_but(p.sets[1].size(), i),
                                  [&](Index j) { return (near(j) - own) / Real(o.temperature); });
      const bool with = o.denominator == nearfar::Denominator::with_positive;
      out += Real(o.weights.empty() ? 1 : o.weights[k]) *
             (with ? log_one_plus(others) : log_sum(others));
    }
    return out;
  }));
}

template <class K>
Number definition(registered::max_sim_info_nce, const nearfar::MaxSimInfoNceOptions& o,
                  const Placed<K>& p) {
  const std::vector<Index>& queries = p.arguments.offsets;
  const std::vector<Index>& documents = p.arguments.document_offsets;
  const auto late_interaction = [&](std::size_t i, std::size_t m) {
    Number out = 0;
    for (Index u = queries[i]; u < queries[i + 1]; ++u) {
      Number best = p.near(u, documents[m]);
      for (Index v = documents[m] + 1; v < documents[m + 1]; ++v) {
        const Number s = p.near(u, v);
        if (s.value > best.value) best = s;
      }
      out += best;
    }
    return out;
  };
  Numbers terms;
  for (std::size_t i = 0; i + 1 < queries.size(); ++i) {
    const Number own = late_interaction(i, i);
    Numbers others;
    for (std::size_t m = 0; m + 1 < documents.size(); ++m) {
      if (m != i) others.push_back((late_interaction(i, m) - own) / Real(o.temperature));
    }
    terms.push_back(log_one_plus(others));
  }
  return reduced(o.reduction, terms);
}

// ---- slices -------------------------------------------------------------------------------------

inline Number sig_reg(const nearfar::SigRegOptions& o, const Set& x, const Set& slices) {
  const Real n = Real(x.size());
  const Real step = Real(o.t_max) / Real(o.knots - 1);
  Number out = 0;
  for (const Numbers& slice : slices.rows) {
    Numbers projections;
    for (const Numbers& row : x.rows) projections.push_back(inner(row, slice));
    for (Index k = 0; k < o.knots; ++k) {
      const Real t = Real(k) * step;
      const Real phi = std::exp(-t * t / 2);
      const Real weight = k == 0 || k == o.knots - 1 ? step : 2 * step;
      Number real = -phi;
      Number imaginary = 0;
      for (const Number& p : projections) {
        real += cos(t * p) / n;
        imaginary += sin(t * p) / n;
      }
      out += n * weight * phi * (square(real) + square(imaginary));
    }
  }
  return out / Real(slices.size());
}

template <class K>
Number definition(registered::sig_reg, const nearfar::SigRegOptions& o, const Placed<K>& p) {
  return sig_reg(o, p.sets[0], p.constants[0]);
}

// ---- sequences ----------------------------------------------------------------------------------

/// Contrastive predictive coding has an oracle with gradients.
template <>
inline Defined defined_by_places<registered::cpc, nearfar::Cosine>(
    const nearfar::CpcOptions& options, const support::NamedArguments<double>& arguments) {
  const CpcLoss loss = cpc(options, exact(arguments.sets[0]), exact(arguments.sets[1]),
                           exact(arguments.sets[2]), {});
  return {loss.value, {loss.first.values, loss.second.values, loss.parameter.values}};
}

}  // namespace oracle
