#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "files.hpp"

/// \file
/// The example as its users meet it: a program with arguments, output and an exit code.

namespace example_test {
namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs train_embedding; `path`, when given, replaces the PATH it sees.
Outcome train_embedding(const Folder& folder, std::vector<std::string> arguments,
                        const char* path = nullptr) {
  arguments.insert(arguments.begin(), NEARFAR_TRAIN_EMBEDDING_EXE);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const fs::path out = folder / "stdout.txt";
  const fs::path err = folder / "stderr.txt";
  const pid_t child = fork();
  if (child == 0) {
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err_file = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out_file, STDOUT_FILENO);
    dup2(err_file, STDERR_FILENO);
    if (path != nullptr) setenv("PATH", path, 1);
    execv(argv[0], argv.data());
    _exit(99);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(out), contents(err)};
}

/// The arguments with more of them; a flag with a value takes the place of an earlier one.
std::vector<std::string> with(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  for (const std::string& word : more) {
    const auto old = std::find(arguments.begin(), arguments.end(), word);
    if (word.starts_with("--") && old != arguments.end()) arguments.erase(old, old + 2);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// recall@1 and kNN accuracy in the row of that name of the table printed at the end.
std::pair<double, double> row(const std::string& out, const std::string& name) {
  const std::size_t at = out.find("\n" + name + " ");
  if (at == std::string::npos) {
    ADD_FAILURE() << "no row '" << name << "' in:\n" << out;
    return {-1, -1};
  }
  std::istringstream cells(out.substr(at + 1 + name.size()));
  double recall = -1;
  double accuracy = -1;
  EXPECT_TRUE(cells >> recall >> accuracy);
  return {recall, accuracy};
}

class TrainEmbedding : public testing::Test {
 protected:
  TrainEmbedding() { write_noisy_dataset(folder_ / "data"); }

  /// A short training run, its results in `out`.
  std::vector<std::string> arguments(const std::string& out) const {
    return {"--data",   (folder_ / "data").string(),
            "--out",    (folder_ / out).string(),
            "--epochs", "12",
            "--batch",  "64",
            "--hidden", "64,32"};
  }

  Outcome run(const std::vector<std::string>& arguments, const char* path = nullptr) const {
    return train_embedding(folder_, arguments, path);
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
    // Four classes: chance is 0.25.
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

TEST_F(TrainEmbedding, KeepsToTheClassesAskedFor) {
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

/// Exit code, one line that names the trouble, nothing written.
void expect_refusal(const Folder& folder, const Outcome& outcome, const std::string& reason,
                    const std::string& out = "out") {
  SCOPED_TRACE(reason);
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.code, 99) << "the program did not start";
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with('\n')) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("train_embedding: ")) << outcome.err;
  EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder / out, missing)) {
    ADD_FAILURE() << "left behind: " << entry.path();
  }
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
    expect_refusal(folder_, run(with(arguments("out"), more)), reason);
  }
}

TEST_F(TrainEmbedding, RefusesBadData) {
  const fs::path labels = folder_ / "data/t10k-labels-idx1-ubyte";
  const fs::path images = folder_ / "data/train-images-idx3-ubyte.gz";
  const std::string good_labels = contents(labels);
  const std::string good_images = contents(images);

  std::ofstream(labels, std::ios::binary) << good_labels.substr(0, 100);
  expect_refusal(folder_, run(arguments("out")), "t10k-labels-idx1-ubyte: truncated");
  std::ofstream(labels, std::ios::binary)
      << std::string("\0\0\x08\x03", 4) << good_labels.substr(4);
  expect_refusal(folder_, run(arguments("out")), "t10k-labels-idx1-ubyte: wrong magic number");
  std::ofstream(labels, std::ios::binary) << good_labels;

  std::ofstream(images, std::ios::binary) << good_images.substr(0, good_images.size() / 2);
  expect_refusal(folder_, run(arguments("out")), "train-images-idx3-ubyte.gz: truncated");
  fs::remove(images);
  expect_refusal(folder_, run(arguments("out")), "holds neither train-images-idx3-ubyte");
  expect_refusal(folder_, run(with(arguments("out"), {"--data", (folder_ / "none").string()})),
                 "data");
}

TEST_F(TrainEmbedding, RefusesAnOutputFolderItCannotWriteTo) {
  std::ofstream(folder_ / "file") << "x";
  expect_refusal(folder_, run(arguments("file")), "cannot be made a folder", "file");
  expect_refusal(folder_, run(arguments("file/below")), "cannot be made a folder", "file");
  EXPECT_EQ(contents(folder_ / "file"), "x");
}

TEST_F(TrainEmbedding, SaysInOneLineThatTrainingDiverged) {
  const Outcome outcome = run(with(arguments("out"), {"--learning-rate", "1e30"}));
  expect_refusal(folder_, outcome, "finite");
}

}  // namespace
}  // namespace example_test
