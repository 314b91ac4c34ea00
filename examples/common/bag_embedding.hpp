#pragma once

#include <cstdint>
#include <nearfar/core/matrix.hpp>
#include <span>
#include <vector>

#include "common/random.hpp"
#include "common/word_pieces.hpp"

/// \file
/// Texts as means of their words' vectors, which are means of the vectors of the words' pieces.

namespace example {

/// The table of the pieces' vectors. A step changes only the rows that the batch uses, by Adagrad
/// with one sum of squares a row.
class BagEmbedding {
 public:
  using Matrix = nearfar::Matrix<float>;
  using Bag = std::vector<WordPieces::Word>;

  BagEmbedding(const WordPieces& words, Eigen::Index dim, Random& random);

  Matrix& table() { return table_; }
  const Matrix& table() const { return table_; }

  /// The weighted mean of each bag's words; a bag has at least one. They stay until the next call.
  const Matrix& forward(std::span<const Bag* const> bags);

  /// A step of the table down the gradient, given that with respect to the last means.
  void step(const Matrix& d_means, double learning_rate);

 private:
  const WordPieces& words_;
  Matrix table_;
  std::vector<float> squares_;

  // The last batch: its words, each once, their vectors, and which bags have them how much.
  struct Use {
    std::int32_t bag;
    float share;
  };
  std::vector<WordPieces::Word> used_;
  std::vector<std::int32_t> slot_of_;  // of each word; -1 when it is not in the batch
  Matrix vectors_;
  Matrix means_;
  std::vector<std::int32_t> slots_;  // of the bags' words, bag after bag
  std::vector<float> shares_;
  std::vector<std::size_t> bag_begins_;
  // Backward.
  std::vector<std::size_t> use_begins_;
  std::vector<Use> uses_;
  Matrix d_vectors_;
  std::vector<std::int32_t> row_slot_;  // of each row of the table; -1 when the batch has it not
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> row_begins_;
  std::vector<std::int32_t> row_uses_;
};

}  // namespace example
