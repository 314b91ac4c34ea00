#include <cmath>
#include <sstream>

#include "run_program.hpp"

namespace example_test {
namespace {

class MpiSimClr : public testing::Test {
 protected:
  MpiSimClr() { write_noisy_dataset(folder_ / "data"); }

  Outcome run(int processes, const std::vector<std::string>& more = {}) const {
    std::istringstream launch(NEARFAR_MPI_LAUNCH " " + std::to_string(processes));
    std::vector<std::string> command{std::istream_iterator<std::string>(launch), {}};
    command.push_back(NEARFAR_EXAMPLES_DIR "/mpi_simclr");
    const auto arguments =
        with({"--data", (folder_ / "data").string(), "--out", (folder_ / "out").string(),
              "--images", "600", "--batch", "90", "--epochs", "2", "--learning-rate", "0.003"},
             more);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(folder_, command);
  }

  Folder folder_;
};

TEST_F(MpiSimClr, TheLossCurveDoesNotDependOnTheNumberOfProcesses) {
  ASSERT_EQ(run(1).code, 0);
  const std::vector<double> one = loss_curve(folder_ / "out");
  ASSERT_EQ(one.size(), 12u);
  EXPECT_LT(one.back(), one.front() - 0.1) << "nothing is learnt";
  for (const auto& [processes, schedule] :
       {std::pair<int, std::string>{2, "ring"}, {4, "all_gather"}, {4, "ordered"}}) {
    SCOPED_TRACE(schedule);
    const Outcome outcome = run(processes, {"--schedule", schedule});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(table_row(outcome.out, "processes", 1)[0], processes);
    EXPECT_GT(table_row(outcome.out, "kB sent a step by the loss", 1)[0], 1);
    table_row(outcome.out, "SimCLR, no labels", 2);
    const std::vector<double> curve = loss_curve(folder_ / "out");
    ASSERT_EQ(curve.size(), one.size());
    // Float sums in another order, through twelve steps of the optimizer.
    for (std::size_t step = 0; step < one.size(); ++step) {
      EXPECT_NEAR(curve[step], one[step], 1e-4 * one[step]) << step;
    }
  }
}

TEST_F(MpiSimClr, DrawsTheCurvesOfAllNumbersOfProcesses) {
  const Outcome outcome = run(4, {"--curves", "--epochs", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(table_row(outcome.out, "1 process", 3)[2], 0);
  for (const std::string name : {"2 processes", "4 processes"}) {
    const double distance = table_row(outcome.out, name, 3)[2];
    EXPECT_LT(distance, 1e-4) << name;
    EXPECT_GT(distance, 0) << name << ": compared with itself?";
  }
  EXPECT_TRUE(contents(folder_ / "out" / "curves.csv")
                  .starts_with("step,1 process,2 processes,4 processes\n"));
}

TEST_F(MpiSimClr, RefusesBadInput) {
  for (const auto& [flag, value] :
       {std::pair<std::string, std::string>{"--schedule", "square"}, {"--batch", "0"}}) {
    const Outcome outcome = run(2, {flag, value});
    EXPECT_NE(outcome.code, 0);
    EXPECT_NE(outcome.err.find("mpi_simclr: " + flag), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace example_test
