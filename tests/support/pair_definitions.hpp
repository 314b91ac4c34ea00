#pragma once

#include <numbers>

#include "support/definitions.hpp"

/// \file
/// Definitions of losses of rows that belong together by their places, and of one set: see
/// support/definitions.hpp.

namespace oracle {

/// The arguments of such a loss under kernel K.
template <class K>
struct Placed {
  std::vector<Set> sets;
  std::vector<Set> constants;
  std::vector<std::int64_t> same;
  std::vector<Real> numbers;
  const support::NamedArguments<double>& arguments;

  explicit Placed(const support::NamedArguments<double>& a) : same(a.same), arguments(a) {
    for (const auto& rows : a.sets) sets.emplace_back(exact(rows));
    for (const auto& rows : a.constants) constants.emplace_back(exact(rows));
    numbers.assign(a.numbers.begin(), a.numbers.end());
  }

  Index size() const { return sets[0].size(); }
  /// Row i of the first set with row j of the second.
  Number s(Index i, Index j) const { return score<K>(sets[0][i], sets[1][j]); }
  Number near(Index i, Index j) const { return nearness<K>(sets[0][i], sets[1][j]); }

  /// of(i) for each row of the first set.
  template <class Of>
  Numbers each_row(const Of& of) const {
    Numbers out;
    for (Index i = 0; i < size(); ++i) out.push_back(of(i));
    return out;
  }
};

/// The rows 0 .. n - 1 but i.
inline Indices all_but(Index n, Index i) {
  Indices out;
  for (Index j = 0; j < n; ++j) {
    if (j != i) out.push_back(j);
  }
  return out;
}

/// Two views as one set of 2 N rows; view i and view i + N are of one sample.
template <class K>
struct Views {
  const Placed<K>& of;
  Index n;

  explicit Views(const Placed<K>& its) : of(its), n(its.size()) {}
  const Numbers& row(Index i) const { return i < n ? of.sets[0][i] : of.sets[1][i - n]; }
  Index partner(Index i) const { return i < n ? i + n : i - n; }
  Number near(Index i, Index j) const { return nearness<K>(row(i), row(j)); }
  /// Views of other samples.
  Indices negatives(Index i) const {
    Indices out;
    for (Index j = 0; j < 2 * n; ++j) {
      if (j != i && j != partner(i)) out.push_back(j);
    }
    return out;
  }
};

template <class K>
Number definition(registered::alignment, const nearfar::AlignmentOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const Number d = squared(direction(p.sets[0][i]), direction(p.sets[1][i]));
    return d.value > 0 ? power(d, Real(o.alpha) / 2) : Number(0);
  }));
}

template <class K>
Number definition(registered::barlow_twins, const nearfar::BarlowTwinsOptions& o,
                  const Placed<K>& p) {
  const Real n = Real(p.size());
  const std::size_t cols = p.sets[0][0].size();
  // Standardised columns of each view.
  std::vector<std::vector<Numbers>> z(2);
  for (std::size_t view = 0; view < 2; ++view) {
    for (std::size_t k = 0; k < cols; ++k) {
      const Numbers column = p.each_row([&](Index i) { return p.sets[view][i][k]; });
      const Number middle = mean(column);
      Numbers less;
      for (const Number& v : column) less.push_back(v - middle);
      const Number variance = inner(less, less) / n;
      for (Number& v : less) {
        v = variance.value > 0 ? v / sqrt(variance + Real(o.epsilon)) : Number(0);
      }
      z[view].push_back(less);
    }
  }
  Number out = 0;
  for (std::size_t d = 0; d < cols; ++d) {
    for (std::size_t e = 0; e < cols; ++e) {
      const Number c = inner(z[0][d], z[1][e]) / n;
      out += d == e ? square(c - 1) : Real(o.lambda) * square(c);
    }
  }
  return out;
}

template <class K>
Number definition(registered::byol, const nearfar::ByolOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const auto part = [&](std::size_t k) {
      return 2 - 2 * score<nearfar::Cosine>(p.sets[k][i], p.constants[1 - k][i]);
    };
    return part(0) + part(1);
  }));
}

template <class K>
Number definition(registered::clip, const nearfar::ClipOptions& o, const Placed<K>& p) {
  const Real scale = std::min(o.logit_scale, o.largest_logit_scale);
  const Real factor = o.directions == nearfar::ClipDirections::mean ? Real(0.5) : Real(1);
  return reduced(o.reduction, p.each_row([&](Index i) {
    const Indices others = all_but(p.size(), i);
    const Number own = p.near(i, i);
    return factor *
           (log_one_plus(each(others, [&](Index j) { return scale * (p.near(i, j) - own); })) +
            log_one_plus(each(others, [&](Index j) { return scale * (p.near(j, i) - own); })));
  }));
}

/// Pairs of scores in the wrong order.
inline Number ordered(const Numbers& scores, const std::vector<Real>& targets, Real scale) {
  Numbers wrong;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (targets[i] < targets[j]) wrong.push_back(scale * (scores[i] - scores[j]));
    }
  }
  return log_one_plus(wrong);
}

template <class K>
Number definition(registered::co_sent, const nearfar::CoSentOptions& o, const Placed<K>& p) {
  return ordered(p.each_row([&](Index i) { return p.near(i, i); }), p.numbers, o.scale);
}

template <class K>
Number definition(registered::angle, const nearfar::AngleOptions& o, const Placed<K>& p) {
  const auto score_of = [&](Index i) -> Number {
    Numbers a = p.sets[0][i];
    Numbers b = p.sets[1][i];
    const Number lengths = sqrt(inner(a, a)) * sqrt(inner(b, b));
    if (!(lengths.value > 0)) return 0;
    if (a.size() % 2 == 1) {
      a.push_back(0);
      b.push_back(0);
    }
    const std::size_t half = a.size() / 2;
    Number total = 0;
    for (std::size_t k = 0; k < half; ++k) {
      // (a + i a') (b - i b')
      const Number real = a[k] * b[k] + a[half + k] * b[half + k];
      const Number imaginary = a[half + k] * b[k] - a[k] * b[half + k];
      total += real + imaginary;
    }
    return absolute(total) / lengths;
  };
  return ordered(p.each_row(score_of), p.numbers, o.scale);
}

template <class K>
Number definition(registered::cosine_embedding, const nearfar::CosineEmbeddingOptions& o,
                  const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    return p.same[at(i)] == 1 ? 1 - p.s(i, i) : hinge(p.s(i, i) - Real(o.margin));
  }));
}

template <class K>
Number definition(registered::dclw, const nearfar::DclwOptions& o, const Placed<K>& p) {
  const Views<K> views(p);
  Numbers weights = p.each_row([&](Index i) { return exp(p.near(i, i) / Real(o.sigma)); });
  const Number average = mean(weights);
  for (Number& w : weights) w = constant(2 - w / average);
  Numbers terms;
  for (Index i = 0; i < 2 * views.n; ++i) {
    const Number own = views.near(i, views.partner(i)) / Real(o.temperature);
    terms.push_back(log_sum(each(views.negatives(i),
                                 [&](Index j) { return views.near(i, j) / Real(o.temperature); })) -
                    weights[at(i % views.n)] * own);
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::dhel, const nearfar::DhelOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const auto spread = [&](const Set& view) {
      return log_sum(each(all_but(p.size(), i), [&](Index j) {
        return nearness<K>(view[i], view[j]) / Real(o.temperature);
      }));
    };
    Number out = spread(p.sets[0]) - p.near(i, i) / Real(o.temperature);
    if (o.both_views) out += spread(p.sets[1]);
    return out;
  }));
}

template <class K>
Number definition(registered::distill_kl, const nearfar::DistillKlOptions& o, const Placed<K>& p) {
  const Index of_query = p.sets[1].size() / p.size();
  const Real tau = o.temperature;
  return reduced(o.reduction, p.each_row([&](Index i) {
    Numbers teacher;
    Numbers student;
    for (Index k = i * of_query; k < (i + 1) * of_query; ++k) {
      teacher.push_back(p.numbers[at(k)] / tau);
      student.push_back(p.near(i, k) / tau);
    }
    const Number of_teacher = log_sum(teacher);
    const Number of_student = log_sum(student);
    Number out = 0;
    for (std::size_t k = 0; k < teacher.size(); ++k) {
      const Number log_p = teacher[k] - of_teacher;
      out += exp(log_p) * (log_p - (student[k] - of_student));
    }
    return tau * tau * out;
  }));
}

template <class K>
Number definition(registered::gor, const nearfar::GorOptions& o, const Placed<K>& p) {
  Numbers cosines;
  Numbers squares;
  for (Index i = 0; i < p.size(); ++i) {
    for (const Index j : all_but(p.size(), i)) {
      cosines.push_back(score<nearfar::Cosine>(p.sets[0][i], p.sets[0][j]));
      squares.push_back(square(cosines.back()));
    }
  }
  return Real(o.mean_weight) * square(mean(cosines)) +
         Real(o.second_moment_weight) * hinge(mean(squares) - 1 / Real(p.sets[0][0].size()));
}

template <class K>
Number definition(registered::hadsell_contrastive, const nearfar::HadsellOptions& o,
                  const Placed<K>& p) {
  const Real factor = o.factor == nearfar::SquareFactor::half ? Real(0.5) : Real(1);
  return reduced(o.reduction, p.each_row([&](Index i) {
    return factor * square(p.same[at(i)] == 1 ? p.s(i, i) : hinge(Real(o.margin) - p.s(i, i)));
  }));
}

template <class K>
Number definition(registered::hard_negative, const nearfar::HardNegativeOptions& o,
                  const Placed<K>& p) {
  const Views<K> views(p);
  const Real tau = o.temperature;
  const Real prior = o.positive_prior;
  const Real n = 2 * Real(views.n) - 2;
  Numbers terms;
  for (Index i = 0; i < 2 * views.n; ++i) {
    const Number own = exp(views.near(i, views.partner(i)) / tau);
    Number weighted = 0;
    Number weights = 0;
    for (const Index j : views.negatives(i)) {
      const Number w = exp(Real(o.concentration) * views.near(i, j) / tau);
      weighted += w * exp(views.near(i, j) / tau);
      weights += w;
    }
    const Number of_negatives = (n * weighted / weights - n * prior * own) / (1 - prior);
    const Real least = n * std::exp(-1 / tau);
    terms.push_back(log1p((of_negatives.value > least ? of_negatives : Number(least)) / own));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::info_nce, const nearfar::InfoNceOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const Numbers others = each(all_but(p.sets[1].size(), i), [&](Index j) {
      return (p.near(i, j) - p.near(i, i)) / Real(o.temperature);
    });
    const bool with = o.denominator == nearfar::Denominator::with_positive;
    return with ? log_one_plus(others) : log_sum(others);
  }));
}

/// Directions nearer than 2^-50 count as so far apart.
template <class K>
Number definition(registered::ko_leo, const nearfar::KoLeoOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    Number least = std::numeric_limits<Real>::infinity();
    for (const Index j : all_but(p.size(), i)) {
      const Number d = sqrt(squared(direction(p.sets[0][i]), direction(p.sets[0][j])));
      if (d.value < least.value) least = d;
    }
    const Real limit = std::ldexp(Real(1), -50);
    return -log(least.value > limit ? least : Number(limit));
  }));
}

template <class K>
Number definition(registered::margin_mse, const nearfar::MarginMseOptions& o, const Placed<K>& p) {
  const Index of_query = p.sets[2].size() / p.size();
  Numbers terms;
  for (Index k = 0; k < p.sets[2].size(); ++k) {
    const Index i = k / of_query;
    terms.push_back(
        square(p.near(i, i) - nearness<K>(p.sets[0][i], p.sets[2][k]) - p.numbers[at(k)]));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::mutual_information, const nearfar::MutualInformationOptions& o,
                  const Placed<K>& p) {
  using Bound = nearfar::MutualInformationBound;
  const Real n = Real(p.size());
  const auto f = [&](Index i, Index j) { return p.near(i, j) / Real(o.temperature); };
  const Number own = mean(p.each_row([&](Index i) { return f(i, i); }));
  if (o.bound == Bound::info_nce) {
    return std::log(n) - mean(p.each_row([&](Index i) {
             return log_one_plus(
                 each(all_but(p.size(), i), [&](Index j) { return f(i, j) - f(i, i); }));
           }));
  }
  Numbers others;
  Numbers all;
  for (Index i = 0; i < p.size(); ++i) {
    for (Index j = 0; j < p.size(); ++j) {
      all.push_back(f(i, j));
      if (i != j) others.push_back(exp(f(i, j)));
    }
  }
  if (o.bound == Bound::nwj) return own - mean(others) / std::numbers::e_v<Real>;
  if (o.bound == Bound::donsker_varadhan) return own - log(mean(others));
  return own - mean(all);
}

template <class K>
Number definition(registered::n_pair, const nearfar::NPairOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const auto product = [&](Index j) { return inner(p.sets[0][i], p.sets[1][j]); };
    return log_one_plus(
        each(all_but(p.sets[1].size(), i), [&](Index j) { return product(j) - product(i); }));
  }));
}

template <class K>
Number definition(registered::negative_cosine, const nearfar::NegativeCosineOptions& o,
                  const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const auto part = [&](std::size_t k) {
      return -(score<nearfar::Cosine>(p.sets[k][i], p.constants[1 - k][i]) / 2);
    };
    return part(0) + part(1);
  }));
}

template <class K>
Number definition(registered::nt_xent, const nearfar::NtXentOptions& o, const Placed<K>& p) {
  const Views<K> views(p);
  Numbers terms;
  for (Index i = 0; i < 2 * views.n; ++i) {
    const Number own = views.near(i, views.partner(i));
    const Numbers others = each(views.negatives(i), [&](Index j) {
      return (views.near(i, j) - own) / Real(o.temperature);
    });
    const bool with = o.denominator == nearfar::Denominator::with_positive;
    terms.push_back(with ? log_one_plus(others) : log_sum(others));
  }
  return reduced(o.reduction, terms);
}

/// One query of RINCE: its positive's logit and all logits.
template <class Options>
Number robust(const Options& o, const Number& own, const Numbers& all) {
  Number total = 0;
  for (const Number& logit : all) total += exp(logit);
  return power(Real(o.lambda) * total, Real(o.q)) / Real(o.q) - exp(Real(o.q) * own) / Real(o.q);
}

template <class K>
Number definition(registered::rince, const nearfar::RinceOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const auto logit = [&](Index j) { return p.near(i, j) / Real(o.temperature); };
    return robust(o, logit(i), each(all_but(p.sets[1].size(), -1), logit));
  }));
}

template <class K>
Number definition(registered::rince_views, const nearfar::RinceViewsOptions& o,
                  const Placed<K>& p) {
  const Views<K> views(p);
  Numbers terms;
  for (Index i = 0; i < 2 * views.n; ++i) {
    const auto logit = [&](Index j) { return views.near(i, j) / Real(o.temperature); };
    terms.push_back(robust(o, logit(views.partner(i)), each(all_but(2 * views.n, i), logit)));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::score_regression, const nearfar::ScoreRegressionOptions& o,
                  const Placed<K>& p) {
  return reduced(o.reduction,
                 p.each_row([&](Index i) { return square(p.s(i, i) - p.numbers[at(i)]); }));
}

template <class K>
Number definition(registered::sig_lip, const nearfar::SigLipOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    Number out = 0;
    for (Index j = 0; j < p.size(); ++j) {
      const Number logit = Real(o.logit_scale) * p.near(i, j) + Real(o.logit_bias);
      out += softplus(i == j ? -logit : logit);
    }
    return out;
  }));
}

template <class K>
Number definition(registered::triplet, const nearfar::TripletOptions& o, const Placed<K>& p) {
  return reduced(o.reduction, p.each_row([&](Index i) {
    const Number excess = nearness<K>(p.sets[0][i], p.sets[2][i]) - p.near(i, i) + Real(o.margin);
    return o.form == nearfar::TripletForm::hinge ? hinge(excess) : softplus(excess);
  }));
}

template <class K>
Number definition(registered::uniformity, const nearfar::UniformityOptions& o, const Placed<K>& p) {
  Numbers potentials;
  for (Index i = 0; i < p.size(); ++i) {
    for (const Index j : all_but(p.size(), i)) {
      const Number cosine = score<nearfar::Cosine>(p.sets[0][i], p.sets[0][j]);
      potentials.push_back(exp(-(Real(o.t) * (2 - 2 * cosine))));
    }
  }
  return log(mean(potentials));
}

template <class K>
Number definition(registered::vic_reg, const nearfar::VicRegOptions& o, const Placed<K>& p) {
  const Real n = Real(p.size());
  const std::size_t cols = p.sets[0][0].size();
  Number distance = 0;
  for (Index i = 0; i < p.size(); ++i) distance += squared(p.sets[0][i], p.sets[1][i]);
  Number hinges = 0;
  Number covariances = 0;
  for (std::size_t view = 0; view < 2; ++view) {
    std::vector<Numbers> less;
    for (std::size_t k = 0; k < cols; ++k) {
      less.push_back(p.each_row([&](Index i) { return p.sets[view][i][k]; }));
      const Number middle = mean(less.back());
      for (Number& v : less.back()) v = v - middle;
    }
    for (std::size_t d = 0; d < cols; ++d) {
      const Number variance = inner(less[d], less[d]) / (n - 1);
      hinges += hinge(1 - sqrt(variance + Real(o.epsilon)));
      for (std::size_t e = 0; e < cols; ++e) {
        if (e != d) covariances += square(inner(less[d], less[e]) / (n - 1));
      }
    }
  }
  return Real(o.invariance) * distance / (n * Real(cols)) +
         Real(o.variance) * hinges / (2 * Real(cols)) +
         Real(o.covariance) * covariances / Real(cols);
}

/// Value and gradients of such a loss.
template <class Line, class K>
Defined defined_by_places(const typename Line::Options& options,
                          const support::NamedArguments<double>& arguments) {
  Tape::current().clear();
  const Placed<K> placed(arguments);
  std::vector<const Set*> sets;
  for (const Set& set : placed.sets) sets.push_back(&set);
  return derived(definition(Line(), options, placed), sets);
}

}  // namespace oracle
