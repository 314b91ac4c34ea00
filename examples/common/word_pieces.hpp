#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// \file
/// Words as pieces, so that a word that training has not seen has known pieces.

namespace example {

/// Words with numbers, their pieces and their frequencies. A piece is the word itself, or three to
/// five characters of the word with marks at its ends (Bojanowski et al., Enriching word vectors
/// with subword information, 2017). Its number is a hash below `rows`, as in that paper.
class WordPieces {
 public:
  using Word = std::int32_t;

  explicit WordPieces(std::uint32_t rows) : rows_(rows) {}

  std::uint32_t rows() const { return rows_; }
  std::size_t size() const { return counts_.size(); }

  /// The numbers of a text's words, in order; unknown words become known.
  std::vector<Word> numbers(std::string_view text);

  /// Adds to how often a word is in the texts that are trained on.
  void count(Word word, double more = 1);

  const std::string& name(Word word) const { return names_[static_cast<std::size_t>(word)]; }
  double count_of(Word word) const { return counts_[static_cast<std::size_t>(word)]; }

  std::span<const std::uint32_t> pieces(Word word) const {
    const auto w = static_cast<std::size_t>(word);
    return std::span(pieces_).subspan(begins_[w], begins_[w + 1] - begins_[w]);
  }

  /// a / (a + the word's share of all words counted), a = 1e-3: frequent words count little
  /// (Arora et al., A simple but tough-to-beat baseline for sentence embeddings, 2017).
  float weight(Word word) const;

 private:
  std::uint32_t rows_;
  std::unordered_map<std::string, Word> numbers_;
  std::vector<std::string> names_;
  std::vector<double> counts_;
  std::vector<std::size_t> begins_ = {0};
  std::vector<std::uint32_t> pieces_;
  double total_ = 0;
};

}  // namespace example
