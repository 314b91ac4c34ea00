#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/random.hpp"

namespace nearfar {

/// counts^power: word2vec's noise for power 0.75, the unigram distribution for 1, for 0 the uniform
/// distribution over items with a count (Mikolov et al., Distributed representations of words and
/// phrases and their compositionality, 2013, section 2.2). Throws std::invalid_argument on a
/// negative or non-finite count or power.
inline std::vector<double> powered_counts(const std::vector<double>& counts, double power = 0.75) {
  check_not_negative("power", power);
  std::vector<double> out;
  out.reserve(counts.size());
  for (const double count : counts) {
    check_not_negative("counts", count);
    out.push_back(count > 0 ? std::pow(count, power) : 0);
  }
  return out;
}

/// Draws from a discrete distribution in constant time, by Walker's alias method in Vose's
/// construction (A linear algorithm for generating random numbers with a given distribution, 1991).
/// A draw is a function of (seed, step, row, k) alone: the same from any thread, in any order.
///
///     nearfar::NoiseSampler noise(nearfar::powered_counts(counts));
///     noise.draw(seed, step, ids);                  // ids of K negatives shared by all queries
///     noise.log_probabilities(ids, log_noise);      // as Nce takes them
///
/// An object is immutable and may be shared by threads. 24 bytes an item.
class NoiseSampler {
 public:
  /// Item i has probability weights[i] / sum. Throws std::invalid_argument if there are no weights,
  /// one is negative or not finite, or all are zero.
  explicit NoiseSampler(const std::vector<double>& weights) {
    if (weights.empty()) fail_argument("weights", "at least one", "none");
    double largest = 0;
    for (const double w : weights) {
      check_not_negative("weights", w);
      largest = std::max(largest, w);
    }
    if (!(largest > 0)) fail_argument("weights", "one above zero", "zeros only");
    double sum = 0;
    for (const double w : weights) sum += w / largest;
    const auto n = static_cast<Index>(weights.size());
    probability_.reserve(weights.size());
    for (const double w : weights) probability_.push_back(w / largest / sum);
    build(n);
  }

  Index size() const { return static_cast<Index>(probability_.size()); }

  /// Probability of an item. Throws std::invalid_argument unless 0 <= item < size().
  double probability(Index item) const {
    if (item < 0 || item >= size()) {
      fail_argument("item", "an item from 0 to " + std::to_string(size() - 1),
                    std::to_string(item));
    }
    return probability_[at(item)];
  }

  /// The logarithm of the probability: -infinity for an item that is never drawn.
  double log_probability(Index item) const { return detail::portable::log(probability(item)); }

  /// Draw k of a row at a step. Steps and draws count modulo 2^32.
  Index draw(std::uint64_t seed, std::uint64_t step, std::uint64_t row, std::uint64_t k) const {
    const auto bits = random_bits(seed, step, row, k);
    const auto column = static_cast<Index>(unit_interval(bits[0]) * static_cast<double>(size()));
    return unit_interval(bits[1]) < keep_[at(column)] ? column : alias_[at(column)];
  }

  /// Fills `items` with draws 0, 1, ... of a row at a step: K negatives shared by all queries.
  void draw(std::uint64_t seed, std::uint64_t step, std::vector<Index>& items,
            std::uint64_t row = 0) const {
    for (std::size_t k = 0; k < items.size(); ++k) items[k] = draw(seed, step, row, k);
  }

  /// Log-probabilities of items, resized to fit. Throws std::invalid_argument on an item that does
  /// not exist or is never drawn, because no loss is finite with it.
  template <class S>
  void log_probabilities(const std::vector<Index>& items, std::vector<S>& out) const {
    for (std::size_t k = 0; k < items.size(); ++k) {
      if (items[k] < 0 || items[k] >= size() || !(probability(items[k]) > 0)) {
        fail_argument("items", "items of probability above 0",
                      std::to_string(items[k]) + " at " + std::to_string(k));
      }
    }
    out.resize(items.size());
    for (std::size_t k = 0; k < items.size(); ++k) {
      out[k] = static_cast<S>(log_probability(items[k]));
    }
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  /// n columns of height 1/n, each filled by its own item and at most one other, its alias.
  void build(Index n) {
    keep_.assign(at(n), 1);
    alias_.resize(at(n));
    std::vector<double> height(at(n));
    std::vector<Index> low;
    std::vector<Index> high;
    for (Index i = 0; i < n; ++i) {
      alias_[at(i)] = i;
      height[at(i)] = probability_[at(i)] * static_cast<double>(n);
      (height[at(i)] < 1 ? low : high).push_back(i);
    }
    while (!low.empty() && !high.empty()) {
      const Index poor = low.back();
      const Index rich = high.back();
      low.pop_back();
      keep_[at(poor)] = height[at(poor)];
      alias_[at(poor)] = rich;
      height[at(rich)] -= 1 - height[at(poor)];
      if (height[at(rich)] < 1) {
        high.pop_back();
        low.push_back(rich);
      }
    }
    // The remaining items are full, up to rounding; but an item of probability 0 must never be
    // drawn.
    for (const Index i : low) {
      if (probability_[at(i)] > 0) continue;
      keep_[at(i)] = 0;
      alias_[at(i)] = most_likely();
    }
  }

  Index most_likely() const {
    return std::max_element(probability_.begin(), probability_.end()) - probability_.begin();
  }

  std::vector<double> probability_;
  std::vector<double> keep_;
  std::vector<Index> alias_;
};

}  // namespace nearfar
