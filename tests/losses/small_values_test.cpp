#include <gtest/gtest.h>

#include <functional>
#include <nearfar/nearfar.hpp>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// Losses near zero: values down to 1e-30 and their gradients have the digits of the scalar type,
/// relative to themselves. A term that is added and then subtracted would cost these digits.

namespace {

using namespace support;
using nearfar::GradientRows;
using nearfar::InnerProduct;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::SupConVariant;
using nearfar::Targets;
using oracle::Real;

/// Queries, keys and noise of one batch, one below the other: rows of 32 signs, so that inner
/// products are exact; a query differs from its key in one element.
template <class S>
class Batch {
 public:
  explicit Batch(Index size) : n(size), x(3 * size, 32) {
    Random random(17);
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < x.cols(); ++k) {
        x(i, k) = x(n + i, k) = random.below(2) == 0 ? S(1) : S(-1);
        x(2 * n + i, k) = random.below(2) == 0 ? S(1) : S(-1);
      }
      x(i, i % x.cols()) *= S(i % 3 == 0 ? 0.5 : 1.25);
    }
  }
  Matrix<S> queries() const { return x.topRows(n); }
  Matrix<S> keys() const { return x.middleRows(n, n); }
  Matrix<S> noise() const { return x.bottomRows(n); }
  Matrix<S> views() const { return x.topRows(2 * n); }

  Index n;
  Matrix<S> x;
};

/// Values of rows, and dL/ds of their sum, with s the inner products of all rows of a batch.
struct Want {
  std::vector<Real> values;
  oracle::Matrix slopes;

  explicit Want(Index rows) : slopes(oracle::Matrix::Zero(rows, rows)) {}
};

/// The results of a call: values from one with Reduction::none, the gradient of the sum.
template <class S>
struct Got {
  Result each;
  Result sum;
  Matrix<S> dx;  ///< of all of a batch's rows
};

template <class S>
struct Case {
  std::string name;
  std::function<Got<S>(const Batch<S>&)> call;
  std::function<Want(Index n, const oracle::Matrix& s)> oracle;
};

Real softplus(Real z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }
Real sigmoid(Real z) { return z > 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }

/// Row i with one positive, and the keys with is_negative.
template <class IsNegative>
Real add_softmax(Want& want, const oracle::Matrix& s, Real temperature, Real share, Index i,
                 Index positive, const IsNegative& is_negative) {
  Real others = 0;
  for (Index j = 0; j < s.rows(); ++j) {
    if (is_negative(j)) others += std::exp((s(i, j) - s(i, positive)) / temperature);
  }
  for (Index j = 0; j < s.rows(); ++j) {
    if (!is_negative(j)) continue;
    want.slopes(i, j) +=
        share * std::exp((s(i, j) - s(i, positive)) / temperature) / (1 + others) / temperature;
  }
  want.slopes(i, positive) -= share * others / (1 + others) / temperature;
  return share * std::log1p(others);
}

Want info_nce(Index n, const oracle::Matrix& s, Real temperature) {
  Want want(s.rows());
  for (Index i = 0; i < n; ++i) {
    want.values.push_back(add_softmax(want, s, temperature, 1, i, n + i,
                                      [&](Index j) { return j >= n && j < 2 * n && j != n + i; }));
  }
  return want;
}

Want with_noise(Index n, const oracle::Matrix& s, Real temperature) {
  Want want(s.rows());
  for (Index i = 0; i < n; ++i) {
    want.values.push_back(
        add_softmax(want, s, temperature, 1, i, n + i, [&](Index j) { return j >= 2 * n; }));
  }
  return want;
}

Want clip(Index n, const oracle::Matrix& s, Real temperature) {
  Want want = info_nce(n, s, temperature);
  want.slopes /= 2;
  for (Index i = 0; i < n; ++i) {
    Real& value = want.values[static_cast<std::size_t>(i)];
    value = value / 2 + add_softmax(want, s, temperature, 0.5L, n + i, i,
                                    [&](Index j) { return j < n && j != i; });
  }
  return want;
}

Want nt_xent(Index n, const oracle::Matrix& s, Real temperature) {
  Want want(s.rows());
  for (Index i = 0; i < 2 * n; ++i) {
    const Index partner = (i + n) % (2 * n);
    want.values.push_back(add_softmax(want, s, temperature, 1, i, partner, [&](Index j) {
      return j < 2 * n && j != i && j != partner;
    }));
  }
  return want;
}

/// Logits scale * s + bias(j); keys are `first` .. `end`, and at most one is the match.
template <class Bias>
Real add_logistic(Want& want, const oracle::Matrix& s, Real scale, const Bias& bias, Index i,
                  Index match, Index first, Index end) {
  Real value = 0;
  const auto add = [&](Index j, Real y) {
    const Real z = scale * s(i, j) + bias(j);
    value += softplus(-y * z);
    want.slopes(i, j) -= y * scale * sigmoid(-y * z);
  };
  add(match, 1);
  for (Index j = first; j < end; ++j) {
    if (j != match) add(j, -1);
  }
  return value;
}

Want sig_lip(Index n, const oracle::Matrix& s, Real scale, Real bias) {
  Want want(s.rows());
  for (Index i = 0; i < n; ++i) {
    want.values.push_back(add_logistic(
        want, s, scale, [&](Index) { return bias; }, i, n + i, n, 2 * n));
  }
  return want;
}

template <class Bias>
Want logistic_with_noise(Index n, const oracle::Matrix& s, Real scale, const Bias& bias) {
  Want want(s.rows());
  for (Index i = 0; i < n; ++i) {
    want.values.push_back(add_logistic(want, s, scale, bias, i, n + i, 2 * n, 3 * n));
  }
  return want;
}

Want multi_similarity(Index n, const oracle::Matrix& s, Real alpha, Real beta, Real base) {
  Want want(s.rows());
  for (Index i = 0; i < 2 * n; ++i) {
    const Index partner = (i + n) % (2 * n);
    const Real positive = std::exp(-alpha * (s(i, partner) - base));
    Real negatives = 0;
    for (Index j = 0; j < 2 * n; ++j) {
      if (j != i && j != partner) negatives += std::exp(beta * (s(i, j) - base));
    }
    want.values.push_back(std::log1p(positive) / alpha + std::log1p(negatives) / beta);
    want.slopes(i, partner) = -positive / (1 + positive);
    for (Index j = 0; j < 2 * n; ++j) {
      if (j == i || j == partner) continue;
      want.slopes(i, j) = std::exp(beta * (s(i, j) - base)) / (1 + negatives);
    }
  }
  return want;
}

// ---- calls -------------------------------------------------------------------------------------

template <class S>
GradientRows<S> part(Matrix<S>& dx, Index first, Index rows) {
  return {dx.data() + first * dx.cols(), rows, dx.cols()};
}

/// call(reduction, dx) writes the gradients it has.
template <class S, class Call>
Got<S> both(const Batch<S>& batch, const Call& call) {
  Got<S> got{{}, {}, Matrix<S>::Zero(batch.x.rows(), batch.x.cols())};
  got.each = call(Reduction::none, got.dx);
  got.dx.setZero();
  got.sum = call(Reduction::sum, got.dx);
  return got;
}

template <class S>
std::vector<int> labels_of_pairs(const Batch<S>& batch) {
  std::vector<int> labels(static_cast<std::size_t>(2 * batch.n));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<int>(i) % static_cast<int>(batch.n);
  }
  return labels;
}

/// A loss over labels of the batch's views.
template <class S, class Make>
std::function<Got<S>(const Batch<S>&)> over_labels(const Make& make) {
  return [make](const Batch<S>& batch) {
    return both(batch, [&](Reduction reduction, Matrix<S>& dx) -> Result {
      const auto labels = labels_of_pairs(batch);
      return make(reduction).forward_backward(batch.views(), labels, part(dx, 0, 2 * batch.n));
    });
  };
}

/// SupCon of queries with keys as references, with targets(n).
template <class S, class Call>
std::function<Got<S>(const Batch<S>&)> sup_con_of_keys(SupConVariant variant, double temperature,
                                                       const Call& call) {
  return [=](const Batch<S>& batch) {
    return both(batch, [&](Reduction reduction, Matrix<S>& dx) -> Result {
      const nearfar::SupCon<S, InnerProduct> loss(
          {.temperature = temperature, .variant = variant, .reduction = reduction});
      return call(loss, batch, part(dx, 0, batch.n), part(dx, batch.n, batch.n));
    });
  };
}

template <class S>
std::vector<Case<S>> cases(double temperature) {
  using namespace nearfar;
  std::vector<Case<S>> all;
  const auto softmax_of = [temperature](const auto& of) {
    return [=](Index n, const oracle::Matrix& s) { return of(n, s, temperature); };
  };
  all.push_back(
      {"InfoNce",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           return InfoNce<S, InnerProduct>({.temperature = temperature, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), part(dx, 0, b.n), part(dx, b.n, b.n));
         });
       },
       softmax_of(info_nce)});
  all.push_back(
      {"InfoNce, shared negatives",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           return InfoNce<S, InnerProduct>({.temperature = temperature, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), Negatives<S>(b.noise()), part(dx, 0, b.n),
                                 part(dx, b.n, b.n), part(dx, 2 * b.n, b.n));
         });
       },
       softmax_of(with_noise)});
  all.push_back(
      {"Clip",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           return Clip<S, InnerProduct>({.logit_scale = 1 / temperature, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), part(dx, 0, b.n), part(dx, b.n, b.n));
         });
       },
       softmax_of(clip)});
  all.push_back(
      {"NtXent",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           return NtXent<S, InnerProduct>({.temperature = temperature, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), part(dx, 0, b.n), part(dx, b.n, b.n));
         });
       },
       softmax_of(nt_xent)});
  for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
    const std::string name = variant == SupConVariant::out ? "SupCon" : "SupCon (in)";
    all.push_back({name, over_labels<S>([=](Reduction reduction) {
                     return SupCon<S, InnerProduct>(
                         {.temperature = temperature, .variant = variant, .reduction = reduction});
                   }),
                   softmax_of(nt_xent)});
    all.push_back({name + ", references",
                   sup_con_of_keys<S>(variant, temperature,
                                      [](const auto& loss, const Batch<S>& b, auto dq, auto dk) {
                                        std::vector<Index> own(static_cast<std::size_t>(b.n));
                                        std::iota(own.begin(), own.end(), Index(0));
                                        return loss.forward_backward(b.queries(), own, b.keys(),
                                                                     own, dq, dk);
                                      }),
                   softmax_of(info_nce)});
    all.push_back({name + ", weighted lists",
                   sup_con_of_keys<S>(variant, temperature,
                                      [](const auto& loss, const Batch<S>& b, auto dq, auto dk) {
                                        std::vector<Index> offsets = {0};
                                        std::vector<Index> own;
                                        std::vector<double> weights;
                                        for (Index i = 0; i < b.n; ++i) {
                                          own.push_back(i);
                                          offsets.push_back(i + 1);
                                          weights.push_back(0.3 + static_cast<double>(i));
                                        }
                                        return loss.forward_backward(
                                            b.queries(), PositiveLists{offsets, own, weights},
                                            b.keys(), Targets(), dq, dk);
                                      }),
                   softmax_of(info_nce)});
  }
  all.push_back({"Sincere", over_labels<S>([=](Reduction reduction) {
                   return Sincere<S, InnerProduct>(
                       {.temperature = temperature, .reduction = reduction});
                 }),
                 softmax_of(nt_xent)});
  all.push_back({"Nca", over_labels<S>([=](Reduction reduction) {
                   return Nca<S, InnerProduct>(
                       {.temperature = temperature, .reduction = reduction});
                 }),
                 softmax_of(nt_xent)});
  all.push_back({"MultiSimilarity", over_labels<S>([=](Reduction reduction) {
                   return MultiSimilarity<S, InnerProduct>({.alpha = 1 / temperature,
                                                            .beta = 0.5 / temperature,
                                                            .base = 27,
                                                            .reduction = reduction});
                 }),
                 [=](Index n, const oracle::Matrix& s) {
                   return multi_similarity(n, s, 1 / static_cast<Real>(temperature),
                                           0.5L / static_cast<Real>(temperature), 27);
                 }});
  const double bias = -26 / temperature;
  all.push_back(
      {"SigLip",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           return SigLip<S, InnerProduct>(
                      {.logit_scale = 1 / temperature, .logit_bias = bias, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), part(dx, 0, b.n), part(dx, b.n, b.n));
         });
       },
       [=](Index n, const oracle::Matrix& s) {
         return sig_lip(n, s, 1 / static_cast<Real>(temperature), bias);
       }});
  // log Z and the noise's probabilities are large, and their difference is the bias above.
  all.push_back(
      {"Nce",
       [=](const Batch<S>& b) {
         return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
           const std::vector<S> of_keys(static_cast<std::size_t>(b.n), S(-4096));
           const double log_z = 4096 - std::log(static_cast<double>(b.n)) - bias;
           return Nce<S, InnerProduct>(
                      {.temperature = temperature, .log_z = log_z, .reduction = reduction})
               .forward_backward(b.queries(), b.keys(), Negatives<S>(b.noise()), of_keys, of_keys,
                                 part(dx, 0, b.n), part(dx, b.n, b.n), part(dx, 2 * b.n, b.n));
         });
       },
       [=](Index n, const oracle::Matrix& s) {
         return logistic_with_noise(n, s, 1 / static_cast<Real>(temperature),
                                    [&](Index) { return static_cast<Real>(bias); });
       }});
  all.push_back({"NegativeSampling",
                 [=](const Batch<S>& b) {
                   return both(b, [&](Reduction reduction, Matrix<S>& dx) -> Result {
                     return NegativeSampling<S, InnerProduct>(
                                {.temperature = temperature, .reduction = reduction})
                         .forward_backward(b.queries(), b.keys(), Negatives<S>(b.noise()),
                                           part(dx, 0, b.n), part(dx, b.n, b.n),
                                           part(dx, 2 * b.n, b.n));
                   });
                 },
                 [=](Index n, const oracle::Matrix& s) {
                   return logistic_with_noise(n, s, 1 / static_cast<Real>(temperature),
                                              [](Index) { return Real(0); });
                 }});
  return all;
}

/// The smallest value that is tested: exponentials of a float end at 1e-38.
constexpr Real least = 1e-30L;

/// Relative error of e^-z with a few roundings of z, and of sums of such numbers.
template <class S>
Real allowed(Real value) {
  const Real epsilon = std::numeric_limits<S>::epsilon();
  return epsilon * (40 + 4 * std::abs(std::log(value)));
}

template <class S>
class SmallValues : public testing::Test {};
TYPED_TEST_SUITE(SmallValues, Scalars, CaseNames);

TYPED_TEST(SmallValues, AndTheirGradientsHaveTheDigitsOfTheScalarType) {
  using S = TypeParam;
  for (const Index n : {3, 130}) {
    const Batch<S> batch(n);
    const oracle::Matrix x = oracle::exact(batch.x);
    const oracle::Matrix s = x * x.transpose();
    Real smallest = 1;
    for (const double temperature : {1.0, 0.5, 0.25}) {
      for (const Case<S>& one : cases<S>(temperature)) {
        SCOPED_TRACE(testing::Message()
                     << one.name << ", " << n << " pairs, temperature " << temperature);
        const Want want = one.oracle(n, s);
        const Got<S> got = one.call(batch);
        ASSERT_EQ(got.each.values.size(), want.values.size());
        Real sum = 0;
        for (std::size_t i = 0; i < want.values.size(); ++i) {
          const Real right = want.values[i];
          sum += right;
          if (right < least) continue;
          smallest = std::min(smallest, right);
          const Real error = std::abs(got.each.values[i] - right) / right;
          EXPECT_LE(error, allowed<S>(right)) << "row " << i << ": " << got.each.values[i];
        }
        if (*std::min_element(want.values.begin(), want.values.end()) > least) {
          EXPECT_EQ(got.each.diagnostics.active_terms, got.each.diagnostics.terms);
        }
        if (sum > least) {
          EXPECT_LE(std::abs(got.sum.value - sum) / sum, allowed<S>(sum)) << got.sum.value;
        }

        const oracle::Matrix slopes = want.slopes + want.slopes.transpose();
        const oracle::Matrix dx = slopes * x;
        for (Index i = 0; i < x.rows(); ++i) {
          const Real scale = slopes.row(i).cwiseAbs().sum() * Real(1.25);  // elements are at most 1
          for (Index k = 0; k < x.cols() && scale > least; ++k) {
            const Real error = std::abs(static_cast<Real>(got.dx(i, k)) - dx(i, k)) / scale;
            ASSERT_LE(error, allowed<S>(scale)) << "dx(" << i << ", " << k << ")";
          }
        }
      }
    }
    EXPECT_LT(smallest, n < 100 ? 1e-25L : 1e-10L);
  }
}

// ---- earlier failures --------------------------------------------------------------------------

TYPED_TEST(SmallValues, OfSigLipAreThoseOfItsMatchesAndOfAllOthers) {
  using S = TypeParam;
  const Matrix<S> unit = Matrix<S>::Identity(2, 2);
  const nearfar::SigLip<S> sum(
      {.logit_scale = 100, .logit_bias = -13, .reduction = Reduction::sum});
  const nearfar::SigLip<S> nonzero(
      {.logit_scale = 100, .logit_bias = -13, .reduction = Reduction::mean_nonzero});
  const nearfar::SigLip<S> mean({.logit_scale = 100, .logit_bias = -13});
  Matrix<S> da;
  Matrix<S> db;
  const double right = 2.26032685e-6;
  const double digits = Tolerance<S>::value + 1e-8;
  EXPECT_NEAR(mean.forward(unit, unit).value, right, digits * right);
  const auto result = nonzero.forward_backward(unit, unit, da, db);
  EXPECT_NEAR(result.value, right, digits * right);
  EXPECT_EQ(result.diagnostics.active_terms, 2);
  EXPECT_NEAR(static_cast<double>(db(0, 1)), 1.13016e-4, 1e-9);
  EXPECT_NEAR(result.d_logit_bias, 2.26032430e-6, digits * right);
  EXPECT_NEAR(sum.forward(unit, unit).value, 2 * right, 2 * digits * right);
}

TYPED_TEST(SmallValues, OfSupConAreThoseOfNtXent) {
  using S = TypeParam;
  Matrix<S> view(2, 2);
  view << S(1), S(0), S(-1), S(0);
  Matrix<S> x(4, 2);
  x << view, view;
  for (const double temperature : {1.0, 0.1, 0.05, 0.02, 0.01}) {
    const double right = std::log1p(2 * std::exp(-2 / temperature));
    const double digits = static_cast<double>(allowed<S>(right));
    SCOPED_TRACE(testing::Message() << "temperature " << temperature);
    const auto nt_xent = nearfar::NtXent<S>({.temperature = temperature}).forward(view, view);
    EXPECT_NEAR(nt_xent.value, right, digits * right);
    EXPECT_EQ(nt_xent.diagnostics.active_terms, 4);
    for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
      const auto sup_con = nearfar::SupCon<S>({.temperature = temperature, .variant = variant})
                               .forward(x, std::vector<int>{0, 1, 0, 1});
      EXPECT_NEAR(sup_con.value, right, digits * right);
      EXPECT_EQ(sup_con.diagnostics.active_terms, 4);
    }
  }
}

/// Also if the exponentials of negatives, relative to the positive's, underflow in float.
TYPED_TEST(SmallValues, TinyNegativeExponentialsKeepTheirDigits) {
  using S = TypeParam;
  Matrix<S> view(2, 2);
  view << S(1), S(0), S(-1), S(0);
  const Matrix<S> opposite = -view;
  for (const double temperature : {1.0, 0.02, 0.01, 0.004}) {
    SCOPED_TRACE(testing::Message() << "temperature " << temperature);
    const double exponential = std::exp(-2 / temperature);
    const double right = std::log1p(exponential);
    const auto expect = [&](const nearfar::TemperatureResult& got) {
      EXPECT_NEAR(got.value, right, right * static_cast<double>(allowed<S>(right)));
      EXPECT_EQ(got.diagnostics.active_terms, 2);
    };
    const nearfar::InfoNce<S> loss({.temperature = temperature});
    Matrix<S> dq;
    Matrix<S> dk;
    Matrix<S> dn;
    const double d_temperature = 2 * exponential / (1 + exponential) / (temperature * temperature);
    const auto expect_derivative = [&](const nearfar::TemperatureResult& got) {
      const double digits = static_cast<double>(allowed<S>(exponential));
      EXPECT_NEAR(got.d_temperature, d_temperature, d_temperature * digits);
    };
    expect(loss.forward(view, view));
    const auto among_keys = loss.forward_backward(view, view, dq, dk);
    expect(among_keys);
    expect_derivative(among_keys);
    const std::vector<nearfar::Index> ids = {0, 1};
    const auto of_others = nearfar::Negatives<S>(view).ids(ids, ids);
    expect(loss.forward(view, view, of_others));
    const auto with_negatives = loss.forward_backward(view, view, of_others, dq, dk, dn);
    expect(with_negatives);
    expect_derivative(with_negatives);
    expect(loss.forward(view, view, nearfar::per_query(opposite)));
  }
}

/// Cosines of 1 with the partner and of 0 with all others.
TYPED_TEST(SmallValues, OfHardNegativesAndCircle) {
  using S = TypeParam;
  constexpr Index n = 5;
  const Matrix<S> view = Matrix<S>::Identity(n, n);
  constexpr double others = 2 * n - 2;
  const auto expect = [](double got, double right) {
    EXPECT_NEAR(got, right, right * static_cast<double>(allowed<S>(right)));
  };
  for (const double temperature : {0.1, 0.04, 0.015}) {
    SCOPED_TRACE(testing::Message() << "temperature " << temperature);
    const nearfar::HardNegative<S> plain(
        {.temperature = temperature, .positive_prior = 0, .concentration = 1});
    expect(plain.forward(view, view).value, std::log1p(others * std::exp(-1 / temperature)));
    // The debiased sum is below its lower limit, the sum for cosines of -1.
    const nearfar::HardNegative<S> debiased(
        {.temperature = temperature, .positive_prior = 0.1, .concentration = 1});
    expect(debiased.forward(view, view).value, std::log1p(others * std::exp(-2 / temperature)));
  }
  Matrix<S> x(2 * n, n);
  x << view, view;
  std::vector<int> labels(2 * n);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i) % n;
  for (const double gamma : {64.0, 256.0, 512.0}) {
    SCOPED_TRACE(testing::Message() << "gamma " << gamma);
    const nearfar::Circle<S> circle({.m = 0.25, .gamma = gamma});
    expect(circle.forward(x, labels).value,
           std::log1p(others * std::exp(-gamma * 2 * 0.25 * 0.25)));
  }
}

/// Equally near negatives have equal weights, for any concentration.
TYPED_TEST(SmallValues, ConcentrationHasNoEffectOnEqualNegatives) {
  using S = TypeParam;
  Matrix<S> view(2, 2);
  view << S(1), S(0), S(0.6), S(0.8);
  Matrix<S> gradients[4];
  const auto call = [&](double concentration, Matrix<S>& d1, Matrix<S>& d2) {
    return nearfar::HardNegative<S>(
               {.temperature = 0.2, .positive_prior = 0, .concentration = concentration})
        .forward_backward(view, view, d1, d2);
  };
  const auto plain = call(0, gradients[0], gradients[1]);
  for (const double concentration : {1.0, 1e4, 1e8, 1e12}) {
    SCOPED_TRACE(testing::Message() << "concentration " << concentration);
    const auto hardened = call(concentration, gradients[2], gradients[3]);
    EXPECT_NEAR(hardened.value, plain.value, Tolerance<S>::value * plain.value);
    EXPECT_NEAR(hardened.d_temperature, plain.d_temperature,
                Tolerance<S>::gradient * std::abs(plain.d_temperature));
    expect_near<S>(gradients[2], oracle::exact(gradients[0]),
                   Tolerance<S>::gradient * largest(oracle::exact(gradients[0])), "d_view1");
    expect_near<S>(gradients[3], oracle::exact(gradients[1]),
                   Tolerance<S>::gradient * largest(oracle::exact(gradients[1])), "d_view2");
  }
}

}  // namespace
