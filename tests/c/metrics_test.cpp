#include <nearfar/metrics/collapse.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <nearfar/metrics/nearest_keys.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <string>

#include "c/same_bits.hpp"

/// Metrics and nearest keys through the interface: the results of the classes, with every buffer,
/// and what is refused.

namespace {

using namespace support;
using nearfar::KnnAccuracy;
using nearfar::NearestKeys;
using nearfar::Retrieval;
using nearfar::Targets;

constexpr Index n = 14;
constexpr Index m = 19;

std::vector<std::int64_t> labels_of(Index count, std::uint64_t seed) {
  const std::vector<int> labels = random_labels(count, 4, seed);
  return {labels.begin(), labels.end()};
}

template <class S>
struct Batch {
  Matrix<S> x = random_rows<S>(n, depth, 1);
  Matrix<S> y = random_rows<S>(m, depth, 2);
  std::vector<std::int64_t> labels = labels_of(n, 3);
  std::vector<std::int64_t> others = labels_of(m, 4);
  nearfar_rows cx = c_rows(x);
  nearfar_rows cy = c_rows(y);
  nearfar_integers c_labels = {labels.data(), n};
  nearfar_integers c_others = {others.data(), m};
  nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  nearfar_targets other_targets = nearfar_targets_of_labels(others.data(), m);
};

/// A result with all of its buffers.
struct FullRetrieval {
  explicit FullRetrieval(std::size_t ks)
      : of_ks(3 * ks), of_queries(3 * n), counts(2 * n), tables(2 * n * ks) {
    result.recall = of_ks.data();
    result.precision = of_ks.data() + ks;
    result.ndcg = of_ks.data() + 2 * ks;
    result.ks_capacity = static_cast<std::int64_t>(ks);
    result.positives = counts.data();
    result.first_positive = counts.data() + n;
    result.average_precision_at_r = of_queries.data();
    result.r_precisions = of_queries.data() + n;
    result.average_precisions = of_queries.data() + 2 * n;
    result.precision_per_query = tables.data();
    result.ndcg_per_query = tables.data() + n * ks;
    result.queries_capacity = n;
  }

  std::vector<double> of_ks;
  std::vector<double> of_queries;
  std::vector<std::int64_t> counts;
  std::vector<double> tables;
  nearfar_retrieval_result result = defaults(nearfar_retrieval_result_init);
};

void expect_same(const FullRetrieval& full, const nearfar::RetrievalResult& wanted) {
  const nearfar_retrieval_result& got = full.result;
  for (std::size_t t = 0; t < wanted.recall.size(); ++t) {
    expect_same_bits(got.recall[t], wanted.recall[t], "recall");
    expect_same_bits(got.precision[t], wanted.precision[t], "precision");
    expect_same_bits(got.ndcg[t], wanted.ndcg[t], "ndcg");
  }
  expect_same_bits(got.map_at_r, wanted.map_at_r, "map_at_r");
  expect_same_bits(got.r_precision, wanted.r_precision, "r_precision");
  expect_same_bits(got.mean_reciprocal_rank, wanted.mean_reciprocal_rank, "mrr");
  expect_same_bits(got.mean_average_precision, wanted.mean_average_precision, "map");
  EXPECT_EQ(got.queries, wanted.queries);
  EXPECT_EQ(got.queries_without_positive, wanted.queries_without_positive);
  ASSERT_EQ(wanted.per_query.size(), static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < wanted.per_query.size(); ++i) {
    const nearfar::RetrievedQuery& query = wanted.per_query[i];
    EXPECT_EQ(got.positives[i], query.positives);
    EXPECT_EQ(got.first_positive[i], query.first_positive);
    expect_same_bits(got.average_precision_at_r[i], query.average_precision_at_r, "AP@R");
    expect_same_bits(got.r_precisions[i], query.r_precision, "R-precision");
    expect_same_bits(got.average_precisions[i], query.average_precision, "AP");
  }
  for (std::size_t i = 0; i < wanted.precision_per_query.size(); ++i) {
    expect_same_bits(got.precision_per_query[i], wanted.precision_per_query[i], "precision");
    expect_same_bits(got.ndcg_per_query[i], wanted.ndcg_per_query[i], "ndcg");
  }
}

template <class S>
void expect_same_retrieval() {
  const Batch<S> in;
  for_kernels<S>(nearfar::registered::kernel_lists::Symmetric<S>(),
                 [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& kernel) {
                   auto options = defaults(nearfar_retrieval_options_init);
                   options.kernel = kind;
                   options.matrix = matrix;
                   options.average_precision = 1;
                   FullRetrieval full(4);
                   const Retrieval<S, K> retrieval({.per_query = true, .average_precision = true},
                                                   kernel);
                   ASSERT_EQ(nearfar_retrieval(&options, &in.cx, &in.targets, nullptr, nullptr,
                                               nullptr, &full.result),
                             NEARFAR_OK)
                       << nearfar_last_error();
                   expect_same(full, retrieval.evaluate(in.x, in.labels));
                   ASSERT_EQ(nearfar_retrieval(&options, &in.cx, &in.targets, &in.cy,
                                               &in.other_targets, nullptr, &full.result),
                             NEARFAR_OK)
                       << nearfar_last_error();
                   expect_same(full, retrieval.evaluate(in.x, in.labels, in.y, in.others));
                 });
}

TEST(CRetrieval, GivesTheResultOfTheClass) {
  expect_same_retrieval<float>();
  expect_same_retrieval<double>();
}

TEST(CRetrieval, TakesTargetsOfEveryRule) {
  const Batch<double> in;
  const auto expect_same_with = [&](const nearfar_targets& c_targets, const Targets& targets,
                                    const nearfar_targets& c_others, const Targets& others,
                                    const nearfar_retrieval_options* options,
                                    const nearfar::RetrievalOptions& cpp) {
    FullRetrieval full(cpp.ks.size());
    ASSERT_EQ(
        nearfar_retrieval(options, &in.cx, &c_targets, &in.cy, &c_others, nullptr, &full.result),
        NEARFAR_OK)
        << nearfar_last_error();
    expect_same(full, Retrieval<double>(cpp).evaluate(in.x, targets, in.y, others));
  };
  const nearfar::RetrievalOptions per_query{.per_query = true};
  nearfar_targets own = in.targets, theirs = in.other_targets;
  own.ids = in.c_labels;
  theirs.ids = in.c_others;
  expect_same_with(own, Targets(in.labels).ids(in.labels), theirs,
                   Targets(in.others).ids(in.others), nullptr, per_query);

  std::vector<std::uint64_t> sets(n), other_sets(m);
  for (std::size_t i = 0; i < sets.size(); ++i) sets[i] = 1u << (i % 5);
  for (std::size_t i = 0; i < other_sets.size(); ++i) other_sets[i] = 3u << (i % 4);
  const auto c_sets = [](const std::vector<std::uint64_t>& bits) {
    nearfar_targets out = defaults(nearfar_targets_init);
    out.rule = NEARFAR_LABEL_SETS;
    out.label_sets = bits.data();
    out.label_set_rows = static_cast<std::int64_t>(bits.size());
    out.label_set_words = 1;
    return out;
  };
  expect_same_with(c_sets(sets), nearfar::MultiLabels{sets.data(), n, 1}, c_sets(other_sets),
                   nearfar::MultiLabels{other_sets.data(), m, 1}, nullptr, per_query);

  const std::vector<std::int64_t> columns = {1, 4, 9, 0, 3, 18};
  const std::vector<double> gains = {3, 1, 2, 0.5, 4, 1};
  std::vector<std::int64_t> offsets(n + 1, 6);
  offsets[0] = 0;
  offsets[1] = 3;
  nearfar_targets lists = defaults(nearfar_targets_init);
  lists.rule = NEARFAR_POSITIVE_LISTS;
  lists.offsets = {offsets.data(), n + 1};
  lists.columns = {columns.data(), 6};
  lists.column_weights = {gains.data(), 6};
  const std::vector<Index> as_index(offsets.begin(), offsets.end());
  const std::vector<Index> columns_as_index(columns.begin(), columns.end());
  expect_same_with(lists, nearfar::PositiveLists{as_index, columns_as_index, gains},
                   defaults(nearfar_targets_init), Targets(), nullptr, per_query);

  const std::vector<std::int64_t> ks = {3, 1, 40};
  auto options = defaults(nearfar_retrieval_options_init);
  options.ks = {ks.data(), 3};
  options.has_unlabelled = 1;
  options.unlabelled = in.others[0];
  expect_same_with(in.targets, in.labels, in.other_targets, in.others, &options,
                   {.ks = {3, 1, 40}, .per_query = true, .unlabelled = in.others[0]});
}

TEST(CKnn, GivesTheResultOfTheClass) {
  const auto check = []<class S>(S) {
    const Batch<S> in;
    for (const nearfar_knn_vote vote : {NEARFAR_VOTE_WEIGHTED, NEARFAR_VOTE_MAJORITY}) {
      auto options = defaults(nearfar_knn_options_init);
      EXPECT_EQ(options.k, 200);
      EXPECT_EQ(options.temperature, 0.07);
      options.k = 5;
      options.vote = vote;
      options.kernel = NEARFAR_EUCLIDEAN;
      const KnnAccuracy<S, nearfar::Euclidean> accuracy(
          {.k = 5, .vote = static_cast<nearfar::KnnVote>(vote), .per_query = true});
      for (const bool one : {true, false}) {
        std::vector<std::int64_t> predictions(n, -77);
        nearfar_knn_result got = defaults(nearfar_knn_result_init);
        got.predictions = predictions.data();
        got.predictions_capacity = n;
        ASSERT_EQ(nearfar_knn_accuracy(&options, &in.cx, &in.c_labels, one ? nullptr : &in.cy,
                                       one ? nullptr : &in.c_others, nullptr, &got),
                  NEARFAR_OK)
            << nearfar_last_error();
        const nearfar::KnnResult wanted = one ? accuracy.evaluate(in.x, in.labels)
                                              : accuracy.evaluate(in.x, in.labels, in.y, in.others);
        expect_same_bits(got.accuracy, wanted.accuracy, "accuracy");
        EXPECT_EQ(got.queries, wanted.queries);
        EXPECT_EQ(got.correct, wanted.correct);
        EXPECT_EQ(got.queries_without_neighbour, wanted.queries_without_neighbour);
        EXPECT_EQ(got.predictions_count, n);
        EXPECT_EQ(predictions, wanted.predictions);
      }
    }
  };
  check(float());
  check(double());
}

template <class S>
void expect_same_nearest(const nearfar_nearest_options& options, const nearfar::NearestOptions& cpp,
                         bool one, const nearfar_known_positives* c_known,
                         const nearfar::KnownPositives& known) {
  const Batch<S> in;
  const auto places = static_cast<std::size_t>(n * cpp.k);
  std::vector<std::int64_t> indices(places, -77), counts(n, -77);
  std::vector<double> scores(places, -77);
  nearfar_nearest_result got = defaults(nearfar_nearest_result_init);
  got.indices = indices.data();
  got.scores = scores.data();
  got.counts = counts.data();
  got.queries_capacity = n;
  ASSERT_EQ(nearfar_nearest_keys(&options, &in.cx, one ? nullptr : &in.cy, c_known, nullptr, &got),
            NEARFAR_OK)
      << nearfar_last_error();
  const NearestKeys<S> nearest(cpp);
  const auto wanted = one ? nearest.find(in.x, known) : nearest.find(in.x, in.y, known);
  for (std::size_t k = 0; k < places; ++k) {
    EXPECT_EQ(indices[k], wanted.indices[k]);
    expect_same_bits(scores[k], static_cast<double>(wanted.scores[k]), "score");
  }
  for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i], wanted.counts[i]);
}

TEST(CNearest, FindsTheKeysOfTheClass) {
  const Batch<double> in;
  auto options = defaults(nearfar_nearest_options_init);
  EXPECT_EQ(options.k, 10);
  EXPECT_TRUE(std::isnan(options.margin));
  options.k = 4;
  options.skip = 1;
  options.largest_score = 0.9;
  const nearfar::NearestOptions cpp{.k = 4, .skip = 1, .largest_score = 0.9};
  expect_same_nearest<float>(options, cpp, true, nullptr, {});
  expect_same_nearest<double>(options, cpp, false, nullptr, {});

  auto known = defaults(nearfar_known_positives_init);
  known.targets = &in.targets;
  known.key_targets = &in.other_targets;
  expect_same_nearest<double>(options, cpp, false, &known,
                              {.targets = in.labels, .key_targets = in.others});
  known = defaults(nearfar_known_positives_init);
  known.own_aligned = 1;
  options.margin = 0.1;
  options.relative_margin = 0.05;
  const nearfar::NearestOptions with_margins{
      .k = 4, .skip = 1, .largest_score = 0.9, .margin = 0.1, .relative_margin = 0.05};
  expect_same_nearest<double>(options, with_margins, false, &known,
                              {.own = nearfar::PositiveKeys::aligned()});
  const std::vector<std::int64_t> own(n, 7);
  known.own_aligned = 0;
  known.own = {own.data(), n};
  expect_same_nearest<float>(options, with_margins, false, &known, {.own = own});
}

TEST(CCollapse, GivesTheNumbersOfTheFunction) {
  const auto check = []<class S>(S) {
    Matrix<S> x = random_rows<S>(n, depth, 1);
    x.row(3).setZero();
    const nearfar_rows rows = c_rows(x);
    nearfar_collapse_result got = defaults(nearfar_collapse_result_init);
    ASSERT_EQ(nearfar_collapse(&rows, nullptr, &got), NEARFAR_OK) << nearfar_last_error();
    const nearfar::CollapseResult wanted = nearfar::collapse(x);
    expect_same_bits(got.mean_cosine, wanted.mean_cosine, "mean_cosine");
    expect_same_bits(got.mean_norm, wanted.mean_norm, "mean_norm");
    expect_same_bits(got.norm_deviation, wanted.norm_deviation, "norm_deviation");
    EXPECT_EQ(got.rows, n);
    EXPECT_EQ(got.zero_rows, 1);
  };
  check(float());
  check(double());
  nearfar_collapse_result got = defaults(nearfar_collapse_result_init);
  EXPECT_EQ(nearfar_collapse(nullptr, nullptr, &got), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: x: wanted a pointer, got null");
}

class CMetricErrors : public testing::Test {
 protected:
  void refused(nearfar_status got, const std::string& message) {
    EXPECT_EQ(got, NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(nearfar_last_error(), "nearfar: " + message);
  }
  nearfar_status retrieve() {
    return nearfar_retrieval(&options, &in.cx, &in.targets, nullptr, nullptr, nullptr, &out);
  }

  Batch<double> in;
  nearfar_retrieval_options options = defaults(nearfar_retrieval_options_init);
  nearfar_retrieval_result out = defaults(nearfar_retrieval_result_init);
};

TEST_F(CMetricErrors, Retrieval) {
  out.map_at_r = -77;
  refused(nearfar_retrieval(nullptr, &in.cx, nullptr, nullptr, nullptr, nullptr, &out),
          "query_targets: wanted a pointer, got null");
  refused(nearfar_retrieval(nullptr, &in.cx, &in.targets, &in.cy, nullptr, nullptr, &out),
          "reference_targets: wanted a pointer, got null");
  refused(nearfar_retrieval(nullptr, &in.cx, &in.targets, nullptr, &in.targets, nullptr, &out),
          "reference_targets: wanted none without references, got some");
  in.targets.labels.count = 3;
  refused(retrieve(), "query_targets: wanted 14 labels, one a row, got 3");
  in.targets.labels.count = n;
  options.average_precision = 2;
  refused(retrieve(), "average_precision: wanted 0 or 1, got 2");
  options.average_precision = 0;
  const std::int64_t zero = 0;
  options.ks = {&zero, 1};
  refused(retrieve(), "ks: wanted numbers >= 1, got 0 at 0");
  options = defaults(nearfar_retrieval_options_init);
  std::vector<double> buffer(4 * n);
  out.recall = buffer.data();
  out.ks_capacity = 3;
  refused(retrieve(), "result.ks_capacity: wanted room for 4, got 3");
  out.ks_capacity = 4;
  out.precision = buffer.data() + 3;
  refused(retrieve(),
          "result.precision: wanted memory apart from that of result.recall, got memory "
          "that overlaps it");
  out.precision = in.x.data();
  refused(
      retrieve(),
      "result.precision: wanted memory apart from that of queries, got memory that overlaps it");
  out.precision = nullptr;
  out.r_precisions = buffer.data() + 4;
  refused(retrieve(), "result.queries_capacity: wanted room for 14, got 0");
  EXPECT_EQ(out.map_at_r, -77) << "the result was touched";
  in.x(1, 2) = std::numeric_limits<double>::infinity();
  out.r_precisions = nullptr;
  EXPECT_EQ(retrieve(), NEARFAR_NOT_FINITE);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: queries: wanted finite elements, got infinity at row 1, column 2");
}

TEST_F(CMetricErrors, KnnAndNearest) {
  auto knn = defaults(nearfar_knn_options_init);
  nearfar_knn_result voted = defaults(nearfar_knn_result_init);
  knn.vote = 2;
  refused(nearfar_knn_accuracy(&knn, &in.cx, &in.c_labels, nullptr, nullptr, nullptr, &voted),
          "vote: wanted NEARFAR_VOTE_WEIGHTED or NEARFAR_VOTE_MAJORITY, got 2");
  knn = defaults(nearfar_knn_options_init);
  knn.k = 0;
  refused(nearfar_knn_accuracy(&knn, &in.cx, &in.c_labels, nullptr, nullptr, nullptr, &voted),
          "k: wanted a number >= 1, got 0");
  refused(nearfar_knn_accuracy(nullptr, &in.cx, &in.c_others, nullptr, nullptr, nullptr, &voted),
          "query_labels: wanted 14 labels, one a row, got 19");
  auto nearest = defaults(nearfar_nearest_options_init);
  nearfar_nearest_result found = defaults(nearfar_nearest_result_init);
  nearest.margin = 0.1;
  refused(nearfar_nearest_keys(&nearest, &in.cx, &in.cy, nullptr, nullptr, &found),
          "known.own: wanted each query's own positive, which margins are measured from, got none");
  auto known = defaults(nearfar_known_positives_init);
  known.own = in.c_labels;
  known.own_aligned = 1;
  refused(nearfar_nearest_keys(&nearest, &in.cx, &in.cy, &known, nullptr, &found),
          "known.own: wanted none with own_aligned, got integers");
  std::int64_t one = 0;
  found.counts = &one;
  found.queries_capacity = 1;
  refused(nearfar_nearest_keys(nullptr, &in.cx, &in.cy, nullptr, nullptr, &found),
          "result.queries_capacity: wanted room for 14, got 1");
}

}  // namespace
