#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/random.hpp"

/// \file
/// Which images make up a batch.

namespace example {

/// Batches of pairs of the same class. A batch of 2n images is n first members followed by their n
/// partners, image n + i being a partner of image i. Every row of every batch thus has a positive,
/// which is what all contrastive losses want: those that read labels, and those that take queries
/// and keys.
class PairedBatches {
 public:
  /// `batch` images each (an odd number is rounded down); throws std::runtime_error when no class
  /// has two images.
  PairedBatches(std::span<const std::uint8_t> labels, std::size_t batch);

  /// The batches of one epoch: every image once, in a new order and with a new partner, save the
  /// odd one out of a class and the pairs that no longer fill a batch.
  std::vector<std::vector<std::size_t>> epoch(Random& random) const;

  std::size_t batches_per_epoch() const { return pairs_ / pairs_per_batch_; }
  std::size_t batch_size() const { return 2 * pairs_per_batch_; }

 private:
  std::vector<std::vector<std::size_t>> members_;  // of each class
  std::size_t pairs_ = 0;
  std::size_t pairs_per_batch_ = 0;
};

/// Batches of samples without regard to class: every sample once an epoch, each epoch in a new
/// order; those that no longer fill a batch are left out.
class ShuffledBatches {
 public:
  /// A set smaller than a batch is one batch; there is one sample at least.
  ShuffledBatches(std::size_t samples, std::size_t batch);

  std::size_t batch_size() const { return batch_; }
  std::size_t per_epoch() const { return order_.size() / batch_; }

  /// The next batch, valid until the one after it.
  std::span<const std::size_t> next(Random& random);

 private:
  std::vector<std::size_t> order_;
  std::size_t batch_;
  std::size_t taken_ = 0;  // batches of this epoch
};

}  // namespace example
