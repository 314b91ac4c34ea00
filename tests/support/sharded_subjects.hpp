#pragma once

#include <functional>
#include <nearfar/sharded.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

/// \file
/// Every sharded loss with the same loss on one process, with one signature.

namespace support {

/// The result of a call.
template <class S>
struct Outcome {
  nearfar::Result result;
  std::vector<double> numbers;  ///< gradients of learnable numbers, counts of kinds
  std::vector<Matrix<S>> gradients;
};

/// Sets of rows, and labels of the first if there are any.
template <class S>
struct Batch {
  std::vector<Matrix<S>> rows;
  std::vector<int> labels;
};

template <class S>
struct ShardedSubject {
  std::string name;  ///< of the loss, and its kernel if it has one
  int sets;
  bool labelled;
  std::function<Outcome<S>(const Batch<S>&)> one;
  std::function<Outcome<S>(const nearfar::Sharding&, const Batch<S>&)> many;
  std::function<nearfar::Result(const nearfar::Sharding&, const Batch<S>&)> forward;
  Index fewest_rows = 0;  ///< in all, unless there are none

  bool has_kernel() const { return name.find(' ') != std::string::npos; }
  /// The two sets are views of the same samples, one below the other on each process.
  bool stacks_views = false;
};

/// Every loss with every kernel that its sharded form has.
template <class S>
std::vector<ShardedSubject<S>> sharded_subjects();

}  // namespace support
