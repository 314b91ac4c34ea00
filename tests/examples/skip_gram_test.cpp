#include "common/skip_gram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <utility>

namespace example_test {
namespace {

using namespace example;
using Counts = std::map<std::pair<int, int>, int>;

/// A text in which word k occurs about 1 / (k + 1) as often as word 0.
std::vector<Passage> random_passages(std::size_t count) {
  Random random(31);
  std::vector<Passage> passages(count);
  for (Passage& passage : passages) {
    for (int i = 0; i < 9; ++i) {
      const double at = std::pow(20.0, random.uniform());
      passage.push_back(std::string(1, static_cast<char>('a' + static_cast<int>(at) - 1)));
    }
  }
  return passages;
}

Counts counted(const std::vector<WordPair>& pairs) {
  Counts counts;
  for (const WordPair& pair : pairs) ++counts[{pair.centre, pair.context}];
  return counts;
}

TEST(SkipGrams, AreAllWordsWithinTheWindow) {
  const std::vector<Passage> passages = random_passages(40);
  const Vocabulary vocabulary(passages, 3);
  for (const std::size_t window : {1, 3, 50}) {
    Counts want;
    for (const Passage& passage : passages) {
      const auto words = vocabulary.numbers(passage);
      for (std::size_t i = 0; i < words.size(); ++i) {
        for (std::size_t j = 0; j < words.size(); ++j) {
          const std::size_t apart = i > j ? i - j : j - i;
          if (i != j && apart <= window) {
            ++want[{static_cast<int>(words[i]), static_cast<int>(words[j])}];
          }
        }
      }
    }
    Random random(1);
    const auto pairs = skip_grams(passages, vocabulary, {window, 1.0}, random);
    EXPECT_EQ(counted(pairs), want) << window;

    const PairCounts counts(pairs, vocabulary.size());
    EXPECT_EQ(counts.total(), static_cast<double>(pairs.size()));
    std::map<int, double> of_centre;
    for (const auto& [pair, count] : want) {
      EXPECT_EQ(counts.of({pair.first, pair.second}), count);
      of_centre[pair.first] += count;
    }
    for (const auto& [word, count] : of_centre) EXPECT_EQ(counts.of(word), count);
    EXPECT_EQ(counts.of({0, static_cast<std::int32_t>(vocabulary.size())}), 0);
  }
}

TEST(SkipGrams, ThinOutFrequentWordsAsOftenAsPromised) {
  const std::vector<Passage> passages = random_passages(3000);
  const Vocabulary vocabulary(passages, 1);
  const double total = 9.0 * 3000;
  const double sample = 0.02;
  const std::vector<double> expected = thinned_counts(vocabulary, sample);
  std::vector<double> stayed(expected.size(), 0);
  Random random(2);
  for (const WordPair& pair : skip_grams(passages, vocabulary, {100, sample}, random)) {
    stayed[static_cast<std::size_t>(pair.centre)] += 1;
  }
  double pairs = 0;
  double words = 0;
  for (std::size_t w = 0; w < expected.size(); ++w) {
    const double count = vocabulary.count(static_cast<Vocabulary::Word>(w));
    EXPECT_NEAR(expected[w], count * std::min(1.0, std::sqrt(sample / (count / total))), 1e-6);
    pairs += stayed[w];
    words += expected[w];
  }
  // All words have similar neighbours, so a word's share of the pairs is its share of the remaining
  // words.
  for (std::size_t w = 0; w < expected.size(); ++w) {
    EXPECT_NEAR(stayed[w] / pairs, expected[w] / words, 0.01) << w;
  }
}

}  // namespace
}  // namespace example_test
