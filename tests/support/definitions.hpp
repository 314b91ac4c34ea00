#pragma once

#include <algorithm>
#include <nearfar/losses/register.hpp>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "support/named_arguments.hpp"
#include "support/tape.hpp"

/// \file
/// The losses as their papers define them, in long double: a function of numbers on a tape, which
/// gives the gradient. Nothing is shared with the library but the structs of options.
///
/// definition(line, options, data) is the value. Conventions, as the library documents them: a zero
/// row has cosine 0 and gradient 0; so has a distance of 0; hinges have derivative 0 at 0; of equal
/// scores the one of the lowest index counts.

namespace oracle {

namespace registered = nearfar::registered;

using Numbers = std::vector<Number>;
using Indices = std::vector<Index>;

inline std::size_t at(Index i) { return static_cast<std::size_t>(i); }

inline Number sum(const Numbers& all) {
  Number out = 0;
  for (const Number& each : all) out += each;
  return out;
}
inline Number mean(const Numbers& all) {
  return all.empty() ? Number(0) : sum(all) / Real(all.size());
}
/// log(1 + sum of exp(each)); 0 for none.
inline Number log_one_plus(const Numbers& all) {
  Number out = 0;
  for (const Number& each : all) out += exp(each);
  return log1p(out);
}
inline Number log_sum(const Numbers& all) {
  Number out = 0;
  for (const Number& each : all) out += exp(each);
  return log(out);
}

/// The number that a reduction divides the sum of terms by; 1 if there are none.
inline Real divisor(nearfar::Reduction reduction, const Numbers& terms) {
  if (reduction == nearfar::Reduction::sum) return 1;
  Index count = Index(terms.size());
  if (reduction == nearfar::Reduction::mean_nonzero) {
    count = 0;
    for (const Number& term : terms) count += term.value != 0 ? 1 : 0;
  }
  return Real(std::max<Index>(count, 1));
}
/// Terms by a reduction.
inline Number reduced(nearfar::Reduction reduction, const Numbers& terms) {
  return sum(terms) / divisor(reduction, terms);
}

// ---- kernels -----------------------------------------------------------------------------------

inline Number inner(const Numbers& x, const Numbers& y) {
  Number out = 0;
  for (std::size_t k = 0; k < x.size(); ++k) out += x[k] * y[k];
  return out;
}
inline Number squared(const Numbers& x, const Numbers& y) {
  Number out = 0;
  for (std::size_t k = 0; k < x.size(); ++k) out += square(x[k] - y[k]);
  return out;
}
/// x / |x|; a zero row stays.
inline Numbers direction(const Numbers& x) {
  const Number length = sqrt(inner(x, x));
  Numbers out;
  for (const Number& v : x) out.push_back(length.value > 0 ? v / length : Number(0));
  return out;
}

template <class K>
Number score(const Numbers& x, const Numbers& y) {
  if constexpr (std::is_same_v<K, nearfar::InnerProduct>) return inner(x, y);
  if constexpr (std::is_same_v<K, nearfar::SquaredEuclidean>) return squared(x, y);
  if constexpr (std::is_same_v<K, nearfar::Euclidean>) return sqrt(squared(x, y));
  const bool zero = inner(x, x).value == 0 || inner(y, y).value == 0;
  // Half the squared chord is 0 for copies, 1 less a rounded cosine is not.
  if constexpr (std::is_same_v<K, nearfar::CosineDistance>) {
    return zero ? Number(1) : squared(direction(x), direction(y)) / 2;
  }
  return inner(direction(x), direction(y));
}
template <class K>
inline constexpr bool is_similarity = K::orientation == nearfar::Orientation::similarity;
/// The score of a similarity, or minus the distance.
template <class K>
Number nearness(const Numbers& x, const Numbers& y) {
  return is_similarity<K> ? score<K>(x, y) : -score<K>(x, y);
}

// ---- data --------------------------------------------------------------------------------------

/// A set of rows as variables of the current tape.
struct Set {
  std::vector<Numbers> rows;

  Set() = default;
  explicit Set(const Matrix& m) {
    for (Index i = 0; i < m.rows(); ++i) {
      rows.emplace_back();
      for (Index k = 0; k < m.cols(); ++k) {
        rows.back().push_back(Tape::current().variable(m(i, k)));
      }
    }
  }
  Index size() const { return Index(rows.size()); }
  const Numbers& operator[](Index i) const { return rows[at(i)]; }
};

/// A set of rows that are no variables: what is computed of constants alone leaves the tape as it
/// is.
inline Set constants(const Matrix& m) {
  Set out;
  for (Index i = 0; i < m.rows(); ++i) {
    out.rows.emplace_back();
    for (Index k = 0; k < m.cols(); ++k) out.rows.back().emplace_back(m(i, k));
  }
  return out;
}

/// A labelled batch under kernel K.
template <class K>
struct Labelled {
  Set x;
  std::vector<std::int64_t> labels;
  std::vector<Numbers> scores;

  Labelled(const Matrix& rows, const std::vector<std::int64_t>& its) : x(rows), labels(its) {
    for (Index i = 0; i < x.size(); ++i) {
      scores.emplace_back();
      for (Index j = 0; j < x.size(); ++j) scores.back().push_back(score<K>(x[i], x[j]));
    }
  }

  Index size() const { return x.size(); }
  const Number& s(Index i, Index j) const { return scores[at(i)][at(j)]; }
  Number near(Index i, Index j) const { return is_similarity<K> ? s(i, j) : -s(i, j); }
  Number far(Index i, Index j) const { return is_similarity<K> ? -s(i, j) : s(i, j); }
  bool same(Index i, Index j) const { return labels[at(i)] == labels[at(j)]; }

  Indices positives(Index i) const { return others(i, true); }
  Indices negatives(Index i) const { return others(i, false); }

 private:
  Indices others(Index i, bool positive) const {
    Indices out;
    for (Index j = 0; j < size(); ++j) {
      if (j != i && same(i, j) == positive) out.push_back(j);
    }
    return out;
  }
};

/// of(j) for each j.
template <class Of>
Numbers each(const Indices& indices, const Of& of) {
  Numbers out;
  for (const Index j : indices) out.push_back(of(j));
  return out;
}

// ---- over labels -------------------------------------------------------------------------------

template <class K>
Number definition(registered::angular, const nearfar::AngularOptions& o, const Labelled<K>& b) {
  const Real t = std::pow(std::tan(Real(o.angle)), 2);
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index p : b.positives(i)) {
      terms.push_back(log_one_plus(each(b.negatives(i), [&](Index n) {
        return 4 * t * (b.s(i, n) + b.s(p, n)) - 2 * (1 + t) * b.s(i, p);
      })));
    }
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::circle, const nearfar::CircleOptions& o, const Labelled<K>& b) {
  const bool constants = o.weights == nearfar::CircleWeights::constant;
  const auto weight = [&](const Number& w) { return constants ? constant(hinge(w)) : hinge(w); };
  const Real gamma = o.gamma;
  const Real m = o.m;
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    if (b.positives(i).empty() || b.negatives(i).empty()) continue;
    terms.push_back(softplus(
        log_sum(each(b.negatives(i),
                     [&](Index n) { return gamma * weight(b.s(i, n) + m) * (b.s(i, n) - m); })) +
        log_sum(each(b.positives(i), [&](Index p) {
          return -(gamma * weight(1 + m - b.s(i, p)) * (b.s(i, p) - (1 - m)));
        }))));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::fast_ap, const nearfar::FastApOptions& o, const Labelled<K>& b) {
  const Real width = Real(4) / Real(o.bins);
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    const Indices positives = b.positives(i);
    if (positives.empty()) continue;
    Number precision = 0;
    Number sum_of_positives = 0;
    Number sum_of_all = 0;
    for (Index bin = 0; bin <= o.bins; ++bin) {
      const auto share = [&](Index j) {
        return hinge(1 - absolute(2 - 2 * b.s(i, j) - Real(bin) * width) / width);
      };
      const Number own = sum(each(positives, share));
      sum_of_positives += own;
      sum_of_all += own + sum(each(b.negatives(i), share));
      if (sum_of_all.value > 0) precision += own * sum_of_positives / sum_of_all;
    }
    terms.push_back(1 - precision / Real(positives.size()));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::generalized_lifted_structure,
                  const nearfar::GeneralizedLiftedStructureOptions& o, const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    if (b.positives(i).empty() || b.negatives(i).empty()) continue;
    terms.push_back(hinge(Real(o.margin) +
                          log_sum(each(b.positives(i), [&](Index p) { return b.far(i, p); })) +
                          log_sum(each(b.negatives(i), [&](Index n) { return -b.far(i, n); }))));
  }
  return reduced(o.reduction, terms);
}

/// Hinges of positive pairs and of negative pairs, each kind reduced by itself.
template <class K, class OfPositive, class OfNegative>
Number pair_terms(const Labelled<K>& b, nearfar::Reduction reduction, const OfPositive& of_positive,
                  const OfNegative& of_negative) {
  Numbers positive;
  Numbers negative;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index p : b.positives(i)) positive.push_back(of_positive(i, p));
    for (const Index n : b.negatives(i)) negative.push_back(of_negative(i, n));
  }
  return reduced(reduction, positive) + reduced(reduction, negative);
}

template <class K>
Number definition(registered::intra_pair_variance, const nearfar::IntraPairVarianceOptions& o,
                  const Labelled<K>& b) {
  Numbers positive;
  Numbers negative;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index p : b.positives(i)) positive.push_back(b.s(i, p));
    for (const Index n : b.negatives(i)) negative.push_back(b.s(i, n));
  }
  const Number least = (1 - Real(o.positive_epsilon)) * mean(positive);
  const Number most = (1 + Real(o.negative_epsilon)) * mean(negative);
  return pair_terms(
      b, o.reduction, [&](Index i, Index p) { return square(hinge(least - b.s(i, p))); },
      [&](Index i, Index n) { return square(hinge(b.s(i, n) - most)); });
}

template <class K>
Number definition(registered::lifted_structure, const nearfar::LiftedStructureOptions& o,
                  const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index j : b.positives(i)) {
      if (j < i) continue;
      if (b.negatives(i).empty() && b.negatives(j).empty()) {
        terms.push_back(0);
        continue;
      }
      Numbers all;
      for (const Index row : {i, j}) {
        for (const Index n : b.negatives(row)) all.push_back(Real(o.margin) - b.far(row, n));
      }
      terms.push_back(square(hinge(log_sum(all) + b.far(i, j))) / 2);
    }
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::linear_contrastive, const nearfar::LinearContrastiveOptions& o,
                  const Labelled<K>& b) {
  const Real sign = is_similarity<K> ? -1 : 1;
  const Real positive_margin = o.positive_margin.value_or(is_similarity<K> ? 1 : 0);
  const Real negative_margin = o.negative_margin.value_or(is_similarity<K> ? 0 : 1);
  return pair_terms(
      b, o.reduction, [&](Index i, Index p) { return hinge(sign * (b.s(i, p) - positive_margin)); },
      [&](Index i, Index n) { return hinge(sign * (negative_margin - b.s(i, n))); });
}

/// The mean of nu beta over all rows is nu beta.
template <class K>
Number definition(registered::margin_loss, const nearfar::MarginLossOptions& o,
                  const Labelled<K>& b) {
  const Real sign = is_similarity<K> ? -1 : 1;
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index p : b.positives(i)) {
      for (const Index n : b.negatives(i)) {
        terms.push_back(hinge(sign * (b.s(i, p) - Real(o.beta)) + Real(o.margin)));
        terms.push_back(hinge(sign * (Real(o.beta) - b.s(i, n)) + Real(o.margin)));
      }
    }
  }
  const Real times = o.reduction == nearfar::Reduction::sum ? Real(b.size()) : Real(1);
  return reduced(o.reduction, terms) + times * Real(o.nu) * Real(o.beta);
}

template <class K>
Number definition(registered::mined_triplet, const nearfar::MinedTripletOptions& o,
                  const Labelled<K>& b) {
  using nearfar::Mining;
  const Real margin = o.margin;
  const bool is_hinge = o.form == nearfar::TripletForm::hinge;
  Numbers terms;
  const auto add = [&](Index i, Index p, Index n) {
    const Number excess = b.far(i, p) - b.far(i, n) + margin;
    terms.push_back(is_hinge ? hinge(excess) : softplus(excess));
  };
  for (Index i = 0; i < b.size(); ++i) {
    const Indices positives = b.positives(i);
    const Indices negatives = b.negatives(i);
    if (positives.empty() || negatives.empty()) continue;
    const auto d = [&](Index j) { return b.far(i, j).value; };
    // The index whose distance is the best of those that `may` count, -1 for none.
    const auto best = [&](const Indices& of, const auto& better, const auto& may) {
      Index out = -1;
      for (const Index j : of) {
        if (may(j) && (out < 0 || better(d(j), d(out)))) out = j;
      }
      return out;
    };
    const auto any = [](Index) { return true; };
    const std::less<Real> nearer;
    const std::greater<Real> farther;
    switch (o.mining) {
      case Mining::batch_hard:
        add(i, best(positives, farther, any), best(negatives, nearer, any));
        break;
      case Mining::batch_easy_hard: {
        // The settings of the tests: an easy positive and a semi-hard negative.
        if (o.positive != nearfar::PositiveChoice::easy ||
            o.negative != nearfar::NegativeChoice::semihard) {
          throw std::logic_error("no definition of these choices");
        }
        const Index p = best(positives, nearer, any);
        const Index n = best(negatives, nearer, [&](Index j) { return d(j) > d(p); });
        if (n >= 0) add(i, p, n);
        break;
      }
      case Mining::semi_hard_per_pair:
        for (const Index p : positives) {
          const Index n = best(negatives, nearer, [&](Index j) { return d(j) > d(p); });
          add(i, p, n >= 0 ? n : best(negatives, farther, any));
        }
        break;
      case Mining::distance_weighted:
        throw std::logic_error("no definition of draws");
      default:
        for (const Index p : positives) {
          for (const Index n : negatives) {
            const bool hard = d(n) <= d(p);
            const bool easy = d(n) > d(p) + margin;
            if ((o.mining == Mining::hard && !hard) || (o.mining == Mining::easy && !easy) ||
                (o.mining == Mining::semihard && (hard || easy))) {
              continue;
            }
            add(i, p, n);
          }
        }
    }
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::multi_similarity, const nearfar::MultiSimilarityOptions& o,
                  const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    Indices positives = b.positives(i);
    Indices negatives = b.negatives(i);
    if (o.epsilon) {
      const Real epsilon = *o.epsilon;
      Real highest = -std::numeric_limits<Real>::infinity();
      Real lowest = std::numeric_limits<Real>::infinity();
      for (const Index n : negatives) highest = std::max(highest, b.s(i, n).value);
      for (const Index p : positives) lowest = std::min(lowest, b.s(i, p).value);
      std::erase_if(positives, [&](Index p) { return !(b.s(i, p).value < highest + epsilon); });
      std::erase_if(negatives, [&](Index n) { return !(b.s(i, n).value > lowest - epsilon); });
    }
    const Real alpha = o.alpha;
    const Real beta = o.beta;
    const Real base = o.base;
    terms.push_back(
        log_one_plus(each(positives, [&](Index p) { return -alpha * (b.s(i, p) - base); })) /
            alpha +
        log_one_plus(each(negatives, [&](Index n) { return beta * (b.s(i, n) - base); })) / beta);
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::nca, const nearfar::NcaOptions& o, const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    const auto logit = [&](Index j) { return b.near(i, j) / Real(o.temperature); };
    const Numbers positives = each(b.positives(i), logit);
    Numbers all = each(b.negatives(i), logit);
    if (positives.empty()) continue;
    all.insert(all.end(), positives.begin(), positives.end());
    terms.push_back(log_sum(all) - log_sum(positives));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::ranked_list, const nearfar::RankedListOptions& o,
                  const Labelled<K>& b) {
  const auto part = [](const Numbers& gaps, Real sharpness) {
    Number sum_of_gaps = 0;
    Number sum_of_weights = 0;
    for (const Number& gap : gaps) {
      if (!(gap.value > 0)) continue;
      const Number weight = constant(exp(sharpness * gap));
      sum_of_gaps += weight * gap;
      sum_of_weights += weight;
    }
    return sum_of_weights.value > 0 ? sum_of_gaps / sum_of_weights : Number(0);
  };
  const Real inner_bound = Real(o.alpha) - Real(o.margin);
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    const Numbers positive = each(b.positives(i), [&](Index p) { return b.s(i, p) - inner_bound; });
    const Numbers negative =
        each(b.negatives(i), [&](Index n) { return Real(o.alpha) - b.s(i, n); });
    terms.push_back((1 - Real(o.imbalance)) * part(positive, o.t_p) +
                    Real(o.imbalance) * part(negative, o.t_n));
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::sincere, const nearfar::SincereOptions& o, const Labelled<K>& b) {
  const bool pairs = o.terms == nearfar::SincereTerms::positive_pairs;
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    const Numbers of_pairs = each(b.positives(i), [&](Index p) {
      return log_one_plus(each(b.negatives(i), [&](Index n) {
        return (b.near(i, n) - b.near(i, p)) / Real(o.temperature);
      }));
    });
    if (of_pairs.empty()) continue;
    if (!pairs) terms.push_back(mean(of_pairs));
    if (pairs) terms.insert(terms.end(), of_pairs.begin(), of_pairs.end());
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::smooth_ap, const nearfar::SmoothApOptions& o, const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    Indices positives = b.positives(i);
    if (o.include_self) positives.push_back(i);
    if (positives.empty()) continue;
    const Indices negatives = b.negatives(i);
    const Numbers precisions = each(positives, [&](Index p) {
      const auto sigmoid = [&](Index k) {
        return k == p ? Number(0)
                      : 1 / (1 + exp((b.near(i, p) - b.near(i, k)) / Real(o.temperature)));
      };
      const Number among_positives = 1 + sum(each(positives, sigmoid));
      return among_positives / (among_positives + sum(each(negatives, sigmoid)));
    });
    terms.push_back(1 - mean(precisions));
  }
  return reduced(o.reduction, terms);
}

/// An anchor without variance has no pairs.
template <class K>
Number definition(registered::snr_contrastive, const nearfar::SnrContrastiveOptions& o,
                  const Labelled<K>& b) {
  const auto variance = [](const Numbers& row) {
    const Number middle = mean(row);
    Number out = 0;
    for (const Number& v : row) out += square(v - middle);
    return out / Real(row.size());
  };
  Numbers positive;
  Numbers negative;
  for (Index i = 0; i < b.size(); ++i) {
    const Number own = variance(b.x[i]);
    if (!(own.value > 0)) continue;
    const auto d = [&](Index j) {
      Numbers difference;
      for (std::size_t k = 0; k < b.x[i].size(); ++k) difference.push_back(b.x[i][k] - b.x[j][k]);
      return variance(difference) / own;
    };
    for (const Index p : b.positives(i)) positive.push_back(hinge(d(p) - Real(o.positive_margin)));
    for (const Index n : b.negatives(i)) negative.push_back(hinge(Real(o.negative_margin) - d(n)));
  }
  return reduced(o.reduction, positive) + reduced(o.reduction, negative);
}

template <class K>
Number definition(registered::sup_con, const nearfar::SupConOptions& o, const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    const auto logit = [&](Index j) { return b.near(i, j) / Real(o.temperature); };
    const Numbers positives = each(b.positives(i), logit);
    if (positives.empty()) continue;
    Numbers all = each(b.negatives(i), logit);
    all.insert(all.end(), positives.begin(), positives.end());
    const Number own = o.variant == nearfar::SupConVariant::out
                           ? mean(positives)
                           : log_sum(positives) - std::log(Real(positives.size()));
    terms.push_back(log_sum(all) - own);
  }
  return reduced(o.reduction, terms);
}

/// cos(theta - beta) for the angle theta of two rows, with derivative 0 where theta is 0 or pi. The
/// sine is a product of chords, which is 0 for copies; a zero row is at right angles to all.
inline Number cosine_of_less(const Numbers& x, const Numbers& y, Real beta) {
  const Numbers u = direction(x);
  const Numbers v = direction(y);
  Numbers opposite;
  for (const Number& e : v) opposite.push_back(-e);
  const bool zero = inner(x, x).value == 0 || inner(y, y).value == 0;
  const Number sine = zero ? Number(1) : sqrt(squared(u, v)) * sqrt(squared(u, opposite)) / 2;
  return inner(u, v) * std::cos(beta) + sine * std::sin(beta);
}

template <class K>
Number definition(registered::tuplet_margin, const nearfar::TupletMarginOptions& o,
                  const Labelled<K>& b) {
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    for (const Index p : b.positives(i)) {
      const Number own = cosine_of_less(b.x[i], b.x[p], o.margin);
      terms.push_back(log_one_plus(
          each(b.negatives(i), [&](Index n) { return (b.s(i, n) - own) / Real(o.temperature); })));
    }
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::hadsell_contrastive, const nearfar::HadsellOptions& o,
                  const Labelled<K>& b) {
  Numbers terms;
  const Real factor = o.factor == nearfar::SquareFactor::half ? Real(0.5) : Real(1);
  for (Index i = 0; i < b.size(); ++i) {
    for (Index j = i + 1; j < b.size(); ++j) {
      terms.push_back(factor *
                      square(b.same(i, j) ? b.s(i, j) : hinge(Real(o.margin) - b.s(i, j))));
    }
  }
  return reduced(o.reduction, terms);
}

template <class K>
Number definition(registered::centroid_triplet, const nearfar::CentroidTripletOptions& o,
                  const Labelled<K>& b) {
  const auto centroid = [&](std::int64_t label, Index without) {
    Numbers out(b.x[0].size(), Number(0));
    Index count = 0;
    for (Index j = 0; j < b.size(); ++j) {
      if (b.labels[at(j)] != label || j == without) continue;
      for (std::size_t k = 0; k < out.size(); ++k) out[k] += b.x[j][k];
      ++count;
    }
    for (Number& v : out) v = v / Real(count);
    return out;
  };
  Numbers terms;
  for (Index i = 0; i < b.size(); ++i) {
    if (b.positives(i).empty()) continue;
    const Number own = score<K>(b.x[i], centroid(b.labels[at(i)], i));
    for (Index j = 0; j < b.size(); ++j) {
      bool first = !b.same(i, j);
      for (Index earlier = 0; earlier < j; ++earlier) first = first && !b.same(earlier, j);
      if (!first) continue;
      terms.push_back(
          hinge(own - score<K>(b.x[i], centroid(b.labels[at(j)], -1)) + Real(o.margin)));
    }
  }
  return reduced(o.reduction, terms);
}

// ---- value and gradient ------------------------------------------------------------------------

struct Defined {
  Real value = 0;
  std::vector<Matrix> gradients;  ///< of the sets, in their order
};

/// The derivatives of a value with respect to sets of variables.
inline Defined derived(const Number& value, const std::vector<const Set*>& sets) {
  Defined out;
  out.value = value.value;
  const std::vector<Real> all = Tape::current().derivatives(value);
  for (const Set* set : sets) {
    const Index cols = set->size() > 0 ? Index((*set)[0].size()) : 0;
    out.gradients.emplace_back(set->size(), cols);
    for (Index i = 0; i < set->size(); ++i) {
      for (Index k = 0; k < cols; ++k) {
        out.gradients.back()(i, k) = all[static_cast<std::size_t>((*set)[i][at(k)].place)];
      }
    }
  }
  return out;
}

/// Value and gradient of a loss over labels.
template <class Line, class K>
Defined defined_over_labels(const typename Line::Options& options, const Matrix& x,
                            const std::vector<std::int64_t>& labels) {
  Tape::current().clear();
  const Labelled<K> batch(x, labels);
  return derived(definition(Line(), options, batch), {&batch.x});
}

}  // namespace oracle
