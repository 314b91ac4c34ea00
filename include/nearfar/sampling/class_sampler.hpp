#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/random.hpp"

namespace nearfar {

/// Settings of ClassSampler.
struct ClassSamplerOptions {
  Index classes = 1;  ///< C >= 1: labels are from 0 to C - 1
  Index count = 1;    ///< from 1 to C: number of classes of a step
  std::uint64_t seed = 0;
};

/// The classes of a step of a softmax over class weights: those of the batch and a random sample of
/// the others (Partial FC: An et al., Killing two birds with one stone: Efficient and robust
/// training of face recognition CNNs by Partial FC, 2022, section 3.2).
///
///     nearfar::ClassSampler sampler({.classes = C, .count = C / 10});
///     sampler.draw(labels, step, numbers);    // ascending; gather these rows of the weights
///     loss.forward_backward(x, labels, Proxies(rows).classes(numbers), dx, d_rows);
///
/// A sample is a function of (seed, step) and the batch's classes alone. The other classes are
/// drawn uniformly, without replacement. An object is immutable and may be shared by threads.
class ClassSampler {
 public:
  /// Throws std::invalid_argument unless there is a class and the count is from 1 to their number.
  explicit ClassSampler(ClassSamplerOptions options) : options_(options) {
    if (options.classes < 1) {
      fail_argument("classes", "a number > 0", std::to_string(options.classes));
    }
    if (options.count < 1 || options.count > options.classes) {
      fail_argument("count", "a number from 1 to " + std::to_string(options.classes),
                    std::to_string(options.count));
    }
  }

  const ClassSamplerOptions& options() const { return options_; }

  /// Sets `numbers` to the step's classes in ascending order: `count` of them, or all those of the
  /// batch if they are more. Steps count modulo 2^32. Throws std::invalid_argument on a label that
  /// is not from 0 to C - 1. O(C + N log N).
  void draw(const Labels& labels, std::uint64_t step, std::vector<Index>& numbers) const {
    std::vector<Index> own;
    own.reserve(static_cast<std::size_t>(labels.size()));
    for (Index i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0 || labels[i] >= options_.classes) {
        fail_argument("labels", "numbers from 0 to " + std::to_string(options_.classes - 1),
                      std::to_string(labels[i]) + " for row " + std::to_string(i));
      }
      own.push_back(static_cast<Index>(labels[i]));
    }
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    numbers.clear();
    // Selection sampling: each of the others in turn, with probability places left / classes left
    // (Knuth, The art of computer programming, volume 2, section 3.4.2, algorithm S).
    Index places = std::max<Index>(options_.count - static_cast<Index>(own.size()), 0);
    Index others = options_.classes - static_cast<Index>(own.size());
    auto next = own.begin();
    for (Index c = 0; c < options_.classes; ++c) {
      if (next != own.end() && *next == c) {
        numbers.push_back(c);
        ++next;
        continue;
      }
      const auto bits = random_bits(options_.seed, step, static_cast<std::uint64_t>(c), 0);
      if (unit_interval(bits[0]) * static_cast<double>(others) < static_cast<double>(places)) {
        numbers.push_back(c);
        --places;
      }
      --others;
    }
  }

 private:
  ClassSamplerOptions options_;
};

}  // namespace nearfar
