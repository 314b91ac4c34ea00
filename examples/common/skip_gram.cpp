#include "common/skip_gram.hpp"

#include <algorithm>
#include <cmath>

namespace example {
namespace {

std::uint64_t key(const WordPair& pair) {
  return static_cast<std::uint64_t>(pair.centre) << 32 | static_cast<std::uint64_t>(pair.context);
}

/// The probability with which each word is kept.
std::vector<double> chances(const Vocabulary& vocabulary, double sample) {
  double total = 0;
  for (Vocabulary::Word w = 0; w < vocabulary.size(); ++w) total += vocabulary.count(w);
  std::vector<double> out;
  for (Vocabulary::Word w = 0; w < vocabulary.size(); ++w) {
    out.push_back(std::min(1.0, std::sqrt(sample * total / vocabulary.count(w))));
  }
  return out;
}

}  // namespace

std::vector<double> thinned_counts(const Vocabulary& vocabulary, double sample) {
  std::vector<double> counts = chances(vocabulary, sample);
  for (Vocabulary::Word w = 0; w < vocabulary.size(); ++w) {
    counts[static_cast<std::size_t>(w)] *= vocabulary.count(w);
  }
  return counts;
}

std::vector<WordPair> skip_grams(const std::vector<Passage>& passages, const Vocabulary& vocabulary,
                                 const SkipGramOptions& options, Random& random) {
  const std::vector<double> chance = chances(vocabulary, options.sample);
  std::vector<WordPair> pairs;
  std::vector<std::int32_t> left;
  for (const Passage& passage : passages) {
    left.clear();
    for (const Vocabulary::Word word : vocabulary.numbers(passage)) {
      const bool stays = random.uniform() <= chance[static_cast<std::size_t>(word)];
      if (stays) left.push_back(static_cast<std::int32_t>(word));
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::size_t end = std::min(left.size(), i + options.window + 1);
      for (std::size_t j = i + 1; j < end; ++j) {
        pairs.push_back({left[i], left[j]});
        pairs.push_back({left[j], left[i]});
      }
    }
  }
  return pairs;
}

PairCounts::PairCounts(const std::vector<WordPair>& pairs, Vocabulary::Word words)
    : words_(static_cast<std::size_t>(words), 0) {
  sorted_.reserve(pairs.size());
  for (const WordPair& pair : pairs) {
    sorted_.push_back(key(pair));
    ++words_[static_cast<std::size_t>(pair.centre)];
  }
  std::sort(sorted_.begin(), sorted_.end());
}

double PairCounts::of(const WordPair& pair) const {
  const auto [first, last] = std::equal_range(sorted_.begin(), sorted_.end(), key(pair));
  return static_cast<double>(last - first);
}

}  // namespace example
