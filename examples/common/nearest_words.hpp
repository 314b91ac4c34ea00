#pragma once

#include <filesystem>
#include <nearfar/core/matrix.hpp>
#include <string>
#include <vector>

#include "common/text.hpp"

/// \file
/// The words with the nearest vectors, as a list and as a map.

namespace example {

/// Chosen words and the nearest of each by cosine.
class NearestWords {
 public:
  /// `directions` has a row of length 1 for each word of the vocabulary, which contains all of
  /// `words`. All three must outlive the object.
  NearestWords(const std::vector<std::string>& words, const Vocabulary& vocabulary,
               const nearfar::Matrix<float>& directions);

  /// Prints a line a word and writes neighbours.csv. Throws std::runtime_error if it cannot be
  /// written.
  void print(const std::filesystem::path& folder) const;

  /// Writes words.csv and words.gp: the words and the nearest few of each, one colour a word.
  /// Throws std::runtime_error if they cannot be written.
  void write_map(const std::filesystem::path& folder) const;

 private:
  Vocabulary::Word number(std::size_t chosen, std::size_t n) const {
    return static_cast<Vocabulary::Word>(found_[chosen * each_ + n]);
  }

  const std::vector<std::string>& words_;
  const Vocabulary& vocabulary_;
  const nearfar::Matrix<float>& directions_;
  std::vector<std::size_t> found_;  // for each word itself and the nearest ones, nearest first
  std::size_t each_ = 0;
};

}  // namespace example
