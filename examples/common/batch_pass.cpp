#include "common/batch_pass.hpp"

#include <algorithm>

#include "common/parallel.hpp"

namespace example {

using Eigen::Index;

void BatchPass::split(std::size_t rows) {
  const auto count = static_cast<Index>(rows);
  shards_.resize(static_cast<std::size_t>((count + shard_rows_ - 1) / shard_rows_));
  Index begin = 0;
  for (Shard& shard : shards_) {
    shard.begin = begin;
    shard.size = std::min(shard_rows_, count - begin);
    begin += shard.size;
  }
}

Pixels& BatchPass::forward(std::size_t rows, const FillRow& fill) {
  return forward(rows, fill, network_.layers() - 1);
}

Pixels& BatchPass::forward(std::size_t rows, const FillRow& fill, std::size_t layer) {
  split(rows);
  outputs_.resize(static_cast<Index>(rows), network_.outputs(layer));
  parallel_for(static_cast<Index>(shards_.size()), [&](Index s) {
    Shard& shard = shards_[static_cast<std::size_t>(s)];
    shard.input.resize(shard.size, network_.inputs());
    for (Index i = 0; i < shard.size; ++i) {
      fill(static_cast<std::size_t>(shard.begin + i), shard.input.row(i).data());
    }
    network_.forward(shard.input, shard.tape);
    outputs_.middleRows(shard.begin, shard.size) = shard.tape.outputs[layer];
  });
  return outputs_;
}

const Network<float>::Vector& BatchPass::backward(const Pixels& d_outputs, Pixels* d_inputs) {
  if (d_inputs != nullptr) d_inputs->resize(d_outputs.rows(), network_.inputs());
  parallel_for(static_cast<Index>(shards_.size()), [&](Index s) {
    Shard& shard = shards_[static_cast<std::size_t>(s)];
    network_.backward(shard.input, shard.tape, d_outputs.middleRows(shard.begin, shard.size),
                      shard.gradient, d_inputs != nullptr ? &shard.d_input : nullptr);
    if (d_inputs != nullptr) d_inputs->middleRows(shard.begin, shard.size) = shard.d_input;
  });
  for (std::size_t s = 1; s < shards_.size(); ++s) shards_[0].gradient += shards_[s].gradient;
  return shards_[0].gradient;
}

Pixels represent(const Network<float>& network, std::size_t rows, const FillRow& fill) {
  return represent(network, rows, fill, network.layers() - 1);
}

Pixels represent(const Network<float>& network, std::size_t rows, const FillRow& fill,
                 std::size_t layer) {
  constexpr std::size_t block = 1024;
  Pixels out(static_cast<Index>(rows), network.outputs(layer));
  BatchPass pass(network);
  for (std::size_t begin = 0; begin < rows; begin += block) {
    const std::size_t count = std::min(block, rows - begin);
    const FillRow fill_block = [&](std::size_t row, float* to) { fill(begin + row, to); };
    out.middleRows(static_cast<Index>(begin), static_cast<Index>(count)) =
        pass.forward(count, fill_block, layer);
  }
  return out;
}

}  // namespace example
