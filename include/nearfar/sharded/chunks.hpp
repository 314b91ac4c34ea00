#pragma once

#include <vector>

#include "nearfar/core/matrix.hpp"

namespace nearfar {

/// One set of rows in several matrices, one after the other, each with its own destination for its
/// gradient. For batches whose embeddings are computed chunk by chunk because the encoder's
/// activations of all of them do not fit (Gao et al., Scaling deep contrastive learning batch size
/// under memory limited setup, 2021): embed all chunks without keeping activations, call the loss
/// once over all of them, then embed each chunk again and propagate its gradient back. Views: rows
/// and gradients must outlive the call.
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

  /// Appends rows n x D, n >= 0.
  void add(Rows<S> rows, GradientRows<S> gradient = no_gradient) {
    all_.push_back({rows, gradient});
  }

  const std::vector<Chunk>& all() const { return all_; }

  /// The number of rows of all chunks.
  Index rows() const {
    Index sum = 0;
    for (const Chunk& chunk : all_) sum += chunk.rows.rows();
    return sum;
  }

 private:
  std::vector<Chunk> all_;
};

}  // namespace nearfar
