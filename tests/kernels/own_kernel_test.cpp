#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/sup_con.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/margins.hpp"

/// Kernels that a user writes, in scores, losses and metrics: values and gradients against the
/// oracle in long double and against finite differences.

namespace {

using namespace support;
using nearfar::Reduction;
using oracle::Real;

// ---- a user's kernels --------------------------------------------------------------------------

/// s = exp(-|x - y|^2 / (2 w^2)): a kernel with a number of its own.
struct Gaussian {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  double width = 1;

  template <class T>
  T score(T u) const {
    return std::exp(-u / scale<T>());
  }
  template <class T>
  T slope(T, T s) const {
    return -s / scale<T>();
  }

 private:
  template <class T>
  T scale() const {
    return static_cast<T>(2 * width * width);
  }
};

struct GaussianOracle {
  static constexpr bool similarity = true;
  Real width = 1;

  Real score(oracle::Row x, oracle::Row y) const {
    const Real d = oracle::distance(x, y);
    return std::exp(-d * d / (2 * width * width));
  }
  oracle::Reach add_gradient(Real g, oracle::Row x, oracle::Row y, oracle::Out dx, oracle::Out dy,
                             oracle::Matrix& dp) const {
    const Real slope = score(x, y) / (2 * width * width);
    const oracle::Reach reach =
        oracle::SquaredEuclidean().add_gradient(-g * slope, x, y, dx, dy, dp);
    return {slope * reach.rows};
  }
  Real term_size(oracle::Row, oracle::Row) const { return 1; }
};

/// s = exp(2 (cos - 1)), as two overloads instead of templates.
struct SharpCosine {
  static constexpr auto geometry = nearfar::Geometry::cosine;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  float score(float u) const { return std::exp(2 * (u - 1)); }
  double score(double u) const { return std::exp(2 * (u - 1)); }
  float slope(float, float s) const { return 2 * s; }
  double slope(double, double s) const { return 2 * s; }
};

struct SharpCosineOracle {
  static constexpr bool similarity = true;
  Real score(oracle::Row x, oracle::Row y) const {
    return std::exp(2 * (oracle::Cosine().score(x, y) - 1));
  }
  oracle::Reach add_gradient(Real g, oracle::Row x, oracle::Row y, oracle::Out dx, oracle::Out dy,
                             oracle::Matrix& dp) const {
    const Real slope = 2 * score(x, y);
    return {slope * oracle::Cosine().add_gradient(g * slope, x, y, dx, dy, dp).rows};
  }
  Real term_size(oracle::Row, oracle::Row) const { return 1; }
};

/// d = log(1 + u), derived from a kernel of the library, with another score.
template <class Library>
struct Log : Library {
  using Library::Library;
  template <class T>
  T score(T u) const {
    return std::log1p(u);
  }
  template <class T>
  T slope(T u, T) const {
    return 1 / (1 + u);
  }
};
using LogDistance = Log<nearfar::Euclidean>;
template <class S>
using LogMahalanobis = Log<nearfar::Mahalanobis<S>>;

/// log(1 + d^2) of a distance d.
template <class Distance>
struct LogOracle {
  static constexpr bool similarity = false;
  Distance of = {};

  Real score(oracle::Row x, oracle::Row y) const {
    const Real d = of.score(x, y);
    return std::log1p(d * d);
  }
  oracle::Reach add_gradient(Real g, oracle::Row x, oracle::Row y, oracle::Out dx, oracle::Out dy,
                             oracle::Matrix& dp) const {
    const Real d = of.score(x, y);
    const Real slope = 2 * d / (1 + d * d);
    const oracle::Reach reach = of.add_gradient(g * slope, x, y, dx, dy, dp);
    return {slope * reach.rows, slope * reach.parameter};
  }
};

/// Euclidean, written by a user.
struct HandEuclidean {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::distance;
  template <class T>
  T score(T u) const {
    return std::sqrt(u);
  }
  template <class T>
  T slope(T, T s) const {
    return s > 0 ? 1 / (2 * s) : 0;
  }
};

// ---- cases -------------------------------------------------------------------------------------

template <class S>
struct GaussianCase : PlainCase<S, Gaussian, GaussianOracle> {
  using GaussianCase::PlainCase::PlainCase;
  Gaussian kernel() const { return {.width = 0.75}; }
  GaussianOracle oracle() const { return {.width = Real(0.75)}; }
  static std::string name() { return "Gaussian"; }
};
template <class S>
struct SharpCosineCase : PlainCase<S, SharpCosine, SharpCosineOracle> {
  using SharpCosineCase::PlainCase::PlainCase;
  static std::string name() { return "SharpCosine"; }
};
template <class S>
struct LogDistanceCase : PlainCase<S, LogDistance, LogOracle<oracle::Euclidean>> {
  using LogDistanceCase::PlainCase::PlainCase;
  static std::string name() { return "LogDistance"; }
};
template <class S>
struct HandEuclideanCase : PlainCase<S, HandEuclidean, oracle::Euclidean> {
  using HandEuclideanCase::PlainCase::PlainCase;
  static std::string name() { return "HandEuclidean"; }
};
template <class S>
struct LogMahalanobisCase {
  using Scalar = S;
  using Kernel = LogMahalanobis<S>;
  static constexpr bool parametric = true;

  explicit LogMahalanobisCase(Index d)
      : query_cols(d), key_cols(d), parameter(random_rows<S>(d + 1, d, 73)) {}
  Kernel kernel() const { return Kernel(parameter); }
  LogOracle<oracle::Mahalanobis> oracle() const {
    return {oracle::Mahalanobis(oracle::exact(parameter))};
  }
  static std::string name() { return "LogMahalanobis"; }

  Index query_cols;
  Index key_cols;
  Matrix<S> parameter;
};

using OwnKernels = ForBothScalars<GaussianCase, SharpCosineCase, LogDistanceCase, HandEuclideanCase,
                                  LogMahalanobisCase>::Types;
using OwnDistances = ForBothScalars<LogDistanceCase, HandEuclideanCase, LogMahalanobisCase>::Types;

static_assert(nearfar::Kernel<Gaussian> && nearfar::Kernel<SharpCosine>);
static_assert(nearfar::ParametricKernel<LogMahalanobis<float>>);

struct Sizes {
  Index rows;
  Index others;
  Index depth;
};

/// From one pair to more than a tile of keys and a panel of queries.
constexpr Sizes all_sizes[] = {{1, 1, 1}, {2, 7, 3}, {33, 130, 17}, {50, 400, 5}};

std::string text(const Sizes& s) {
  return std::to_string(s.rows) + " x " + std::to_string(s.others) + ", depth " +
         std::to_string(s.depth);
}

constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero,
                                    Reduction::none};

/// An upstream for n rows: numbers for Reduction::none, or one number.
std::vector<double> upstream_for(Reduction reduction, Index n) {
  return reduction == Reduction::none ? random_upstream(n, 7) : std::vector<double>{-0.5};
}
nearfar::Upstream given(const std::vector<double>& numbers, Reduction reduction) {
  if (reduction == Reduction::none) return numbers;
  return numbers[0];
}

template <class Case>
oracle::Request request_for(const Case& c, Reduction reduction, Index n) {
  return {reduction, upstream_for(reduction, n), c.parameter.rows(), c.parameter.cols()};
}

template <class Case>
class OwnKernel : public testing::Test {};
TYPED_TEST_SUITE(OwnKernel, OwnKernels, CaseNames);

template <class Case>
class OwnDistance : public testing::Test {};
TYPED_TEST_SUITE(OwnDistance, OwnDistances, CaseNames);

// ---- scores ------------------------------------------------------------------------------------

TYPED_TEST(OwnKernel, PairwiseScoresAndTheirGradientsAreTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& size : all_sizes) {
    SCOPED_TRACE(text(size));
    const TypeParam c(size.depth);
    const Matrix<S> a = random_rows<S>(size.rows, size.depth, 11);
    const Matrix<S> b = random_rows<S>(size.others, size.depth, 12);
    const oracle::Matrix x = oracle::exact(a);
    const oracle::Matrix y = oracle::exact(b);
    const oracle::Matrix want = oracle::pairwise(c.oracle(), x, y);
    expect_near<S>(nearfar::pairwise(a, b, c.kernel()), want,
                   Tolerance<S>::score * oracle::score_scale(c.oracle(), want, x, y), "score");

    const Matrix<S> upstream = uniform_matrix<S>(size.rows, size.others, 13);
    Matrix<S> da;
    Matrix<S> db;
    Matrix<S> d_parameter;
    nearfar::pairwise_backward(
        upstream, a, b, da, db, c.kernel(),
        nearfar::CallOptions<S>{.d_parameter = parameter_gradient<TypeParam>(d_parameter)});
    oracle::Gradients g(x, y, c.parameter.rows(), c.parameter.cols());
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index j = 0; j < y.rows(); ++j) g.add(c.oracle(), upstream(i, j), x, i, y, j);
    }
    expect_gradient<S>(da, g.a, "da");
    expect_gradient<S>(db, g.b, "db");
    if (TypeParam::parametric) expect_gradient<S>(d_parameter, g.parameter, "d_parameter");
    if (testing::Test::HasFatalFailure()) return;
  }
}

TYPED_TEST(OwnKernel, PairedScoresAndTheirGradientsAreTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& size : all_sizes) {
    SCOPED_TRACE(text(size));
    const TypeParam c(size.depth);
    const Matrix<S> a = random_rows<S>(size.others, size.depth, 14);
    const Matrix<S> b = random_rows<S>(size.others, size.depth, 15);
    const oracle::Matrix x = oracle::exact(a);
    const oracle::Matrix y = oracle::exact(b);
    const oracle::Matrix want = oracle::paired(c.oracle(), x, y);
    const Matrix<S> got = nearfar::paired(a, b, c.kernel());
    expect_near<S>(got, want, Tolerance<S>::score * oracle::score_scale(c.oracle(), want, x, y),
                   "score");

    const nearfar::Vector<S> upstream = uniform_matrix<S>(size.others, 1, 16);
    Matrix<S> da;
    Matrix<S> db;
    Matrix<S> d_parameter;
    nearfar::paired_backward(
        upstream, a, b, da, db, c.kernel(),
        nearfar::CallOptions<S>{.d_parameter = parameter_gradient<TypeParam>(d_parameter)});
    oracle::Gradients g(x, y, c.parameter.rows(), c.parameter.cols());
    for (Index i = 0; i < x.rows(); ++i) g.add(c.oracle(), upstream(i), x, i, y, i);
    expect_gradient<S>(da, g.a, "da");
    expect_gradient<S>(db, g.b, "db");
    if (TypeParam::parametric) expect_gradient<S>(d_parameter, g.parameter, "d_parameter");
    if (testing::Test::HasFatalFailure()) return;
  }
}

// ---- InfoNCE -----------------------------------------------------------------------------------

constexpr double temperature = 0.5;

TYPED_TEST(OwnKernel, InfoNceIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& size : all_sizes) {
    for (const Reduction reduction : reductions) {
      if (size.others > 200 && reduction != Reduction::mean) continue;  // one reduction is enough
      SCOPED_TRACE(text(size) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      const TypeParam c(size.depth);
      const Matrix<S> queries = random_rows<S>(size.rows, size.depth, 31);
      const Matrix<S> keys = random_rows<S>(size.others, size.depth, 32);
      const oracle::Request request = request_for(c, reduction, size.rows);
      const oracle::Loss want = oracle::info_nce(c.oracle(), temperature, oracle::exact(queries),
                                                 oracle::exact(keys), nullptr, request);
      const nearfar::InfoNce<S, typename TypeParam::Kernel> loss(
          {.temperature = temperature, .reduction = reduction}, c.kernel());
      Matrix<S> d_queries;
      Matrix<S> d_keys;
      Matrix<S> d_parameter;
      const auto got =
          loss.forward_backward(queries, keys, d_queries, d_keys,
                                {.d_parameter = parameter_gradient<TypeParam>(d_parameter),
                                 .upstream = given(request.upstream, reduction)});
      expect_result<S>(got, want, reduction);
      expect_identical(got, loss.forward(queries, keys));
      expect_gradient<S>(d_queries, want.first, "d_queries");
      expect_gradient<S>(d_keys, want.second, "d_keys");
      if (TypeParam::parametric) expect_gradient<S>(d_parameter, want.parameter, "d_parameter");
      EXPECT_LE(std::abs(got.d_temperature - want.d_temperature),
                Tolerance<S>::gradient * want.d_temperature_scale);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(OwnKernel, InfoNceOfNegativesIsTheOracles) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(5);
  const Matrix<S> queries = random_rows<S>(60, 5, 33);
  const Matrix<S> keys = random_rows<S>(60, 5, 34);
  const Matrix<S> negatives = random_rows<S>(401, 5, 35);
  const oracle::Request request = request_for(c, Reduction::none, 60);
  const oracle::Matrix exact_negatives = oracle::exact(negatives);
  const oracle::Loss want = oracle::info_nce(c.oracle(), temperature, oracle::exact(queries),
                                             oracle::exact(keys), &exact_negatives, request);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss(
      {.temperature = temperature, .reduction = Reduction::none}, c.kernel());
  Matrix<S> d_queries;
  Matrix<S> d_keys;
  Matrix<S> d_negatives;
  const auto got = loss.forward_backward(queries, keys, nearfar::Negatives<S>(negatives), d_queries,
                                         d_keys, d_negatives, {.upstream = request.upstream});
  expect_result<S>(got, want, Reduction::none);
  expect_gradient<S>(d_queries, want.first, "d_queries");
  expect_gradient<S>(d_keys, want.second, "d_keys");
  expect_gradient<S>(d_negatives, want.third, "d_negatives");
}

// ---- losses of a set with itself ---------------------------------------------------------------

/// -(1 / |P_i|) sum over p in P_i of log softmax of p among all other rows, for each anchor i with
/// positives P_i: SupCon, and with one positive a view NT-Xent.
template <class K, class Positive>
oracle::Loss softmax_of_positives(const K& kernel, const oracle::Matrix& x,
                                  const Positive& positive, const oracle::Request& request) {
  const Index n = x.rows();
  const Real sign = K::similarity ? 1 : -1;
  const Real tau = temperature;
  const oracle::Matrix s = oracle::pairwise(kernel, x, x);
  oracle::Loss out;
  out.values.assign(static_cast<std::size_t>(n), 0);
  oracle::Matrix slopes = oracle::Matrix::Zero(n, n);
  Real sum = 0;
  for (Index i = 0; i < n; ++i) {
    Real best = -std::numeric_limits<Real>::infinity();
    Real count = 0;
    for (Index j = 0; j < n; ++j) {
      if (j != i) best = std::max(best, sign * s(i, j) / tau);
      if (j != i && positive(i, j)) count += 1;
    }
    if (count == 0) continue;
    ++out.diagnostics.terms;
    Real all = 0;
    for (Index j = 0; j < n; ++j) all += j != i ? std::exp(sign * s(i, j) / tau - best) : 0;
    Real& value = out.values[static_cast<std::size_t>(i)];
    for (Index j = 0; j < n; ++j) {
      if (j == i) continue;
      const Real share = positive(i, j) ? 1 / count : 0;
      value += share * (std::log(all) + best - sign * s(i, j) / tau);
      slopes(i, j) = sign / tau * (std::exp(sign * s(i, j) / tau - best) / all - share);
    }
    if (value > 0) ++out.diagnostics.active_terms;
    sum += value;
  }
  out.value = oracle::detail::reduced(request, out.diagnostics, sum);
  oracle::Gradients g(x, x, request.parameter_rows, request.parameter_cols);
  for (Index i = 0; i < n; ++i) {
    const Real weight = request.weight(out.diagnostics, i);
    for (Index j = 0; j < n; ++j) g.add(kernel, weight * slopes(i, j), x, i, x, j);
  }
  out.first = g.a;
  out.first.values += g.b.values;
  for (std::size_t i = 0; i < out.first.row_scales.size(); ++i) {
    out.first.row_scales[i] += g.b.row_scales[i];
  }
  out.parameter = g.parameter;
  return out;
}

template <class S>
void expect_values(const nearfar::Result& got, const oracle::Loss& want, Reduction reduction) {
  EXPECT_LE(std::abs(got.value - want.value), Tolerance<S>::value * std::abs(want.value))
      << got.value << ", wanted " << want.value;
  EXPECT_EQ(got.diagnostics.terms, want.diagnostics.terms);
  if (reduction != Reduction::none) return;
  ASSERT_EQ(got.values.size(), want.values.size());
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    EXPECT_LE(std::abs(got.values[i] - want.values[i]),
              Tolerance<S>::value * std::abs(want.values[i]))
        << "row " << i;
  }
}

/// Large enough for two panels of rows and two tiles of keys.
constexpr std::pair<Index, Index> batch_sizes[] = {{2, 1}, {7, 3}, {130, 17}, {410, 5}};

TYPED_TEST(OwnKernel, SupConIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, depth] : batch_sizes) {
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      if (n > 200 && reduction == Reduction::mean) continue;  // one reduction is enough
      SCOPED_TRACE(testing::Message() << n << " rows, depth " << depth);
      const TypeParam c(depth);
      const Matrix<S> x = random_rows<S>(n, depth, 41);
      const std::vector<int> labels = random_labels(n, n > 2 ? 5 : 1, 42);
      const oracle::Request request = request_for(c, reduction, n);
      const auto positive = [&](Index i, Index j) {
        return labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
      };
      const oracle::Loss want =
          softmax_of_positives(c.oracle(), oracle::exact(x), positive, request);
      const nearfar::SupCon<S, typename TypeParam::Kernel> loss(
          {.temperature = temperature, .reduction = reduction}, c.kernel());
      Matrix<S> dx;
      Matrix<S> d_parameter;
      const auto got =
          loss.forward_backward(x, labels, dx,
                                {.d_parameter = parameter_gradient<TypeParam>(d_parameter),
                                 .upstream = given(request.upstream, reduction)});
      expect_values<S>(got, want, reduction);
      expect_identical(got, loss.forward(x, labels));
      expect_gradient<S>(dx, want.first, "dx");
      if (TypeParam::parametric) expect_gradient<S>(d_parameter, want.parameter, "d_parameter");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(OwnKernel, NtXentIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const auto& [views, depth] : batch_sizes) {
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      if (views > 200 && reduction == Reduction::mean) continue;  // one reduction is enough
      const Index n = (views + 1) / 2;
      SCOPED_TRACE(testing::Message() << n << " samples, depth " << depth);
      const TypeParam c(depth);
      const Matrix<S> stacked = random_rows<S>(2 * n, depth, 43);
      const Matrix<S> first = stacked.topRows(n);
      const Matrix<S> second = stacked.bottomRows(n);
      const oracle::Request request = request_for(c, reduction, 2 * n);
      const oracle::Loss want = softmax_of_positives(
          c.oracle(), oracle::exact(stacked),
          [&](Index i, Index j) { return j == (i + n) % (2 * n); }, request);
      const nearfar::NtXent<S, typename TypeParam::Kernel> loss(
          {.temperature = temperature, .reduction = reduction}, c.kernel());
      Matrix<S> d_stacked(2 * n, depth);
      Matrix<S> d_parameter;
      const auto got =
          loss.forward_backward(first, second, d_stacked.topRows(n), d_stacked.bottomRows(n),
                                {.d_parameter = parameter_gradient<TypeParam>(d_parameter),
                                 .upstream = given(request.upstream, reduction)});
      if (n > 1) expect_values<S>(got, want, reduction);
      expect_identical(got, loss.forward(first, second));
      expect_gradient<S>(d_stacked, want.first, "d_views");
      if (TypeParam::parametric) expect_gradient<S>(d_parameter, want.parameter, "d_parameter");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// ---- losses of distances -----------------------------------------------------------------------

TYPED_TEST(OwnDistance, HadsellOfPairsAndOverLabelsIsTheOracles) {
  using S = typename TypeParam::Scalar;
  for (const auto& [n, depth] : batch_sizes) {
    for (const Reduction reduction : reductions) {
      if (n > 200 && reduction != Reduction::mean) continue;  // one reduction is enough
      SCOPED_TRACE(testing::Message() << n << " rows, depth " << depth << ", reduction "
                                      << static_cast<int>(reduction));
      const TypeParam c(depth);
      const Matrix<S> x = random_rows<S>(n, depth, 51);
      const Matrix<S> y = random_rows<S>(n, depth, 52);
      const oracle::Request request = request_for(c, reduction, n);
      // A dissimilar pair at a distance near the margin has a value of few digits: m - d cancels.
      const oracle::Matrix distances =
          oracle::paired(c.oracle(), oracle::exact(x), oracle::exact(y));
      const double margin = clear_margin({distances.data(), distances.data() + distances.size()});
      const nearfar::HadsellContrastive<S, typename TypeParam::Kernel> loss(
          {.margin = margin, .reduction = reduction}, c.kernel());
      Matrix<S> dx;
      Matrix<S> dy;
      Matrix<S> d_parameter;
      const nearfar::CallOptions<S> call{.d_parameter = parameter_gradient<TypeParam>(d_parameter),
                                         .upstream = given(request.upstream, reduction)};

      std::vector<int> same = random_labels(n, 2, 53);
      for (Index i = 0; i < n; ++i) {
        if (std::abs(distances(i, 0) - margin) < margin / 20) {
          same[static_cast<std::size_t>(i)] = 1;
        }
      }
      const oracle::Loss pairs = oracle::hadsell_pairs(c.oracle(), margin, oracle::exact(x),
                                                       oracle::exact(y), same, request);
      expect_result<S>(loss.forward_backward(x, y, nearfar::Labels(same), dx, dy, call), pairs,
                       reduction);
      expect_gradient<S>(dx, pairs.first, "da");
      expect_gradient<S>(dy, pairs.second, "db");
      if (TypeParam::parametric) expect_gradient<S>(d_parameter, pairs.parameter, "d_parameter");

      const std::vector<int> labels = random_labels(n, 3, 54);
      const oracle::Loss batch =
          oracle::hadsell_batch(c.oracle(), margin, oracle::exact(x), labels, request);
      expect_result<S>(loss.forward_backward(x, labels, dx, call), batch, reduction);
      expect_gradient<S>(dx, batch.first, "dx");
      if (TypeParam::parametric) expect_gradient<S>(d_parameter, batch.parameter, "d_parameter");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(OwnKernel, TripletsAreThoseOfItsScores) {
  using S = typename TypeParam::Scalar;
  using Kernel = typename TypeParam::Kernel;
  using nearfar::Mining;
  constexpr Index n = 70;
  const TypeParam c(5);
  const Matrix<S> x = random_rows<S>(n, 5, 61);
  const std::vector<int> labels = random_labels(n, 6, 62);
  oracle::Matrix d = oracle::pairwise(c.oracle(), oracle::exact(x), oracle::exact(x));
  if (Kernel::orientation == nearfar::Orientation::similarity) d = -d;
  const auto same = [&](Index i, Index j) {
    return labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
  };
  Real every = 0;
  Real hardest = 0;
  const Real margin = 0.2;
  for (Index a = 0; a < n; ++a) {
    Real farthest = -std::numeric_limits<Real>::infinity();
    Real nearest = -farthest;
    for (Index p = 0; p < n; ++p) {
      if (p == a) continue;
      if (!same(a, p)) nearest = std::min(nearest, d(a, p));
      if (!same(a, p)) continue;
      farthest = std::max(farthest, d(a, p));
      for (Index k = 0; k < n; ++k) {
        if (!same(a, k)) every += std::max<Real>(0, d(a, p) - d(a, k) + margin);
      }
    }
    if (std::isfinite(farthest) && std::isfinite(nearest)) {
      hardest += std::max<Real>(0, farthest - nearest + margin);
    }
  }
  const auto value = [&](Mining mining) {
    return nearfar::MinedTriplet<S, Kernel>(
               {.margin = 0.2, .mining = mining, .reduction = Reduction::sum}, c.kernel())
        .forward(x, labels)
        .value;
  };
  EXPECT_LE(std::abs(value(Mining::all) - every), Tolerance<S>::value * every);
  EXPECT_LE(std::abs(value(Mining::batch_hard) - hardest), Tolerance<S>::value * hardest);
}

// ---- finite differences ------------------------------------------------------------------------

TYPED_TEST(OwnKernel, GradientsAreTheDerivativesOfTheValue) {
  using S = typename TypeParam::Scalar;
  using Kernel = typename TypeParam::Kernel;
  constexpr bool is_double = sizeof(S) == sizeof(double);
  TypeParam c(3);
  Matrix<S> x = random_rows<S>(8, 3, 71);
  Matrix<S> y = random_rows<S>(9, 3, 72);
  const std::vector<int> labels = {0, 1, 0, 1, 2, 0, 1, 2};
  Matrix<S> dx;
  Matrix<S> dy;
  Matrix<S> d_parameter;
  nearfar::Workspace one(1);  // sizes are small, and there are many calls
  const nearfar::CallOptions<S> alone{.workspace = &one};
  const nearfar::CallOptions<S> call{.workspace = &one,
                                     .d_parameter = parameter_gradient<TypeParam>(d_parameter)};
  const auto check = [&](const char* name, bool two_sets, const auto& value,
                         nearfar::GradientCheckOptions options = {}) {
    SCOPED_TRACE(name);
    std::vector<nearfar::CheckedInput<S>> inputs;
    inputs.push_back({"x", x, dx});
    Index elements = x.size();
    if (two_sets) inputs.push_back({"y", y, dy});
    if (two_sets) elements += y.size();
    if (TypeParam::parametric) inputs.push_back({"parameter", c.parameter, d_parameter});
    if (TypeParam::parametric) elements += c.parameter.size();
    const auto report = nearfar::check_gradient<S>(value, inputs, options);
    EXPECT_TRUE(report.passed) << report;
    EXPECT_EQ(report.checked + report.kinks, elements) << report;
    EXPECT_LE(report.kinks, options.step > 0 ? 4 : 0) << report;
  };

  const nearfar::InfoNce<S, Kernel> info_nce({.temperature = temperature}, c.kernel());
  info_nce.forward_backward(x, y, dx, dy, call);
  check("InfoNCE", true, [&] { return info_nce.forward(x, y, alone).value; });

  const Matrix<S> y8 = y.topRows(8);
  const nearfar::NtXent<S, Kernel> nt_xent({.temperature = temperature}, c.kernel());
  nt_xent.forward_backward(x, y8, dx, nearfar::no_gradient, call);
  check("NT-Xent", false, [&] { return nt_xent.forward(x, y8, alone).value; });

  const nearfar::SupCon<S, Kernel> sup_con({.temperature = temperature}, c.kernel());
  sup_con.forward_backward(x, labels, dx, call);
  check("SupCon", false, [&] { return sup_con.forward(x, labels, alone).value; });

  const Matrix<S> weights = uniform_matrix<S>(8, 9, 73);
  nearfar::pairwise_backward(weights, x, y, dx, dy, c.kernel(), call);
  check("pairwise", true, [&] {
    const Matrix<S> s = nearfar::pairwise(x, y, c.kernel(), alone);
    return s.template cast<double>().cwiseProduct(weights.template cast<double>()).sum();
  });

  const nearfar::MinedTriplet<S, Kernel> soft(
      {.form = nearfar::TripletForm::soft, .mining = nearfar::Mining::all}, c.kernel());
  soft.forward_backward(x, labels, dx, call);
  check("soft triplets", false, [&] { return soft.forward(x, labels, alone).value; });

  if constexpr (is_double) {  // small steps, which cross few kinks
    const nearfar::MinedTriplet<S, Kernel> hinge({.mining = nearfar::Mining::all}, c.kernel());
    hinge.forward_backward(x, labels, dx, call);
    check("triplets", false, [&] { return hinge.forward(x, labels, alone).value; }, {.step = 1e-5});
    const nearfar::MinedTriplet<S, Kernel> hard({.mining = nearfar::Mining::batch_hard},
                                                c.kernel());
    hard.forward_backward(x, labels, dx, call);
    check("hardest triplets", false, [&] { return hard.forward(x, labels, alone).value; },
          {.step = 1e-5});
  }
}

// ---- kernels that are, and are not, the library's ----------------------------------------------

template <class S>
class OwnFormulas : public testing::Test {};
TYPED_TEST_SUITE(OwnFormulas, Scalars, CaseNames);

/// Value and gradients of every loss here, with kernel K.
template <class S, class K>
std::vector<Matrix<S>> of_every_loss(const Matrix<S>& x, const Matrix<S>& y,
                                     const std::vector<int>& labels) {
  std::vector<Matrix<S>> out;
  Matrix<S> dx;
  Matrix<S> dy;
  const auto keep = [&](double value) {
    out.push_back(Matrix<S>::Constant(1, 1, static_cast<S>(value)));
    out.push_back(dx);
  };
  keep(nearfar::InfoNce<S, K>({.temperature = temperature}).forward_backward(x, y, dx, dy).value);
  out.push_back(dy);
  keep(nearfar::NtXent<S, K>({.temperature = temperature}).forward_backward(x, y, dx, dy).value);
  out.push_back(dy);
  keep(nearfar::SupCon<S, K>({.temperature = temperature}).forward_backward(x, labels, dx).value);
  keep(nearfar::HadsellContrastive<S, K>().forward_backward(x, labels, dx).value);
  keep(nearfar::HadsellContrastive<S, K>().forward_backward(x, labels, y, labels, dx, dy).value);
  out.push_back(dy);
  for (const auto mining : {nearfar::Mining::all, nearfar::Mining::batch_hard,
                            nearfar::Mining::semihard, nearfar::Mining::semi_hard_per_pair}) {
    keep(nearfar::MinedTriplet<S, K>({.mining = mining}).forward_backward(x, labels, dx).value);
  }
  out.push_back(nearfar::pairwise(x, y, K()));
  out.push_back(nearfar::paired(x, y, K()));
  return out;
}

TYPED_TEST(OwnFormulas, EuclideanByHandGivesWhatEuclideanGives) {
  using S = TypeParam;
  for (const auto& [n, depth] : {std::pair<Index, Index>{6, 1}, {120, 17}, {410, 5}}) {
    SCOPED_TRACE(testing::Message() << n << " rows, depth " << depth);
    const Matrix<S> x = random_rows<S>(n, depth, 81);
    const Matrix<S> y = random_rows<S>(n, depth, 82);
    const std::vector<int> labels = random_labels(n, 3, 83);
    const auto got = of_every_loss<S, HandEuclidean>(x, y, labels);
    const auto want = of_every_loss<S, nearfar::Euclidean>(x, y, labels);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t k = 0; k < want.size(); ++k) {
      expect_same<S>(got[k], want[k], ("number " + std::to_string(k)).c_str());
    }
  }
}

/// Equal rows, at whose distance 0 no derivative exists.
TYPED_TEST(OwnFormulas, EuclideanByHandHasGradientZeroAtDistanceZero) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(5, 3, 84);
  x.row(4) = x.row(1);
  const std::vector<int> labels = {0, 1, 0, 1, 1};
  const auto got = of_every_loss<S, HandEuclidean>(x, x, labels);
  const auto want = of_every_loss<S, nearfar::Euclidean>(x, x, labels);
  for (std::size_t k = 0; k < want.size(); ++k) {
    EXPECT_TRUE(all_finite(got[k]));
    expect_same<S>(got[k], want[k], ("number " + std::to_string(k)).c_str());
  }
}

/// A name alone makes no other kernel.
struct Renamed : nearfar::Euclidean {};

TYPED_TEST(OwnFormulas, AKernelDerivedWithoutAScoreOfItsOwnIsTheLibrarys) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 5, 85);
  const Matrix<S> y = random_rows<S>(20, 5, 86);
  const std::vector<int> labels = random_labels(20, 3, 87);
  const auto got = of_every_loss<S, Renamed>(x, y, labels);
  const auto want = of_every_loss<S, nearfar::Euclidean>(x, y, labels);
  for (std::size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(same_bits(got[k], want[k])) << k;
}

TYPED_TEST(OwnFormulas, ADerivedKernelWithItsOwnScoreIsACustomKernel) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(7, 5, 88);
  const Matrix<S> y = random_rows<S>(9, 5, 89);
  const Matrix<S> squares = nearfar::pairwise(x, y, nearfar::SquaredEuclidean());
  const Matrix<S> want = squares.array().log1p().matrix();
  expect_same<S>(nearfar::pairwise(x, y, LogDistance()), want, "score");

  Matrix<S> dx;
  Matrix<S> dy;
  const std::vector<int> labels = {0, 1, 0, 1, 2, 2, 0};
  const double own = nearfar::HadsellContrastive<S, LogDistance>().forward(x, labels).value;
  const double library = nearfar::HadsellContrastive<S>().forward(x, labels).value;
  EXPECT_GT(std::abs(own - library), 1e-3);
}

/// The same as two overloads instead of templates.
struct LogDistanceOfOverloads : nearfar::Euclidean {
  float score(float u) const { return std::log1p(u); }
  double score(double u) const { return std::log1p(u); }
  float slope(float u, float) const { return 1 / (1 + u); }
  double slope(double u, double) const { return 1 / (1 + u); }
};

TYPED_TEST(OwnFormulas, ADerivedKernelMayBeTwoOverloads) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 5, 98);
  const Matrix<S> y = random_rows<S>(20, 5, 99);
  const std::vector<int> labels = random_labels(20, 3, 100);
  const auto got = of_every_loss<S, LogDistanceOfOverloads>(x, y, labels);
  const auto want = of_every_loss<S, LogDistance>(x, y, labels);
  for (std::size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(same_bits(got[k], want[k])) << k;
}

/// A distance with half its derivative.
struct HalfSlope : nearfar::Euclidean {
  template <class T>
  T slope(T u, T s) const {
    return nearfar::Euclidean::slope(u, s) / 2;
  }
};

/// 1 - |x - y|^2: a function of the library, with another geometry.
struct OneMinusSquare : nearfar::CosineDistance {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::similarity;
};

TYPED_TEST(OwnFormulas, ADerivedKernelsOwnSlopeAndGeometryAreUsed) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 5, 101);
  const Matrix<S> y = random_rows<S>(30, 5, 102);
  const Matrix<S> upstream = uniform_matrix<S>(20, 30, 103);
  const auto gradient = [&](const auto& kernel) {
    Matrix<S> dx;
    nearfar::pairwise_backward(upstream, x, y, dx, nearfar::no_gradient, kernel);
    return dx;
  };
  expect_same<S>(gradient(HalfSlope()), gradient(nearfar::Euclidean()) / S(2), "half a slope");
  expect_same<S>(gradient(OneMinusSquare()), -gradient(nearfar::SquaredEuclidean()),
                 "another geometry");
}

TYPED_TEST(OwnFormulas, ALossUsesTheKernelObjectItWasGiven) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(12, 5, 90);
  const Matrix<S> y = random_rows<S>(12, 5, 91);
  const nearfar::InfoNce<S, Gaussian> narrow({.temperature = temperature}, {.width = 0.25});
  const nearfar::InfoNce<S, Gaussian> wide({.temperature = temperature}, {.width = 4});
  EXPECT_EQ(narrow.kernel().width, 0.25);
  const auto copy = narrow;
  EXPECT_EQ(copy.forward(x, y).value, narrow.forward(x, y).value);
  EXPECT_GT(std::abs(narrow.forward(x, y).value - wide.forward(x, y).value), 1e-3);
}

TYPED_TEST(OwnKernel, BitsDoNotDependOnTheNumberOfThreads) {
  using S = typename TypeParam::Scalar;
  const TypeParam c(5);
  const Matrix<S> x = random_rows<S>(450, 5, 92);
  const Matrix<S> y = random_rows<S>(450, 5, 93);
  const nearfar::InfoNce<S, typename TypeParam::Kernel> loss({.temperature = temperature},
                                                             c.kernel());
  nearfar::Workspace one(1);
  Matrix<S> dx;
  Matrix<S> dy;
  const auto want = loss.forward_backward(x, y, dx, dy, {.workspace = &one});
  for (const int threads : {2, 3}) {
    nearfar::Workspace workspace(threads);
    Matrix<S> other_dx;
    Matrix<S> other_dy;
    expect_identical(loss.forward_backward(x, y, other_dx, other_dy, {.workspace = &workspace}),
                     want);
    EXPECT_TRUE(same_bits(other_dx, dx));
    EXPECT_TRUE(same_bits(other_dy, dy));
  }
}

/// A decreasing function of a distance ranks like the distance, an increasing one of a cosine like
/// the cosine.
TYPED_TEST(OwnFormulas, RetrievalRanksByAMonotoneKernelAsByItsGeometry) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(90, 5, 94);
  const Matrix<S> references = random_rows<S>(120, 5, 95);
  const std::vector<int> labels = random_labels(90, 6, 96);
  const std::vector<int> reference_labels = random_labels(120, 6, 97);
  const auto expect_alike = [&](const auto& own, const auto& library) {
    for (const bool with_references : {false, true}) {
      const auto run = [&](const auto& kernel) {
        const nearfar::Retrieval<S, std::decay_t<decltype(kernel)>> metric({}, kernel);
        return with_references ? metric.evaluate(x, labels, references, reference_labels)
                               : metric.evaluate(x, labels);
      };
      const auto got = run(own);
      const auto want = run(library);
      EXPECT_GT(want.map_at_r, 0);
      EXPECT_EQ(got.map_at_r, want.map_at_r);
      EXPECT_EQ(got.recall, want.recall);
      EXPECT_EQ(got.precision, want.precision);
      EXPECT_EQ(got.mean_reciprocal_rank, want.mean_reciprocal_rank);
    }
  };
  expect_alike(Gaussian{.width = 1}, nearfar::Euclidean());
  expect_alike(LogDistance(), nearfar::SquaredEuclidean());
  expect_alike(HandEuclidean(), nearfar::Euclidean());
  expect_alike(SharpCosine(), nearfar::Cosine());
}

/// The geometry value of P x and y: the matrix maps one side alone, and the two sides may have rows
/// of different lengths.
template <class S, nearfar::Geometry kind, nearfar::Orientation oriented>
struct OfTheImage {
  using Scalar = S;
  static constexpr auto geometry = kind;
  static constexpr auto orientation = oriented;
  static constexpr bool maps_queries = true;
  static constexpr bool maps_keys = false;
  Matrix<S> p;

  nearfar::Rows<S> parameter() const { return p; }
  template <class T>
  T score(T u) const {
    return u;
  }
  template <class T>
  T slope(T, T) const {
    return T(1);
  }
};
template <class S>
using DistanceFromTheImage =
    OfTheImage<S, nearfar::Geometry::squared_distance, nearfar::Orientation::distance>;
template <class S>
using CosineOfTheImage = OfTheImage<S, nearfar::Geometry::cosine, nearfar::Orientation::similarity>;

TYPED_TEST(OwnFormulas, AnImageThatOverflowsIsRefusedUnderTheCosine) {
  using S = TypeParam;
  const S large = std::sqrt(std::numeric_limits<S>::max());
  CosineOfTheImage<S> kernel{random_rows<S>(4, 4, 101)};
  const Matrix<S> x = random_rows<S>(6, 4, 102);
  const nearfar::InfoNce<S, CosineOfTheImage<S>> loss({.temperature = 0.5}, kernel);
  EXPECT_GT(loss.forward(x, x).value, 0);
  kernel.p *= 2 * large;
  const Matrix<S> far = x * large;
  const nearfar::InfoNce<S, CosineOfTheImage<S>> overflows({.temperature = 0.5}, kernel);
  try {
    overflows.forward(far, x);
    FAIL() << "did not throw";
  } catch (const std::domain_error& error) {
    EXPECT_NE(std::string(error.what()).find("queries and kernel parameter"), std::string::npos)
        << error.what();
  }
  Matrix<S> bad = x;
  bad(2, 1) = std::numeric_limits<S>::quiet_NaN();
  try {
    loss.forward(x, bad);
    FAIL() << "did not throw";
  } catch (const std::domain_error& error) {
    EXPECT_NE(std::string(error.what()).find("NaN at row 2, column 1"), std::string::npos)
        << error.what();
  }
}

TYPED_TEST(OwnFormulas, AMatrixMayMapOneSideOfADistance) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(20, 3, 98).array() + S(5);
  const Matrix<S> y = random_rows<S>(30, 4, 99).array() - S(2);
  const DistanceFromTheImage<S> kernel{random_rows<S>(4, 3, 100)};
  const Matrix<S> image = x * kernel.p.transpose();
  const Matrix<S> got = nearfar::pairwise(x, y, kernel);
  const Matrix<S> want = nearfar::pairwise(image, y, nearfar::SquaredEuclidean());
  ASSERT_EQ(got.rows(), 20);
  ASSERT_EQ(got.cols(), 30);
  const S relative = sizeof(S) == sizeof(float) ? S(1e-5) : S(1e-12);
  EXPECT_LE((got - want).cwiseAbs().maxCoeff(), relative * want.maxCoeff());
}

}  // namespace
