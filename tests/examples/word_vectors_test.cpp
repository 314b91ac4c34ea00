#include <set>

#include "run_program.hpp"

namespace example_test {
namespace {

/// Lines of six words of one of four topics, ten words each, with small words between them that all
/// topics share.
void write_topics(const fs::path& file) {
  const std::vector<std::string> topics = {"ship", "bread", "song", "king"};
  const std::vector<std::string> small = {"the", "of", "a", "and"};
  example::Random random(1);
  std::ofstream text(file, std::ios::binary);
  for (int line = 0; line < 3000; ++line) {
    const std::string& topic = topics[random.below(4)];
    for (int i = 0; i < 6; ++i) {
      // Words of a topic differ in a letter: shipa, shipb..
      text << small[random.below(4)] << ' ' << topic << static_cast<char>('a' + random.below(10))
           << ' ';
    }
    text << '\n';
  }
}

class WordVectors : public testing::Test {
 protected:
  WordVectors() { write_topics(folder_ / "text"); }

  Outcome run(const std::vector<std::string>& more = {}) const {
    return run_program(
        folder_, "word_vectors",
        with({"--data", (folder_ / "text").string(), "--out", (folder_ / "out").string(), "--words",
              "shipa,breadb,songc,kingd", "--dim", "16", "--batch", "256", "--noise", "32",
              "--sample", "0.01", "--epochs", "2"},
             more));
  }

  Folder folder_;
};

TEST_F(WordVectors, BothLossesLearnWhatAWordsNeighboursAre) {
  for (const std::string loss : {"nce", "negative_sampling"}) {
    SCOPED_TRACE(loss);
    const Outcome outcome = run({"--loss", loss});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    const std::vector<double> frequency = table_row(outcome.out, "frequency of the word", 2);
    const std::vector<double> untrained = table_row(outcome.out, "untrained vectors", 2);
    const std::vector<double> trained = table_row(outcome.out, "trained vectors", 2);
    // One word in four has the topic: 25 of 100 are as good as the right one.
    EXPECT_GT(trained[0], frequency[0] + 0.05) << outcome.out;
    EXPECT_GT(trained[0], untrained[0] + 0.05) << outcome.out;
    EXPECT_GT(trained[1], frequency[1] + 0.1) << outcome.out;
    EXPECT_GT(trained[1], untrained[1] + 0.1) << outcome.out;

    // All nearest words have the word's own topic.
    std::istringstream table(contents(folder_ / "out/neighbours.csv"));
    std::string line;
    std::getline(table, line);
    std::set<std::string> topics;
    while (std::getline(table, line)) {
      const std::size_t comma = line.find(',');
      const std::string topic = line.substr(0, comma - 1);
      topics.insert(topic);
      std::istringstream words(line.substr(comma + 1));
      int count = 0;
      for (std::string word; words >> word; ++count) {
        EXPECT_TRUE(word.starts_with(topic)) << line;
      }
      EXPECT_EQ(count, 8);
    }
    EXPECT_EQ(topics.size(), 4u);
    EXPECT_GT(contents(folder_ / "out/words.csv").size(), 200u);
    EXPECT_TRUE(fs::exists(folder_ / "out/words.gp"));
    EXPECT_GT(contents(folder_ / "out/loss.csv").size(), 1000u);
  }
}

TEST_F(WordVectors, GivesTheSameFiguresWithAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::string threads : {"1", "2", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--epochs", "1"}).code, 0);
    std::string all;
    for (const std::string name : {"ranking.csv", "neighbours.csv", "words.csv", "loss.csv"}) {
      all += contents(folder_ / ("out/" + name));
    }
    tables.push_back(all);
  }
  EXPECT_GT(tables[0].size(), 1000u);
  EXPECT_TRUE(tables[0] == tables[1]);
  EXPECT_TRUE(tables[0] == tables[2]);
}

TEST_F(WordVectors, RefusesBadInputInOneLine) {
  std::ofstream(folder_ / "empty") << "";
  std::ofstream(folder_ / "short") << "two words\nand three words\n";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--data", (folder_ / "none").string()}, "none: cannot be read"},
      {{"--data", (folder_ / "empty").string()}, "empty: no line"},
      {{"--data", (folder_ / "short").string()}, "often enough"},
      {{"--words", "shipa,zebra"}, "'zebra'"},
      {{"--loss", "hinge"}, "--loss"},
      {{"--window", "0"}, "--window"},
      {{"--sample", "nan"}, "--sample"},
      {{"--dim", "1"}, "--dim"},
      {{"--seed", "-1"}, "--seed"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "word_vectors", reason);
  }
}

}  // namespace
}  // namespace example_test
