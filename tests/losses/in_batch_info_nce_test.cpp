#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/losses/in_batch_info_nce.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/in_batch_oracle.hpp"
#include "support/kernel_cases.hpp"
#include "support/options.hpp"
#include "support/score_slopes.hpp"

/// InBatchInfoNce against plain loops over pairs in long double; each of its rules; its errors.

namespace {

using namespace support;
using nearfar::FalseNegatives;
using nearfar::Hardness;
using nearfar::InBatchExtras;
using nearfar::InBatchInfoNce;
using nearfar::InBatchInfoNceOptions;
using nearfar::InnerProduct;
using nearfar::Partition;
using nearfar::per_query;
using nearfar::Reduction;

/// A batch of random rows.
template <class S>
struct Batch : InBatchRows<S> {
  using Rows = InBatchRows<S>;
  using Rows::guide;
  using Rows::ids;
  using Rows::keys;
  using Rows::log_q;
  using Rows::log_q_negatives;
  using Rows::m;
  using Rows::n;
  using Rows::negative_ids;
  using Rows::negatives;
  using Rows::offsets;
  using Rows::queries;
  using Rows::rows;

  Batch(Index pairs, Index count, std::uint64_t seed) {
    n = pairs;
    m = count;
    rows = random_rows<S>(2 * pairs + count, 9, seed);
  }

  void give_guide(std::uint64_t seed) { guide = random_rows<S>(2 * n + m, 4, seed); }
  void give_owners() {
    offsets = {0};
    for (Index i = 0; i < n; ++i) offsets.push_back(std::min(m, offsets.back() + i % 3));
    offsets.back() = m;
  }
  void give_ids() {
    ids = random_labels(n, std::max<int>(2, static_cast<int>(n) / 3), 5);
    negative_ids = random_labels(m, std::max<int>(2, static_cast<int>(n) / 3), 6);
  }
  void give_log_q() {
    Random random(8);
    for (Index j = 0; j < n; ++j) log_q.push_back(-3 + random.uniform());
    for (Index j = 0; j < m; ++j) log_q_negatives.push_back(-3 + random.uniform());
  }

  /// Writes the gradients of all three sets to one matrix.
  nearfar::TemperatureResult run(const InBatchInfoNceOptions& options, Matrix<S>& d_rows,
                                 nearfar::CallOptions<S> call = {}) const {
    const Matrix<S> q = queries();
    const Matrix<S> k = keys();
    const Matrix<S> others = negatives();
    const Matrix<S> guide_q = guide.topRows(guide.rows() > 0 ? n : 0);
    const Matrix<S> guide_k = guide.middleRows(guide.rows() > 0 ? n : 0, guide.rows() > 0 ? n : 0);
    const Matrix<S> guide_others = guide.bottomRows(guide.rows() > 0 ? m : 0);
    InBatchExtras<S> extras{.guide_queries = guide_q,
                            .guide_keys = guide_k,
                            .guide_negatives = guide_others,
                            .log_q = log_q,
                            .log_q_negatives = log_q_negatives};
    extras.negatives = offsets.empty() ? nearfar::Negatives<S>(others) : per_query(others, offsets);
    if (!ids.empty()) {
      extras.targets = nearfar::Targets().ids(ids);
      extras.negatives = extras.negatives.ids(negative_ids, ids);
    }
    Matrix<S> dq, dk, dn;
    const InBatchInfoNce<S, InnerProduct> loss(options);
    auto result = loss.forward_backward(q, k, extras, dq, dk, dn, call);
    d_rows.resize(rows.rows(), rows.cols());
    d_rows << dq, dk, dn;
    const auto forward = loss.forward(q, k, extras, {.workspace = call.workspace});
    EXPECT_EQ(forward.value, result.value);
    EXPECT_EQ(forward.values, result.values);
    EXPECT_EQ(forward.diagnostics.false_negatives, result.diagnostics.false_negatives);
    return result;
  }
};

template <class S>
void expect_formula(InBatchInfoNceOptions options, const Batch<S>& batch) {
  options.reduction = Reduction::none;
  const InBatchWanted want = in_batch_formula(options, batch);
  Matrix<S> d_rows;
  const auto got = batch.run(options, d_rows);
  expect_score_slopes<S>(got, d_rows, want, batch.rows, options.temperature);
  EXPECT_EQ(got.diagnostics.false_negatives, want.dropped);
  EXPECT_EQ(got.diagnostics.anchors_without_negative, want.without_negative);
  EXPECT_EQ(got.diagnostics.terms, batch.n);
}

/// All directions, or queries with keys alone.
std::vector<InBatchInfoNceOptions> direction_options() {
  std::vector<InBatchInfoNceOptions> out;
  for (int bits = 0; bits < 8; ++bits) {
    for (const Partition partition : {Partition::joint, Partition::per_direction}) {
      out.push_back({.temperature = 0.4,
                     .query_to_query = (bits & 1) != 0,
                     .key_to_query = (bits & 2) != 0,
                     .key_to_key = (bits & 4) != 0,
                     .partition = partition});
    }
  }
  return out;
}

template <class S>
class InBatch : public testing::Test {};
TYPED_TEST_SUITE(InBatch, Scalars);

TYPED_TEST(InBatch, EqualsTheFormulaInAllDirections) {
  using S = TypeParam;
  for (const auto& [n, m] : {std::pair<Index, Index>{2, 0}, {7, 3}, {33, 40}, {50, 390}}) {
    Batch<S> batch(n, m, 3);
    Batch<S> owned = batch;
    owned.give_owners();
    for (const InBatchInfoNceOptions& options : direction_options()) {
      SCOPED_TRACE(testing::Message()
                   << n << " pairs, " << m << " negatives, directions " << options.query_to_query
                   << options.key_to_query << options.key_to_key << ", partition "
                   << static_cast<int>(options.partition));
      expect_formula(options, batch);
      expect_formula(options, owned);
    }
  }
}

TYPED_TEST(InBatch, AddsHardnessToTheNegativesThatItNames) {
  using S = TypeParam;
  Batch<S> batch(21, 50, 4);
  batch.give_owners();
  for (const Hardness hardness :
       {Hardness::in_batch_negatives, Hardness::hard_negatives, Hardness::all_negatives}) {
    for (InBatchInfoNceOptions options : direction_options()) {
      options.hardness = hardness;
      options.hardness_strength = 1.5;
      expect_formula(options, batch);
    }
  }
}

TYPED_TEST(InBatch, DropsNegativesAboveAMarginOrByAGuide) {
  using S = TypeParam;
  Batch<S> batch(30, 41, 5);
  batch.give_owners();
  Batch<S> guided = batch;
  guided.give_guide(9);
  for (const FalseNegatives rule : {FalseNegatives::drop, FalseNegatives::drop_relative}) {
    for (InBatchInfoNceOptions options : direction_options()) {
      options.false_negatives = rule;
      options.margin = -0.2;
      expect_formula(options, batch);
      expect_formula(options, guided);
      options.margin = 3;  // of some queries, all are left out
      expect_formula(options, batch);
    }
  }
}

TYPED_TEST(InBatch, LeavesOutPairsByIdsAndCorrectsForSampling) {
  using S = TypeParam;
  Batch<S> batch(40, 30, 6);
  batch.give_owners();
  batch.give_ids();
  Batch<S> sampled = batch;
  sampled.give_log_q();
  for (InBatchInfoNceOptions options : direction_options()) {
    expect_formula(options, batch);
    expect_formula(options, sampled);
  }
}

TYPED_TEST(InBatch, CombinesAllRules) {
  using S = TypeParam;
  Batch<S> batch(50, 60, 7);
  batch.give_owners();
  batch.give_ids();
  batch.give_log_q();
  batch.give_guide(2);
  for (InBatchInfoNceOptions options : direction_options()) {
    options.false_negatives = FalseNegatives::drop;
    options.hardness = Hardness::all_negatives;
    options.hardness_strength = 0.7;
    expect_formula(options, batch);
  }
}

/// Values far below one keep their digits: the code never subtracts a sum of positive and
/// negatives.
TYPED_TEST(InBatch, KeepsTheDigitsOfSmallValues) {
  using S = TypeParam;
  Batch<S> batch(8, 0, 3);
  batch.rows.setZero();
  for (Index i = 0; i < 8; ++i) batch.rows(i, i) = batch.rows(8 + i, i) = S(5);
  expect_formula(InBatchInfoNceOptions{.temperature = 0.7}, batch);
  expect_formula(
      InBatchInfoNceOptions{.temperature = 0.7, .query_to_query = true, .key_to_key = true}, batch);
}

TYPED_TEST(InBatch, OfQueriesAndKeysAloneIsInfoNce) {
  using S = TypeParam;
  const Matrix<S> q = random_rows<S>(70, 9, 1);
  const Matrix<S> k = random_rows<S>(70, 9, 2);
  Matrix<S> dq, dk, want_dq, want_dk;
  const auto check = [&](const auto& loss, const auto& plain) {
    const auto got = loss.forward_backward(q, k, dq, dk);
    const auto want = plain.forward_backward(q, k, want_dq, want_dk);
    EXPECT_NEAR(got.value, want.value, Tolerance<S>::value * want.value);
    EXPECT_NEAR(got.d_temperature, want.d_temperature,
                10 * Tolerance<S>::same * std::abs(want.d_temperature));
    expect_same<S>(dq, want_dq, "d_queries");
    expect_same<S>(dk, want_dk, "d_keys");
    EXPECT_NEAR(got.diagnostics.smallest_score, want.diagnostics.smallest_score, 1e-6);
    EXPECT_NEAR(got.diagnostics.largest_score, want.diagnostics.largest_score, 1e-6);
  };
  check(InBatchInfoNce<S>({.temperature = 0.3}), nearfar::InfoNce<S>({.temperature = 0.3}));
  check(InBatchInfoNce<S, nearfar::Euclidean>({.temperature = 0.3}),
        nearfar::InfoNce<S, nearfar::Euclidean>({.temperature = 0.3}));
}

/// Gradients of every kernel, of its matrix and of the temperature.
template <class Case>
class InBatchKernels : public testing::Test {};
TYPED_TEST_SUITE(InBatchKernels, AllKernels, CaseNames);

TYPED_TEST(InBatchKernels, HaveTheGradientOfTheirValue) {
  using S = typename TypeParam::Scalar;
  using K = typename TypeParam::Kernel;
  const TypeParam kernel(5);
  constexpr bool symmetric = nearfar::is_symmetric<K>();
  Matrix<S> q = random_rows<S>(5, kernel.query_cols, 1);
  Matrix<S> k = random_rows<S>(5, kernel.key_cols, 2);
  Matrix<S> n = random_rows<S>(4, kernel.key_cols, 3);
  Matrix<S> parameter = kernel.parameter;
  const std::vector<double> log_q = {-1, -2, -1.5, -0.5, -1};
  const std::vector<double> log_q_negatives = {-2, -1, -1, -0.7};
  const std::vector<double> upstream = random_upstream(5, 7);
  const std::vector<Index> offsets = {0, 1, 1, 3, 3, 4};
  const auto loss = [&](double temperature) {
    const auto with_matrix = [&] {
      if constexpr (TypeParam::parametric) {
        return K(parameter);
      } else {
        return kernel.kernel();
      }
    };
    return InBatchInfoNce<S, K>({.temperature = temperature,
                                 .query_to_query = symmetric,
                                 .key_to_query = symmetric,
                                 .key_to_key = symmetric,
                                 .false_negatives = FalseNegatives::drop,
                                 .margin = -0.2,
                                 .reduction = Reduction::none},
                                with_matrix());
  };
  // The guide decides, and does not depend on the rows: there are no kinks.
  const Matrix<S> guide_queries = random_rows<S>(5, 3, 4);
  const Matrix<S> guide_keys = random_rows<S>(5, 3, 5);
  const Matrix<S> guide_negatives = random_rows<S>(4, 3, 6);
  const auto extras = [&] {
    return InBatchExtras<S>{.negatives = per_query(n, offsets),
                            .guide_queries = guide_queries,
                            .guide_keys = guide_keys,
                            .guide_negatives = guide_negatives,
                            .log_q = log_q,
                            .log_q_negatives = log_q_negatives};
  };
  const auto value = [&](double temperature) {
    const auto values = loss(temperature).forward(q, k, extras()).values;
    return std::inner_product(values.begin(), values.end(), upstream.begin(), 0.0);
  };
  Matrix<S> dq, dk, dn, dp;
  nearfar::CallOptions<S> call{.upstream = nearfar::Upstream(upstream)};
  if (TypeParam::parametric) call.d_parameter = dp;
  const auto result = loss(0.6).forward_backward(q, k, extras(), dq, dk, dn, call);
  EXPECT_GT(result.diagnostics.false_negatives, 0);
  std::vector<nearfar::CheckedInput<S>> inputs = {
      {"queries", q, dq}, {"keys", k, dk}, {"negatives", n, dn}};
  Index elements = q.size() + k.size() + n.size();
  if (TypeParam::parametric) {
    inputs.push_back({"parameter", parameter, dp});
    elements += parameter.size();
  }
  expect_right(nearfar::check_gradient<S>([&] { return value(0.6); }, inputs), elements);
  const double h = sizeof(S) == sizeof(float) ? 1e-2 : 1e-4;
  EXPECT_NEAR(result.d_temperature, (value(0.6 + h) - value(0.6 - h)) / (2 * h),
              (sizeof(S) == sizeof(float) ? 5e-3 : 1e-6) * std::abs(result.d_temperature) + 1e-6);
}

TYPED_TEST(InBatch, BitsAreTheSameAtAnyNumberOfThreads) {
  using S = TypeParam;
  Batch<S> batch(700, 500, 7);
  batch.give_owners();
  batch.give_guide(3);
  const InBatchInfoNceOptions options{.temperature = 0.4,
                                      .query_to_query = true,
                                      .key_to_query = true,
                                      .key_to_key = true,
                                      .false_negatives = FalseNegatives::drop};
  Matrix<S> one_d, d;
  nearfar::Workspace one(1);
  const auto want = batch.run(options, one_d, {.workspace = &one});
  for (const int threads : {2, 3, 7}) {
    nearfar::Workspace several(threads);
    const auto got = batch.run(options, d, {.workspace = &several});
    expect_identical(got, want);
    EXPECT_EQ(got.d_temperature, want.d_temperature);
    EXPECT_TRUE(same_bits(d, one_d));
  }
}

TYPED_TEST(InBatch, SetsAreRightWhicheverGradientsAreWanted) {
  using S = TypeParam;
  Batch<S> batch(20, 6, 7);
  const Matrix<S> q = batch.queries();
  const Matrix<S> k = batch.keys();
  const Matrix<S> n = batch.negatives();
  const InBatchExtras<S> extras{.negatives = n};
  const InBatchInfoNce<S> loss({.query_to_query = true, .key_to_query = true, .key_to_key = true});
  Matrix<S> dq, dk, dn, one;
  loss.forward_backward(q, k, extras, dq, dk, dn);
  loss.forward_backward(q, k, extras, one, nearfar::no_gradient, nearfar::no_gradient);
  EXPECT_TRUE(same_bits(one, dq));
  loss.forward_backward(q, k, extras, nearfar::no_gradient, one, nearfar::no_gradient);
  EXPECT_TRUE(same_bits(one, dk));
  loss.forward_backward(q, k, extras, nearfar::no_gradient, nearfar::no_gradient, one);
  EXPECT_TRUE(same_bits(one, dn));
}

TYPED_TEST(InBatch, TakesOnePairAndNone) {
  using S = TypeParam;
  for (const InBatchInfoNceOptions& options : direction_options()) {
    expect_formula(options, Batch<S>(1, 0, 3));
    Matrix<S> d;
    const auto none = Batch<S>(0, 0, 3).run(options, d);
    EXPECT_EQ(none.value, 0);
    Batch<S> negatives_alone(0, 4, 3);
    negatives_alone.give_log_q();
    EXPECT_EQ(negatives_alone.run(options, d).value, 0);
    EXPECT_EQ(d, Matrix<S>::Zero(4, 9));
  }
  const InBatchInfoNce<S> strict({.unusable_anchors = nearfar::UnusableAnchor::error});
  const Matrix<S> one = random_rows<S>(1, 4, 1);
  EXPECT_THROW(strict.forward(one, one), std::invalid_argument);
}

TYPED_TEST(InBatch, ASecondCallAllocatesNothing) {
  using S = TypeParam;
  Batch<S> batch(60, 30, 7);
  batch.give_owners();
  batch.give_guide(3);
  const Matrix<S> q = batch.queries();
  const Matrix<S> k = batch.keys();
  const Matrix<S> n = batch.negatives();
  const Matrix<S> guide_q = batch.guide.topRows(60);
  const Matrix<S> guide_k = batch.guide.middleRows(60, 60);
  const Matrix<S> guide_n = batch.guide.bottomRows(30);
  const InBatchExtras<S> extras{.negatives = per_query(n, batch.offsets),
                                .guide_queries = guide_q,
                                .guide_keys = guide_k,
                                .guide_negatives = guide_n};
  const InBatchInfoNce<S> loss(
      {.query_to_query = true, .key_to_key = true, .false_negatives = FalseNegatives::drop});
  nearfar::Workspace workspace;
  Matrix<S> dq(60, 9), dk(60, 9), dn(30, 9);
  loss.forward_backward(q, k, extras, dq, dk, dn, {.workspace = &workspace});
  const long before = allocations;
  loss.forward_backward(q, k, extras, dq, dk, dn, {.workspace = &workspace});
  EXPECT_EQ(allocations, before);
}

TYPED_TEST(InBatch, SaysWhatIsWrong) {
  using S = TypeParam;
  Batch<S> batch(4, 3, 7);
  const Matrix<S> q = batch.queries();
  const Matrix<S> k = batch.keys();
  const Matrix<S> n = batch.negatives();
  const Matrix<S> wide = random_rows<S>(4, 12, 2);
  const Matrix<S> narrow = random_rows<S>(4, 3, 2);
  const std::vector<double> three(3, -1.0);
  const std::vector<double> four(4, -1.0);
  const std::vector<int> labels(4, 0);
  const Matrix<S> huge = Matrix<S>::Constant(4, 9, std::sqrt(std::numeric_limits<S>::max()) / 8);
  const auto invalid = Thrown::invalid_argument;
  const auto call = [&](const InBatchInfoNceOptions& options, const InBatchExtras<S>& extras) {
    return [=] { InBatchInfoNce<S>(options).forward(q, k, extras); };
  };
  const InBatchInfoNceOptions drop{.false_negatives = FalseNegatives::drop};
  const BadCall table[] = {
      {"temperature", invalid, {"temperature"}, call({.temperature = 0}, {})},
      {"strength", invalid, {"hardness_strength"}, call({.hardness_strength = -1}, {})},
      {"margin", invalid, {"margin"}, call({.margin = std::nan("")}, {})},
      {"hard negatives of nobody",
       invalid,
       {"negatives", "per_query"},
       call({.hardness = Hardness::hard_negatives}, {.negatives = n})},
      {"negatives per query", invalid, {"negatives"}, call({}, {.negatives = per_query(n)})},
      {"a guide for nothing",
       invalid,
       {"guide_queries", "FalseNegatives::keep"},
       call({}, {.guide_queries = wide, .guide_keys = wide})},
      {"half a guide", invalid, {"guide_keys", "4 x 12"}, call(drop, {.guide_queries = wide})},
      {"guides of two widths",
       invalid,
       {"guide_keys", "4 x 12", "4 x 3"},
       call(drop, {.guide_queries = wide, .guide_keys = narrow})},
      {"no guide of negatives",
       invalid,
       {"guide_negatives", "3 x 12"},
       call(drop, {.negatives = n, .guide_queries = wide, .guide_keys = wide})},
      {"probabilities", invalid, {"log_q: wanted 4"}, call({}, {.log_q = three})},
      {"probabilities of keys alone",
       invalid,
       {"log_q", "of keys and of negatives"},
       call({}, {.negatives = n, .log_q = four})},
      {"labels", invalid, {"targets", "ids alone"}, call({}, {.targets = labels})},
      {"unlabelled pairs",
       invalid,
       {"targets", "ids of pairs that all take part"},
       call({}, {.targets = nearfar::Targets().ids(labels).unlabelled(0)})},
      {"keys",
       invalid,
       {"keys", "one key for each of 4 queries"},
       [&] { InBatchInfoNce<S>().forward(q, Matrix<S>(k.topRows(3))); }},
      {"an asymmetric kernel",
       invalid,
       {"kernel", "alike"},
       [&] {
         const Matrix<S> weights = random_rows<S>(9, 9, 1);
         InBatchInfoNce<S, nearfar::Bilinear<S>>({.key_to_key = true},
                                                 nearfar::Bilinear<S>(weights));
       }},
      {"products",
       Thrown::domain_error,
       {"queries", "overflow"},
       [&] {
         InBatchInfoNce<S, InnerProduct>({.query_to_query = true})
             .forward(Matrix<S>(huge * S(9)), Matrix<S>(q * S(0)));
       }},
      {"hard logits",
       Thrown::domain_error,
       {"value"},
       [&] {
         InBatchInfoNce<S, InnerProduct>(
             {.temperature = 1, .hardness = Hardness::all_negatives, .hardness_strength = 1e4})
             .forward(huge, huge);
       }},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

}  // namespace
