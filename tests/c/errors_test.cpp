#include <gtest/gtest.h>
#include <nearfar/nearfar.h>

#include <cstdio>
#include <limits>
#include <string>
#include <thread>
#include <vector>

/// Refusals of the interface, with their messages; and that nothing was written.

namespace {

constexpr float untouched = -77;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// A call of InfoNce that succeeds, for tests to spoil.
class CErrors : public testing::Test {
 protected:
  ~CErrors() override { nearfar_loss_destroy(loss); }

  static nearfar_loss* make() {
    nearfar_loss* out = nullptr;
    EXPECT_EQ(nearfar_info_nce_create(nullptr, &out), NEARFAR_OK) << nearfar_last_error();
    return out;
  }
  static nearfar_call default_call() {
    nearfar_call out;
    nearfar_call_init(&out, sizeof out);
    return out;
  }
  static nearfar_result default_result() {
    nearfar_result out;
    nearfar_result_init(&out, sizeof out);
    out.value = untouched;
    return out;
  }

  nearfar_status run() {
    return nearfar_two_sets_forward_backward(loss, &queries, &keys, nullptr, &d_queries, nullptr,
                                             &call, &result);
  }

  void expect_refused(nearfar_status status, nearfar_status wanted, const std::string& message) {
    EXPECT_EQ(status, wanted);
    EXPECT_EQ(nearfar_last_error(), message);
    for (const float g : gradient) EXPECT_EQ(g, untouched) << "an output was touched";
    EXPECT_EQ(result.value, untouched) << "the result was touched";
  }
  void expect_invalid(nearfar_status status, const std::string& message) {
    expect_refused(status, NEARFAR_INVALID_ARGUMENT, message);
  }

  nearfar_loss* loss = make();
  std::vector<float> x = {1, 2, 3, 4, 5, 6.5f};
  std::vector<float> y = {2, 1, 3, 3, 5, -1};
  std::vector<float> gradient = std::vector<float>(6, untouched);
  nearfar_rows queries = nearfar_float_rows(x.data(), 3, 2);
  nearfar_rows keys = nearfar_float_rows(y.data(), 3, 2);
  nearfar_gradient d_queries = nearfar_float_gradient(gradient.data(), 3, 2);
  nearfar_call call = default_call();
  nearfar_result result = default_result();
};

TEST_F(CErrors, AValidCallSucceeds) {
  ASSERT_EQ(run(), NEARFAR_OK) << nearfar_last_error();
  EXPECT_GT(result.value, 0);
  for (const float g : gradient) EXPECT_NE(g, untouched);
}

TEST_F(CErrors, NullPointers) {
  nearfar_loss* const kept = loss;
  loss = nullptr;
  expect_invalid(run(), "nearfar: loss: wanted a pointer, got null");
  loss = kept;
  expect_invalid(nearfar_two_sets_forward(loss, nullptr, &keys, nullptr, nullptr, &result),
                 "nearfar: x: wanted a pointer, got null");
  expect_invalid(nearfar_two_sets_forward(loss, &queries, nullptr, nullptr, nullptr, &result),
                 "nearfar: y: wanted a pointer, got null");
  expect_invalid(nearfar_two_sets_forward(loss, &queries, &keys, nullptr, nullptr, nullptr),
                 "nearfar: result: wanted a pointer, got null");
  expect_invalid(nearfar_info_nce_create(nullptr, nullptr),
                 "nearfar: loss: wanted a pointer, got null");
  expect_invalid(nearfar_info_nce_options_init(nullptr, sizeof(nearfar_info_nce_options)),
                 "nearfar: options: wanted a pointer, got null");
  expect_invalid(nearfar_workspace_create(1, nullptr),
                 "nearfar: workspace: wanted a pointer, got null");
  d_queries.data = nullptr;
  expect_invalid(run(), "nearfar: dx.data: wanted elements of 3 x 2, got null");
  queries.data = nullptr;
  expect_invalid(run(), "nearfar: x.data: wanted elements of 3 x 2, got null");
  nearfar_loss_destroy(nullptr);
  nearfar_workspace_destroy(nullptr);
  EXPECT_EQ(nearfar_workspace_bytes(nullptr), 0u);
  EXPECT_STREQ(nearfar_loss_name(nullptr), "");
}

TEST_F(CErrors, SizesOfStructs) {
  const auto message = [](const std::string& name, std::size_t largest, std::size_t got) {
    return "nearfar: " + name + ".size: wanted a size from 8 to " + std::to_string(largest) +
           ", as its _init sets it, got " + std::to_string(got);
  };
  result.size = 4;
  expect_invalid(run(), message("result", sizeof result, 4));
  result.size = sizeof result;
  call.size = 0;
  expect_invalid(run(), message("call", sizeof call, 0));
  nearfar_clip_options options = {};
  nearfar_loss* none = nullptr;
  expect_invalid(nearfar_clip_create(&options, &none), message("options", sizeof options, 0));
  EXPECT_EQ(none, nullptr);
  const std::size_t beyond = sizeof options + 8;
  expect_invalid(nearfar_clip_options_init(&options, beyond),
                 message("options", sizeof options, beyond));
  EXPECT_EQ(options.size, 0u) << "refused, and written to";
}

TEST_F(CErrors, ShapesAndScalars) {
  keys.cols = 1;
  expect_invalid(run(), "nearfar: y: wanted 3 x 2, got 3 x 1");
  keys = nearfar_float_rows(y.data(), -1, 2);
  expect_invalid(run(), "nearfar: y: wanted rows >= 0 and cols >= 0, got -1 x 2");
  keys = nearfar_float_rows(y.data(), 3, 2);
  keys.stride = 1;
  expect_invalid(run(), "nearfar: y.stride: wanted 0 or at least cols = 2, got 1");
  keys.stride = 0;
  keys.scalar = NEARFAR_DOUBLE;
  expect_invalid(run(),
                 "nearfar: y.scalar: wanted NEARFAR_FLOAT, as other rows, got NEARFAR_DOUBLE");
  keys.scalar = 5;
  expect_invalid(run(), "nearfar: y.scalar: wanted NEARFAR_FLOAT, as other rows, got 5");
  keys.scalar = NEARFAR_FLOAT;
  queries.scalar = NEARFAR_DOUBLE;
  expect_invalid(run(),
                 "nearfar: y.scalar: wanted NEARFAR_DOUBLE, as other rows, got NEARFAR_FLOAT");
  queries.scalar = 0;
  expect_invalid(
      run(),
      "nearfar: x.scalar: wanted NEARFAR_FLOAT, NEARFAR_DOUBLE, NEARFAR_BFLOAT16 or NEARFAR_HALF, "
      "got 0");
  queries.scalar = NEARFAR_FLOAT;
  d_queries.rows = 2;
  expect_invalid(run(), "nearfar: dx: wanted 3 x 2, got 2 x 2");
  d_queries.rows = 3;
  d_queries.write = 7;
  expect_invalid(run(), "nearfar: dx.write: wanted NEARFAR_OVERWRITE or NEARFAR_ACCUMULATE, got 7");
}

TEST_F(CErrors, ElementsThatAreNotFinite) {
  x[3] = nan;
  expect_refused(run(), NEARFAR_NOT_FINITE,
                 "nearfar: x: wanted finite elements, got NaN at row 1, column 1");
}

TEST_F(CErrors, FormsThatALossLacks) {
  expect_invalid(nearfar_one_set_forward(loss, &queries, nullptr, &result),
                 "nearfar: loss: wanted one that compares one set of rows, got InfoNce");
  const std::vector<int64_t> labels = {0, 0, 1};
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), 3);
  expect_invalid(nearfar_labelled_forward(loss, &queries, &targets, nullptr, &result),
                 "nearfar: loss: wanted one that compares rows with labels, got InfoNce");
  expect_invalid(
      nearfar_references_forward(loss, &queries, &targets, &keys, &targets, nullptr, &result),
      "nearfar: query_targets: wanted ids alone: for labels there is SupCon, got labels");
  expect_invalid(nearfar_three_sets_forward(loss, &queries, &keys, &keys, nullptr, &result),
                 "nearfar: loss: wanted one that compares three sets of rows, got InfoNce");
  nearfar_loss* sup_con = nullptr;
  ASSERT_EQ(nearfar_sup_con_create(nullptr, &sup_con), NEARFAR_OK);
  expect_invalid(nearfar_two_sets_forward(sup_con, &queries, &keys, nullptr, nullptr, &result),
                 "nearfar: loss: wanted one that compares two sets of rows, got SupCon");
  nearfar_negatives negatives;
  nearfar_negatives_init(&negatives, sizeof negatives);
  expect_invalid(nearfar_negatives_forward(sup_con, &queries, &keys, &negatives, nullptr, &result),
                 "nearfar: loss: wanted one that compares queries, keys and negatives, got SupCon");
  nearfar_loss_destroy(sup_con);
  nearfar_loss* clip = nullptr;
  ASSERT_EQ(nearfar_clip_create(nullptr, &clip), NEARFAR_OK);
  const nearfar_integers match = {labels.data(), 3};
  expect_invalid(nearfar_two_sets_forward(clip, &queries, &keys, &match, nullptr, &result),
                 "nearfar: match: wanted none for this loss, got integers");
  expect_invalid(
      nearfar_references_forward(clip, &queries, &targets, &keys, &targets, nullptr, &result),
      "nearfar: loss: wanted one that compares rows with labels and references, got Clip");
  nearfar_loss_destroy(clip);
}

TEST_F(CErrors, RefuseUpstreamAndParameterGradientInForwardCalls) {
  const double one = 1;
  call.upstream = {&one, 1};
  expect_invalid(nearfar_two_sets_forward(loss, &queries, &keys, nullptr, &call, &result),
                 "nearfar: call.upstream: wanted none for a forward call, got numbers");
  call.upstream = {&one, 3};
  expect_invalid(run(), "nearfar: call.upstream: wanted one number, got 3 numbers");
  call.upstream = {nullptr, 0};
  call.d_parameter = &d_queries;
  expect_invalid(nearfar_two_sets_forward(loss, &queries, &keys, nullptr, &call, &result),
                 "nearfar: call.d_parameter: wanted none for a forward call, got a gradient");
  expect_invalid(
      run(),
      "nearfar: call.d_parameter: wanted a kernel with a matrix (Mahalanobis, Bilinear), got "
      "a kernel without one");
}

TEST_F(CErrors, BuffersForValues) {
  nearfar_info_nce_options options;
  nearfar_info_nce_options_init(&options, sizeof options);
  options.reduction = NEARFAR_NONE;
  nearfar_loss* none = nullptr;
  ASSERT_EQ(nearfar_info_nce_create(&options, &none), NEARFAR_OK);
  std::vector<double> values(3);
  result.values = values.data();
  result.values_capacity = 2;
  expect_invalid(nearfar_two_sets_forward(none, &queries, &keys, nullptr, nullptr, &result),
                 "nearfar: result.values_capacity: wanted room for 3 numbers, got 2");
  result.values_capacity = 3;
  EXPECT_EQ(nearfar_two_sets_forward(none, &queries, &keys, nullptr, nullptr, &result), NEARFAR_OK);
  EXPECT_EQ(result.values_count, 3);
  EXPECT_EQ(result.values, values.data()) << "buffers stay";
  EXPECT_DOUBLE_EQ(values[0] + values[1] + values[2], result.value);
  nearfar_loss_destroy(none);
}

// A loss of rows has a value for each of them, too: once no room was asked for these.
TEST_F(CErrors, BuffersForValuesOfLossesOfRowsAndProxies) {
  nearfar_ko_leo_options options;
  nearfar_ko_leo_options_init(&options, sizeof options);
  options.reduction = NEARFAR_NONE;
  nearfar_loss* none = nullptr;
  ASSERT_EQ(nearfar_ko_leo_create(&options, &none), NEARFAR_OK);
  std::vector<double> values(3);
  result.values = values.data();
  expect_invalid(nearfar_one_set_forward(none, &queries, nullptr, &result),
                 "nearfar: result.values_capacity: wanted room for 3 numbers, got 0");
  result.values_capacity = 3;
  EXPECT_EQ(nearfar_one_set_forward(none, &queries, nullptr, &result), NEARFAR_OK);
  EXPECT_EQ(result.values_count, 3);
  nearfar_loss_destroy(none);
}

TEST_F(CErrors, WhatIsWrittenOverlapsNothingElse) {
  nearfar_info_nce_options options;
  nearfar_info_nce_options_init(&options, sizeof options);
  options.reduction = NEARFAR_NONE;
  nearfar_loss_destroy(loss);
  ASSERT_EQ(nearfar_info_nce_create(&options, &loss), NEARFAR_OK);
  std::vector<double> memory(9, 1.5);
  const std::vector<double> kept = memory;
  call.upstream = {memory.data(), 3};
  result.values_capacity = 3;
  const auto refused = [&](const std::string& message) {
    expect_invalid(run(), "nearfar: " + message + ", got memory that overlaps it");
    EXPECT_EQ(memory, kept);
  };
  d_queries.data = x.data();
  refused("dx: wanted memory apart from that of x");
  d_queries.data = y.data() + 1;
  d_queries.rows = queries.rows = 2;  // a part of y
  keys.rows = 3;
  call.upstream.count = 2;
  refused("dx: wanted memory apart from that of y");
  d_queries.rows = queries.rows = 3;
  call.upstream.count = 3;
  d_queries.data = gradient.data();
  result.values = memory.data() + 2;
  refused("result.values: wanted memory apart from that of call.upstream");
  result.values = reinterpret_cast<double*>(gradient.data());
  refused("result.values: wanted memory apart from that of dx");
  d_queries.data = memory.data();
  result.values = memory.data() + 3;
  refused("dx: wanted memory apart from that of call.upstream");
  d_queries.data = gradient.data();
  EXPECT_EQ(run(), NEARFAR_OK) << nearfar_last_error();
  // Rows that are read may be the same.
  EXPECT_EQ(nearfar_two_sets_forward(loss, &queries, &queries, nullptr, nullptr, &result),
            NEARFAR_OK);
}

TEST_F(CErrors, AMatrixAndItsGradientLieApart) {
  const std::vector<float> identity = {1, 0, 0, 1};
  std::vector<float> matrix = identity;
  nearfar_info_nce_options options;
  nearfar_info_nce_options_init(&options, sizeof options);
  options.kernel = NEARFAR_BILINEAR;
  options.matrix = nearfar_float_rows(matrix.data(), 2, 2);
  nearfar_loss_destroy(loss);
  ASSERT_EQ(nearfar_info_nce_create(&options, &loss), NEARFAR_OK);
  const nearfar_gradient d_parameter = nearfar_float_gradient(matrix.data(), 2, 2);
  call.d_parameter = &d_parameter;
  expect_invalid(run(),
                 "nearfar: call.d_parameter: wanted memory apart from that of matrix, got memory "
                 "that overlaps it");
  EXPECT_EQ(matrix, identity);
  matrix[1] = nan;
  call.d_parameter = nullptr;
  expect_refused(run(), NEARFAR_NOT_FINITE,
                 "nearfar: matrix: wanted finite elements, got NaN at row 0, column 1");
}

TEST_F(CErrors, NamesAreThoseOfTheInterface) {
  const std::vector<int64_t> match = {0, 1, 7};
  const nearfar_integers its = {match.data(), 3};
  expect_invalid(nearfar_two_sets_forward(loss, &queries, &keys, &its, nullptr, &result),
                 "nearfar: match: wanted indices from 0 to 2, got 7 for row 2");
  std::vector<float> long_rows(6, 3e38f);
  nearfar_info_nce_options options;
  nearfar_info_nce_options_init(&options, sizeof options);
  options.kernel = NEARFAR_INNER_PRODUCT;
  nearfar_loss_destroy(loss);
  ASSERT_EQ(nearfar_info_nce_create(&options, &loss), NEARFAR_OK);
  queries.data = keys.data = long_rows.data();
  expect_refused(run(), NEARFAR_NOT_FINITE,
                 "nearfar: x and y: wanted rows whose inner products fit the scalar type, got rows "
                 "so long that they overflow it; scale the rows or use double");
  nearfar_loss* other = nullptr;
  ASSERT_EQ(nearfar_triplet_create(nullptr, &other), NEARFAR_OK);
  queries = nearfar_float_rows(x.data(), 3, 2);
  keys = nearfar_float_rows(y.data(), 3, 2);
  const nearfar_rows fewer = nearfar_float_rows(y.data(), 2, 2);
  expect_invalid(nearfar_three_sets_forward(other, &queries, &keys, &fewer, nullptr, &result),
                 "nearfar: z: wanted 3 x 2, got 2 x 2");
  nearfar_loss_destroy(other);
  ASSERT_EQ(nearfar_hadsell_contrastive_create(nullptr, &other), NEARFAR_OK);
  expect_invalid(nearfar_two_sets_forward(other, &queries, &keys, &its, nullptr, &result),
                 "nearfar: match: wanted 0 or 1 for each pair, got 7 for pair 2");
  const nearfar_targets own = nearfar_targets_of_labels(match.data(), 3);
  const nearfar_targets fewer_labels = nearfar_targets_of_labels(match.data(), 2);
  expect_invalid(
      nearfar_references_forward(other, &queries, &own, &keys, &fewer_labels, nullptr, &result),
      "nearfar: reference_targets: wanted 3 labels, one a row, got 2");
  nearfar_loss_destroy(other);
  expect_refused(
      nearfar_listed_pairs_forward(loss, nullptr, nullptr, nullptr, nullptr, nullptr, &result),
      NEARFAR_INVALID_ARGUMENT, "nearfar: x: wanted a pointer, got null");
}

TEST_F(CErrors, Settings) {
  nearfar_loss* none = nullptr;
  nearfar_info_nce_options options;
  const auto refused = [&](const std::string& message) {
    expect_invalid(nearfar_info_nce_create(&options, &none), message);
    EXPECT_EQ(none, nullptr);
    nearfar_info_nce_options_init(&options, sizeof options);
  };
  nearfar_info_nce_options_init(&options, sizeof options);
  options.temperature = -1;
  refused("nearfar: temperature: wanted a finite number > 0, got -1");
  options.reduction = 4;
  refused("nearfar: reduction: wanted a choice from 0 to 3, got 4");
  options.denominator = -1;
  refused("nearfar: denominator: wanted a choice from 0 to 1, got -1");
  options.kernel = 99;
  refused(
      "nearfar: kernel: wanted NEARFAR_COSINE or NEARFAR_INNER_PRODUCT or NEARFAR_EUCLIDEAN or "
      "NEARFAR_SQUARED_EUCLIDEAN or NEARFAR_COSINE_DISTANCE or NEARFAR_MAHALANOBIS or "
      "NEARFAR_BILINEAR, got 99");
  options.kernel = NEARFAR_BILINEAR;
  refused("nearfar: matrix: wanted the kernel's, got none");
  options.matrix = queries;
  refused("nearfar: matrix: wanted none for a kernel without one, got a matrix");

  nearfar_hadsell_contrastive_options hadsell;
  nearfar_hadsell_contrastive_options_init(&hadsell, sizeof hadsell);
  hadsell.kernel = NEARFAR_COSINE;
  expect_invalid(nearfar_hadsell_contrastive_create(&hadsell, &none),
                 "nearfar: kernel: wanted NEARFAR_EUCLIDEAN or NEARFAR_SQUARED_EUCLIDEAN or "
                 "NEARFAR_COSINE_DISTANCE or NEARFAR_MAHALANOBIS, got NEARFAR_COSINE");
  nearfar_triplet_options triplet;
  nearfar_triplet_options_init(&triplet, sizeof triplet);
  triplet.swap = 2;
  expect_invalid(nearfar_triplet_create(&triplet, &none),
                 "nearfar: swap: wanted a choice from 0 to 1, got 2");
  expect_invalid(nearfar_cpc_create(nullptr, &none),
                 "nearfar: length: wanted more positions than steps = 1, got 0");
}

TEST_F(CErrors, AMatrixOfAnotherScalar) {
  nearfar_info_nce_options options;
  nearfar_info_nce_options_init(&options, sizeof options);
  const double matrix[] = {1, 0, 0, 1};
  options.kernel = NEARFAR_BILINEAR;
  options.matrix = nearfar_double_rows(matrix, 2, 2);
  nearfar_loss* bilinear = nullptr;
  ASSERT_EQ(nearfar_info_nce_create(&options, &bilinear), NEARFAR_OK) << nearfar_last_error();
  expect_invalid(nearfar_two_sets_forward(bilinear, &queries, &keys, nullptr, nullptr, &result),
                 "nearfar: matrix.scalar: wanted NEARFAR_FLOAT, as other rows, got NEARFAR_DOUBLE");
  nearfar_loss_destroy(bilinear);
}

TEST_F(CErrors, Targets) {
  nearfar_loss* sup_con = nullptr;
  ASSERT_EQ(nearfar_sup_con_create(nullptr, &sup_con), NEARFAR_OK);
  nearfar_targets targets;
  nearfar_targets_init(&targets, sizeof targets);
  const auto refused = [&](const std::string& message) {
    expect_invalid(
        nearfar_labelled_forward_backward(sup_con, &queries, &targets, &d_queries, &call, &result),
        message);
  };
  refused("nearfar: targets: wanted labels, or lists of positives, got nothing");
  targets.rule = 9;
  refused("nearfar: targets.rule: wanted one of nearfar_rule, 0 to 3, got 9");
  targets.rule = NEARFAR_LABELS;
  targets.labels.count = 3;
  refused("nearfar: targets.labels.data: wanted 3 items, got null");
  const std::vector<int64_t> labels = {0, 0, 1};
  targets.labels = {labels.data(), 2};
  refused("nearfar: targets: wanted 3 labels, one a row, got 2");
  targets.labels.count = -3;
  refused("nearfar: targets.labels.count: wanted a number >= 0, got -3");
  targets.rule = NEARFAR_POSITIVE_LISTS;
  refused("nearfar: targets: wanted 4 offsets, one more than rows, got 0");
  targets.rule = NEARFAR_LABEL_SETS;
  targets.label_set_rows = 3;
  targets.label_set_words = 1;
  refused("nearfar: targets.label_sets.data: wanted elements of 3 x 1, got null");
  nearfar_loss_destroy(sup_con);
}

TEST_F(CErrors, Negatives) {
  nearfar_negatives negatives;
  nearfar_negatives_init(&negatives, sizeof negatives);
  negatives.rows = keys;
  const auto refused = [&](const nearfar_loss* of, const std::string& message) {
    expect_invalid(nearfar_negatives_forward(of, &queries, &keys, &negatives, nullptr, &result),
                   message);
  };
  negatives.per_query = 2;
  refused(loss, "nearfar: negatives.per_query: wanted 0 or 1, got 2");
  negatives.per_query = 0;
  negatives.log_noise_keys = keys;
  refused(loss, "nearfar: negatives.log_noise: wanted none for this loss, got numbers");
  nearfar_loss* nce = nullptr;
  ASSERT_EQ(nearfar_nce_create(nullptr, &nce), NEARFAR_OK);
  refused(nce,
          "nearfar: negatives.log_noise_keys: wanted one column with stride 1, got 2 columns, "
          "stride 2");
  negatives.log_noise_keys.cols = 1;
  negatives.log_noise_keys.stride = 2;
  refused(nce,
          "nearfar: negatives.log_noise_keys: wanted one column with stride 1, got 1 columns, "
          "stride 2");
  nearfar_loss_destroy(nce);
  negatives.log_noise_keys = {};
  const std::vector<int64_t> ids = {1, 2, 3};
  negatives.ids = {ids.data(), 2};
  refused(loss, "nearfar: negatives.ids: wanted 3 labels, one a row, got 2");
}

TEST_F(CErrors, OwnNegativesBesideShared) {
  nearfar_negatives negatives, own;
  nearfar_negatives_init(&negatives, sizeof negatives);
  nearfar_negatives_init(&own, sizeof own);
  negatives.rows = own.rows = keys;
  const auto refused = [&](const nearfar_loss* of, const std::string& message) {
    expect_invalid(nearfar_negatives_forward_backward(of, &queries, &keys, &negatives, nullptr,
                                                      nullptr, nullptr, nullptr, &result),
                   message);
  };
  std::vector<float> memory(static_cast<std::size_t>(keys.rows * keys.cols), -77.f);
  const nearfar_gradient d_own = nearfar_float_gradient(memory.data(), keys.rows, keys.cols);
  negatives.d_own = &d_own;
  refused(loss, "nearfar: negatives.d_own: wanted none without negatives.own, got a gradient");
  negatives.own = &own;
  expect_invalid(nearfar_negatives_forward(loss, &queries, &keys, &negatives, nullptr, &result),
                 "nearfar: negatives.d_own: wanted none for a forward call, got a gradient");
  refused(loss, "nearfar: negatives.own: wanted per_query(rows), got rows that all queries share");
  own.per_query = 1;
  negatives.per_query = 1;
  refused(loss, "nearfar: negatives: wanted rows that all queries share, got per_query(rows)");
  negatives.per_query = 0;
  const std::vector<int64_t> offsets = {0, 1};
  own.offsets = {offsets.data(), 2};
  refused(loss, "nearfar: negatives.own: wanted 4 offsets, one more than queries, got 2");
  own.offsets.count = -2;
  refused(loss, "nearfar: negatives.own.offsets.count: wanted a number >= 0, got -2");
  own.offsets = {};
  own.log_noise_keys = keys;
  refused(loss, "nearfar: negatives.own.log_noise: wanted none for this loss, got numbers");
  own.log_noise_keys = {};
  own.own = &own;
  refused(loss, "nearfar: negatives.own.own: wanted none, got negatives");
  own.own = nullptr;
  own.size = 4;
  refused(loss, "nearfar: negatives.own.size: wanted a size from 8 to " +
                    std::to_string(sizeof own) + ", as its _init sets it, got 4");
  own.size = sizeof own;
  const nearfar_gradient two_columns = nearfar_float_gradient(memory.data(), keys.rows, 1);
  negatives.d_own = &two_columns;
  refused(loss, "nearfar: negatives.d_own: wanted 3 x 2, got 3 x 1");
  nearfar_gradient over_rows = d_own;
  over_rows.data = const_cast<void*>(keys.data);
  negatives.d_own = &over_rows;
  refused(loss,
          "nearfar: negatives.d_own: wanted memory apart from that of keys, got memory that "
          "overlaps it");
  negatives.d_own = nullptr;
  nearfar_loss* nce = nullptr;
  nearfar_loss* sampling = nullptr;
  ASSERT_EQ(nearfar_nce_create(nullptr, &nce), NEARFAR_OK);
  ASSERT_EQ(nearfar_negative_sampling_create(nullptr, &sampling), NEARFAR_OK);
  for (const nearfar_loss* other : {nce, sampling}) {
    refused(other, "nearfar: negatives.own: wanted none for this loss, got negatives");
  }
  nearfar_loss* in_batch = nullptr;
  ASSERT_EQ(nearfar_in_batch_info_nce_create(nullptr, &in_batch), NEARFAR_OK);
  nearfar_in_batch extras;
  nearfar_in_batch_init(&extras, sizeof extras);
  extras.negatives = &negatives;
  expect_invalid(nearfar_in_batch_forward(in_batch, &queries, &keys, &extras, nullptr, &result),
                 "nearfar: negatives.own: wanted none for this loss, got negatives");
  for (nearfar_loss* made : {nce, sampling, in_batch}) nearfar_loss_destroy(made);
  EXPECT_EQ(memory, std::vector<float>(memory.size(), -77.f));
}

TEST_F(CErrors, AWorkspaceServesOneCallAtATimeAndKeepsItsMemory) {
  EXPECT_EQ(nearfar_workspace_create(-1, &call.workspace), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: threads: wanted a number >= 0, got -1");
  ASSERT_EQ(nearfar_workspace_create(1, &call.workspace), NEARFAR_OK);
  EXPECT_EQ(nearfar_workspace_bytes(call.workspace), 0u);
  ASSERT_EQ(run(), NEARFAR_OK);
  const size_t bytes = nearfar_workspace_bytes(call.workspace);
  EXPECT_GT(bytes, 0u);
  ASSERT_EQ(run(), NEARFAR_OK);
  EXPECT_EQ(nearfar_workspace_bytes(call.workspace), bytes);
  nearfar_workspace_destroy(call.workspace);
}

TEST_F(CErrors, MessagesAreAThreadsOwn) {
  queries.scalar = 0;
  EXPECT_EQ(run(), NEARFAR_INVALID_ARGUMENT);
  std::string seen = "not run";
  std::thread([&] { seen = nearfar_last_error(); }).join();
  EXPECT_EQ(seen, "");
  const std::string mine = nearfar_last_error();
  queries.scalar = NEARFAR_FLOAT;
  EXPECT_EQ(run(), NEARFAR_OK);
  EXPECT_EQ(nearfar_last_error(), mine) << "a call that succeeds leaves it";
}

TEST_F(CErrors, GradientsAccumulateAndLeaveWhatLiesBetweenRows) {
  std::vector<float> strided(3 * 4, 5);
  nearfar_gradient wide = d_queries;
  wide.data = strided.data();
  wide.stride = 4;
  wide.write = NEARFAR_ACCUMULATE;
  ASSERT_EQ(run(), NEARFAR_OK);
  ASSERT_EQ(nearfar_two_sets_forward_backward(loss, &queries, &keys, nullptr, &wide, nullptr, &call,
                                              &result),
            NEARFAR_OK);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(strided[4 * i + k], 5 + gradient[2 * i + k]);
      EXPECT_EQ(strided[4 * i + 2 + k], 5);
    }
  }
}

TEST(CStatus, HasWords) {
  EXPECT_STREQ(nearfar_status_message(NEARFAR_OK), "no error");
  EXPECT_STREQ(nearfar_status_message(NEARFAR_INVALID_ARGUMENT), "invalid argument");
  EXPECT_STREQ(nearfar_status_message(NEARFAR_NOT_FINITE), "not finite");
  EXPECT_STREQ(nearfar_status_message(NEARFAR_OUT_OF_MEMORY), "out of memory");
  EXPECT_STREQ(nearfar_status_message(NEARFAR_INTERNAL), "internal error");
  EXPECT_STREQ(nearfar_status_message(NEARFAR_FILE), "file error");
  EXPECT_STREQ(nearfar_status_message(17), "unknown status");
}

TEST(CVersion, IsThreeNumbers) {
  int major = -1;
  int minor = -1;
  int patch = -1;
  EXPECT_EQ(std::sscanf(nearfar_version(), "%d.%d.%d", &major, &minor, &patch), 3);
  EXPECT_GE(major + minor + patch, 1);
}

}  // namespace
