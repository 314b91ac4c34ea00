#pragma once

#include <vector>

#include "nearfar/core/matrix.hpp"

namespace nearfar {

/// Rows that lie in several matrices, one after the other as one set, each with a place of its own
/// for its gradient. For batches whose embeddings are made chunk by chunk because the encoder's
/// activations of all of them would not fit (Gao et al., Scaling deep contrastive learning batch
/// size under memory limited setup, 2021): embed all chunks without keeping activations, call the
/// loss over all of them once, and then embed chunk after chunk again and carry the chunk's
/// gradient back. Views: what chunks are made of must outlive the call.
template <class S>
class Chunks {
 public:
  struct Chunk {
    Rows<S> rows;
    GradientRows<S> gradient;
  };

  Chunks() = default;
  /// One chunk.
  Chunks(Rows<S> rows, GradientRows<S> gradient) { add(rows, gradient); }

  /// Rows n x D, n >= 0, after all others.
  void add(Rows<S> rows, GradientRows<S> gradient = no_gradient) {
    all_.push_back({rows, gradient});
  }

  const std::vector<Chunk>& all() const { return all_; }

  /// Of all chunks.
  Index rows() const {
    Index sum = 0;
    for (const Chunk& chunk : all_) sum += chunk.rows.rows();
    return sum;
  }

 private:
  std::vector<Chunk> all_;
};

}  // namespace nearfar
