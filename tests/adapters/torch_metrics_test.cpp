#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "adapters/tensors.hpp"

// Metrics of tensors against the classes, and nearest keys against LibTorch's own topk.

namespace adapters {
namespace {

using nearfar::Targets;

const std::vector<std::int64_t> labels_of_x = {0, 1, 2, 0, 1, 2, 0, 1, 3, 0, 4, 1};
const std::vector<std::int64_t> labels_of_y = {2, 1, 0, 0, 1, 2, 4, 9};
constexpr Index n = 12;
constexpr Index m = 8;

void expect_same(const nearfar::RetrievalResult& got, const nearfar::RetrievalResult& want) {
  EXPECT_EQ(got.recall, want.recall);
  EXPECT_EQ(got.precision, want.precision);
  EXPECT_EQ(got.ndcg, want.ndcg);
  EXPECT_EQ(got.map_at_r, want.map_at_r);
  EXPECT_EQ(got.r_precision, want.r_precision);
  EXPECT_EQ(got.mean_reciprocal_rank, want.mean_reciprocal_rank);
  EXPECT_EQ(got.mean_average_precision, want.mean_average_precision);
  EXPECT_EQ(got.queries, want.queries);
  EXPECT_EQ(got.queries_without_positive, want.queries_without_positive);
  ASSERT_EQ(got.per_query.size(), want.per_query.size());
  for (std::size_t i = 0; i < want.per_query.size(); ++i) {
    EXPECT_EQ(got.per_query[i].first_positive, want.per_query[i].first_positive);
  }
}

TEST(LibTorchMetrics, RetrievalIsThatOfTheClass) {
  const Tensor x = leaf(n, 5, 1);
  const Tensor y = rows(m, 5, 2);
  const Tensor ids = at::arange(n, at::kLong).remainder(7);
  const Tensor y_ids = at::arange(m, at::kLong);
  const nearfar::RetrievalOptions options{
      .ks = {1, 3}, .per_query = true, .average_precision = true};
  const nearfar::Retrieval<double> metric(options);
  expect_same(libtorch::retrieval(x, integers(labels_of_x), options),
              metric.evaluate(matrix(x), labels_of_x));
  std::vector<std::int64_t> id, y_id;
  for (Index i = 0; i < n; ++i) id.push_back(i % 7);
  for (Index j = 0; j < m; ++j) y_id.push_back(j);
  using libtorch::TensorTargets;
  const auto among = libtorch::retrieval(x, TensorTargets(integers(labels_of_x)).ids(ids), y,
                                         TensorTargets(integers(labels_of_y)).ids(y_ids), options);
  expect_same(among, metric.evaluate(matrix(x), Targets(labels_of_x).ids(id), matrix(y),
                                     Targets(labels_of_y).ids(y_id)));
  EXPECT_GT(among.map_at_r, 0);
  EXPECT_LT(among.map_at_r, 1);
  const Tensor w = rows(5, 5, 3);
  const nearfar::Matrix<double> weight = matrix(w);
  expect_same(libtorch::retrieval(x, integers(labels_of_x), options, libtorch::BilinearTensor{w}),
              nearfar::Retrieval<double, nearfar::Bilinear<double>>(
                  options, nearfar::Bilinear<double>(weight))
                  .evaluate(matrix(x), labels_of_x));
  const Tensor half = x.detach().to(at::kBFloat16);
  expect_same(libtorch::retrieval(half, integers(labels_of_x), options),
              libtorch::retrieval(half.to(at::kFloat), integers(labels_of_x), options));
}

TEST(LibTorchMetrics, KnnAccuracyIsThatOfTheClass) {
  const Tensor x = leaf(n, 5, 1);
  const Tensor y = rows(m, 5, 2);
  const nearfar::KnnOptions options{.k = 3, .per_query = true};
  const auto expect = [](const nearfar::KnnResult& got, const nearfar::KnnResult& want) {
    EXPECT_EQ(got.accuracy, want.accuracy);
    EXPECT_EQ(got.correct, want.correct);
    EXPECT_EQ(got.queries, want.queries);
    EXPECT_EQ(got.predictions, want.predictions);
  };
  const nearfar::KnnAccuracy<double> metric(options);
  expect(libtorch::knn_accuracy(x, integers(labels_of_x), options),
         metric.evaluate(matrix(x), labels_of_x));
  expect(libtorch::knn_accuracy(x, integers(labels_of_x), y, integers(labels_of_y), options),
         metric.evaluate(matrix(x), labels_of_x, matrix(y), labels_of_y));
  expect(
      libtorch::knn_accuracy(x, integers(labels_of_x), options, nearfar::Euclidean()),
      nearfar::KnnAccuracy<double, nearfar::Euclidean>(options).evaluate(matrix(x), labels_of_x));
}

TEST(LibTorchMetrics, NearestKeysAreThoseOfTopk) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const Tensor q = leaf(n, 5, 1).to(type);
    const Tensor k = rows(m, 5, 2).to(type);
    const auto found = libtorch::nearest_keys(q, k, {.k = 4}, {}, nearfar::InnerProduct());
    const auto [scores, indices] = q.detach().mm(k.t()).topk(4, 1);
    EXPECT_TRUE(found.indices.equal(indices));
    EXPECT_EQ(found.scores.scalar_type(), type);
    EXPECT_LE((found.scores - scores).abs().max().item<double>(),
              type == at::kFloat ? 1e-6 : 1e-14);
    EXPECT_TRUE(found.counts.equal(at::full({n}, 4, at::kLong)));
  }
  // A transposed matrix is read as it is; a batch leaves each row out of its own keys.
  const Tensor x = rows(5, n, 1).t();
  const auto found = libtorch::nearest_keys(x, {.k = 2}, {}, nearfar::InnerProduct());
  const Tensor others = x.mm(x.t()).masked_fill(at::eye(n, at::kBool), -1e9);
  EXPECT_TRUE(found.indices.equal(std::get<1>(others.topk(2, 1))));
}

TEST(LibTorchMetrics, NearestKeysLeaveOutKnownPositives) {
  const Tensor q = rows(n, 5, 1);
  const Tensor k = rows(n, 5, 2);
  const nearfar::NearestOptions options{.k = 5, .margin = 0.2};
  const nearfar::NearestKeys<double> search(options);
  const auto expect = [&](const libtorch::NearestTensors& got,
                          const nearfar::NearestResult<double>& want) {
    ASSERT_EQ(got.indices.sizes(), at::IntArrayRef({n, 5}));
    for (Index i = 0; i < n; ++i) {
      EXPECT_EQ(got.counts[i].item<std::int64_t>(), want.counts[static_cast<std::size_t>(i)]);
      for (Index rank = 0; rank < 5; ++rank) {
        EXPECT_EQ(got.indices[i][rank].item<std::int64_t>(), want.index(i, rank));
        EXPECT_EQ(got.scores[i][rank].item<double>(), want.score(i, rank));
      }
    }
  };
  const nearfar::Matrix<double> a = matrix(q);
  const nearfar::Matrix<double> b = matrix(k);
  expect(libtorch::nearest_keys(q, k, options, {.aligned = true}),
         search.find(a, b, {.own = nearfar::PositiveKeys::aligned()}));
  const std::vector<std::int64_t> own = {3, 2, 1, 0, 4, 5, 6, 7, 8, 9, 11, 10};
  expect(libtorch::nearest_keys(q, k, options,
                                {.own = integers(own),
                                 .targets = integers(labels_of_x),
                                 .key_targets = integers(labels_of_x)}),
         search.find(a, b, {.own = own, .targets = labels_of_x, .key_targets = labels_of_x}));
  EXPECT_THROW(libtorch::nearest_keys(q, k, options, {.own = integers(own), .aligned = true}),
               c10::Error);
  EXPECT_THROW(libtorch::nearest_keys(q, k, options, {.own = q}), c10::Error);
  EXPECT_THROW(libtorch::nearest_keys(q, k.to(at::kFloat)), c10::Error);
  EXPECT_THROW(libtorch::nearest_keys(q, k, options), std::invalid_argument);
  EXPECT_THROW(libtorch::knn_accuracy(q, q), c10::Error);
  EXPECT_THROW(libtorch::retrieval(q[0], integers(labels_of_x)), c10::Error);
}

TEST(LibTorchMetrics, OfNoRowsAreEmpty) {
  const Tensor none = at::empty({0, 5}, at::kDouble);
  const Tensor no_labels = at::empty({0}, at::kLong);
  EXPECT_EQ(libtorch::retrieval(none, no_labels).queries, 0);
  EXPECT_EQ(libtorch::knn_accuracy(none, no_labels).accuracy, 0);
  EXPECT_EQ(libtorch::nearest_keys(none, {.k = 3}).indices.sizes(), at::IntArrayRef({0, 3}));
}

}  // namespace
}  // namespace adapters
