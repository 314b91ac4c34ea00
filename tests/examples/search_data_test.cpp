#include "common/search_data.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace example_test {
namespace {

using namespace example;
using Eigen::Index;

/// Texts with one to three of few answers, so that many share one.
Definitions random_definitions(std::size_t texts, std::size_t answers, Random& random) {
  Definitions out;
  for (std::size_t a = 0; a < answers; ++a) {
    out.answers.push_back("answer" + std::string(a + 1, 'x'));
  }
  for (std::size_t t = 0; t < texts; ++t) {
    out.texts.push_back("text " + std::string(t % 7 + 1, 'y'));
    std::set<Index> own;
    for (std::uint64_t k = random.below(3) + 1; k > 0; --k) {
      own.insert(static_cast<Index>(random.below(answers)));
    }
    out.answers_of.emplace_back(own.begin(), own.end());
  }
  return out;
}

TEST(SearchData, HoldsOutAShareAndCountsTheWordsOfTheRest) {
  Random random(4);
  const Definitions definitions = random_definitions(100, 30, random);
  WordPieces words(1000);
  const SearchData data(definitions, 0.2, words, random);
  ASSERT_EQ(data.held_out.size(), 20u);
  ASSERT_EQ(data.train.size(), 80u);
  std::set<std::size_t> all(data.train.begin(), data.train.end());
  all.insert(data.held_out.begin(), data.held_out.end());
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(words.count_of(words.numbers("text")[0]), 80);
  EXPECT_EQ(words.count_of(data.answers[0][0]), 0);

  std::size_t pairs = 0;
  for (const std::size_t text : data.train) pairs += data.answers_of[text].size();
  EXPECT_EQ(data.pairs().size(), pairs);
  for (const SearchPair& pair : data.pairs()) {
    EXPECT_FALSE(std::binary_search(data.held_out.begin(), data.held_out.end(), pair.text));
    const auto& answers = data.answers_of[pair.text];
    EXPECT_EQ(std::count(answers.begin(), answers.end(), static_cast<Index>(pair.answer)), 1);
  }
  EXPECT_THROW(SearchData(random_definitions(2, 3, random), 0.2, words, random),
               std::runtime_error);
}

TEST(SearchData, NoAnswerOfABatchAnswersAnotherText) {
  Random random(6);
  const Definitions definitions = random_definitions(300, 60, random);
  WordPieces words(1000);
  const SearchData data(definitions, 0.1, words, random);
  std::vector<SearchPair> pairs = data.pairs();
  BatchMembers members(data);
  std::size_t refused = 0;
  for (int round = 0; round < 20; ++round) {
    random.shuffle(pairs);
    members.clear();
    std::vector<SearchPair> batch;
    for (std::size_t i = 0; i < 20; ++i) {
      if (members.add(pairs[i])) {
        batch.push_back(pairs[i]);
      } else {
        ++refused;
      }
    }
    ASSERT_GT(batch.size(), 1u);
    std::vector<std::size_t> keys;
    for (const SearchPair& pair : batch) keys.push_back(pair.answer);
    for (std::size_t i = 0; i < 30; ++i) {
      const std::size_t answer = random.below(60);
      if (members.add_negative(answer)) keys.push_back(answer);
    }
    EXPECT_GT(keys.size(), batch.size());
    EXPECT_EQ(std::set<std::size_t>(keys.begin(), keys.end()).size(), keys.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      for (std::size_t k = 0; k < keys.size(); ++k) {
        const auto& own = data.answers_of[batch[i].text];
        const bool answers = std::count(own.begin(), own.end(), static_cast<Index>(keys[k])) > 0;
        EXPECT_EQ(answers, i == k);
      }
    }
  }
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace example_test
