#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "support/batch.hpp"

/// \file
/// One thing to measure, as the command line names it.

namespace bench {

/// "clip,n=300,d=384,m=300,threads=2,scalar=float,kernel=cosine,temperature=0.1": a loss by its
/// name in the register; n rows, or n queries and m keys (n unless given); and the loss's own
/// options.
struct Shape {
  std::string text;
  std::string loss;
  std::ptrdiff_t n = 1024;
  std::ptrdiff_t m = 0;
  std::ptrdiff_t d = 128;
  int threads = 1;
  std::string scalar = "float";
  std::string kernel;     ///< the loss's own when empty
  bool gradients = true;  ///< gradients=no: forward alone
  bool peers = true;      ///< peers=no: nearfar alone
  std::vector<std::pair<std::string, std::string>> options;
};

/// Throws std::invalid_argument on what is no shape.
Shape parse_shape(const std::string& text);

/// What follows from a shape's loss.
struct Subject {
  Loss loss = Loss::other;
  Kernel kernel = Kernel::other;
  bool one_set = false;    ///< x alone
  bool views = false;      ///< the halves of x
  double temperature = 1;  ///< as the loss has it
  double margin = 1;
  double operations = 0;  ///< that the loss's products cannot do without
};

/// Throws std::invalid_argument on a loss, kernel or option that there is not.
Subject subject_of(const Shape& shape);

/// nearfar's loss of this shape. Of a batch only sizes and arrays are read.
template <class S>
Peer<S>* nearfar_loss(const Shape& shape, const Batch<S>& batch);

}  // namespace bench
