#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>

#include "support/kernel_cases.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// The mean cosine of rows is a sum over pairs, and not the sum over all from which the rows'
/// products with themselves are subtracted.

namespace {

using namespace support;
using oracle::Real;

template <class S>
class MeanCosine : public testing::Test {};
TYPED_TEST_SUITE(MeanCosine, Scalars, CaseNames);

template <class S>
double mean_cosine(const Matrix<S>& x) {
  return nearfar::collapse(x).mean_cosine;
}

TYPED_TEST(MeanCosine, OfRowsThatAreAllButOrthogonalHasItsDigits) {
  using S = TypeParam;
  for (const double small : {1e-3, 1e-9, 1e-20, 1e-35}) {
    Matrix<S> x(3, 3);
    x << S(1), S(0), S(0), S(small), S(1), S(0), S(0), S(0), S(2);
    const auto element = static_cast<double>(S(small));
    const double right = element / std::hypot(1.0, element) / 3;
    EXPECT_NEAR(mean_cosine(x), right, 1e-14 * right) << small;
  }
}

TYPED_TEST(MeanCosine, IsThatOfAllPairs) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(150, 70, 31);
  const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), oracle::exact(x), oracle::exact(x));
  Real sum = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = 0; j < i; ++j) sum += s(i, j);
  }
  EXPECT_NEAR(mean_cosine(x), static_cast<double>(sum / (75 * 149)), 1e-15);
}

}  // namespace
