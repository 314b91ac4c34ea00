#include <gtest/gtest.h>

#include <limits>
#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/errors.hpp"
#include "support/kernel_cases.hpp"

/// All wrong calls of scores: the type and text of the exception, and that nothing was written.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::no_gradient;

template <class S>
class BadScores : public testing::Test {
 protected:
  using Rows = Matrix<S>;
  static constexpr S nan = std::numeric_limits<S>::quiet_NaN();
  static constexpr S infinity = std::numeric_limits<S>::infinity();

  static Rows with(Rows m, Index row, Index col, S element) {
    m(row, col) = element;
    return m;
  }

  const Rows first = random_rows<S>(5, 4, 1);
  const Rows second = random_rows<S>(5, 4, 2);
  const Rows more = random_rows<S>(6, 4, 3);
  const Rows wider = random_rows<S>(5, 6, 4);
  const Rows empty_rows = Rows(5, 0);
  const Rows transform = random_rows<S>(2, 4, 5);
  const Rows weight = random_rows<S>(6, 4, 6);
  const nearfar::Euclidean euclidean{};
};
TYPED_TEST_SUITE(BadScores, Scalars, CaseNames);

TYPED_TEST(BadScores, AreRefusedWithTheReason) {
  const auto& t = *this;
  using M = Matrix<TypeParam>;
  using nearfar::paired;
  using nearfar::pairwise;
  const M huge = M::Constant(2, 4, std::numeric_limits<TypeParam>::max() / 2);
  const BadCall table[] = {
      {"fewer rows",
       Thrown::invalid_argument,
       {"b: wanted 5 x 4, got 6 x 4"},
       [&] { paired(t.first, t.more, t.euclidean); }},
      {"other elements",
       Thrown::invalid_argument,
       {"b: wanted 5 x 4, got 5 x 6"},
       [&] { paired(t.first, t.wider, t.euclidean); }},
      {"other elements, pairwise",
       Thrown::invalid_argument,
       {"b: wanted 5 x 4, got 5 x 6"},
       [&] { pairwise(t.first, t.wider, t.euclidean); }},
      {"no elements",
       Thrown::invalid_argument,
       {"a: wanted rows of at least one element"},
       [&] { pairwise(t.empty_rows, t.empty_rows, t.euclidean); }},
      {"NaN in a",
       Thrown::domain_error,
       {"a: ", "NaN at row 3, column 2"},
       [&] { paired(t.with(t.first, 3, 2, t.nan), t.second, t.euclidean); }},
      {"infinity in b",
       Thrown::domain_error,
       {"b: ", "got infinity at row 0, column 3"},
       [&] { pairwise(t.first, t.with(t.second, 0, 3, t.infinity), t.euclidean); }},
      {"minus infinity in b",
       Thrown::domain_error,
       {"b: ", "-infinity at row 4, column 0"},
       [&] { pairwise(t.first, t.with(t.second, 4, 0, -t.infinity), t.euclidean); }},
      {"matrix for other rows",
       Thrown::invalid_argument,
       {"a: wanted 5 x 4, got 5 x 6"},
       [&] { pairwise(t.wider, t.wider, nearfar::Mahalanobis(t.transform)); }},
      {"matrix for other keys",
       Thrown::invalid_argument,
       {"b: wanted 5 x 6, got 5 x 4"},
       [&] { pairwise(t.first, t.second, nearfar::Bilinear(t.weight)); }},
      {"matrix for other queries",
       Thrown::invalid_argument,
       {"a: wanted 5 x 4, got 5 x 6"},
       [&] { paired(t.wider, t.first, nearfar::Bilinear(t.weight)); }},
      {"NaN in the matrix",
       Thrown::domain_error,
       {"kernel parameter", "NaN at row 1, column 0"},
       [&] {
         const M bad = t.with(t.transform, 1, 0, t.nan);
         paired(t.first, t.second, nearfar::Mahalanobis(bad));
       }},
      {"inner products too large",
       Thrown::domain_error,
       {"a and b", "overflow"},
       [&] { pairwise(huge, huge, nearfar::InnerProduct()); }},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

TYPED_TEST(BadScores, LeaveGradientsUntouched) {
  const auto& t = *this;
  using S = TypeParam;
  using M = Matrix<S>;
  using V = nearfar::Vector<S>;
  M da = M::Constant(3, 2, S(7));
  M db = M::Constant(4, 1, S(8));
  M dp = M::Constant(1, 6, S(9));
  std::vector<S> memory(20, S(6));
  Eigen::Map<M> too_small(memory.data(), 4, 5);
  const auto pairwise = [&](const M& upstream, const M& a, const M& b, const auto& kernel,
                            nearfar::GradientRows<S> to, nearfar::GradientRows<S> parameter) {
    nearfar::pairwise_backward(upstream, a, b, da, to, kernel,
                               CallOptions<S>{.d_parameter = parameter});
  };
  const auto paired = [&](const V& upstream, const M& a, const M& b, const auto& kernel,
                          nearfar::GradientRows<S> to, nearfar::GradientRows<S> parameter) {
    nearfar::paired_backward(upstream, a, b, da, to, kernel,
                             CallOptions<S>{.d_parameter = parameter});
  };
  const M g = M::Ones(5, 5);
  const V v = V::Ones(5);
  const M parameter = t.transform;
  const nearfar::Mahalanobis mahalanobis(parameter);
  M narrow = M::Constant(2, 3, S(5));
  const M bad_a = t.with(t.first, 2, 1, t.nan);
  const BadCall table[] = {
      {"wrong upstream",
       Thrown::invalid_argument,
       {"upstream: wanted 5 x 5, got 5 x 4"},
       [&] { pairwise(M::Ones(5, 4), t.first, t.second, t.euclidean, db, no_gradient); }},
      {"upstream of fewer rows",
       Thrown::invalid_argument,
       {"upstream: wanted 5 x 5, got 4 x 5"},
       [&] { pairwise(M::Ones(4, 5), t.first, t.second, t.euclidean, db, no_gradient); }},
      {"wrong upstream, paired",
       Thrown::invalid_argument,
       {"upstream: wanted 5 x 1, got 4 x 1"},
       [&] { paired(V::Ones(4), t.first, t.second, t.euclidean, db, no_gradient); }},
      {"NaN in upstream",
       Thrown::domain_error,
       {"upstream: ", "NaN at row 1, column 3"},
       [&] { pairwise(t.with(g, 1, 3, t.nan), t.first, t.second, t.euclidean, db, no_gradient); }},
      {"infinity in upstream",
       Thrown::domain_error,
       {"upstream: ", "infinity at row 4"},
       [&] {
         V bad = v;
         bad(4) = t.infinity;
         paired(bad, t.first, t.second, t.euclidean, db, no_gradient);
       }},
      {"NaN in a",
       Thrown::domain_error,
       {"a: ", "NaN at row 2, column 1"},
       [&] { pairwise(g, bad_a, t.second, t.euclidean, db, no_gradient); }},
      {"NaN in a, paired",
       Thrown::domain_error,
       {"a: ", "NaN at row 2, column 1"},
       [&] { paired(v, bad_a, t.second, t.euclidean, db, no_gradient); }},
      {"buffer too small",
       Thrown::invalid_argument,
       {"db: wanted 5 x 4, got 4 x 5"},
       [&] { pairwise(g, t.first, t.second, t.euclidean, too_small, no_gradient); }},
      {"buffer too small, paired",
       Thrown::invalid_argument,
       {"db: wanted 5 x 4, got 4 x 5"},
       [&] { paired(v, t.first, t.second, t.euclidean, too_small, no_gradient); }},
      {"nothing to add to",
       Thrown::invalid_argument,
       {"db: wanted 5 x 4, got 4 x 1"},
       [&] { pairwise(g, t.first, t.second, t.euclidean, nearfar::accumulate(db), no_gradient); }},
      {"no matrix to have a gradient",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { pairwise(g, t.first, t.second, t.euclidean, db, dp); }},
      {"no matrix to have a gradient, paired",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { paired(v, t.first, t.second, nearfar::Cosine(), db, dp); }},
      {"matrix's gradient of another shape",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] { pairwise(g, t.first, t.second, mahalanobis, db, nearfar::accumulate(narrow)); }},
      {"matrix's gradient of another shape, paired",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] { paired(v, t.first, t.second, mahalanobis, db, nearfar::accumulate(narrow)); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_EQ(da, M::Constant(3, 2, S(7))) << bad.name;
    EXPECT_EQ(db, M::Constant(4, 1, S(8))) << bad.name;
    EXPECT_EQ(dp, M::Constant(1, 6, S(9))) << bad.name;
    EXPECT_EQ(narrow, M::Constant(2, 3, S(5))) << bad.name;
    EXPECT_EQ(memory, std::vector<S>(20, S(6))) << bad.name;
  }
}

}  // namespace
