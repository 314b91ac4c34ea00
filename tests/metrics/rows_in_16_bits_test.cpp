#include <gtest/gtest.h>

#include <nearfar/metrics/collapse.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <nearfar/metrics/nearest_keys.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <vector>

#include "support/random.hpp"

/// \file
/// Metrics and scores of rows in 16 bits are those of the same rows in float.

namespace {

using nearfar::Index;
using nearfar::Matrix;

template <class T>
class MetricsIn16Bits : public testing::Test {
 protected:
  const Matrix<T> queries = support::random_rows<float>(12, 9, 1).template cast<T>();
  const Matrix<T> keys = support::random_rows<float>(20, 9, 2).template cast<T>();
  const Matrix<float> exact_queries = queries.template cast<float>();
  const Matrix<float> exact_keys = keys.template cast<float>();
  const std::vector<int> of_queries = support::random_labels(12, 3, 3);
  const std::vector<int> of_keys = support::random_labels(20, 3, 4);
};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(MetricsIn16Bits, Types);

TYPED_TEST(MetricsIn16Bits, AreThoseOfTheSameRowsInFloat) {
  const nearfar::Retrieval<float, nearfar::Euclidean> retrieval({.ks = {1, 5}});
  const auto got = retrieval.evaluate(this->queries, this->of_queries, this->keys, this->of_keys);
  const auto want =
      retrieval.evaluate(this->exact_queries, this->of_queries, this->exact_keys, this->of_keys);
  EXPECT_EQ(got.mean_average_precision, want.mean_average_precision);
  EXPECT_EQ(got.recall, want.recall);

  const nearfar::KnnAccuracy<float> knn({.k = 3});
  EXPECT_EQ(knn.evaluate(this->queries, this->of_queries, this->keys, this->of_keys).accuracy,
            knn.evaluate(this->exact_queries, this->of_queries, this->exact_keys, this->of_keys)
                .accuracy);

  const auto collapse = nearfar::collapse(this->keys);
  const auto exact = nearfar::collapse(this->exact_keys);
  EXPECT_EQ(collapse.mean_norm, exact.mean_norm);
  EXPECT_EQ(collapse.mean_cosine, exact.mean_cosine);
  EXPECT_EQ(collapse.effective_rank, exact.effective_rank);
}

TYPED_TEST(MetricsIn16Bits, CopyTheNearestKeysAsTheyAreStored) {
  using T = TypeParam;
  const nearfar::NearestKeys<float> nearest({.k = 3});
  const auto found = nearest.find(this->queries, this->keys);
  EXPECT_EQ(found.indices, nearest.find(this->exact_queries, this->exact_keys).indices);
  EXPECT_EQ(found.scores, nearest.find(this->exact_queries, this->exact_keys).scores);

  Matrix<T> copied;
  nearfar::copy_nearest(found, this->keys, copied);
  Matrix<float> exact;
  nearfar::copy_nearest(found, this->keys, exact);
  ASSERT_EQ(copied.rows(), 36);
  for (Index i = 0; i < 36; ++i) {
    const Index key = found.index(i / 3, i % 3);
    EXPECT_EQ(exact.row(i), this->exact_keys.row(key));
    EXPECT_EQ(copied.row(i).template cast<float>(), this->exact_keys.row(key));
  }
  EXPECT_THROW(nearfar::copy_nearest(found, this->exact_keys, copied), std::invalid_argument);
}

TYPED_TEST(MetricsIn16Bits, ScorePairsAsTheSameRowsInFloat) {
  using T = TypeParam;
  const nearfar::Cosine cosine;
  const Matrix<float> scores = nearfar::pairwise(this->queries, this->keys, cosine);
  EXPECT_EQ(scores, nearfar::pairwise(this->exact_queries, this->exact_keys, cosine));
  const Matrix<T> some = this->keys.topRows(12);
  EXPECT_EQ(
      nearfar::paired(this->queries, some, cosine),
      nearfar::paired(this->exact_queries, Matrix<float>(some.template cast<float>()), cosine));

  const Matrix<T> upstream = scores.template cast<T>();
  Matrix<float> da, db, want_a, want_b;
  nearfar::pairwise_backward(upstream, this->queries, this->keys, da, db, cosine);
  nearfar::pairwise_backward(Matrix<float>(upstream.template cast<float>()), this->exact_queries,
                             this->exact_keys, want_a, want_b, cosine);
  EXPECT_EQ(da, want_a);
  EXPECT_EQ(db, want_b);
}

}  // namespace
