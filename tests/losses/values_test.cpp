#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/nearfar.hpp>

#include "support/oracle.hpp"
#include "support/random.hpp"

/// Values, counts and mined choices against the plainest loops over rows, pairs and triplets, in
/// long double. (Gradients are held against differences of these values elsewhere.)

namespace {

using namespace support;
using nearfar::Reduction;
using oracle::Real;
using oracle::row;

constexpr double same = 1e-12;

void expect_value(double got, Real wanted) {
  EXPECT_LE(std::abs(static_cast<Real>(got) - wanted), same * std::max<Real>(1, std::abs(wanted)))
      << "got " << got << ", wanted " << wanted;
}

/// Rows with labels, among them ties, duplicates and labels of any size.
struct Batch {
  std::string name;
  Matrix<double> x;
  std::vector<std::int64_t> labels;
};

std::vector<Batch> batches() {
  std::vector<Batch> all;
  const auto labels = [](Index n, const auto& of) {
    std::vector<std::int64_t> out;
    for (Index i = 0; i < n; ++i) out.push_back(of(i));
    return out;
  };
  for (const Index n : {2, 7, 33, 130}) {
    all.push_back({"random " + std::to_string(n), random_rows<double>(n, 17, 3),
                   labels(n, [](Index i) { return (i * i) % 5; })});
  }
  all.push_back({"one class", random_rows<double>(9, 3, 4), labels(9, [](Index) { return 1; })});
  all.push_back(
      {"no class twice", random_rows<double>(9, 3, 5), labels(9, [](Index i) { return 4 * i; })});
  all.push_back({"labels negative and huge", random_rows<double>(12, 3, 6), labels(12, [](Index i) {
                   return i % 3 == 0   ? std::numeric_limits<std::int64_t>::min()
                          : i % 3 == 1 ? std::numeric_limits<std::int64_t>::max()
                                       : std::int64_t(-1);
                 })});
  Batch ties{"ties and duplicates", Matrix<double>(12, 2),
             labels(12, [](Index i) { return i % 2; })};
  for (Index i = 0; i < 12; ++i) ties.x.row(i) << double(i % 3), double((i / 3) % 2);
  all.push_back(ties);
  all.push_back({"a single row", random_rows<double>(1, 3, 7), {5}});
  return all;
}

/// Distances, or minus scores, of all pairs.
template <class O>
oracle::Matrix distances(const O& kernel, const oracle::Matrix& x) {
  oracle::Matrix d = oracle::pairwise(kernel, x, x);
  if (O::similarity) d = -d;
  return d;
}

// ---- triplets ----------------------------------------------------------------------------------

struct Mined {
  Real sum = 0;
  std::int64_t terms = 0;
  std::int64_t active = 0;
  std::int64_t hard = 0;
  std::int64_t semihard = 0;
  std::int64_t easy = 0;
};

/// Every triplet, one by one. Kinds are counted of all triplets, or of the one an anchor takes.
Mined mine(const oracle::Matrix& d, const Batch& batch, const nearfar::MinedTripletOptions& o) {
  using nearfar::Mining;
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  const Index n = d.rows();
  const auto label = [&](Index i) { return batch.labels[static_cast<std::size_t>(i)]; };
  const Real m = o.margin;
  Mined out;
  const bool one_an_anchor = o.mining == Mining::batch_hard || o.mining == Mining::batch_easy_hard;
  const auto is_hard = [&](Index a, Index p, Index k) { return d(a, k) <= d(a, p); };
  const auto is_easy = [&](Index a, Index p, Index k) { return d(a, k) > d(a, p) + m; };
  const auto count = [&](Index a, Index p, Index k) {
    ++(is_hard(a, p, k) ? out.hard : is_easy(a, p, k) ? out.easy : out.semihard);
  };
  const auto take = [&](Index a, Index p, Index k) {
    const Real z = d(a, p) - d(a, k) + m;
    const Real value = o.form == nearfar::TripletForm::hinge
                           ? std::max<Real>(z, 0)
                           : std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z)));
    out.sum += value;
    ++out.terms;
    if (value > 0) ++out.active;
    if (one_an_anchor) count(a, p, k);
  };
  for (Index a = 0; a < n; ++a) {
    std::vector<Index> positives;
    std::vector<Index> negatives;
    for (Index j = 0; j < n; ++j) {
      if (label(j) != label(a)) negatives.push_back(j);
      if (label(j) == label(a) && j != a) positives.push_back(j);
    }
    for (const Index p : positives) {
      for (const Index k : negatives) {
        const bool hard = is_hard(a, p, k);
        const bool easy = is_easy(a, p, k);
        if (!one_an_anchor) count(a, p, k);
        if (o.mining == Mining::all || (o.mining == Mining::hard && hard) ||
            (o.mining == Mining::easy && easy) ||
            (o.mining == Mining::semihard && !hard && !easy)) {
          take(a, p, k);
        }
      }
    }
    if (positives.empty() || negatives.empty()) continue;
    const auto nearer = [&](Index i, Index j) { return d(a, i) < d(a, j); };
    const auto farthest = [&](const std::vector<Index>& of) {
      return *std::max_element(of.begin(), of.end(), nearer);
    };
    const auto nearest = [&](const std::vector<Index>& of) {
      return *std::min_element(of.begin(), of.end(), nearer);
    };
    if (o.mining == Mining::semi_hard_per_pair) {
      for (const Index p : positives) {
        std::vector<Index> beyond;
        for (const Index k : negatives) {
          if (d(a, k) > d(a, p)) beyond.push_back(k);
        }
        take(a, p, beyond.empty() ? farthest(negatives) : nearest(beyond));
      }
    } else if (o.mining == Mining::batch_hard) {
      take(a, farthest(positives), nearest(negatives));
    } else if (o.mining == Mining::batch_easy_hard) {
      // The one that waits for the other comes second; -1: nothing fits.
      Index p = o.positive == PositiveChoice::easy ? nearest(positives) : farthest(positives);
      Index k = o.negative == NegativeChoice::easy ? farthest(negatives) : nearest(negatives);
      const auto keep = [](std::vector<Index>& of, const auto& fits) {
        of.erase(std::remove_if(of.begin(), of.end(), [&](Index j) { return !fits(j); }), of.end());
      };
      if (o.negative == NegativeChoice::semihard) {
        keep(negatives, [&](Index j) { return d(a, j) > d(a, p); });
        k = negatives.empty() ? -1 : nearest(negatives);
      }
      if (o.positive == PositiveChoice::semihard) {
        keep(positives, [&](Index j) { return d(a, j) < d(a, k); });
        p = positives.empty() ? -1 : farthest(positives);
      }
      if (p >= 0 && k >= 0) take(a, p, k);
    }
  }
  return out;
}

template <class K, class O>
void expect_mined_alike(const O& kernel) {
  using nearfar::Mining;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(kernel, oracle::exact(batch.x));
    for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy,
                                Mining::batch_hard, Mining::semi_hard_per_pair}) {
      for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
        for (const Reduction reduction :
             {Reduction::sum, Reduction::mean, Reduction::mean_nonzero}) {
          SCOPED_TRACE(batch.name + ", mining " + std::to_string(static_cast<int>(mining)) +
                       ", form " + std::to_string(static_cast<int>(form)));
          const nearfar::MinedTripletOptions options{
              .margin = 0.2, .form = form, .mining = mining, .reduction = reduction};
          const Mined want = mine(d, batch, options);
          const auto got = nearfar::MinedTriplet<double, K>(options).forward(batch.x, batch.labels);
          const std::int64_t divisor = reduction == Reduction::sum    ? 1
                                       : reduction == Reduction::mean ? want.terms
                                                                      : want.active;
          expect_value(got.value, divisor > 0 ? want.sum / static_cast<Real>(divisor) : 0);
          EXPECT_EQ(got.diagnostics.terms, want.terms);
          EXPECT_EQ(got.diagnostics.active_terms, want.active);
          EXPECT_EQ(got.hard_triplets, want.hard);
          EXPECT_EQ(got.semihard_triplets, want.semihard);
          EXPECT_EQ(got.easy_triplets, want.easy);
        }
      }
    }
  }
}

TEST(MinedTripletValues, AreThoseOfEveryTripletOneByOne) {
  expect_mined_alike<nearfar::SquaredEuclidean>(oracle::SquaredEuclidean());
  expect_mined_alike<nearfar::Euclidean>(oracle::Euclidean());
  expect_mined_alike<nearfar::InnerProduct>(oracle::InnerProduct());
}

TEST(MinedTripletValues, OfOneTripletAnAnchorAreThoseOfTheChoices) {
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(oracle::SquaredEuclidean(), oracle::exact(batch.x));
    for (const auto positive :
         {PositiveChoice::easy, PositiveChoice::semihard, PositiveChoice::hard}) {
      for (const auto negative :
           {NegativeChoice::easy, NegativeChoice::semihard, NegativeChoice::hard}) {
        if (positive == PositiveChoice::semihard && negative == NegativeChoice::semihard) continue;
        SCOPED_TRACE(batch.name + ", positive " + std::to_string(static_cast<int>(positive)) +
                     ", negative " + std::to_string(static_cast<int>(negative)));
        const nearfar::MinedTripletOptions options{.mining = nearfar::Mining::batch_easy_hard,
                                                   .positive = positive,
                                                   .negative = negative,
                                                   .reduction = Reduction::sum};
        const Mined want = mine(d, batch, options);
        const auto got = nearfar::MinedTriplet<double, nearfar::SquaredEuclidean>(options).forward(
            batch.x, batch.labels);
        expect_value(got.value, want.sum);
        EXPECT_EQ(got.diagnostics.terms, want.terms);
        EXPECT_EQ(got.diagnostics.active_terms, want.active);
        EXPECT_EQ(got.hard_triplets, want.hard);
        EXPECT_EQ(got.semihard_triplets, want.semihard);
        EXPECT_EQ(got.easy_triplets, want.easy);
      }
    }
  }
}

TEST(MinedTripletValues, CountsOfAllTripletsHaveAClosedForm) {
  for (const Batch& batch : batches()) {
    std::int64_t want = 0;
    const auto n = static_cast<std::int64_t>(batch.labels.size());
    for (const std::int64_t label : batch.labels) {
      const auto members = std::count(batch.labels.begin(), batch.labels.end(), label);
      want += (members - 1) * (n - members);
    }
    const auto got = nearfar::MinedTriplet<double>({.mining = nearfar::Mining::all})
                         .forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want) << batch.name;
    EXPECT_EQ(got.hard_triplets + got.semihard_triplets + got.easy_triplets, want) << batch.name;
  }
}

// ---- pairs -------------------------------------------------------------------------------------

TEST(LinearContrastiveValues, AreThoseOfEveryPair) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    Real positive = 0;
    Real negative = 0;
    std::int64_t positives = 0;
    std::int64_t negatives = 0;
    std::int64_t active_positives = 0;
    std::int64_t active_negatives = 0;
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.rows(); ++j) {
        if (i == j) continue;
        if (batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]) {
          const Real hinge = std::max<Real>(d(i, j) - Real(0.25), 0);
          positive += hinge;
          ++positives;
          active_positives += hinge > 0 ? 1 : 0;
        } else {
          const Real hinge = std::max<Real>(Real(1.5) - d(i, j), 0);
          negative += hinge;
          ++negatives;
          active_negatives += hinge > 0 ? 1 : 0;
        }
      }
    }
    const auto share = [](Real sum, std::int64_t count) {
      return count > 0 ? sum / static_cast<Real>(count) : 0;
    };
    const auto run = [&](Reduction reduction) {
      return nearfar::LinearContrastive<double>(
                 {.positive_margin = 0.25, .negative_margin = 1.5, .reduction = reduction})
          .forward(batch.x, batch.labels);
    };
    expect_value(run(Reduction::sum).value, positive + negative);
    expect_value(run(Reduction::mean).value,
                 share(positive, positives) + share(negative, negatives));
    const auto got = run(Reduction::mean_nonzero);
    expect_value(got.value, share(positive, active_positives) + share(negative, active_negatives));
    EXPECT_EQ(got.positive_pairs, positives);
    EXPECT_EQ(got.negative_pairs, negatives);
    EXPECT_EQ(got.active_positive_pairs, active_positives);
    EXPECT_EQ(got.active_negative_pairs, active_negatives);
  }
}

/// The sum over rows i of of_row(i, positives of i, negatives of i).
template <class OfRow>
Real over_rows(const Batch& batch, const OfRow& of_row) {
  Real sum = 0;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    std::vector<Index> positives;
    std::vector<Index> negatives;
    for (std::size_t j = 0; j < batch.labels.size(); ++j) {
      if (i == j) continue;
      (batch.labels[i] == batch.labels[j] ? positives : negatives).push_back(Index(j));
    }
    sum += of_row(Index(i), positives, negatives);
  }
  return sum;
}

TEST(MultiSimilarityValues, AreThoseOfTheFormula) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
    const Real want = over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
      Real a = 1;
      Real b = 1;
      for (const Index p : positives) a += std::exp(Real(-2) * (s(i, p) - Real(0.5)));
      for (const Index k : negatives) b += std::exp(Real(50) * (s(i, k) - Real(0.5)));
      return std::log(a) / 2 + std::log(b) / 50;
    });
    expect_value(nearfar::MultiSimilarity<double>({.reduction = Reduction::sum})
                     .forward(batch.x, batch.labels)
                     .value,
                 want);
  }
}

TEST(CircleValues, AreThoseOfTheFormula) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x);
    const Real m = 0.25;
    const Real gamma = 16;
    std::int64_t terms = 0;
    const Real want = over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
      if (positives.empty() || negatives.empty()) return Real(0);
      ++terms;
      Real a = 0;
      Real b = 0;
      for (const Index p : positives) {
        a += std::exp(-gamma * std::max<Real>(0, 1 + m - s(i, p)) * (s(i, p) - (1 - m)));
      }
      for (const Index k : negatives) {
        b += std::exp(gamma * std::max<Real>(0, s(i, k) + m) * (s(i, k) - m));
      }
      return std::log(1 + a * b);
    });
    const auto got = nearfar::Circle<double>({.m = 0.25, .gamma = 16, .reduction = Reduction::sum})
                         .forward(batch.x, batch.labels);
    expect_value(got.value, want);
    EXPECT_EQ(got.diagnostics.terms, terms);
  }
}

TEST(CircleGradients, OfConstantWeightsAreThoseOfFrozenOnes) {
  // Two rows of a class and one of another: frozen weights, by hand.
  const Matrix<double> x = random_rows<double>(7, 4, 8);
  const std::vector<int> labels = {0, 1, 0, 1, 2, 0, 1};
  const nearfar::CircleOptions options{.m = 0.25, .gamma = 4, .reduction = Reduction::sum};
  Matrix<double> frozen_gradient;
  nearfar::Circle<double>(options).forward_backward(x, labels, frozen_gradient);

  Matrix<double> moved = x;
  const oracle::Matrix at = oracle::pairwise(oracle::Cosine(), oracle::exact(x), oracle::exact(x));
  const auto value = [&] {
    const oracle::Matrix y = oracle::exact(moved);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), y, y);
    Real sum = 0;
    for (Index i = 0; i < 7; ++i) {
      Real a = 0;
      Real b = 0;
      for (Index j = 0; j < 7; ++j) {
        if (i == j) continue;
        if (labels[std::size_t(i)] == labels[std::size_t(j)]) {
          a += std::exp(-4 * std::max<Real>(0, Real(1.25) - at(i, j)) * (s(i, j) - Real(0.75)));
        } else {
          b += std::exp(4 * std::max<Real>(0, at(i, j) + Real(0.25)) * (s(i, j) - Real(0.25)));
        }
      }
      if (a > 0 && b > 0) sum += std::log(1 + a * b);
    }
    return static_cast<double>(sum);
  };
  const auto report = nearfar::check_gradient<double>(value, {{"x", moved, frozen_gradient}});
  EXPECT_TRUE(report.passed) << report;
}

TEST(LiftedStructureValues, AgainstReferencesAreThoseOfTheFormula) {
  const Matrix<double> x = random_rows<double>(33, 17, 8);
  const Matrix<double> y = random_rows<double>(40, 17, 9);
  const std::vector<int> of_x = random_labels(33, 4, 10);
  const std::vector<int> of_y = random_labels(40, 4, 11);
  const oracle::Matrix d =
      oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(y));
  const auto alike = [&](Index i, Index j) { return of_x[std::size_t(i)] == of_y[std::size_t(j)]; };
  Real sum = 0;
  std::int64_t pairs = 0;
  for (Index i = 0; i < d.rows(); ++i) {
    for (Index j = 0; j < d.cols(); ++j) {
      if (!alike(i, j)) continue;
      Real negatives = 0;
      for (Index k = 0; k < d.cols(); ++k) {
        if (!alike(i, k)) negatives += std::exp(1 - d(i, k));
      }
      for (Index k = 0; k < d.rows(); ++k) {
        if (!alike(k, j)) negatives += std::exp(1 - d(k, j));
      }
      const Real over = std::max<Real>(std::log(negatives) + d(i, j), 0);
      sum += over * over / 2;
      ++pairs;
    }
  }
  const auto got = nearfar::LiftedStructure<double>().forward(x, of_x, y, of_y);
  expect_value(got.value, sum / static_cast<Real>(pairs));
  EXPECT_EQ(got.diagnostics.terms, pairs);
}

TEST(LiftedStructureValues, AreThoseOfTheFormula) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    Real sum = 0;
    std::int64_t pairs = 0;
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = i + 1; j < d.rows(); ++j) {
        if (batch.labels[std::size_t(i)] != batch.labels[std::size_t(j)]) continue;
        ++pairs;
        Real negatives = 0;
        for (Index k = 0; k < d.rows(); ++k) {
          if (batch.labels[std::size_t(k)] == batch.labels[std::size_t(i)]) continue;
          negatives += std::exp(1 - d(i, k)) + std::exp(1 - d(j, k));
        }
        if (negatives == 0) continue;
        const Real excess = std::max<Real>(0, std::log(negatives) + d(i, j));
        sum += excess * excess;
      }
    }
    const auto got = nearfar::LiftedStructure<double>().forward(batch.x, batch.labels);
    expect_value(got.value, pairs > 0 ? sum / (2 * static_cast<Real>(pairs)) : 0);
    EXPECT_EQ(got.diagnostics.terms, pairs);
  }
}

TEST(SupConValues, AreThoseOfTheFormulas) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), x, x) / Real(0.25);
    for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
      std::int64_t terms = 0;
      const Real want =
          over_rows(batch, [&](Index i, const auto& positives, const auto& negatives) {
            if (positives.empty()) return Real(0);
            ++terms;
            Real all = 0;
            for (const Index j : positives) all += std::exp(s(i, j));
            for (const Index j : negatives) all += std::exp(s(i, j));
            Real outside = 0;
            Real inside = 0;
            const auto count = static_cast<Real>(positives.size());
            for (const Index p : positives) {
              outside -= std::log(std::exp(s(i, p)) / all) / count;
              inside += std::exp(s(i, p)) / all / count;
            }
            return variant == nearfar::SupConVariant::out ? outside : -std::log(inside);
          });
      const auto got = nearfar::SupCon<double>(
                           {.temperature = 0.25, .variant = variant, .reduction = Reduction::sum})
                           .forward(batch.x, batch.labels);
      expect_value(got.value, want);
      EXPECT_EQ(got.diagnostics.terms, terms);
    }
  }
}

// ---- two views ---------------------------------------------------------------------------------

/// Two views above each other, and their cosines over the temperature.
struct Views {
  Matrix<double> a;
  Matrix<double> b;
  oracle::Matrix s;
  Index n;

  Views(Index rows, Real temperature)
      : a(random_rows<double>(rows, 17, 21)), b(random_rows<double>(rows, 17, 22)), n(rows) {
    oracle::Matrix all(2 * rows, 17);
    all << oracle::exact(a), oracle::exact(b);
    s = oracle::pairwise(oracle::Cosine(), all, all) / temperature;
  }

  Index partner(Index i) const { return i < n ? i + n : i - n; }
  bool negative(Index i, Index j) const { return j != i && j != partner(i); }
};

TEST(NtXentValues, AreThoseOfTheFormulaWithAndWithoutThePositiveBelow) {
  for (const Index n : {2, 7, 33, 130}) {
    const Views v(n, 0.25);
    Real with = 0;
    Real without = 0;
    for (Index i = 0; i < 2 * n; ++i) {
      Real negatives = 0;
      for (Index j = 0; j < 2 * n; ++j) {
        if (v.negative(i, j)) negatives += std::exp(v.s(i, j));
      }
      const Real own = std::exp(v.s(i, v.partner(i)));
      with -= std::log(own / (own + negatives)) / static_cast<Real>(2 * n);
      without -= std::log(own / negatives) / static_cast<Real>(2 * n);
    }
    expect_value(nearfar::NtXent<double>({.temperature = 0.25}).forward(v.a, v.b).value, with);
    expect_value(nearfar::NtXent<double>(
                     {.temperature = 0.25, .denominator = nearfar::Denominator::negatives_only})
                     .forward(v.a, v.b)
                     .value,
                 without);
  }
}

TEST(HardNegativeValues, AreThoseOfTheFormula) {
  for (const Index n : {2, 7, 33}) {
    for (const auto& [prior, beta] :
         {std::pair(0.0, 0.0), std::pair(0.1, 1.0), std::pair(0.1, 0.0), std::pair(0.6, 2.0)}) {
      const Real tau = 0.25;
      const Views v(n, tau);
      const Real count = static_cast<Real>(2 * n - 2);
      Real want = 0;
      for (Index i = 0; i < 2 * n; ++i) {
        Real hardened = 0;
        Real weights = 0;
        for (Index j = 0; j < 2 * n; ++j) {
          if (!v.negative(i, j)) continue;
          hardened += std::exp((1 + Real(beta)) * v.s(i, j));
          weights += std::exp(Real(beta) * v.s(i, j));
        }
        const Real own = std::exp(v.s(i, v.partner(i)));
        const Real g =
            std::max((count * hardened / weights - count * Real(prior) * own) / (1 - Real(prior)),
                     count * std::exp(-1 / tau));
        want -= std::log(own / (own + g)) / static_cast<Real>(2 * n);
      }
      const nearfar::HardNegative<double> loss(
          {.temperature = 0.25, .positive_prior = prior, .concentration = beta});
      expect_value(loss.forward(v.a, v.b).value, want);
    }
  }
}

TEST(SupConValues, WithTwoViewsAndNoSharedLabelAreNtXents) {
  const Views v(33, 1);
  Matrix<double> all(66, 17);
  all << v.a, v.b;
  std::vector<int> labels;
  for (int i = 0; i < 66; ++i) labels.push_back(i % 33);
  const double of_views = nearfar::NtXent<double>({.temperature = 0.3}).forward(v.a, v.b).value;
  for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
    EXPECT_NEAR(nearfar::SupCon<double>({.temperature = 0.3, .variant = variant})
                    .forward(all, labels)
                    .value,
                of_views, same * of_views);
  }
}

// ---- whole sets --------------------------------------------------------------------------------

TEST(AlignmentAndUniformityValues, AreThoseOfTheFormulas) {
  for (const Index n : {2, 7, 130}) {
    const Views v(n, 1);
    Real alignment = 0;
    Real potential = 0;
    for (Index i = 0; i < n; ++i) {
      alignment += std::pow(2 - 2 * v.s(i, i + n), Real(1.5) / 2) / static_cast<Real>(n);
      for (Index j = i + 1; j < n; ++j) potential += std::exp(-2 * (2 - 2 * v.s(i, j)));
    }
    expect_value(nearfar::Alignment<double>({.alpha = 1.5}).forward(v.a, v.b).value, alignment);
    expect_value(nearfar::Uniformity<double>().forward(v.a).value,
                 std::log(potential / static_cast<Real>(n * (n - 1) / 2)));
  }
}

TEST(MutualInformationValues, AreThoseOfTheFormulas) {
  using Bound = nearfar::MutualInformationBound;
  for (const Index n : {2, 7, 130}) {
    const Views v(n, 1);
    const oracle::Matrix f =
        oracle::pairwise(oracle::InnerProduct(), oracle::exact(v.a), oracle::exact(v.b)) /
        Real(0.5);
    const auto count = static_cast<Real>(n);
    Real joint = 0;
    Real info_nce = std::log(count);
    Real others = 0;
    Real all = 0;
    for (Index i = 0; i < n; ++i) {
      joint += f(i, i) / count;
      Real sum = 0;
      for (Index j = 0; j < n; ++j) {
        sum += std::exp(f(i, j));
        all += f(i, j);
        if (i != j) others += std::exp(f(i, j)) / (count * (count - 1));
      }
      info_nce += (f(i, i) - std::log(sum)) / count;
    }
    const auto run = [&](Bound bound) {
      return nearfar::MutualInformation<double>({.bound = bound, .temperature = 0.5})
          .forward(v.a, v.b);
    };
    expect_value(run(Bound::info_nce).value, info_nce);
    expect_value(run(Bound::info_nce).ceiling, std::log(count));
    expect_value(run(Bound::nwj).value, joint - others / std::exp(Real(1)));
    expect_value(run(Bound::donsker_varadhan).value, joint - std::log(others));
    expect_value(run(Bound::club).value, joint - all / (count * count));
  }
}

TEST(MutualInformationValues, OfCorrelatedGaussiansAreBelowTheTruth) {
  // rho = 0.8 in 4 dimensions: the mutual information is -4/2 log(1 - rho^2) = 2.04 nats; the
  // critic is log p(x | y), the log density ratio up to a function of x alone, which InfoNCE does
  // not see.
  const double rho = 0.8;
  Random random(9);
  const auto normal = [&] {
    const double u = (random.uniform() + 1) / 2 + 0x1p-60;
    return std::sqrt(-2 * std::log(u)) * std::cos(3.14159265358979 * random.uniform());
  };
  const Index n = 2000;
  Matrix<double> x(n, 4);
  Matrix<double> y(n, 4);
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < 4; ++k) {
      x(i, k) = normal();
      y(i, k) = rho * x(i, k) + std::sqrt(1 - rho * rho) * normal();
    }
  }
  const double truth = -2 * std::log(1 - rho * rho);
  const auto bound = nearfar::MutualInformation<double, nearfar::SquaredEuclidean>(
                         {.temperature = 2 * (1 - rho * rho)})
                         .forward(x, Matrix<double>(rho * y));
  EXPECT_NEAR(bound.value, truth, 0.15);
  EXPECT_LT(bound.value, bound.ceiling);
}

TEST(NPairValues, AreInfoNceOfInnerProductsAtTemperatureOne) {
  const Matrix<double> a = random_rows<double>(33, 17, 1);
  const Matrix<double> p = random_rows<double>(33, 17, 2);
  Real want = 0;
  for (Index i = 0; i < 33; ++i) {
    Real sum = 1;
    const oracle::Matrix x = oracle::exact(a);
    const oracle::Matrix y = oracle::exact(p);
    for (Index j = 0; j < 33; ++j) {
      if (j == i) continue;
      sum += std::exp(oracle::dot(row(x, i), row(y, j)) - oracle::dot(row(x, i), row(y, i)));
    }
    want += std::log(sum) / 33;
  }
  expect_value(nearfar::NPair<double>().forward(a, p).value, want);
  EXPECT_EQ(
      (nearfar::InfoNce<double, nearfar::InnerProduct>({.temperature = 1})).forward(a, p).value,
      nearfar::NPair<double>().forward(a, p).value);
}

TEST(UniformLogits, GiveTheLogarithmOfTheNumberOfTerms) {
  const Matrix<double> x = Matrix<double>::Ones(12, 3);
  EXPECT_NEAR(nearfar::InfoNce<double>().forward(x, x).value, std::log(12.0), 1e-12);
  EXPECT_NEAR(nearfar::NtXent<double>().forward(x, x).value, std::log(23.0), 1e-12);
  EXPECT_NEAR(nearfar::Clip<double>().forward(x, x).value, std::log(12.0), 1e-12);
  EXPECT_NEAR(nearfar::SupCon<double>().forward(x, std::vector<int>(12, 3)).value, std::log(11.0),
              1e-12);
}

}  // namespace
