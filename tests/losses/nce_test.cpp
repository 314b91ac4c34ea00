#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/losses/nce.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/labelled_batches.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/own_negatives.hpp"

/// NCE and negative sampling against plain loops over queries and noise in long double: values,
/// counts and the derivatives of learnable numbers; noise of each query's own; and their options.

namespace {

using namespace support;
using nearfar::per_query;
using nearfar::Reduction;
using nearfar::Upstream;

struct Noise {
  oracle::Matrix own;     ///< scores of queries with their keys
  oracle::Matrix others;  ///< of queries with the noise
  std::vector<double> of_keys;
  std::vector<double> of_noise;

  /// The sum over queries; without `probabilities`, of negative sampling.
  Real sum(Real tau, Real log_z, bool probabilities) const {
    const auto count = static_cast<Real>(others.cols());
    const auto logit = [&](Real score, double log_probability) {
      if (!probabilities) return score / tau;
      return score / tau - log_z - std::log(count) - static_cast<Real>(log_probability);
    };
    Real out = 0;
    for (Index i = 0; i < own.rows(); ++i) {
      out += softplus(-logit(own(i, 0), of_keys[static_cast<std::size_t>(i)]));
      for (Index j = 0; j < others.cols(); ++j) {
        out += softplus(logit(others(i, j), of_noise[static_cast<std::size_t>(j)]));
      }
    }
    return out;
  }
};

TEST(Nce, AndNegativeSamplingEqualTheirFormulas) {
  for (const auto& [n, k] : {std::pair<Index, Index>(1, 1), {7, 1}, {7, 33}, {33, 400}}) {
    SCOPED_TRACE(std::to_string(n) + " queries, " + std::to_string(k) + " samples");
    const Matrix<double> queries = random_rows<double>(n, 5, 33);
    const Matrix<double> keys = random_rows<double>(n, 5, 34);
    const Matrix<double> noise = random_rows<double>(k, 5, 35);
    const oracle::InnerProduct kernel;
    Noise x{oracle::paired(kernel, oracle::exact(queries), oracle::exact(keys)),
            oracle::pairwise(kernel, oracle::exact(queries), oracle::exact(noise)),
            {},
            {}};
    for (const double u : random_upstream(n, 36)) x.of_keys.push_back(-2 * u);
    for (const double u : random_upstream(k, 37)) x.of_noise.push_back(-3 * u);
    Matrix<double> dq;
    Matrix<double> dk;
    Matrix<double> dn;

    const nearfar::Nce<double> nce({.temperature = 0.6, .log_z = 0.3, .reduction = Reduction::sum});
    const auto got = nce.forward_backward(queries, keys, noise, x.of_keys, x.of_noise, dq, dk, dn);
    const Real tau = static_cast<Real>(0.6);
    const Real log_z = static_cast<Real>(0.3);
    const Slope by_tau([&](Real t) { return x.sum(t, log_z, true); }, tau);
    const Slope by_log_z([&](Real z) { return x.sum(tau, z, true); }, log_z);
    expect_value(got.value, by_tau.value);
    expect_derivative(got.d_temperature, by_tau.derivative, "d_temperature");
    expect_derivative(got.d_log_z, by_log_z.derivative, "d_log_z");
    EXPECT_EQ(got.diagnostics.anchors, n);
    EXPECT_EQ(got.diagnostics.terms, n);
    EXPECT_EQ(got.diagnostics.active_terms, n);
    EXPECT_EQ(got.diagnostics.anchors_without_negative, 0);
    expect_value(got.diagnostics.smallest_score, std::min(x.own.minCoeff(), x.others.minCoeff()));
    expect_value(got.diagnostics.largest_score, std::max(x.own.maxCoeff(), x.others.maxCoeff()));
    const auto forward = nce.forward(queries, keys, noise, x.of_keys, x.of_noise);
    EXPECT_EQ(forward.d_temperature, 0);
    EXPECT_EQ(forward.d_log_z, 0);

    const nearfar::NegativeSampling<double> sampling(
        {.temperature = 0.6, .reduction = Reduction::sum});
    const auto sampled = sampling.forward_backward(queries, keys, noise, dq, dk, dn);
    const Slope of_sampling([&](Real t) { return x.sum(t, 0, false); }, tau);
    expect_value(sampled.value, of_sampling.value);
    expect_derivative(sampled.d_temperature, of_sampling.derivative, "d_temperature");
  }
}

TEST(Nce, AndNegativeSamplingWithoutNoiseAreThoseOfTheKeys) {
  const Matrix<double> queries = random_rows<double>(3, 5, 33);
  const Matrix<double> keys = random_rows<double>(3, 5, 34);
  const Matrix<double> none(0, 5);
  const oracle::Matrix own =
      oracle::paired(oracle::InnerProduct(), oracle::exact(queries), oracle::exact(keys));
  Real sampling = 0;
  Real nce = 0;
  for (Index i = 0; i < 3; ++i) {
    sampling += softplus(-own(i, 0));
    nce += softplus(-(own(i, 0) - Real(0.25) + 2));
  }
  const auto got =
      nearfar::NegativeSampling<double>({.reduction = Reduction::sum}).forward(queries, keys, none);
  expect_value(got.value, sampling);
  EXPECT_EQ(got.diagnostics.anchors_without_negative, 3);
  expect_value(nearfar::Nce<double>({.log_z = 0.25, .reduction = Reduction::sum})
                   .forward(queries, keys, none, std::vector<double>(3, -2), std::vector<double>())
                   .value,
               nce);
}

TEST(Nce, TermsThatVanishAreNotActive) {
  Matrix<double> x(2, 2), noise(1, 2);
  x << 1, 0, 1, 0;
  noise << -1, 0;
  const nearfar::Nce<double> loss({.temperature = 1e-4});
  const std::vector<double> of_keys(2, -1), of_noise(1, -1);
  const auto r = loss.forward(x, x, noise, of_keys, of_noise);
  EXPECT_EQ(r.value, 0);
  EXPECT_EQ(r.diagnostics.active_terms, 0);
}

TEST(Nce, NoiseMayHaveNoRowsAndNoColumnsAndIsCheckedOtherwise) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  const std::vector<double> log_p(3, -1);
  const nearfar::Nce<double> loss;
  const Matrix<double> none(0, 0);
  EXPECT_TRUE(std::isfinite(loss.forward(x, x, none, log_p, std::vector<double>()).value));
  Matrix<double> bad = random_rows<double>(1, 4, 2);
  bad(0, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(loss.forward(x, x, bad, log_p, std::vector<double>(1, -1)), std::domain_error);
  EXPECT_THROW(loss.forward(x, x, random_rows<double>(1, 5, 2), log_p, std::vector<double>(1, -1)),
               std::invalid_argument);
}

TEST(NegativeSampling, RefusesIdsOfNoise) {
  const Matrix<float> rows = random_rows<float>(2, 3, 61);
  const std::vector<int> ids = {1, 2};
  const nearfar::NegativeSampling<float, nearfar::InnerProduct> loss;
  expect_refused(
      {"noise with ids", Thrown::invalid_argument, {"negatives: wanted all of the noise"}, [&] {
         loss.forward(rows, rows, nearfar::Negatives<float>(rows).ids(ids, ids));
       }});
}

template <class Case>
class NceOwnNoise : public testing::Test {};
using Similarities = ForBothScalars<CosineCase, InnerProductCase, BilinearCase>::Types;
TYPED_TEST_SUITE(NceOwnNoise, Similarities, CaseNames);

TYPED_TEST(NceOwnNoise, EachQueryIsAsIfAloneWithItsNoise) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, k] : queries_and_negatives) {
    SCOPED_TRACE(std::to_string(n) + " queries, " + std::to_string(k) + " negatives each");
    OwnNegativesProblem<TypeParam> p(n, k, 17);
    const auto logs = [](Index count, std::uint64_t seed) {
      std::vector<S> out;
      for (const double u : random_upstream(count, seed)) out.push_back(static_cast<S>(-3 * u));
      return out;
    };
    const std::vector<S> of_keys = logs(n, 45);
    const std::vector<S> of_negatives = logs(n * k, 46);
    expect_as_if_alone(
        p,
        [](const auto& kernel) {
          return nearfar::Nce<S, std::decay_t<decltype(kernel)>>(
              {.temperature = 0.7, .log_z = 0.3, .reduction = Reduction::none}, kernel);
        },
        [&](const auto& loss, const Upstream& up, auto& dq, auto& dk, auto& dn) {
          return loss.forward_backward(p.queries, p.keys, per_query(p.negatives), of_keys,
                                       of_negatives, dq, dk, dn, {.upstream = up});
        },
        [&, count = k](const auto& loss, const Upstream& up, Index i, const auto& q,
                       const auto& key, const auto& m, auto& dq, auto& dk, auto& dn) {
          const nearfar::Numbers<S> own_key(of_keys.data() + i, 1);
          const nearfar::Numbers<S> own(of_negatives.data() + i * count, count);
          return loss.forward_backward(q, key, m, own_key, own, dq, dk, dn, {.upstream = up});
        });
    expect_as_if_alone(
        p,
        [](const auto& kernel) {
          return nearfar::NegativeSampling<S, std::decay_t<decltype(kernel)>>(
              {.temperature = 0.7, .reduction = Reduction::none}, kernel);
        },
        [&](const auto& loss, const Upstream& up, auto& dq, auto& dk, auto& dn) {
          return loss.forward_backward(p.queries, p.keys, per_query(p.negatives), dq, dk, dn,
                                       {.upstream = up});
        },
        [](const auto& loss, const Upstream& up, Index, const auto& q, const auto& key,
           const auto& m, auto& dq, auto& dk,
           auto& dn) { return loss.forward_backward(q, key, m, dq, dk, dn, {.upstream = up}); });
  }
}

// ---- options ------------------------------------------------------------------------------------

TEST(Nce, RefusesOptionsOutOfRange) {
  using namespace nearfar;
  expect_must_be_positive("temperature", [](double v) { Nce<float>({.temperature = v}); });
  expect_must_be_finite("log_z", [](double v) { Nce<float>({.log_z = v}); });
  expect_must_be_positive("temperature",
                          [](double v) { NegativeSampling<float>({.temperature = v}); });
}

TEST(Nce, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::NceOptions().temperature, 1);
  EXPECT_EQ(nearfar::NceOptions().log_z, 0);
  EXPECT_EQ(nearfar::NegativeSamplingOptions().temperature, 1);
  expect_common_defaults<nearfar::NceOptions>();
  expect_common_defaults<nearfar::NegativeSamplingOptions>();
}

}  // namespace
