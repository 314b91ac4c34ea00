#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/fast_ap.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"
#include "support/pair_slopes.hpp"

/// FastAP against plain loops over bins in long double, and its options.

namespace {

using namespace support;
using nearfar::FastAp;
using nearfar::Reduction;

/// The loss of an anchor, from cosines and a flag for each positive.
struct Oracle {
  Real value = 0;
  std::vector<Real> slopes;  ///< dL/d(cosine)

  Oracle(const std::vector<Real>& s, const std::vector<bool>& positive, Index bins) {
    const Real width = Real(4) / static_cast<Real>(bins);
    const auto at = [&](std::size_t j) { return (2 - 2 * s[j]) / width; };
    const auto share = [&](std::size_t j, Index b) {
      return std::max<Real>(0, 1 - std::abs(at(j) - static_cast<Real>(b)));
    };
    Real count = 0;
    for (const bool p : positive) count += p;
    slopes.assign(s.size(), 0);
    if (count == 0) return;
    const auto size = static_cast<std::size_t>(bins + 1);
    std::vector<Real> own(size, 0), all(size, 0), own_up_to(size, 0), all_up_to(size, 0);
    for (Index b = 0; b <= bins; ++b) {
      const auto k = static_cast<std::size_t>(b);
      for (std::size_t j = 0; j < s.size(); ++j) {
        if (positive[j]) own[k] += share(j, b);
        all[k] += share(j, b);
      }
      own_up_to[k] = own[k] + (k > 0 ? own_up_to[k - 1] : 0);
      all_up_to[k] = all[k] + (k > 0 ? all_up_to[k - 1] : 0);
    }
    Real sum = 0;
    std::vector<Real> by_own(size, 0), by_all(size, 0);  // d/d(positives), d/d(all) of a bin
    for (std::size_t b = 0; b < size; ++b) {
      if (all_up_to[b] == 0) continue;
      sum += own[b] * own_up_to[b] / all_up_to[b];
      by_own[b] += own_up_to[b] / all_up_to[b];
      for (std::size_t c = 0; c <= b; ++c) {
        by_own[c] += own[b] / all_up_to[b];
        by_all[c] -= own[b] * own_up_to[b] / all_up_to[b] / all_up_to[b];
      }
    }
    value = 1 - sum / count;
    for (std::size_t j = 0; j < s.size(); ++j) {
      const auto k = static_cast<std::size_t>(
          std::min<Index>(static_cast<Index>(std::floor(at(j))), bins - 1));
      Real slope = by_all[k + 1] - by_all[k];
      if (positive[j]) slope += by_own[k + 1] - by_own[k];
      slopes[j] = slope / count * 2 / width;  // of -sum, with respect to c = (2 - 2 s) / width
    }
  }
};

/// True if a cosine is so near a border of bins that a rounding error may move it across.
bool is_at_a_border(Real s, Index bins, Real tolerance) {
  const Real c = (1 - s) * static_cast<Real>(bins) / 2;
  return std::abs(c - std::round(c)) < tolerance * static_cast<Real>(bins);
}

template <class S>
class FastApOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(FastApOf, Scalars);

TYPED_TEST(FastApOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const Batch& batch : small_and_large_batches()) {
    const Matrix<S> x = batch.x.template cast<S>();
    const Index n = x.rows();
    const oracle::Matrix exact = oracle::exact(x);
    for (const Index bins : {1, 2, 7, 10, 32}) {
      SCOPED_TRACE(testing::Message() << batch.name << ", bins " << bins);
      std::vector<Real> values;
      std::vector<PairSlope> slopes;
      Index terms = 0;
      bool at_a_border = false;
      for (Index i = 0; i < n; ++i) {
        std::vector<Real> s;
        std::vector<bool> positive;
        std::vector<Index> keys;
        for (Index j = 0; j < n; ++j) {
          if (j == i) continue;
          s.push_back(oracle::Cosine().score(oracle::row(exact, i), oracle::row(exact, j)));
          positive.push_back(batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]);
          keys.push_back(j);
          at_a_border = at_a_border || is_at_a_border(s.back(), bins, Real(1e-6));
        }
        const Oracle want(s, positive, bins);
        values.push_back(want.value);
        terms += std::count(positive.begin(), positive.end(), true) > 0;
        for (std::size_t k = 0; k < keys.size(); ++k) {
          slopes.push_back({i, keys[k], want.slopes[k]});
        }
      }
      const FastAp<S> loss({.bins = bins, .reduction = Reduction::none});
      Matrix<S> dx;
      const auto got = loss.forward_backward(x, batch.labels, dx);
      ASSERT_EQ(got.values.size(), values.size());
      Real sum = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        expect_number<S>(got.values[i], values[i], 1, "value");
        sum += values[i];
      }
      EXPECT_EQ(got.diagnostics.terms, terms);
      EXPECT_EQ(loss.forward(x, batch.labels).values, got.values);
      const auto mean = FastAp<S>({.bins = bins}).forward(x, batch.labels);
      expect_number<S>(mean.value, terms > 0 ? sum / static_cast<Real>(terms) : 0, 1, "mean");
      if (at_a_border) continue;
      const oracle::Gradients want = gradients_of(oracle::Cosine(), x, x, slopes);
      const Real scale = want.a.scale() + want.b.scale() + 1;
      expect_near<S>(dx, want.a.values + want.b.values, Tolerance<S>::gradient * scale, "dx");
    }
  }
}

TYPED_TEST(FastApOf, OfReferencesIsTheSame) {
  using S = TypeParam;
  const Index n = 20;
  const Index m = 420;  // more than a tile
  const Matrix<S> x = random_rows<S>(n, 9, 5);
  const Matrix<S> y = random_rows<S>(m, 9, 6);
  const std::vector<int> of_x = random_labels(n, 6, 7);
  const std::vector<int> of_y = random_labels(m, 6, 8);
  const oracle::Matrix ex = oracle::exact(x);
  const oracle::Matrix ey = oracle::exact(y);
  std::vector<PairSlope> slopes;
  std::vector<Real> values;
  for (Index i = 0; i < n; ++i) {
    std::vector<Real> s;
    std::vector<bool> positive;
    for (Index j = 0; j < m; ++j) {
      s.push_back(oracle::Cosine().score(oracle::row(ex, i), oracle::row(ey, j)));
      positive.push_back(of_x[std::size_t(i)] == of_y[std::size_t(j)]);
    }
    const Oracle want(s, positive, 10);
    values.push_back(want.value);
    for (Index j = 0; j < m; ++j) slopes.push_back({i, j, want.slopes[std::size_t(j)]});
  }
  const FastAp<S> loss({.reduction = Reduction::none});
  Matrix<S> dx;
  Matrix<S> dy;
  const auto got = loss.forward_backward(x, of_x, y, of_y, dx, dy);
  for (std::size_t i = 0; i < values.size(); ++i) {
    expect_number<S>(got.values[i], values[i], 1, "value");
  }
  const oracle::Gradients want = gradients_of(oracle::Cosine(), x, y, slopes);
  expect_near<S>(dx, want.a.values, Tolerance<S>::gradient * (1 + want.a.scale()), "dx");
  expect_near<S>(dy, want.b.values, Tolerance<S>::gradient * (1 + want.b.scale()), "dy");
}

/// All positives before all negatives: exactly 0, for any rounding errors of the histogram's sums.
TYPED_TEST(FastApOf, OfAPerfectRankingIsZero) {
  using S = TypeParam;
  const Index n = 60;
  Matrix<S> x = random_rows<S>(n, 5, 1) * S(0.1);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) {
    labels.push_back(static_cast<int>(i % 2));
    x(i, 0) += i % 2 == 0 ? S(1) : S(-1);
  }
  Matrix<S> dx;
  const auto got = FastAp<S>().forward_backward(x, labels, dx);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.diagnostics.active_terms, 0);
  EXPECT_EQ(dx, (Matrix<S>::Zero(n, 5)));
}

TEST(FastAp, RefusesBinsThatAreTooFewOrTooMany) {
  for (const Index bins : {0, -3, 1025}) {
    expect_refused({"bins",
                    Thrown::invalid_argument,
                    {"nearfar: bins: wanted a number from 1 to 1024, got " + std::to_string(bins)},
                    [&] { FastAp<float>({.bins = bins}); }});
  }
}

TEST(FastAp, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::FastApOptions().bins, 10);
  expect_common_defaults<nearfar::FastApOptions>();
}

}  // namespace
