#include <gtest/gtest.h>

#include <nearfar/losses/register.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/settings.hpp"

/// With Reduction::none, the value and the gradient of a query have the same bits for any other
/// queries in the call, in any number and order, if the keys are the same.

namespace {

using namespace support;
using nearfar::Labels;
using nearfar::Reduction;
using nearfar::Targets;

/// Queries, keys, and the positive of each query.
template <class S>
struct Batch {
  Matrix<S> queries;
  std::vector<Index> positives;
  std::vector<int> labels;

  Batch some(const std::vector<Index>& rows) const {
    Batch out{queries(rows, Eigen::all), {}, {}};
    for (const Index i : rows) {
      out.positives.push_back(positives[static_cast<std::size_t>(i)]);
      out.labels.push_back(labels[static_cast<std::size_t>(i)]);
    }
    return out;
  }
};

constexpr Index n = 210;  // more than two panels of rows
constexpr Index m = 500;  // more than a tile of keys
constexpr Index d = 24;

template <class S>
Batch<S> batch() {
  Batch<S> out{random_rows<S>(n, d, 1), {}, random_labels(n, 7, 3)};
  for (Index i = 0; i < n; ++i) out.positives.push_back(i * 2);
  return out;
}

/// call(batch, d_queries) runs a loss of a batch's queries.
template <class S, class Call>
void expect_no_company(const std::string& name, const Call& call) {
  SCOPED_TRACE(name);
  const Batch<S> all = batch<S>();
  Matrix<S> d_all;
  const std::vector<double> values = call(all, d_all).values;
  ASSERT_EQ(values.size(), static_cast<std::size_t>(n));
  std::vector<std::vector<Index>> companies = {{0}, {n - 1}, random_order(n, 4)};
  companies.push_back({companies[2].begin(), companies[2].begin() + 61});
  for (const std::vector<Index>& rows : companies) {
    Matrix<S> d_some;
    const std::vector<double> some = call(all.some(rows), d_some).values;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      ASSERT_EQ(some[k], values[static_cast<std::size_t>(rows[k])])
          << "query " << rows[k] << " among " << rows.size();
    }
    EXPECT_TRUE(same_bits(d_some, Matrix<S>(d_all(rows, Eigen::all)))) << rows.size();
  }
}

/// Kernels of inner products and cosines. Distances differ: the centre depends on all rows of a
/// call.
template <class K>
constexpr bool is_product = K::geometry != nearfar::Geometry::squared_distance;

template <class S>
class Company : public testing::Test {};
using BothScalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Company, BothScalars);

TYPED_TEST(Company, OfQueriesOverKeysDoesNotMatter) {
  using S = TypeParam;
  const Matrix<S> keys = random_rows<S>(m, d, 2);
  const auto check = [&]<class K>(const K&) {
    for (const auto denominator :
         {nearfar::Denominator::with_positive, nearfar::Denominator::negatives_only}) {
      const nearfar::InfoNce<S, K> loss(
          {.temperature = 0.3, .denominator = denominator, .reduction = Reduction::none});
      expect_no_company<S>("InfoNce", [&](const Batch<S>& of, Matrix<S>& dq) {
        return loss.forward_backward(of.queries, keys, Labels(of.positives), dq,
                                     nearfar::no_gradient);
      });
    }
  };
  check(nearfar::Cosine());
  check(nearfar::InnerProduct());
  check(nearfar::CosineDistance());
}

TYPED_TEST(Company, OfQueriesOverReferencesDoesNotMatter) {
  using S = TypeParam;
  const Matrix<S> references = random_rows<S>(m, d, 2);
  const std::vector<int> reference_labels = random_labels(m, 7, 5);
  nearfar::registered::for_each([&]<class Line>(Line) {
    // A term of the lifted structure has the negatives of both its rows, including those of the
    // reference; intra-pair variance has the means of all pairs.
    constexpr bool shares_sums = std::is_same_v<Line, nearfar::registered::lifted_structure> ||
                                 std::is_same_v<Line, nearfar::registered::intra_pair_variance>;
    if constexpr (is_over_labels<Line> && !shares_sums) {
      for_each_kernel<Line, S>([&]<class K>() {
        if constexpr (is_product<K> && !nearfar::ParametricKernel<K>) {
          for (const auto& options : gentle_options<Line, K>(Reduction::none, 1)) {
            const typename Line::template Loss<S, K> loss(options);
            expect_no_company<S>(
                std::string(Line::name) + " " + name_of_kernel<K> + choices_in(options),
                [&](const Batch<S>& of, Matrix<S>& dq) {
                  return loss.forward_backward(of.queries, Targets(of.labels), references,
                                               Targets(reference_labels), dq, nearfar::no_gradient);
                });
          }
        }
      });
    }
  });
}

}  // namespace
