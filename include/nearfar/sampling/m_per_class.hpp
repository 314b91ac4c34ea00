#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/random.hpp"

namespace nearfar {

/// Treatment of classes of fewer than m rows.
enum class SmallClasses {
  repeat,    ///< their rows repeat; their numbers of repetitions differ by at most one
  leave_out  ///< they are not drawn
};

/// Settings of MPerClassSampler.
struct MPerClassOptions {
  Index classes = 8;  ///< P >= 1: number of classes of a batch
  Index m = 4;        ///< >= 1: number of rows of each
  SmallClasses small_classes = SmallClasses::repeat;
  std::uint64_t seed = 0;
};

/// Batches of P classes with m rows each, so that every row has m - 1 positives, for mining and
/// losses over labels (Hermans et al., In defense of the triplet loss for person re-identification,
/// 2017, section 2: "PK batches").
///
///     nearfar::MPerClassSampler sampler(labels, {.classes = 8, .m = 4});
///     sampler.draw(step, rows);    // 32 rows of the data set, class after class
///
/// Each batch is a function of (seed, step) alone: the same from any thread, in any order. Classes,
/// and rows of a class, are drawn uniformly, without replacement. An object is immutable and may be
/// shared by threads. 8 bytes a row.
class MPerClassSampler {
 public:
  /// Labels may be any integers. Throws std::invalid_argument if P or m is < 1, or if there are
  /// fewer than P classes to draw from.
  explicit MPerClassSampler(Labels labels, MPerClassOptions options = {}) : options_(options) {
    if (options.classes < 1) {
      fail_argument("classes", "a number > 0", std::to_string(options.classes));
    }
    if (options.m < 1) fail_argument("m", "a number > 0", std::to_string(options.m));
    rows_.resize(static_cast<std::size_t>(labels.size()));
    std::iota(rows_.begin(), rows_.end(), Index{0});
    std::sort(rows_.begin(), rows_.end(),
              [&](Index a, Index b) { return std::pair(labels[a], a) < std::pair(labels[b], b); });
    for (auto first = rows_.begin(); first != rows_.end();) {
      const auto last =
          std::find_if(first, rows_.end(), [&](Index i) { return labels[i] != labels[*first]; });
      if (last - first >= options.m || options.small_classes == SmallClasses::repeat) {
        classes_.push_back({first - rows_.begin(), last - first});
      }
      first = last;
    }
    if (static_cast<Index>(classes_.size()) < options.classes) {
      fail_argument("labels", "at least " + std::to_string(options.classes) + " classes to draw",
                    std::to_string(classes_.size()));
    }
  }

  const MPerClassOptions& options() const { return options_; }
  Index batch_size() const { return options_.classes * options_.m; }

  /// Fills `rows`, resized to batch_size(), with the rows of batch `step`, m of a class together.
  /// Steps count modulo 2^32.
  void draw(std::uint64_t step, std::vector<Index>& rows) const {
    rows.clear();
    std::vector<Index> drawn;
    draw_some(step, 0, static_cast<Index>(classes_.size()), options_.classes, drawn);
    std::vector<Index> members;
    for (std::size_t c = 0; c < drawn.size(); ++c) {
      const Class& of = classes_[static_cast<std::size_t>(drawn[c])];
      members.clear();
      // Whole rounds of a class smaller than m, and the remainder.
      draw_some(step, 1 + c, of.count, options_.m % of.count, members);
      for (Index i = 0; i < options_.m / of.count * of.count; ++i) members.push_back(i % of.count);
      for (const Index i : members) rows.push_back(rows_[static_cast<std::size_t>(of.first + i)]);
    }
  }

 private:
  struct Class {
    Index first;  ///< in rows_
    Index count;
  };

  /// Appends `some` different numbers below `all`, uniformly, by Floyd's algorithm (Bentley &
  /// Floyd, A sample of brilliance, 1987).
  void draw_some(std::uint64_t step, std::uint64_t what, Index all, Index some,
                 std::vector<Index>& out) const {
    const auto begin = static_cast<std::ptrdiff_t>(out.size());
    for (Index last = all - some; last < all; ++last) {
      const auto bits = random_bits(options_.seed, step, what, static_cast<std::uint64_t>(last));
      const auto candidate =
          static_cast<Index>(unit_interval(bits[0]) * static_cast<double>(last + 1));
      const bool taken = std::find(out.begin() + begin, out.end(), candidate) != out.end();
      out.push_back(taken ? last : candidate);
    }
  }

  MPerClassOptions options_;
  std::vector<Index> rows_;  // class after class
  std::vector<Class> classes_;
};

}  // namespace nearfar
