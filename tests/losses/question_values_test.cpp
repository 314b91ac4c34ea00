#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nearfar/nearfar.hpp>

#include "support/labelled_batches.hpp"

/// Values, counts and derivatives of learnable numbers of losses that ask which of a few rows
/// belong together (CLIP, SigLIP, NCE, negative sampling, triplets given), against plain loops in
/// long double; of few rows, and of more than a walk shows at once.

namespace {

using namespace support;
using nearfar::Reduction;

/// f at x, and its derivative by differences of long doubles.
struct Slope {
  Real value;
  Real derivative;

  Slope(const std::function<Real(Real)>& f, Real x) : value(f(x)) {
    const Real h = Real(1e-4);
    const Real wide = (f(x + h) - f(x - h)) / (2 * h);
    const Real narrow = (f(x + h / 2) - f(x - h / 2)) / h;
    derivative = (4 * narrow - wide) / 3;
  }
};

void expect_derivative(double got, Real wanted, const char* what) {
  EXPECT_LE(std::abs(static_cast<Real>(got) - wanted),
            Real(1e-9) * std::max<Real>(1, std::abs(wanted)))
      << what << ": got " << got << ", wanted " << wanted;
}

Real softplus(Real z) { return std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z))); }

void expect_extremes(const nearfar::Diagnostics& d, const oracle::Matrix& scores) {
  expect_value(d.smallest_score, scores.minCoeff());
  expect_value(d.largest_score, scores.maxCoeff());
}

/// As many images as texts, and the inner products of all of them.
struct ImagesAndTexts {
  Matrix<double> images;
  Matrix<double> texts;
  oracle::Matrix s;

  explicit ImagesAndTexts(Index n)
      : images(random_rows<double>(n, 5, 31)),
        texts(random_rows<double>(n, 5, 32)),
        s(oracle::pairwise(oracle::InnerProduct(), oracle::exact(images), oracle::exact(texts))) {}
};

constexpr Index sizes[] = {1, 2, 7, 33, 130, 400};

// ---- CLIP --------------------------------------------------------------------------------------

/// The sum over pairs of both directions' losses, at scale sigma.
Real clip_sum(const oracle::Matrix& s, Real sigma) {
  Real sum = 0;
  for (Index i = 0; i < s.rows(); ++i) {
    Real of_image = 0;
    Real of_text = 0;
    for (Index j = 0; j < s.cols(); ++j) {
      of_image += std::exp(sigma * (s(i, j) - s(i, i)));
      of_text += std::exp(sigma * (s(j, i) - s(i, i)));
    }
    sum += std::log(of_image) + std::log(of_text);
  }
  return sum;
}

TEST(ClipValues, AreThoseOfTheFormula) {
  using nearfar::ClipDirections;
  for (const Index n : sizes) {
    const ImagesAndTexts x(n);
    for (const ClipDirections directions : {ClipDirections::mean, ClipDirections::sum}) {
      for (const double largest : {2.5, 10.0}) {  // below the scale, and above it
        SCOPED_TRACE(std::to_string(n) + " pairs, at most " + std::to_string(largest));
        const nearfar::Clip<double, nearfar::InnerProduct> loss({.logit_scale = 4,
                                                                 .largest_logit_scale = largest,
                                                                 .directions = directions,
                                                                 .reduction = Reduction::sum});
        const Real share = directions == ClipDirections::mean ? Real(0.5) : Real(1);
        const Slope want([&](Real sigma) { return share * clip_sum(x.s, sigma); },
                         std::min(4.0, largest));
        Matrix<double> d_images;
        Matrix<double> d_texts;
        const auto got = loss.forward_backward(x.images, x.texts, d_images, d_texts);
        expect_value(got.value, want.value);
        expect_derivative(got.d_logit_scale, largest < 4 ? 0 : want.derivative, "d_logit_scale");
        EXPECT_EQ(got.diagnostics.anchors, n);
        EXPECT_EQ(got.diagnostics.terms, n);
        EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
        EXPECT_EQ(got.diagnostics.active_terms, n == 1 ? 0 : n);
        expect_extremes(got.diagnostics, x.s);
        EXPECT_EQ(loss.forward(x.images, x.texts).d_logit_scale, 0);
      }
    }
  }
}

// ---- SigLIP ------------------------------------------------------------------------------------

/// The sum over pairs of images and texts, each image's times its factor.
Real sig_lip_sum(const oracle::Matrix& s, Real sigma, Real bias,
                 const std::vector<double>& factors) {
  Real sum = 0;
  for (Index i = 0; i < s.rows(); ++i) {
    for (Index j = 0; j < s.cols(); ++j) {
      const Real z = sigma * s(i, j) + bias;
      sum += static_cast<Real>(factors[static_cast<std::size_t>(i)]) * softplus(i == j ? -z : z);
    }
  }
  return sum;
}

TEST(SigLipValues, AreThoseOfTheFormula) {
  for (const Index n : sizes) {
    SCOPED_TRACE(std::to_string(n) + " pairs");
    const ImagesAndTexts x(n);
    const std::vector<double> ones(static_cast<std::size_t>(n), 1.0);
    const nearfar::SigLip<double, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -1.5, .reduction = Reduction::sum});
    Matrix<double> d_images;
    Matrix<double> d_texts;
    const auto got = loss.forward_backward(x.images, x.texts, d_images, d_texts);
    const Slope by_scale([&](Real sigma) { return sig_lip_sum(x.s, sigma, -1.5, ones); }, 3);
    const Slope by_bias([&](Real bias) { return sig_lip_sum(x.s, 3, bias, ones); }, -1.5);
    expect_value(got.value, by_scale.value);
    expect_derivative(got.d_logit_scale, by_scale.derivative, "d_logit_scale");
    expect_derivative(got.d_logit_bias, by_bias.derivative, "d_logit_bias");
    EXPECT_EQ(got.diagnostics.terms, n);
    EXPECT_EQ(got.diagnostics.active_terms, n);
    EXPECT_EQ(got.diagnostics.anchors_without_negative, n == 1 ? 1 : 0);
    expect_extremes(got.diagnostics, x.s);
    const auto forward = loss.forward(x.images, x.texts);
    EXPECT_EQ(forward.d_logit_scale, 0);
    EXPECT_EQ(forward.d_logit_bias, 0);
  }
}

TEST(SigLipValues, WeighTheirNumbersSlopesByTheUpstreamOfEachImage) {
  for (const Index n : sizes) {
    SCOPED_TRACE(std::to_string(n) + " pairs");
    const ImagesAndTexts x(n);
    const std::vector<double> upstream = random_upstream(n, 38);
    const nearfar::SigLip<double, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -1.5, .reduction = Reduction::none});
    Matrix<double> d_images;
    Matrix<double> d_texts;
    const auto got =
        loss.forward_backward(x.images, x.texts, d_images, d_texts, {.upstream = upstream});
    const Slope by_scale([&](Real sigma) { return sig_lip_sum(x.s, sigma, -1.5, upstream); }, 3);
    const Slope by_bias([&](Real bias) { return sig_lip_sum(x.s, 3, bias, upstream); }, -1.5);
    expect_derivative(got.d_logit_scale, by_scale.derivative, "d_logit_scale");
    expect_derivative(got.d_logit_bias, by_bias.derivative, "d_logit_bias");
  }
}

// ---- noise -------------------------------------------------------------------------------------

struct Noise {
  oracle::Matrix own;     ///< scores of queries with their keys
  oracle::Matrix others;  ///< with the noise
  std::vector<double> of_keys;
  std::vector<double> of_noise;

  /// The sum over queries; with `probabilities` not asked for negative sampling's.
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

TEST(NoiseContrastValues, AreThoseOfTheFormulas) {
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

TEST(NoiseContrastValues, WithoutNoiseAreThoseOfTheKeys) {
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

// ---- triplets ----------------------------------------------------------------------------------

TEST(TripletValues, AreThoseOfTheFormula) {
  using nearfar::TripletForm;
  for (const Index n : {1, 7, 400}) {
    const Matrix<double> a = random_rows<double>(n, 5, 38);
    const Matrix<double> p = random_rows<double>(n, 5, 39);
    const Matrix<double> k = random_rows<double>(n, 5, 40);
    const auto expect = [&](const auto& kernel, auto loss_with, Real sign) {
      const oracle::Matrix ap = oracle::paired(kernel, oracle::exact(a), oracle::exact(p));
      const oracle::Matrix an = oracle::paired(kernel, oracle::exact(a), oracle::exact(k));
      const oracle::Matrix pn = oracle::paired(kernel, oracle::exact(p), oracle::exact(k));
      for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
        for (const bool swap : {false, true}) {
          Real want = 0;
          std::int64_t active = 0;
          for (Index i = 0; i < n; ++i) {
            // Distances: of similarities minus the score.
            Real negative = sign * an(i, 0);
            if (swap) negative = std::min(negative, sign * pn(i, 0));
            const Real v = sign * ap(i, 0) - negative + Real(0.25);
            const Real value = form == TripletForm::hinge ? std::max<Real>(v, 0) : softplus(v);
            want += value;
            active += value > 0 ? 1 : 0;
          }
          const nearfar::TripletOptions options{
              .margin = 0.25, .form = form, .swap = swap, .reduction = Reduction::sum};
          const auto got = loss_with(options).forward(a, p, k);
          expect_value(got.value, want);
          EXPECT_EQ(got.diagnostics.anchors, n);
          EXPECT_EQ(got.diagnostics.terms, n);
          EXPECT_EQ(got.diagnostics.active_terms, active);
          expect_value(got.diagnostics.smallest_score, std::min(ap.minCoeff(), an.minCoeff()));
          expect_value(got.diagnostics.largest_score, std::max(ap.maxCoeff(), an.maxCoeff()));
        }
      }
    };
    expect(
        oracle::Euclidean(),
        [](const auto& o) { return nearfar::Triplet<double, nearfar::Euclidean>(o); }, 1);
    expect(
        oracle::InnerProduct(),
        [](const auto& o) { return nearfar::Triplet<double, nearfar::InnerProduct>(o); }, -1);
  }
}

/// Whole numbers: a violation of exactly 0, and a tie between the negative's two distances.
TEST(TripletValues, AtTheCornerCostNothingAndPullAtNothing) {
  Matrix<double> a(1, 1);
  Matrix<double> p(1, 1);
  Matrix<double> k(1, 1);
  a << 0;
  p << 1;
  k << 3;
  Matrix<double> da;
  Matrix<double> dp;
  Matrix<double> dk;
  const nearfar::Triplet<double> corner({.margin = 2});
  const auto rests = corner.forward_backward(a, p, k, da, dp, dk);
  EXPECT_EQ(rests.value, 0);
  EXPECT_EQ(rests.diagnostics.active_terms, 0);
  EXPECT_EQ(da(0, 0), 0);
  EXPECT_EQ(dp(0, 0), 0);
  EXPECT_EQ(dk(0, 0), 0);
  // d(a, n) = d(p, n) = 1: the anchor's own counts.
  p << 2;
  k << 1;
  const nearfar::Triplet<double> tie({.margin = 2, .swap = true});
  EXPECT_EQ(tie.forward_backward(a, p, k, da, dp, dk).value, 3);
  EXPECT_EQ(da(0, 0), 0);  // pulled to the positive, pushed off the negative, both on one side
  EXPECT_EQ(dp(0, 0), 1);
  EXPECT_EQ(dk(0, 0), -1);
}

// ---- where terms vanish ------------------------------------------------------------------------

/// Two pairs as right as they can be, at logits of +-5000: no exponential is left.
TEST(SigLipValues, ThatVanishAreNotActive) {
  const Matrix<double> x = Matrix<double>::Identity(2, 2);
  const auto r = nearfar::SigLip<double>({.logit_scale = 1e4, .logit_bias = -5e3}).forward(x, x);
  EXPECT_EQ(r.value, 0);
  EXPECT_EQ(r.diagnostics.active_terms, 0);
}

TEST(NoiseContrastValues, ThatVanishAreNotActive) {
  Matrix<double> x(2, 2), noise(1, 2);
  x << 1, 0, 1, 0;
  noise << -1, 0;
  const nearfar::Nce<double> loss({.temperature = 1e-4});
  const std::vector<double> of_keys(2, -1), of_noise(1, -1);
  const auto r = loss.forward(x, x, noise, of_keys, of_noise);
  EXPECT_EQ(r.value, 0);
  EXPECT_EQ(r.diagnostics.active_terms, 0);
}

/// A scale that is as large as it may be still learns.
TEST(ClipValues, AtTheLargestScaleHaveItsDerivative) {
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const Matrix<double> y = random_rows<double>(4, 3, 2);
  Matrix<double> dx, dy;
  const nearfar::Clip<double> at({.logit_scale = 5, .largest_logit_scale = 5});
  const nearfar::Clip<double> free({.logit_scale = 5});
  EXPECT_EQ(at.forward_backward(x, y, dx, dy).d_logit_scale,
            free.forward_backward(x, y, dx, dy).d_logit_scale);
}

// ---- negatives given ---------------------------------------------------------------------------

TEST(InfoNceNegatives, MayBeNoneWithoutColumns) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  EXPECT_EQ(nearfar::InfoNce<double>().forward(x, x, Matrix<double>(0, 0)).value, 0);
}

TEST(InfoNceNegatives, AreLookedAtWhereThereIsOne) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  Matrix<double> bad = random_rows<double>(1, 4, 2);
  bad(0, 2) = std::numeric_limits<double>::quiet_NaN();
  const nearfar::InfoNce<double> loss;
  EXPECT_THROW(loss.forward(x, x, bad), std::domain_error);
  EXPECT_THROW(loss.forward(x, x, random_rows<double>(1, 5, 2)), std::invalid_argument);
}

/// Negatives are -1000 and the positive is 1000, which no exponential of a negative may be relative
/// to.
TEST(InfoNceNegatives, FarBelowAPositiveThatIsNotAmongThemAreNotLost) {
  Matrix<double> q(1, 2), k(1, 2), negatives(2, 2), dq, dk, dn;
  q << 1, 0;
  k << 1, 0;
  negatives << -1, 0, -1, 0;
  const nearfar::InfoNce<double> loss(
      {.temperature = 1e-3, .denominator = nearfar::Denominator::negatives_only});
  const double value = loss.forward_backward(q, k, negatives, dq, dk, dn).value;
  EXPECT_DOUBLE_EQ(value, -2000 + std::log(2));
  EXPECT_TRUE(dq.allFinite() && dk.allFinite() && dn.allFinite());
}

TEST(InfoNceNegatives, FarBelowAPositiveThatIsAmongTheKeysAreNotLost) {
  Matrix<double> q(2, 2), dq, dk;
  q << 1, 0, -1, 0;
  const nearfar::InfoNce<double> loss(
      {.temperature = 1e-3, .denominator = nearfar::Denominator::negatives_only});
  EXPECT_EQ(loss.forward(q, q).value, -2000);
  EXPECT_EQ(loss.forward_backward(q, q, dq, dk).value, -2000);
  EXPECT_TRUE(dq.allFinite() && dk.allFinite());
}

TEST(NoiseNegatives, MayBeNoneWithoutColumnsAndAreLookedAtWhereThereIsOne) {
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

TEST(MutualInformation, OfNoRowsIsZeroAndHasNoCeiling) {
  const Matrix<double> none(0, 4);
  const auto result = nearfar::MutualInformation<double>().forward(none, none);
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(result.ceiling, std::numeric_limits<double>::infinity());
}

}  // namespace
