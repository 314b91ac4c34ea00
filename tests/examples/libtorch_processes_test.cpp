#include <cmath>
#include <sstream>

#include "run_program.hpp"

namespace example_test {
namespace {

class LibTorchProcesses : public testing::Test {
 protected:
  LibTorchProcesses() { write_noisy_dataset(folder_ / "data"); }

  /// As torchrun starts the program. Each process has an output of its own; that of the first is
  /// the outcome's.
  Outcome run(int processes, const std::vector<std::string>& more = {}) const {
    const std::string port = std::to_string(20000 + getpid() % 20000);
    const std::string start =
        "export WORLD_SIZE=" + std::to_string(processes) +
        " MASTER_ADDR=127.0.0.1 MASTER_PORT=" + port +
        "; for rank in $(seq 1 $((WORLD_SIZE - 1))); do RANK=$rank \"$@\" & done; "
        "RANK=0 \"$@\"; code=$?; wait; exit $code";
    std::vector<std::string> command = {"sh", "-c", start, "sh",
                                        NEARFAR_EXAMPLES_DIR "/libtorch_processes"};
    const auto arguments =
        with({"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
              "--images", "600", "--batch", "90", "--epochs", "2", "--learning-rate", "0.003"},
             more);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(folder_, command);
  }

  /// The losses of one process.
  std::vector<double> curve() const {
    std::istringstream table(contents(folder_ / "out" / "curves.csv"));
    std::string line;
    std::getline(table, line);
    EXPECT_TRUE(line.starts_with("step,1 process")) << line;
    std::vector<double> losses;
    while (std::getline(table, line)) losses.push_back(std::stod(line.substr(line.find(',') + 1)));
    return losses;
  }

  Folder folder_;
};

TEST_F(LibTorchProcesses, TheLossCurveDoesNotDependOnTheNumberOfProcesses) {
  const Outcome outcome = run(4);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const double first_and_last[] = {table_row(outcome.out, "1 process", 2)[1],
                                   table_row(outcome.out, "4 processes", 2)[1]};
  EXPECT_NEAR(first_and_last[0], first_and_last[1], 1e-3 * first_and_last[0]);
  for (const std::string name : {"2 processes", "4 processes"}) {
    // Float sums in another order, through twelve steps of the optimizer.
    EXPECT_LT(table_row(outcome.out, name, 3)[2], 1e-4) << name;
    EXPECT_GT(table_row(outcome.out, name, 3)[2], 0) << name << ": compared with itself?";
  }
  // Without learning the curve is another: the comparison above can fail.
  const std::vector<double> learnt = curve();
  ASSERT_EQ(learnt.size(), 12u);
  ASSERT_EQ(run(1, {"--learning-rate", "1e-9"}).code, 0);
  const std::vector<double> untrained = curve();
  ASSERT_EQ(untrained.size(), 12u);
  EXPECT_GT(std::abs(learnt.back() - untrained.back()), 0.01);
}

TEST_F(LibTorchProcesses, WithoutTorchrunItIsAlone) {
  const Outcome outcome =
      run_program(folder_, "libtorch_processes",
                  {"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
                   "--images", "200", "--batch", "50", "--epochs", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(table_row(outcome.out, "1 process", 3)[2], 0);
}

TEST_F(LibTorchProcesses, RefusesBadInput) {
  const Outcome outcome = run_program(folder_, "libtorch_processes", {"--batch", "0"});
  expect_refusal(folder_, outcome, "libtorch_processes", "--batch");
}

}  // namespace
}  // namespace example_test
