#include <gtest/gtest.h>
#include <nearfar/nearfar.h>

#include <cmath>
#include <string>
#include <vector>

/// The interface at edges of the classes' contracts: margins that are not set, gradients in one
/// buffer, references without rows.

namespace {

nearfar_result empty_result() {
  nearfar_result out;
  nearfar_result_init(&out, sizeof out);
  return out;
}

const std::vector<double> three_rows = {1, 0, 0.6, 0.8, 0.8, -0.6};
const std::vector<std::int64_t> labels = {0, 0, 1};

TEST(CEdges, MarginsThatAreNotSetGoByTheKernel) {
  nearfar_linear_contrastive_options options;
  ASSERT_EQ(nearfar_linear_contrastive_options_init(&options, sizeof options), NEARFAR_OK);
  EXPECT_TRUE(std::isnan(options.positive_margin));
  EXPECT_TRUE(std::isnan(options.negative_margin));
  const nearfar_rows x = nearfar_double_rows(three_rows.data(), 3, 2);
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), 3);
  const auto value = [&] {
    nearfar_loss* loss = nullptr;
    EXPECT_EQ(nearfar_linear_contrastive_create(&options, &loss), NEARFAR_OK);
    nearfar_result result = empty_result();
    EXPECT_EQ(nearfar_labelled_forward(loss, &x, &targets, nullptr, &result), NEARFAR_OK);
    nearfar_loss_destroy(loss);
    return result.value;
  };
  options.kernel = NEARFAR_COSINE;
  EXPECT_NEAR(value(), (1 - 0.6) + 0.8, 1e-12);
  options.kernel = NEARFAR_EUCLIDEAN;
  EXPECT_NEAR(value(), std::sqrt(0.8) + (1 - std::sqrt(0.4)), 1e-12);
  options.kernel = NEARFAR_COSINE;
  options.positive_margin = 1.5;
  nearfar_loss* loss = nullptr;
  EXPECT_EQ(nearfar_linear_contrastive_create(&options, &loss), NEARFAR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(nearfar_last_error()).find("positive_margin"), std::string::npos);
}

TEST(CEdges, GradientsInOneBufferAreRefusedUnlessTheyAccumulate) {
  nearfar_loss* loss = nullptr;
  ASSERT_EQ(nearfar_info_nce_create(nullptr, &loss), NEARFAR_OK);
  const nearfar_rows x = nearfar_double_rows(three_rows.data(), 3, 2);
  std::vector<double> sum(6, 7), dx(6), dy(6);
  nearfar_gradient shared = nearfar_double_gradient(sum.data(), 3, 2);
  nearfar_result result = empty_result();
  EXPECT_EQ(
      nearfar_two_sets_forward_backward(loss, &x, &x, nullptr, &shared, &shared, nullptr, &result),
      NEARFAR_INVALID_ARGUMENT);
  EXPECT_NE(std::string(nearfar_last_error()).find("two that overlap"), std::string::npos);
  EXPECT_EQ(sum, std::vector<double>(6, 7));
  const nearfar_gradient first = nearfar_double_gradient(dx.data(), 3, 2);
  const nearfar_gradient second = nearfar_double_gradient(dy.data(), 3, 2);
  EXPECT_EQ(
      nearfar_two_sets_forward_backward(loss, &x, &x, nullptr, &first, &second, nullptr, &result),
      NEARFAR_OK);
  shared.write = NEARFAR_ACCUMULATE;
  EXPECT_EQ(
      nearfar_two_sets_forward_backward(loss, &x, &x, nullptr, &shared, &shared, nullptr, &result),
      NEARFAR_OK);
  for (std::size_t k = 0; k < 6; ++k) EXPECT_NEAR(sum[k], 7 + dx[k] + dy[k], 1e-12);
  nearfar_loss_destroy(loss);
}

TEST(CEdges, ReferencesWithoutRowsNeedNoIds) {
  nearfar_loss* loss = nullptr;
  ASSERT_EQ(nearfar_sup_con_create(nullptr, &loss), NEARFAR_OK);
  const nearfar_rows x = nearfar_double_rows(three_rows.data(), 3, 2);
  const nearfar_rows none = nearfar_double_rows(nullptr, 0, 2);
  nearfar_targets own = nearfar_targets_of_labels(labels.data(), 3);
  own.ids = own.labels;
  const nearfar_targets theirs = nearfar_targets_of_labels(nullptr, 0);
  nearfar_result result = empty_result();
  EXPECT_EQ(nearfar_references_forward(loss, &x, &own, &none, &theirs, nullptr, &result),
            NEARFAR_OK)
      << nearfar_last_error();
  EXPECT_EQ(result.value, 0);
  EXPECT_EQ(result.anchors_without_positive, 3);
  nearfar_loss_destroy(loss);
}

}  // namespace
