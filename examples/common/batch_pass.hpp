#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "common/dataset.hpp"
#include "common/network.hpp"

/// \file
/// Takes many rows through a network at once, threads sharing them.

namespace example {

/// Writes row `row` of a batch's input, Network::inputs() numbers, to `to`. Called by any thread.
using FillRow = std::function<void(std::size_t row, float* to)>;

/// A batch on its way through a network and back. Rows go in shards of a fixed size, so that sums
/// over a batch are split in the same way whatever the number of threads.
class BatchPass {
 public:
  /// `network` must outlive the object. A shard of `shard_rows` rows is the work of one thread:
  /// batches of fewer rows need smaller shards for threads to share them.
  explicit BatchPass(const Network<float>& network, Eigen::Index shard_rows = 64)
      : network_(network), shard_rows_(shard_rows) {}

  /// The outputs of the network, or of one of its layers, one row a row; they stay until the next
  /// call.
  Pixels& forward(std::size_t rows, const FillRow& fill);
  Pixels& forward(std::size_t rows, const FillRow& fill, std::size_t layer);

  /// The gradient with respect to the parameters, summed over the rows of the last forward; in
  /// `d_inputs`, unless it is null, that with respect to the rows.
  const Network<float>::Vector& backward(const Pixels& d_outputs, Pixels* d_inputs = nullptr);

 private:
  struct Shard {
    Eigen::Index begin = 0;
    Eigen::Index size = 0;
    Pixels input;
    Network<float>::Tape tape;
    Network<float>::Vector gradient;
    Pixels d_input;
  };

  void split(std::size_t rows);

  const Network<float>& network_;
  Eigen::Index shard_rows_;
  std::vector<Shard> shards_;
  Pixels outputs_;
};

/// What a layer of the network makes of all rows, a block at a time: no tape of them all is kept.
Pixels represent(const Network<float>& network, std::size_t rows, const FillRow& fill,
                 std::size_t layer);
Pixels represent(const Network<float>& network, std::size_t rows, const FillRow& fill);

}  // namespace example
