#include <gtest/gtest.h>

#include <nearfar/losses/proxy_anchor.hpp>

#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/proxy_oracle.hpp"

/// Proxy-Anchor against plain loops over proxies and rows in long double, and its options.

namespace {

using namespace support;
using nearfar::Proxies;
using nearfar::ProxyAnchor;

struct Want {
  Real value = 0;
  oracle::Matrix dx;
  oracle::Matrix d_proxies;
  Real dx_scale = 0;
  Real d_proxies_scale = 0;
};

template <class S>
Want proxy_anchor(const Matrix<S>& rows, const std::vector<int>& labels, const Matrix<S>& proxies,
                  Real margin, Real alpha) {
  const oracle::Matrix x = oracle::exact(rows);
  const oracle::Matrix w = oracle::exact(proxies);
  Want out;
  out.dx = oracle::Matrix::Zero(x.rows(), x.cols());
  out.d_proxies = oracle::Matrix::Zero(w.rows(), w.cols());
  oracle::Matrix none;
  std::vector<bool> present(static_cast<std::size_t>(w.rows()), false);
  for (const int label : labels) present[static_cast<std::size_t>(label)] = true;
  const auto of_p = static_cast<Real>(std::count(present.begin(), present.end(), true));
  for (Index c = 0; c < w.rows(); ++c) {
    for (const bool positive : {true, false}) {
      const Real share = 1 / (positive ? of_p : static_cast<Real>(w.rows()));
      const auto logit = [&](Index i) {
        const Real s = oracle::Cosine().score(oracle::row(x, i), oracle::row(w, c));
        return positive ? -alpha * (s - margin) : alpha * (s + margin);
      };
      const auto counts = [&](Index i) {
        return (labels[static_cast<std::size_t>(i)] == c) == positive;
      };
      Real sum = 1;
      for (Index i = 0; i < x.rows(); ++i) sum += counts(i) ? std::exp(logit(i)) : 0;
      if (sum == 1) continue;
      out.value += share * std::log(sum);
      for (Index i = 0; i < x.rows(); ++i) {
        if (!counts(i)) continue;
        const Real g = share * std::exp(logit(i)) / sum * (positive ? -alpha : alpha);
        oracle::Cosine().add_gradient(g, oracle::row(x, i), oracle::row(w, c),
                                      oracle::row(out.dx, i), oracle::row(out.d_proxies, c), none);
        const Real row = oracle::length(oracle::row(x, i));
        out.dx_scale = std::max(out.dx_scale, row > 0 ? std::abs(g) / row : 0);
        out.d_proxies_scale =
            std::max(out.d_proxies_scale, std::abs(g) / oracle::length(oracle::row(w, c)));
      }
    }
  }
  return out;
}

template <class S>
class ProxyAnchorOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ProxyAnchorOf, Scalars);

/// One row, one class, classes without rows, more rows than a tile of scores is wide, a zero row,
/// ties.
TYPED_TEST(ProxyAnchorOf, EqualsTheFormulaAndItsDerivatives) {
  using S = TypeParam;
  for (const auto& [n, classes, depth] : {std::tuple<Index, Index, Index>(1, 1, 3),
                                          {1, 4, 3},
                                          {7, 1, 5},
                                          {9, 2, 1},
                                          {33, 7, 9},
                                          {5, 200, 17},
                                          {430, 50, 11}}) {
    Matrix<S> x = S(2) * random_rows<S>(n, depth, 3);
    const Matrix<S> w = random_rows<S>(classes, depth, 4);
    std::vector<int> labels =
        random_labels(n, static_cast<int>(std::max<Index>(1, classes - 1)), 5);
    if (n > 4) {
      x.row(1) = x.row(0);
      x.row(3).setZero();
    }
    for (const double alpha : {4.0, 32.0}) {
      for (const double margin : {-0.2, 0.1}) {
        SCOPED_TRACE(testing::Message() << n << " rows, " << classes << " classes, alpha " << alpha
                                        << ", margin " << margin);
        const Want want =
            proxy_anchor<S>(x, labels, w, static_cast<Real>(margin), static_cast<Real>(alpha));
        const ProxyAnchor<S> loss({.margin = margin, .alpha = alpha});
        Matrix<S> dx;
        Matrix<S> dw;
        const auto got = loss.forward_backward(x, labels, w, dx, dw);
        EXPECT_LE(std::abs(static_cast<Real>(got.value) - want.value),
                  alpha * Tolerance<S>::score + Tolerance<S>::value * want.value);
        EXPECT_EQ(loss.forward(x, labels, w).value, got.value);
        const Real slack = alpha * Tolerance<S>::gradient;
        expect_near<S>(dx, want.dx, slack * want.dx_scale, "dx");
        expect_near<S>(dw, want.d_proxies, slack * want.d_proxies_scale, "d_proxies");
        EXPECT_EQ(got.diagnostics.anchors, classes);
        EXPECT_EQ(got.diagnostics.terms, classes);
        // The last of several classes has no row; of two classes, all rows have the first.
        EXPECT_EQ(got.diagnostics.anchors_without_negative, classes <= 2 || n == 1 ? 1 : 0);
      }
    }
  }
}

TEST(ProxyAnchor, CountsClassesWithoutRows) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  const Matrix<double> w = random_rows<double>(5, 4, 2);
  const std::vector<int> labels = {2, 2, 0};
  EXPECT_EQ(ProxyAnchor<double>().forward(x, labels, w).diagnostics.anchors_without_positive, 3);
  const std::vector<int> numbers = {7, 8, -9, 10, 11};
  const std::vector<int> named = {-9, -9, 7};
  EXPECT_EQ(ProxyAnchor<double>().forward(x, named, Proxies(w).classes(numbers)).value,
            ProxyAnchor<double>().forward(x, labels, w).value);
}

/// Without rows there is no gradient.
TEST(ProxyAnchor, OfAnEmptyBatchIsZero) {
  const Matrix<double> none(0, 4);
  const Matrix<double> w = random_rows<double>(5, 4, 2);
  Matrix<double> dx, dw;
  const auto got = ProxyAnchor<double>().forward_backward(none, std::vector<int>(), w, dx, dw);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(dw.norm(), 0);
}

TEST(ProxyAnchor, UpstreamIsOneNumber) {
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  const Matrix<double> w = random_rows<double>(5, 4, 2);
  const std::vector<int> labels = {2, 2, 0};
  Matrix<double> dx, dw, dx3, dw3;
  ProxyAnchor<double>().forward_backward(x, labels, w, dx, dw);
  ProxyAnchor<double>().forward_backward(x, labels, w, dx3, dw3, {.upstream = 3});
  EXPECT_LE((3 * dx - dx3).norm(), 1e-12 * dx3.norm());
  EXPECT_LE((3 * dw - dw3).norm(), 1e-12 * dw3.norm());
}

TEST(ProxyAnchor, RefusesOptionsOutOfRange) {
  expect_must_be_positive("alpha", [](double v) { ProxyAnchor<float>({.alpha = v}); });
  expect_must_be_finite("margin", [](double v) { ProxyAnchor<float>({.margin = v}); });
  EXPECT_EQ(nearfar::ProxyAnchorOptions().margin, 0.1);
  EXPECT_EQ(nearfar::ProxyAnchorOptions().alpha, 32);
  const Matrix<double> x = random_rows<double>(3, 4, 1);
  const std::vector<double> margins(3, 0.1);
  expect_refused(
      {"margins", Thrown::invalid_argument, {"nearfar: margins: wanted none"}, [&] {
         ProxyAnchor<double>().forward(x, std::vector<int>{0, 1, 2}, Proxies(x).margins(margins));
       }});
}

}  // namespace
