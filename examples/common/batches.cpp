#include "common/batches.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace example {

PairedBatches::PairedBatches(std::span<const std::uint8_t> labels, std::size_t batch)
    : members_(256) {
  for (std::size_t i = 0; i < labels.size(); ++i) members_[labels[i]].push_back(i);
  for (const auto& members : members_) pairs_ += members.size() / 2;
  if (pairs_ == 0) throw std::runtime_error("no class has two training images to make a pair of");
  // A data set smaller than a batch is one batch.
  pairs_per_batch_ = std::clamp(batch / 2, std::size_t{1}, pairs_);
}

std::vector<std::vector<std::size_t>> PairedBatches::epoch(Random& random) const {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  pairs.reserve(pairs_);
  for (std::vector<std::size_t> members : members_) {
    random.shuffle(members);
    for (std::size_t i = 0; i + 1 < members.size(); i += 2) {
      pairs.emplace_back(members[i], members[i + 1]);
    }
  }
  random.shuffle(pairs);

  std::vector<std::vector<std::size_t>> batches(batches_per_epoch());
  for (std::size_t b = 0; b < batches.size(); ++b) {
    batches[b].resize(batch_size());
    for (std::size_t i = 0; i < pairs_per_batch_; ++i) {
      const auto& [first, second] = pairs[b * pairs_per_batch_ + i];
      batches[b][i] = first;
      batches[b][pairs_per_batch_ + i] = second;
    }
  }
  return batches;
}

ShuffledBatches::ShuffledBatches(std::size_t samples, std::size_t batch)
    : order_(samples), batch_(std::min(samples, batch)) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
}

std::span<const std::size_t> ShuffledBatches::next(Random& random) {
  if (taken_ == per_epoch()) taken_ = 0;
  if (taken_ == 0) random.shuffle(order_);
  return std::span(order_).subspan(batch_ * taken_++, batch_);
}

}  // namespace example
