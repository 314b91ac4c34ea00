#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// \file
/// Texts as passages of words, and words as numbers.

namespace example {

using Passage = std::vector<std::string>;

/// The words of a line in lower case: letters, and apostrophes between them. Bytes of other
/// alphabets (UTF-8) are letters; they stay as they are.
Passage words_of(std::string_view line);

/// The passages of a text: the lines of a plain file; or, in a folder with WordNet's database
/// (data.noun, data.verb, data.adj, data.adv; see wndb(5WN)), the glosses, which are definitions
/// and example sentences. Passages of fewer than two words are left out. Throws std::runtime_error,
/// one line with the name of the file, if one cannot be read or contains no passage.
std::vector<Passage> read_passages(const std::filesystem::path& path);

/// The words that occur often enough in passages, the most frequent first (equally frequent ones in
/// alphabetical order), and their counts.
class Vocabulary {
 public:
  using Word = Eigen::Index;

  Vocabulary(const std::vector<Passage>& passages, std::size_t least_count);

  Word size() const { return static_cast<Word>(words_.size()); }
  const std::string& operator[](Word word) const { return words_[static_cast<std::size_t>(word)]; }
  double count(Word word) const { return counts_[static_cast<std::size_t>(word)]; }

  /// A word's number, -1 for an unknown word.
  Word find(const std::string& word) const;

  /// A passage as numbers, without unknown words.
  std::vector<Word> numbers(const Passage& passage) const;

 private:
  std::vector<std::string> words_;
  std::vector<double> counts_;
  std::vector<std::size_t> alphabetical_;
};

}  // namespace example
