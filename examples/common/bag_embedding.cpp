#include "common/bag_embedding.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/parallel.hpp"

namespace example {
namespace {

using Eigen::Index;

constexpr Index rows_a_task = 64;

/// Calls body(i) for i = 0 .. count-1, neighbours by one thread.
template <class Body>
void for_each_row(std::size_t count, const Body& body) {
  const auto n = static_cast<Index>(count);
  parallel_for((n + rows_a_task - 1) / rows_a_task, [&](Index task) {
    const Index end = std::min(n, (task + 1) * rows_a_task);
    for (Index i = task * rows_a_task; i < end; ++i) body(static_cast<std::size_t>(i));
  });
}

/// From how many there are of each to where each begins.
void add_up(std::vector<std::size_t>& counts) {
  std::size_t sum = 0;
  for (std::size_t& count : counts) sum += std::exchange(count, sum);
}

}  // namespace

BagEmbedding::BagEmbedding(const WordPieces& words, Index dim, Random& random)
    : words_(words),
      table_(static_cast<Index>(words.rows()), dim),
      squares_(words.rows(), 0.0f),
      row_slot_(words.rows(), -1) {
  for (Index i = 0; i < table_.size(); ++i) {
    table_.data()[i] = static_cast<float>((2 * random.uniform() - 1) / std::sqrt(dim));
  }
}

const BagEmbedding::Matrix& BagEmbedding::forward(std::span<const Bag* const> bags) {
  slot_of_.resize(words_.size(), -1);
  used_.clear();
  slots_.clear();
  shares_.clear();
  bag_begins_.assign(1, 0);
  for (const Bag* bag : bags) {
    float total = 0;
    for (const WordPieces::Word word : *bag) {
      std::int32_t& slot = slot_of_[static_cast<std::size_t>(word)];
      if (slot < 0) {
        slot = static_cast<std::int32_t>(used_.size());
        used_.push_back(word);
      }
      slots_.push_back(slot);
      shares_.push_back(words_.weight(word));
      total += shares_.back();
    }
    for (std::size_t k = bag_begins_.back(); k < shares_.size(); ++k) shares_[k] /= total;
    bag_begins_.push_back(slots_.size());
  }
  for (const WordPieces::Word word : used_) slot_of_[static_cast<std::size_t>(word)] = -1;

  vectors_.resize(static_cast<Index>(used_.size()), table_.cols());
  for_each_row(used_.size(), [&](std::size_t u) {
    const auto pieces = words_.pieces(used_[u]);
    auto vector = vectors_.row(static_cast<Index>(u));
    vector.setZero();
    for (const std::uint32_t piece : pieces) vector += table_.row(static_cast<Index>(piece));
    vector /= static_cast<float>(pieces.size());
  });
  means_.resize(static_cast<Index>(bags.size()), table_.cols());
  for_each_row(bags.size(), [&](std::size_t i) {
    auto mean = means_.row(static_cast<Index>(i));
    mean.setZero();
    for (std::size_t k = bag_begins_[i]; k < bag_begins_[i + 1]; ++k) {
      mean += shares_[k] * vectors_.row(slots_[k]);
    }
  });
  return means_;
}

void BagEmbedding::step(const Matrix& d_means, double learning_rate) {
  // Which bags use a word.
  use_begins_.assign(used_.size() + 1, 0);
  for (const std::int32_t slot : slots_) ++use_begins_[static_cast<std::size_t>(slot)];
  add_up(use_begins_);
  uses_.resize(slots_.size());
  std::vector<std::size_t> next(use_begins_);
  for (std::size_t i = 0; i + 1 < bag_begins_.size(); ++i) {
    for (std::size_t k = bag_begins_[i]; k < bag_begins_[i + 1]; ++k) {
      uses_[next[static_cast<std::size_t>(slots_[k])]++] = {static_cast<std::int32_t>(i),
                                                            shares_[k]};
    }
  }
  d_vectors_.resize(vectors_.rows(), vectors_.cols());
  for_each_row(used_.size(), [&](std::size_t u) {
    auto d_vector = d_vectors_.row(static_cast<Index>(u));
    d_vector.setZero();
    for (std::size_t k = use_begins_[u]; k < use_begins_[u + 1]; ++k) {
      d_vector += uses_[k].share * d_means.row(uses_[k].bag);
    }
    d_vector /= static_cast<float>(words_.pieces(used_[u]).size());
  });

  // Which words use a piece.
  rows_.clear();
  row_begins_.clear();
  for (const WordPieces::Word word : used_) {
    for (const std::uint32_t piece : words_.pieces(word)) {
      std::int32_t& slot = row_slot_[piece];
      if (slot < 0) {
        slot = static_cast<std::int32_t>(rows_.size());
        rows_.push_back(piece);
        row_begins_.push_back(0);
      }
      ++row_begins_[static_cast<std::size_t>(slot)];
    }
  }
  row_begins_.push_back(0);
  add_up(row_begins_);
  row_uses_.resize(row_begins_.back());
  next = row_begins_;
  for (std::size_t u = 0; u < used_.size(); ++u) {
    for (const std::uint32_t piece : words_.pieces(used_[u])) {
      row_uses_[next[static_cast<std::size_t>(row_slot_[piece])]++] = static_cast<std::int32_t>(u);
    }
  }
  for (const std::uint32_t piece : rows_) row_slot_[piece] = -1;
  for_each_row(rows_.size(), [&](std::size_t r) {
    thread_local Eigen::RowVectorXf gradient;
    gradient.setZero(table_.cols());
    for (std::size_t k = row_begins_[r]; k < row_begins_[r + 1]; ++k) {
      gradient += d_vectors_.row(row_uses_[k]);
    }
    float& squares = squares_[rows_[r]];
    squares += gradient.squaredNorm() / static_cast<float>(gradient.size());
    if (squares > 0) {
      table_.row(static_cast<Index>(rows_[r])) -=
          static_cast<float>(learning_rate) / std::sqrt(squares) * gradient;
    }
  });
}

}  // namespace example
