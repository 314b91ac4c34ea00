#include "common/bm25.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/random.hpp"

namespace example_test {
namespace {

using example::Bm25;
using Word = Bm25::Word;

/// The formula, term by term.
double score(const std::vector<std::vector<Word>>& documents, std::size_t d,
             std::vector<Word> query, double k1, double b) {
  double average = 0;
  for (const auto& document : documents) average += static_cast<double>(document.size());
  average /= static_cast<double>(documents.size());
  std::sort(query.begin(), query.end());
  query.erase(std::unique(query.begin(), query.end()), query.end());
  double sum = 0;
  for (const Word word : query) {
    double having = 0;
    for (const auto& document : documents) {
      having += std::count(document.begin(), document.end(), word) > 0 ? 1 : 0;
    }
    const auto n = static_cast<double>(documents.size());
    const auto f = static_cast<double>(std::count(documents[d].begin(), documents[d].end(), word));
    if (f == 0) continue;
    const auto length = static_cast<double>(documents[d].size());
    sum += std::log(1 + (n - having + 0.5) / (having + 0.5)) * f /
           (f + k1 * (1 - b + b * length / average));
  }
  return sum;
}

TEST(Bm25, IsItsFormula) {
  example::Random random(3);
  std::vector<std::vector<Word>> documents(30);
  for (auto& document : documents) {
    document.resize(random.below(12));
    for (Word& word : document) word = static_cast<Word>(random.below(20));
  }
  for (const auto& [k1, b] : {std::pair{1.2, 0.75}, {2.0, 0.0}, {0.5, 1.0}}) {
    const Bm25 bm25(documents, {.k1 = k1, .b = b});
    // Word 25 is in no document; 7 counts once.
    const std::vector<Word> query = {7, 3, 7, 25, 11, 0, 19};
    std::vector<float> scores;
    bm25.scores(query, scores);
    ASSERT_EQ(scores.size(), documents.size());
    for (std::size_t d = 0; d < documents.size(); ++d) {
      EXPECT_NEAR(scores[d], score(documents, d, query, k1, b), 1e-5) << d;
    }
  }
}

TEST(Bm25, WithoutWordsInCommonAllScoresAreZero) {
  const Bm25 bm25({{1, 2}, {}, {3}});
  std::vector<float> scores;
  bm25.scores(std::vector<Word>{5, 0}, scores);
  EXPECT_EQ(scores, (std::vector<float>{0, 0, 0}));
  bm25.scores({}, scores);
  EXPECT_EQ(scores, (std::vector<float>{0, 0, 0}));
}

}  // namespace
}  // namespace example_test
