#pragma once

#include <cstdint>
#include <vector>

#include "common/random.hpp"
#include "common/text.hpp"

/// \file
/// The skip-gram view of a text (Mikolov et al., Distributed representations of words and phrases
/// and their compositionality, 2013): pairs of a word and one that stands near it.

namespace example {

struct WordPair {
  std::int32_t centre;
  std::int32_t context;
};

struct SkipGramOptions {
  std::size_t window = 5;  ///< words to either side, in what is left of a passage
  /// A word that makes up the share f of a text stays with probability sqrt(sample / f), at most 1
  /// (section 2.3): `the` says little about its neighbours.
  double sample = 1e-3;
};

/// How often each word is there once frequent ones are thinned out: on average.
std::vector<double> thinned_counts(const Vocabulary& vocabulary, double sample);

/// All pairs of words of a passage at most `window` apart, both ways, after frequent words have
/// been thinned out.
std::vector<WordPair> skip_grams(const std::vector<Passage>& passages, const Vocabulary& vocabulary,
                                 const SkipGramOptions& options, Random& random);

/// How often pairs occur.
class PairCounts {
 public:
  PairCounts(const std::vector<WordPair>& pairs, Vocabulary::Word words);

  double total() const { return static_cast<double>(sorted_.size()); }
  double of(const WordPair& pair) const;
  /// Pairs with that centre; as pairs go both ways, also those with that context.
  double of(std::int32_t word) const { return words_[static_cast<std::size_t>(word)]; }

 private:
  std::vector<std::uint64_t> sorted_;
  std::vector<double> words_;
};

}  // namespace example
