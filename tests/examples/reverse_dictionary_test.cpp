#include "run_program.hpp"

namespace example_test {
namespace {

/// Forty answers, each with eight texts of four of its own six words, and words that all share.
void write_pairs(const fs::path& file) {
  example::Random random(1);
  const auto made_up = [&] {
    std::string word;
    for (int i = 0; i < 3; ++i) {
      word += "bdfgklmnprst"[random.below(12)];
      word += "aeiou"[random.below(5)];
    }
    return word;
  };
  const std::vector<std::string> common = {"the", "of", "a", "and"};
  std::ofstream text(file, std::ios::binary);
  for (int answer = 0; answer < 40; ++answer) {
    const std::string name = made_up();
    std::vector<std::string> own;
    for (int i = 0; i < 6; ++i) own.push_back(made_up());
    for (int line = 0; line < 8; ++line) {
      for (int i = 0; i < 4; ++i) {
        text << common[random.below(4)] << ' ' << own[random.below(6)] << ' ';
      }
      text << '\t' << name << '\n';
    }
  }
}

class ReverseDictionary : public testing::Test {
 protected:
  ReverseDictionary() { write_pairs(folder_ / "pairs.tsv"); }

  Outcome run(const std::vector<std::string>& more = {}) const {
    return run_program(
        folder_, "reverse_dictionary",
        with({"--data", (folder_ / "pairs.tsv").string(), "--out", (folder_ / "out").string(),
              "--pieces", "4096", "--widths", "8,32", "--batch", "64", "--held-out", "0.2",
              "--epochs", "20", "--mined", "1"},
             more));
  }

  Folder folder_;
};

/// What the program prints about a query.
std::string answers_to(const std::string& out, const std::string& query) {
  const std::size_t at = out.find("\n" + query + "\n");
  EXPECT_NE(at, std::string::npos) << query << " in\n" << out;
  if (at == std::string::npos) return "";
  const std::size_t begin = at + query.size() + 2;
  std::string answers = out.substr(begin, out.find("\n\n", begin) - begin);
  if (answers.ends_with('\n')) answers.pop_back();
  return answers;
}

TEST_F(ReverseDictionary, FindsAnswersOfHeldOutTexts) {
  const Outcome outcome = run();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  // Recall@1, recall@10 and mean reciprocal rank among 40 answers; by chance 0.025, 0.25, 0.11.
  const std::vector<double> untrained = table_row(outcome.out, "untrained, 32 numbers", 3);
  const std::vector<double> narrow = table_row(outcome.out, "trained, 8 numbers", 3);
  const std::vector<double> wide = table_row(outcome.out, "trained, 32 numbers", 3);
  EXPECT_LT(untrained[0], 0.2);
  EXPECT_GT(wide[0], untrained[0] + 0.5);
  EXPECT_GT(wide[1], untrained[1] + 0.4);
  EXPECT_GT(wide[2], untrained[2] + 0.5);
  EXPECT_GT(narrow[0], untrained[0] + 0.3);
  // The same words are a hard task for nobody who counts them.
  EXPECT_GT(table_row(outcome.out, "BM25, words", 3)[0], 0.8);
  const std::vector<double> losses = loss_curve(folder_ / "out");
  EXPECT_EQ(losses.size(), 20u * (256 / 64));
  EXPECT_LT(losses.back(), 0.5 * losses.front());
  const std::vector<std::string> files = {"loss.csv",    "loss.gp",    "loss.png",  "model",
                                          "ranking.csv", "widths.csv", "widths.gp", "widths.png"};
  for (const std::string& file : files) {
    EXPECT_TRUE(fs::exists(folder_ / "out" / file)) << file;
  }
}

TEST_F(ReverseDictionary, AnswersTheSameFromAFile) {
  std::istringstream pairs(contents(folder_ / "pairs.tsv"));
  std::string line;
  std::getline(pairs, line);
  const std::string query = line.substr(0, line.find('\t'));
  const Outcome trained = run({query, "--answers", "3"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string answers = answers_to(trained.out, query);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), '.'), 3) << answers;
  EXPECT_NE(answers.find(line.substr(line.find('\t') + 1)), std::string::npos) << answers;

  const Outcome loaded =
      run_program(folder_, "reverse_dictionary",
                  {query, "12 34", "--answers", "3", "--load", (folder_ / "out/model").string()});
  ASSERT_EQ(loaded.code, 0) << loaded.err;
  EXPECT_EQ(answers_to(loaded.out, query), answers);
  EXPECT_NE(answers_to(loaded.out, "12 34").find("no word"), std::string::npos);
}

TEST_F(ReverseDictionary, GivesTheSameModelWithAnyNumberOfThreads) {
  std::vector<std::string> models;
  for (const std::string threads : {"1", "2", "3"}) {
    ASSERT_EQ(run({"--threads", threads, "--epochs", "3"}).code, 0);
    models.push_back(contents(folder_ / "out/model"));
  }
  EXPECT_GT(models[0].size(), 4096u * 128 * 4);
  EXPECT_TRUE(models[0] == models[1]);
  EXPECT_TRUE(models[0] == models[2]);
}

TEST_F(ReverseDictionary, RefusesBadInputInOneLine) {
  std::ofstream(folder_ / "no_tab") << "a line without a tab\n";
  std::ofstream(folder_ / "one") << "one text\tanswer\n";
  const std::string no_model = (folder_ / "pairs.tsv").string();
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--data", (folder_ / "none").string()}, "cannot be read"},
      {{"--load", (folder_ / "none").string()}, "cannot be read"},
      {{"--load", no_model}, "is no model"},
      {{"--epochs", "0"}, "--epochs"},
      {{"--temperature", "nan"}, "--temperature"},
      {{"--widths", "8,8"}, "--widths"},
  };
  for (const auto& [more, reason] : cases) {
    expect_refusal(folder_, run(more), "reverse_dictionary", reason);
  }
  for (const std::string file : {"no_tab", "one"}) {
    const Outcome outcome = run({"--data", (folder_ / file).string()});
    expect_refusal(folder_, outcome, "reverse_dictionary",
                   file == "one" ? "too few texts" : "line 1 has no tab");
  }
}

}  // namespace
}  // namespace example_test
