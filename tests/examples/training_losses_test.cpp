#include "common/training_losses.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "common/random.hpp"

namespace example_test {
namespace {

using example::LossFunction;
using example::Random;
using example::training_losses;
using nearfar::Index;
using Rows = nearfar::Matrix<float>;

TEST(TrainingLosses, AreFoundByName) {
  for (const auto& loss : training_losses()) {
    EXPECT_EQ(example::find_training_loss(loss.name), &loss);
    EXPECT_NE(example::training_loss_names().find(loss.name), std::string::npos);
  }
  EXPECT_NE(example::find_training_loss("hadsell"), nullptr);
  EXPECT_NE(example::find_training_loss("info_nce"), nullptr);
  EXPECT_EQ(example::find_training_loss("no_such_loss"), nullptr);
}

TEST(TrainingLosses, WriteTheGradientOfTheirValue) {
  for (const auto& entry : training_losses()) {
    const LossFunction loss = entry.make({});
    Random random(31);
    Rows x(12, 2);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(2 * random.normal());
    const std::vector<std::uint8_t> labels = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
    Rows gradient;
    EXPECT_TRUE(std::isfinite(loss(x, labels, gradient))) << entry.name;
    ASSERT_EQ(gradient.rows(), 12) << entry.name;
    ASSERT_EQ(gradient.cols(), 2) << entry.name;
    EXPECT_GT(gradient.norm(), 0.01) << entry.name;
    Rows ignored;
    const auto report =
        nearfar::check_gradient<float>([&] { return loss(x, labels, ignored); },
                                       {{"x", x, gradient}}, {.tolerance = 1e-2, .step = 5e-3});
    // The gradients of these treat weights as constants, as their papers do.
    if (entry.name != "circle" && entry.name != "ranked_list") {
      EXPECT_TRUE(report.passed) << entry.name << ": " << report;
      EXPECT_GE(report.checked, 16) << entry.name << ": " << report;
    }
  }
}

TEST(TrainingLosses, ReadTheirSettings) {
  Random random(32);
  Rows x(8, 2);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(random.normal());
  const std::vector<std::uint8_t> labels = {0, 1, 2, 3, 0, 1, 2, 3};
  Rows gradient;
  const auto value = [&](const char* name, const example::LossSettings& settings) {
    return example::find_training_loss(name)->make(settings)(x, labels, gradient);
  };
  EXPECT_LT(value("hadsell", {.margin = 1.0}), value("hadsell", {.margin = 2.0}));
  EXPECT_NE(value("info_nce", {.temperature = 1.0}), value("info_nce", {.temperature = 2.0}));
  EXPECT_EQ(value("hadsell", {.threads = 1}), value("hadsell", {.threads = 2}));
}

}  // namespace
}  // namespace example_test
