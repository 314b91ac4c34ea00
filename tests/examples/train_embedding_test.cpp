#include <utility>

#include "run_program.hpp"

namespace example_test {
namespace {

/// recall@1 and kNN accuracy in a row of the printed table, by the row's name.
std::pair<double, double> row(const std::string& out, const std::string& name) {
  const std::vector<double> numbers = table_row(out, name, 2);
  return {numbers[0], numbers[1]};
}

class TrainEmbedding : public testing::Test {
 protected:
  TrainEmbedding() { write_noisy_dataset(folder_ / "data"); }

  /// A short training run with its results in `out`.
  std::vector<std::string> arguments(const std::string& out) const {
    return {"--data",   (folder_ / "data").string(),
            "--out",    (folder_ / out).string(),
            "--epochs", "12",
            "--batch",  "64",
            "--hidden", "64,32"};
  }

  Outcome run(const std::vector<std::string>& arguments, const char* path = nullptr) const {
    return run_program(folder_, "train_embedding", arguments, path);
  }

  Folder folder_;
};

TEST_F(TrainEmbedding, LearnsWithEachLoss) {
  for (const std::string loss : {"hadsell", "info_nce"}) {
    const Outcome outcome = run(with(arguments("out_" + loss), {"--loss", loss}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    const auto [untrained_recall, untrained_accuracy] = row(outcome.out, "untrained encoder");
    const auto [trained_recall, trained_accuracy] = row(outcome.out, "trained encoder");
    // With four classes, chance is 0.25.
    EXPECT_GT(trained_recall, untrained_recall + 0.2) << loss << outcome.out;
    EXPECT_GT(trained_accuracy, untrained_accuracy + 0.2) << loss << outcome.out;
    EXPECT_GT(trained_accuracy, 0.85) << loss << outcome.out;
    EXPECT_GT(row(outcome.out, "raw pixels").second, 0.5) << loss;
  }
}

TEST_F(TrainEmbedding, GivesTheSameFiguresWithAnyNumberOfThreads) {
  for (const std::string threads : {"1", "2", "3"}) {
    const Outcome outcome =
        run(with(arguments("out" + threads), {"--threads", threads, "--epochs", "2"}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  for (const std::string name : {"embedding.csv", "loss.csv"}) {
    const std::string one = contents(folder_ / ("out1/" + name));
    EXPECT_GT(one.size(), 1000u);
    EXPECT_TRUE(one == contents(folder_ / ("out2/" + name))) << name;
    EXPECT_TRUE(one == contents(folder_ / ("out3/" + name))) << name;
  }
}

TEST_F(TrainEmbedding, SeedsMatter) {
  for (const std::string seed : {"7", "8"}) {
    ASSERT_EQ(run(with(arguments("out" + seed), {"--seed", seed, "--epochs", "1"})).code, 0);
  }
  EXPECT_NE(contents(folder_ / "out7/loss.csv"), contents(folder_ / "out8/loss.csv"));
}

TEST_F(TrainEmbedding, LeavesCompleteTablesWithoutGnuplot) {
  const Outcome outcome = run(with(arguments("out"), {"--epochs", "2"}), "/no/such/folder");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("no gnuplot here"), std::string::npos) << outcome.out;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "out")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"embedding.csv", "embedding.gp", "loss.csv", "loss.gp"}));
  const std::string table = contents(folder_ / "out/embedding.csv");
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 401);
  const std::string losses = contents(folder_ / "out/loss.csv");
  EXPECT_EQ(std::count(losses.begin(), losses.end(), '\n'), 1 + 2 * (1200 / 64));
}

TEST_F(TrainEmbedding, KeepsToTheChosenClasses) {
  const Outcome outcome =
      run(with(arguments("out"), {"--classes", "1,3", "--epochs", "2", "--dim", "5"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("600 training and 200 test images"), std::string::npos) << outcome.out;
  std::ifstream table(folder_ / "out/embedding.csv");
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "index,label,x,y,e1,e2,e3,e4,e5");
  while (std::getline(table, line)) {
    const char label = line[line.find(',') + 1];
    EXPECT_TRUE(label == '1' || label == '3') << line;
  }
}

TEST_F(TrainEmbedding, HelpNamesTheLosses) {
  const Outcome outcome = run({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("hadsell"), std::string::npos);
  EXPECT_NE(outcome.out.find("info_nce"), std::string::npos);
}

TEST_F(TrainEmbedding, RefusesBadArguments) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"stray"}, "stray"},
      {{"--loss", "nonsense"}, "unknown loss 'nonsense', there are hadsell, "},
      {{"--loss"}, "--loss"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--epochs", "many"}, "--epochs"},
      {{"--epochs", "1.5"}, "--epochs"},
      {{"--dim", "1"}, "--dim"},
      {{"--dim", "-2"}, "--dim"},
      {{"--batch", "0"}, "--batch"},
      {{"--batch", "-64"}, "--batch"},
      {{"--threads", "0"}, "--threads"},
      {{"--threads", "999999999999"}, "--threads"},
      {{"--seed", "-1"}, "--seed"},
      {{"--seed", "1e3"}, "--seed"},
      {{"--hidden", "64,0"}, "--hidden"},
      {{"--learning-rate", "0"}, "--learning-rate"},
      {{"--learning-rate", "nan"}, "--learning-rate"},
      {{"--learning-rate", "inf"}, "--learning-rate"},
      {{"--weight-decay", "nan"}, "--weight-decay"},
      {{"--weight-decay", "-1"}, "--weight-decay"},
      {{"--margin", "-1"}, "--margin"},
      {{"--margin", "nan"}, "--margin"},
      {{"--temperature", "0"}, "--temperature"},
      {{"--classes", "1"}, "at least two classes"},
      {{"--classes", "1,7"}, "no class 7 in the data; there are 0, 1, 2, 3"},
      {{"--classes", "1,1"}, "class 1 given twice"},
      {{"--classes", "coat,dress"}, "--classes"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(with(arguments("out"), more)), "train_embedding", reason);
  }
}

TEST_F(TrainEmbedding, RefusesBadData) {
  const fs::path labels = folder_ / "data/t10k-labels-idx1-ubyte";
  const fs::path images = folder_ / "data/train-images-idx3-ubyte.gz";
  const std::string good_labels = contents(labels);
  const std::string good_images = contents(images);

  std::ofstream(labels, std::ios::binary) << good_labels.substr(0, 100);
  expect_refusal(folder_, run(arguments("out")), "train_embedding",
                 "t10k-labels-idx1-ubyte: truncated");
  std::ofstream(labels, std::ios::binary)
      << std::string("\0\0\x08\x03", 4) << good_labels.substr(4);
  expect_refusal(folder_, run(arguments("out")), "train_embedding",
                 "t10k-labels-idx1-ubyte: wrong magic number");
  std::ofstream(labels, std::ios::binary) << good_labels;

  std::ofstream(images, std::ios::binary) << good_images.substr(0, good_images.size() / 2);
  expect_refusal(folder_, run(arguments("out")), "train_embedding",
                 "train-images-idx3-ubyte.gz: truncated");
  fs::remove(images);
  expect_refusal(folder_, run(arguments("out")), "train_embedding",
                 "holds neither train-images-idx3-ubyte");
  const std::vector<std::string> nowhere = {"--data", (folder_ / "none").string()};
  expect_refusal(folder_, run(with(arguments("out"), nowhere)), "train_embedding", "none");
}

TEST_F(TrainEmbedding, RefusesAnOutputFolderItCannotWriteTo) {
  std::ofstream(folder_ / "file") << "x";
  expect_refusal(folder_, run(arguments("file")), "train_embedding", "cannot be made a folder",
                 "file");
  expect_refusal(folder_, run(arguments("file/below")), "train_embedding",
                 "cannot be made a folder", "file");
  EXPECT_EQ(contents(folder_ / "file"), "x");
}

TEST_F(TrainEmbedding, SaysInOneLineThatTrainingDiverged) {
  const Outcome outcome = run(with(arguments("out"), {"--learning-rate", "1e30"}));
  expect_refusal(folder_, outcome, "train_embedding", "finite");
}

}  // namespace
}  // namespace example_test
