#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "support/oracle.hpp"
#include "support/random.hpp"
#include "support/tolerance.hpp"

/// Claims of docs/migrating.md about pytorch-metric-learning's losses over labels.

namespace {

using namespace nearfar;
using support::random_rows;
using support::Tolerance;

template <class S>
class OtherLibraries : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OtherLibraries, Scalars);

/// NTXentLoss, -log(e^(s_ap / t) / (e^(s_ap / t) + sum over negatives of a)) with one term a
/// positive pair, is one call of InfoNce with labels as ids.
TYPED_TEST(OtherLibraries, NtXentOverLabelsIsInfoNceWithLabelsForIds) {
  using S = TypeParam;
  const Index n = 9;
  const Matrix<S> x = random_rows<S>(n, 4, 1);
  const std::vector<int> labels = {0, 0, 0, 1, 1, 2, 2, 2, 3};
  const double t = 0.3;
  std::vector<Index> anchors, positives;
  for (Index a = 0; a < n; ++a) {
    for (Index p = 0; p < n; ++p) {
      if (a == p || labels[std::size_t(a)] != labels[std::size_t(p)]) continue;
      anchors.push_back(a);
      positives.push_back(p);
    }
  }
  const oracle::Matrix exact = oracle::exact(x);
  const oracle::Matrix s = oracle::pairwise(oracle::Cosine(), exact, exact);
  long double want = 0;
  for (std::size_t k = 0; k < anchors.size(); ++k) {
    const long double own = std::exp(s(anchors[k], positives[k]) / t);
    long double all = own;
    for (Index j = 0; j < n; ++j) {
      if (labels[std::size_t(j)] != labels[std::size_t(anchors[k])]) {
        all += std::exp(s(anchors[k], j) / t);
      }
    }
    want -= std::log(own / all) / static_cast<long double>(anchors.size());
  }
  const Matrix<S> queries = x(anchors, Eigen::all);
  const Matrix<S> keys = x(positives, Eigen::all);
  std::vector<int> labels_of_a;
  for (const Index a : anchors) labels_of_a.push_back(labels[std::size_t(a)]);
  const double got = InfoNce<S>({.temperature = t})
                         .forward(queries, keys, Negatives<S>(x).ids(labels, labels_of_a))
                         .value;
  EXPECT_NEAR(got, static_cast<double>(want), Tolerance<S>::value * static_cast<double>(want));
}

/// MeanReducer divides SupCon by all rows, Reduction::mean by those with a positive.
TYPED_TEST(OtherLibraries, MeanReducerIsTheSumOverAllRows) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(4, 3, 2);
  const std::vector<int> labels = {0, 0, 1, 2};
  const double mean = SupCon<S>().forward(x, labels).value;
  const double sum = SupCon<S>({.reduction = Reduction::sum}).forward(x, labels).value;
  EXPECT_NEAR(sum / 4, mean / 2, Tolerance<S>::value * mean);
}

}  // namespace
