#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/circle.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/multi_similarity.hpp>
#include <nearfar/losses/sincere.hpp>
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
/// positive pair, is Sincere over positive pairs; and one call of InfoNce with labels as ids.
TYPED_TEST(OtherLibraries, NtXentOverLabelsIsSincereOfPositivePairs) {
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
  const Matrix<S> queries = x(anchors, Eigen::indexing::all);
  const Matrix<S> keys = x(positives, Eigen::indexing::all);
  std::vector<int> labels_of_a;
  for (const Index a : anchors) labels_of_a.push_back(labels[std::size_t(a)]);
  const double got = InfoNce<S>({.temperature = t})
                         .forward(queries, keys, Negatives<S>(x).ids(labels, labels_of_a))
                         .value;
  EXPECT_NEAR(got, static_cast<double>(want), Tolerance<S>::value * static_cast<double>(want));
  const double of_pairs = Sincere<S>({.temperature = t, .terms = SincereTerms::positive_pairs})
                              .forward(x, labels)
                              .value;
  EXPECT_NEAR(of_pairs, static_cast<double>(want), Tolerance<S>::value * static_cast<double>(want));
}

/// MeanReducer divides by all rows. Reduction::mean divides SupCon by rows with a positive, circle
/// loss by those with a negative, too, and multi-similarity by all.
TYPED_TEST(OtherLibraries, MeanReducerIsTheSumOverAllRows) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(4, 3, 2);
  const std::vector<int> labels = {0, 0, 1, 2};
  const auto expect_half = [&](double mean, double sum, double share) {
    EXPECT_NEAR(sum / 4, share * mean, Tolerance<S>::value * mean);
  };
  const auto sum_of = [](auto options) {
    options.reduction = Reduction::sum;
    return options;
  };
  const SupConOptions sup_con;
  expect_half(SupCon<S>(sup_con).forward(x, labels).value,
              SupCon<S>(sum_of(sup_con)).forward(x, labels).value, 0.5);
  const CircleOptions circle{.gamma = 4};
  expect_half(Circle<S>(circle).forward(x, labels).value,
              Circle<S>(sum_of(circle)).forward(x, labels).value, 0.5);
  const MultiSimilarityOptions multi_similarity;
  expect_half(MultiSimilarity<S>(multi_similarity).forward(x, labels).value,
              MultiSimilarity<S>(sum_of(multi_similarity)).forward(x, labels).value, 1);
}

/// TripletMarginMiner of type "all" takes triplets with d_an - d_ap <= margin, and the mean of
/// their hinges is over them. PerAnchorReducer takes means over the pairs of an anchor of each
/// kind: Reduction::none is the sum of both sums.
TYPED_TEST(OtherLibraries, MinersAndReducersAreThoseOfTheirNames) {
  using S = TypeParam;
  const Index n = 12;
  const Matrix<S> x = random_rows<S>(n, 3, 5);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % 3));
  const oracle::Matrix exact = oracle::exact(x);
  const oracle::Matrix d = oracle::pairwise(oracle::Euclidean(), exact, exact);
  const auto same = [&](Index i, Index j) {
    return labels[std::size_t(i)] == labels[std::size_t(j)];
  };
  long double hinges = 0;
  std::int64_t mined = 0;
  std::int64_t triplets = 0;
  std::vector<double> of_anchor(std::size_t(n), 0);
  for (Index a = 0; a < n; ++a) {
    for (Index p = 0; p < n; ++p) {
      if (p == a) continue;
      const long double hinge = same(a, p) ? d(a, p) : 1 - d(a, p);
      of_anchor[std::size_t(a)] += static_cast<double>(std::max<long double>(hinge, 0));
      if (!same(a, p)) continue;
      for (Index k = 0; k < n; ++k) {
        if (same(a, k)) continue;
        ++triplets;
        if (d(a, k) - d(a, p) > 0.2L) continue;
        ++mined;
        hinges += d(a, p) - d(a, k) + 0.2L;
      }
    }
  }
  ASSERT_LT(mined, triplets);
  const auto want = static_cast<double>(hinges / static_cast<long double>(mined));
  const auto got =
      MinedTriplet<S>({.margin = 0.2, .mining = Mining::all, .reduction = Reduction::mean_nonzero})
          .forward(x, labels);
  EXPECT_NEAR(got.value, want, Tolerance<S>::value * want);
  EXPECT_EQ(got.diagnostics.active_terms, mined);
  EXPECT_EQ(got.diagnostics.terms, triplets);
  const auto each =
      LinearContrastive<S, Euclidean>({.reduction = Reduction::none}).forward(x, labels);
  for (std::size_t i = 0; i < of_anchor.size(); ++i) {
    EXPECT_NEAR(each.values[i], of_anchor[i], 4 * Tolerance<S>::value * of_anchor[i]) << i;
  }
}

}  // namespace
