#include "common/word_ranking.hpp"

#include "run_program.hpp"

namespace example_test {
namespace {

using example::WordPair;

/// The last two numbers of a table's row.
std::pair<double, double> row(const std::string& table, const std::string& name) {
  const std::size_t at = table.find("\"" + name + "\",");
  EXPECT_NE(at, std::string::npos) << table;
  std::istringstream cells(table.substr(at + name.size() + 3));
  std::pair<double, double> out{-1, -1};
  char comma = 0;
  cells >> out.first >> comma >> out.second;
  return out;
}

TEST(WordRanking, CountsRanksAmongNoise) {
  const Folder folder;
  // Contexts are words that are never drawn as noise.
  std::vector<double> weights(50, 1);
  weights[0] = weights[1] = 0;
  const nearfar::NoiseSampler noise(weights);
  std::vector<WordPair> pairs;
  for (int i = 0; i < 40; ++i) pairs.push_back({i, i % 2});
  example::WordRanking ranking(pairs, noise, 3, folder / "ranking.csv");
  ranking.report("knows", [](const WordPair& p) { return p.context < 2 ? 1 : 0; });
  ranking.report("knows half", [](const WordPair& p) { return p.context == 1 ? 1 : -p.context; });
  ranking.report("knows nothing", [](const WordPair&) { return 7; });
  ranking.report("wrong", [](const WordPair& p) { return p.context; });
  ranking.report("by centre", [](const WordPair& p) { return p.centre < 10 && p.context < 2; });
  ranking.finish();
  const std::string table = contents(folder / "ranking.csv");
  EXPECT_EQ(row(table, "knows"), std::pair(1.0, 1.0));
  EXPECT_EQ(row(table, "knows half"), std::pair(1.0, 1.0));  // 0 is above all noise, too
  EXPECT_EQ(row(table, "wrong"), std::pair(0.01, 0.0));
  // Equal words take their middle rank, 50.5.
  EXPECT_EQ(row(table, "knows nothing"), std::pair(0.0198, 0.0));
  const double mixed = (10 + 30 / 50.5) / 40;
  EXPECT_NEAR(row(table, "by centre").first, mixed, 5e-5);
  EXPECT_EQ(row(table, "by centre").second, 0.25);
}

}  // namespace
}  // namespace example_test
