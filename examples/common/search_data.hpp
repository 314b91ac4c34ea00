#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "common/bag_embedding.hpp"
#include "common/definitions.hpp"
#include "common/random.hpp"
#include "common/word_pieces.hpp"

/// \file
/// Texts and answers as numbers of words, some texts held out, and batches of the others.

namespace example {

/// A text and one of its answers, by number.
struct SearchPair {
  std::size_t text = 0;
  std::size_t answer = 0;
};

struct SearchData {
  using Bag = BagEmbedding::Bag;

  std::vector<Bag> texts;
  std::vector<Bag> answers;
  std::vector<std::vector<Eigen::Index>> answers_of;  ///< of each text
  std::vector<std::size_t> train;                     ///< texts
  std::vector<std::size_t> held_out;                  ///< texts

  /// Holds out a share of the texts, drawn at random, at least one. Words get their numbers and
  /// those of texts to train on are counted. Throws std::runtime_error when fewer than two texts
  /// remain.
  SearchData(const Definitions& definitions, double held_out_share, WordPieces& words,
             Random& random);

  /// All pairs of the texts to train on.
  std::vector<SearchPair> pairs() const;
};

/// Keeps the answers of a batch apart from each other's texts.
class BatchMembers {
 public:
  explicit BatchMembers(const SearchData& data)
      : data_(data), is_key_(data.answers.size(), 0), is_positive_(data.answers.size(), 0) {}

  /// Begins a new batch.
  void clear() { ++batch_; }

  /// Adds a pair unless its answer answers a text of the batch, or an answer of the batch answers
  /// its text. Returns whether it did.
  bool add(const SearchPair& pair);

  /// Adds an answer that is to be a negative of all texts, under the same condition.
  bool add_negative(std::size_t answer);

 private:
  const SearchData& data_;
  std::size_t batch_ = 1;
  std::vector<std::size_t> is_key_;       // the last batch that an answer is a key of
  std::vector<std::size_t> is_positive_;  // the last batch that has a text with that answer
};

}  // namespace example
