#pragma once

#include <cstdint>
#include <vector>

#include "common/random.hpp"
#include "common/text.hpp"

/// \file
/// Skip-grams of a text (Mikolov et al., Distributed representations of words and phrases and their
/// compositionality, 2013): pairs of a word and a word near it.

namespace example {

struct WordPair {
  std::int32_t centre;
  std::int32_t context;
};

struct SkipGramOptions {
  std::size_t window = 5;  ///< words to either side, in the remainder of a passage
  /// A word with share f of a text is kept with probability sqrt(sample / f), at most 1 (section
  /// 2.3): `the` has little information about its neighbours.
  double sample = 1e-3;
};

/// The mean count of each word after frequent ones are thinned out.
std::vector<double> thinned_counts(const Vocabulary& vocabulary, double sample);

/// All pairs of words of a passage at most `window` apart, in both directions, after frequent words
/// are thinned out.
std::vector<WordPair> skip_grams(const std::vector<Passage>& passages, const Vocabulary& vocabulary,
                                 const SkipGramOptions& options, Random& random);

/// Counts of pairs.
class PairCounts {
 public:
  PairCounts(const std::vector<WordPair>& pairs, Vocabulary::Word words);

  double total() const { return static_cast<double>(sorted_.size()); }
  double of(const WordPair& pair) const;
  /// The number of pairs with that centre; because pairs have both directions, also with that
  /// context.
  double of(std::int32_t word) const { return words_[static_cast<std::size_t>(word)]; }

 private:
  std::vector<std::uint64_t> sorted_;
  std::vector<double> words_;
};

}  // namespace example
