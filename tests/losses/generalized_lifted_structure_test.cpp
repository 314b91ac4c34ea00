#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/generalized_lifted_structure.hpp>

#include "support/options.hpp"
#include "support/rows_oracle.hpp"

/// The generalised lifted structured loss against plain loops over pairs in long double, and its
/// options.

namespace {

using namespace support;
using nearfar::GeneralizedLiftedStructure;
using nearfar::Reduction;

using Labels = std::vector<std::int64_t>;

template <class Kernel>
SumOfTerms terms_of(const Kernel& kernel, Real margin, const oracle::Matrix& x,
                    const Labels& labels) {
  const oracle::Matrix d = distances(kernel, x);
  SumOfTerms all;
  for (Index i = 0; i < x.rows(); ++i) {
    const OtherRows others(labels, i);
    if (others.positives.empty() || others.negatives.empty()) continue;
    Real positives = 0;
    Real negatives = 0;
    for (const Index p : others.positives) positives += std::exp(d(i, p));
    for (const Index k : others.negatives) negatives += std::exp(-d(i, k));
    all.add(std::max<Real>(0, margin + std::log(positives) + std::log(negatives)));
  }
  return all;
}

template <class S>
class GeneralizedLiftedStructureOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(GeneralizedLiftedStructureOf, Scalars);

template <class S, class Kernel, class Oracle>
void expect_formula(const Oracle& kernel) {
  for (const double margin : {1.0, -2.5}) {
    SCOPED_TRACE(margin);
    const auto want = [&](const oracle::Matrix& x, const Labels& labels) {
      return terms_of(kernel, Real(margin), x, labels).mean();
    };
    const GeneralizedLiftedStructure<S, Kernel> loss({.margin = margin});
    expect_values<S>(loss, want);
    for (const Batch& batch : small_batches_without_ties()) {
      expect_value_and_gradient<S>(batch, loss, want);
    }
  }
}

TYPED_TEST(GeneralizedLiftedStructureOf, DistancesEqualsTheFormulaAndItsDerivatives) {
  expect_formula<TypeParam, nearfar::Euclidean>(oracle::Euclidean());
}

TYPED_TEST(GeneralizedLiftedStructureOf, SimilaritiesEqualsTheFormulaAndItsDerivatives) {
  expect_formula<TypeParam, nearfar::Cosine>(oracle::Cosine());
}

TEST(GeneralizedLiftedStructure, CountsAnchorsWithAPositiveAndANegative) {
  for (const Batch& batch : batches()) {
    SCOPED_TRACE(batch.name);
    const SumOfTerms want =
        terms_of(oracle::Euclidean(), Real(1), oracle::exact(batch.x), batch.labels);
    const auto got = GeneralizedLiftedStructure<double>({.reduction = Reduction::mean_nonzero})
                         .forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want.terms);
    EXPECT_EQ(got.diagnostics.active_terms, want.nonzero);
    expect_value(got.value, want.mean_nonzero());
  }
}

/// exp(d) of these distances overflows.
TYPED_TEST(GeneralizedLiftedStructureOf, FarRowsKeepsItsDigits) {
  using S = TypeParam;
  Matrix<S> x(4, 1);
  x << S(0), S(4096), S(1024), S(9216);
  const auto got = GeneralizedLiftedStructure<S>({.reduction = Reduction::none})
                       .forward(x, std::vector<int>{0, 0, 1, 1});
  EXPECT_EQ(got.values[0], 1 + 4096.0 - 1024);
  EXPECT_EQ(got.values[1], 1 + 4096.0 - 3072);
  EXPECT_EQ(got.values[2], 1 + 8192.0 - 1024);
  EXPECT_EQ(got.values[3], 1 + 8192.0 - 5120);
}

TEST(GeneralizedLiftedStructure, RefusesAMarginThatIsNotFinite) {
  expect_must_be_finite("margin",
                        [](double v) { GeneralizedLiftedStructure<float>({.margin = v}); });
}

TEST(GeneralizedLiftedStructure, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::GeneralizedLiftedStructureOptions().margin, 1);
  expect_common_defaults<nearfar::GeneralizedLiftedStructureOptions>();
}

}  // namespace
