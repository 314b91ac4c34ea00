#include <cmath>

#include "run_program.hpp"

namespace example_test {
namespace {

class LibTorchSimClr : public testing::Test {
 protected:
  LibTorchSimClr() { write_noisy_dataset(folder_ / "data"); }

  Outcome run(const std::vector<std::string>& more) const {
    return run_program(
        folder_, "libtorch_simclr",
        with({"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
              "--images", "600", "--batch", "64", "--steps", "8", "--learning-rate", "0.003"},
             more));
  }

  Folder folder_;
};

TEST_F(LibTorchSimClr, BothLossesGiveTheSameCurve) {
  std::vector<std::vector<double>> curves;
  for (const std::string loss : {"nearfar", "libtorch"}) {
    const Outcome outcome = run({"--loss", loss});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_GT(table_row(outcome.out, "ms a step, views made", 1)[0],
              table_row(outcome.out, "ms of them in the loss", 1)[0]);
    EXPECT_GT(table_row(outcome.out, "peak MB in training", 1)[0], 1);
    table_row(outcome.out, "SimCLR, loss of " + loss, 2);
    curves.push_back(loss_curve(folder_ / "out"));
  }
  // Without learning the curve is another: the comparison above can fail.
  ASSERT_EQ(run({"--learning-rate", "1e-9"}).code, 0);
  curves.push_back(loss_curve(folder_ / "out"));
  for (const auto& losses : curves) ASSERT_EQ(losses.size(), 8u);
  double untrained_apart = 0;
  for (std::size_t step = 0; step < 8; ++step) {
    EXPECT_NEAR(curves[0][step], curves[1][step], 1e-4 * curves[1][step]) << step;
    untrained_apart = std::max(untrained_apart, std::abs(curves[0][step] - curves[2][step]));
  }
  EXPECT_GT(untrained_apart, 0.01);
}

TEST_F(LibTorchSimClr, RefusesBadInputInOneLine) {
  expect_refusal(folder_, run({"--loss", "torch"}), "libtorch_simclr", "--loss");
  expect_refusal(folder_, run({"--steps", "-1"}), "libtorch_simclr", "--steps");
  expect_refusal(folder_, run({"--data", (folder_ / "none").string()}), "libtorch_simclr", "none");
}

}  // namespace
}  // namespace example_test
