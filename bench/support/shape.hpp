#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "support/batch.hpp"

/// \file
/// One case to measure, as the command line specifies it.

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
  std::string kernel;     ///< the loss's default if empty
  bool gradients = true;  ///< gradients=no: forward alone
  bool peers = true;      ///< peers=no: nearfar alone
  bool bfloat16 = false;  ///< products=bfloat16: rows and products in bfloat16, nearfar alone
  std::vector<std::pair<std::string, std::string>> options;
};

/// Throws std::invalid_argument on invalid text.
Shape parse_shape(const std::string& text);

/// Properties of a shape's loss.
struct Subject {
  Loss loss = Loss::other;
  Kernel kernel = Kernel::other;
  bool one_set = false;    ///< x alone
  bool views = false;      ///< the halves of x
  bool slices = false;     ///< y are directions
  double temperature = 1;  ///< the loss's temperature
  double margin = 1;
  double operations = 0;  ///< operations that the loss's products need at least
};

/// Throws std::invalid_argument on an unknown loss, kernel or option.
Subject subject_of(const Shape& shape);

/// nearfar's loss for this shape. Only the batch's sizes and arrays are read.
template <class S>
Peer<S>* nearfar_loss(const Shape& shape, const Batch<S>& batch);

}  // namespace bench
