#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/intra_pair_variance.hpp>

#include "support/differences.hpp"
#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// The intra-pair variance loss against plain loops over pairs in long double, and its options.

namespace {

using namespace support;
using nearfar::IntraPairVariance;
using nearfar::Reduction;

using Labels = std::vector<std::int64_t>;

struct Want {
  Real value = 0;
  Real means[2] = {0, 0};  ///< of positives, of negatives
  std::int64_t pairs[2] = {0, 0};
  std::int64_t active[2] = {0, 0};
  std::vector<Real> values;  ///< Reduction::none
};

/// For rows x without pairs of a row with itself, or with `same_rows` false for x and other rows.
template <class K>
Want by_loops(const K& kernel, const oracle::Matrix& x, const Labels& labels,
              const oracle::Matrix& others, const Labels& other_labels, bool same_rows,
              Real positive_epsilon, Real negative_epsilon, Reduction reduction) {
  Want want;
  const auto each = [&](const auto& body) {
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index j = 0; j < others.rows(); ++j) {
        if (same_rows && i == j) continue;
        const int kind = labels[std::size_t(i)] == other_labels[std::size_t(j)] ? 0 : 1;
        body(i, kind, kernel.score(oracle::row(x, i), oracle::row(others, j)));
      }
    }
  };
  each([&](Index, int kind, Real s) {
    want.means[kind] += s;
    ++want.pairs[kind];
  });
  for (int kind = 0; kind < 2; ++kind) {
    if (want.pairs[kind] > 0) want.means[kind] /= static_cast<Real>(want.pairs[kind]);
  }
  const auto hinge = [&](int kind, Real s) {
    return std::max<Real>(0, kind == 0 ? (1 - positive_epsilon) * want.means[0] - s
                                       : s - (1 + negative_epsilon) * want.means[1]);
  };
  want.values.assign(static_cast<std::size_t>(x.rows()), 0);
  Real sums[2] = {0, 0};
  each([&](Index i, int kind, Real s) {
    const Real square = hinge(kind, s) * hinge(kind, s);
    want.active[kind] += square > 0 ? 1 : 0;
    want.values[std::size_t(i)] += square;
    sums[kind] += square;
  });
  for (int kind = 0; kind < 2; ++kind) {
    Real divisor = 1;
    if (reduction == Reduction::mean) divisor = static_cast<Real>(want.pairs[kind]);
    if (reduction == Reduction::mean_nonzero) divisor = static_cast<Real>(want.active[kind]);
    if (sums[kind] > 0) want.value += sums[kind] / divisor;
  }
  return want;
}

template <class S>
class IntraPairVarianceOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(IntraPairVarianceOf, Scalars);

TYPED_TEST(IntraPairVarianceOf, EqualsTheFormulaAndItsDifferences) {
  using S = TypeParam;
  for (const Batch& batch : small_and_large_batches()) {
    const Matrix<S> x = batch.x.template cast<S>();
    const bool has_ties = batch.name.starts_with("ties");
    for (const Reduction reduction :
         {Reduction::mean, Reduction::mean_nonzero, Reduction::sum, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << batch.name << ", " << static_cast<int>(reduction));
      const IntraPairVariance<S> loss(
          {.positive_epsilon = 0.03, .negative_epsilon = 0.3, .reduction = reduction});
      const auto loops = [&](const oracle::Matrix& rows) {
        return by_loops(oracle::Cosine(), rows, batch.labels, rows, batch.labels, true,
                        static_cast<Real>(0.03), static_cast<Real>(0.3), reduction);
      };
      const Want want = loops(oracle::exact(x));
      Matrix<S> dx;
      const auto got = loss.forward_backward(x, batch.labels, dx);
      const Real largest = std::max<Real>(1, want.value);
      EXPECT_LE(std::abs(got.value - want.value), 20 * Tolerance<S>::value * largest);
      EXPECT_LE(std::abs(got.positive_mean - want.means[0]), 10 * Tolerance<S>::score);
      EXPECT_LE(std::abs(got.negative_mean - want.means[1]), 10 * Tolerance<S>::score);
      EXPECT_EQ(got.positive_pairs, want.pairs[0]);
      EXPECT_EQ(got.negative_pairs, want.pairs[1]);
      EXPECT_EQ(got.diagnostics.terms, want.pairs[0] + want.pairs[1]);
      if (!has_ties) {
        EXPECT_EQ(got.active_positive_pairs, want.active[0]);
        EXPECT_EQ(got.active_negative_pairs, want.active[1]);
      }
      EXPECT_EQ(got.diagnostics.active_terms,
                got.active_positive_pairs + got.active_negative_pairs);
      if (reduction == Reduction::none) {
        for (std::size_t i = 0; i < want.values.size(); ++i) {
          EXPECT_LE(std::abs(got.values[i] - want.values[i]),
                    20 * Tolerance<S>::value * std::max<Real>(1, want.values[i]));
        }
      }
      EXPECT_EQ(loss.forward(x, batch.labels).value, got.value);
      if (x.rows() <= 12 && !has_ties) {
        expect_differences(x, dx, [&](const oracle::Matrix& rows) { return loops(rows).value; });
      }
    }
  }
}

TYPED_TEST(IntraPairVarianceOf, OfReferencesIsTheSame) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(9, 4, 1);
  const Matrix<S> y = random_rows<S>(12, 4, 2);
  Labels of_x, of_y;
  for (const int label : random_labels(9, 3, 3)) of_x.push_back(label);
  for (const int label : random_labels(12, 3, 4)) of_y.push_back(label);
  const IntraPairVariance<S, nearfar::InnerProduct> loss(
      {.positive_epsilon = 0.1, .negative_epsilon = 0.2});
  const auto loops = [&](const oracle::Matrix& a, const oracle::Matrix& b) {
    return by_loops(oracle::InnerProduct(), a, of_x, b, of_y, false, static_cast<Real>(0.1),
                    static_cast<Real>(0.2), Reduction::mean)
        .value;
  };
  Matrix<S> dx, dy;
  const auto got = loss.forward_backward(x, of_x, y, of_y, dx, dy);
  const Real want = loops(oracle::exact(x), oracle::exact(y));
  EXPECT_LE(std::abs(got.value - want), 20 * Tolerance<S>::value * std::max<Real>(1, want));
  expect_differences(x, dx, [&](const oracle::Matrix& a) { return loops(a, oracle::exact(y)); });
  expect_differences(y, dy, [&](const oracle::Matrix& b) { return loops(oracle::exact(x), b); });
}

/// An anchor's upstream multiplies its terms, and their derivatives through the means.
TYPED_TEST(IntraPairVarianceOf, UpstreamOfRowsGoesThroughTheMeans) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(11, 4, 5);
  Labels labels;
  for (const int label : random_labels(11, 3, 6)) labels.push_back(label);
  const std::vector<double> up = random_upstream(11, 7);
  const IntraPairVariance<S> loss({.reduction = Reduction::none});
  Matrix<S> dx;
  loss.forward_backward(x, labels, dx, {.upstream = up});
  expect_differences(x, dx, [&](const oracle::Matrix& rows) {
    const Want want = by_loops(oracle::Cosine(), rows, labels, rows, labels, true,
                               static_cast<Real>(0.01), static_cast<Real>(0.01), Reduction::none);
    Real sum = 0;
    for (std::size_t i = 0; i < up.size(); ++i) sum += up[i] * want.values[i];
    return sum;
  });
}

TEST(IntraPairVariance, RefusesOptionsOutOfRange) {
  const auto refuses = [](const char* name, const std::function<void(double)>& make) {
    expect_refuses({name, "a finite number >= 0", make},
                   {{-0.5, "-0.5"}, {not_a_number, "nan"}, {infinite, "inf"}});
    EXPECT_NO_THROW(make(0));
  };
  refuses("positive_epsilon", [](double v) { IntraPairVariance<float>({.positive_epsilon = v}); });
  refuses("negative_epsilon", [](double v) { IntraPairVariance<float>({.negative_epsilon = v}); });
}

TEST(IntraPairVariance, HasTheDefaultsOfItsPage) {
  const nearfar::IntraPairVarianceOptions options;
  EXPECT_EQ(options.positive_epsilon, 0.01);
  EXPECT_EQ(options.negative_epsilon, 0.01);
  expect_common_defaults<nearfar::IntraPairVarianceOptions>();
}

}  // namespace
