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

/// The passages of a text: the lines of a plain file; of a folder with WordNet's database
/// (data.noun, data.verb, data.adj, data.adv; see wndb(5WN)) the glosses, which are definitions and
/// sentences that show a word's use. Passages of fewer than two words are left out. Throws
/// std::runtime_error, one line that names the file, when one cannot be read or nothing is in it.
std::vector<Passage> read_passages(const std::filesystem::path& path);

/// The words that passages use often enough, the most frequent first (of equally frequent ones in
/// alphabetical order), and how often.
class Vocabulary {
 public:
  using Word = Eigen::Index;

  Vocabulary(const std::vector<Passage>& passages, std::size_t least_count);

  Word size() const { return static_cast<Word>(words_.size()); }
  const std::string& operator[](Word word) const { return words_[static_cast<std::size_t>(word)]; }
  double count(Word word) const { return counts_[static_cast<std::size_t>(word)]; }

  /// A word's number, -1 for a word that is not there.
  Word find(const std::string& word) const;

  /// A passage as numbers, unknown words left out.
  std::vector<Word> numbers(const Passage& passage) const;

 private:
  std::vector<std::string> words_;
  std::vector<double> counts_;
  std::vector<std::size_t> alphabetical_;
};

}  // namespace example
