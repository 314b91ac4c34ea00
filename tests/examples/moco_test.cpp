#include "run_program.hpp"

namespace example_test {
namespace {

TEST(Moco, AccuracyByQueueOverSeeds) {
  const Folder folder;
  write_noisy_dataset(folder / "data");
  const Outcome outcome =
      run_program(folder, "moco",
                  {"--data", (folder / "data").string(), "--out", (folder / "out").string(),
                   "--epochs", "1", "--queues", "0,64", "--seeds", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // The means of the table with deviations are those of the table of all encoders.
  const std::size_t deviations = outcome.out.find("standard deviation of a seed");
  ASSERT_NE(deviations, std::string::npos) << outcome.out;
  for (const std::string name : {"MoCo, queue off", "MoCo, queue of 64"}) {
    const double mean = table_row(outcome.out.substr(0, deviations), name, 1)[0];
    EXPECT_EQ(table_row(outcome.out.substr(deviations), name, 1)[0], mean);
  }
  std::istringstream table(contents(folder / "out/queues.csv"));
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "negatives,untrained_probe,knn,knn_deviation,probe,probe_deviation");
  for (const double negatives : {31.0, 64.0}) {
    ASSERT_TRUE(std::getline(table, line));
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream cells(line);
    std::vector<double> numbers(6, -1);
    for (double& number : numbers) EXPECT_TRUE(cells >> number);
    EXPECT_EQ(numbers[0], negatives);
    EXPECT_GT(numbers[3], 0);  // three seeds differ
    EXPECT_LT(numbers[3], 0.2);
    EXPECT_GT(numbers[5], 0);
  }
  EXPECT_FALSE(std::getline(table, line));
  EXPECT_NE(contents(folder / "out/queues.gp").find("yerrorlines"), std::string::npos);
}

TEST(Moco, RefusesQueuesThatAreNone) {
  const Folder folder;
  for (const std::string queues : {"-1", "x", "0,16777217"}) {
    expect_refusal(
        folder,
        run_program(folder, "moco", {"--queues", queues, "--out", (folder / "out").string()}),
        "moco", "--queues");
  }
}

}  // namespace
}  // namespace example_test
