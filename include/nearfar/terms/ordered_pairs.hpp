#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>

#include "nearfar/core/errors.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/parallel.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// The loss of numbers that should have the order of their targets: one logarithm over all pairs.

namespace nearfar::detail {

/// A value, its derivative with respect to the scale, and the number of ordered pairs whose higher
/// target is an own one.
struct OrderedPairs {
  double value = 0;
  double d_scale = 0;
  std::int64_t pairs = 0;
};

/// A number x that should have the order of its target. Two doubles where many lie together, first
/// the target.
struct TargetedNumber {
  double target;
  double x;

  static TargetedNumber at(const double* numbers, Index i) {
    return {numbers[2 * i], numbers[2 * i + 1]};
  }
};

inline void add_exponent(double exponent, LogSum<double>& sum) {
  if (exponent == -std::numeric_limits<double>::infinity()) return;
  sum.raise(exponent);
  sum.sum += portable::exp(exponent - sum.best);
}

/// Some numbers, sorted by target. The lower targets of a number are all before its group of equal
/// targets and the higher ones all behind it; running logarithms hold the sums of both.
class NumbersByTarget {
 public:
  NumbersByTarget(Scratch& scratch, const double* numbers, Index count)
      : count_(count),
        sorted_(scratch.take<TargetedNumber>(count)),
        lower_(scratch.take<double>(count + 1)),
        higher_(scratch.take<double>(count + 1)) {
    Index* order = scratch.take<Index>(count);
    sort(numbers, count, order);
    for (Index rank = 0; rank < count; ++rank) {
      sorted_[rank] = TargetedNumber::at(numbers, order[rank]);
    }
    LogSum<double> sum;
    for (Index rank = 0; rank < count; ++rank) {
      lower_[rank] = sum.value();
      add_exponent(sorted_[rank].x, sum);
    }
    lower_[count] = sum.value();
    sum = {};
    for (Index end = count, first = count; end > 0; end = first) {
      higher_[end] = sum.value();
      while (first > 0 && sorted_[end - 1].target == sorted_[first - 1].target) --first;
      for (Index rank = first; rank < end; ++rank) add_exponent(-sorted_[rank].x, sum);
    }
    higher_[0] = sum.value();
  }

  /// Adds exp(x) of lower targets and exp(-x) of higher ones. Returns the number of lower ones.
  Index add_to(double target, LogSum<double>& lower, LogSum<double>& higher) const {
    const auto below = [](const TargetedNumber& a, const TargetedNumber& b) {
      return a.target < b.target;
    };
    const auto [first, end] =
        std::equal_range(sorted_, sorted_ + count_, TargetedNumber{target, 0}, below);
    add_exponent(lower_[first - sorted_], lower);
    add_exponent(higher_[end - sorted_], higher);
    return first - sorted_;
  }

  /// Sets the order of some numbers: by target, and equal targets as they come.
  static void sort(const double* numbers, Index count, Index* order) {
    std::iota(order, order + count, Index(0));
    std::sort(order, order + count, [&](Index i, Index j) {
      const double of_i = TargetedNumber::at(numbers, i).target;
      const double of_j = TargetedNumber::at(numbers, j).target;
      return of_i != of_j ? of_i < of_j : i < j;
    });
  }

 private:
  Index count_;
  TargetedNumber* sorted_;
  double* lower_;   ///< by rank: log of the sum of exp(x) before it
  double* higher_;  ///< at the ends of groups: log of the sum of exp(-x) from there on
};

/// With x_i = scale nearness(i), in the frame of one process or of many:
///
///     L = log(1 + sum over (i, j) with target(i) < target(j) of exp(x_i - x_j))
///
/// in O(n log n) for each block of numbers. Writes slopes[i] = dL/dx_i of own rows if the call
/// wants gradients. Throws std::domain_error if x or L overflows double.
template <class Frame, class Nearness, class Target>
OrderedPairs ordered_pairs(Frame& call, double scale, const Nearness& nearness,
                           const Target& target, double* slopes) {
  const Index n = call.own_rows(0);
  Scratch& scratch = call.scratch();
  double* numbers = nullptr;         // own ones, as TargetedNumber has them
  LogSum<double>* lower = nullptr;   // of exp(x), of lower targets
  LogSum<double>* higher = nullptr;  // of exp(-x), of higher ones
  Index* pairs = nullptr;
  Index* order = nullptr;  // of own rows, part by part
  const auto each_part = [&](Index count, const auto& body) {
    for (Index first = 0; first < count;) {
      const Index some = std::min(call.order_grid(), count - first);
      body(first, some);
      first += some;
    }
  };
  call.agree([&] {
    numbers = scratch.template take<double>(2 * n);
    lower = scratch.template take<LogSum<double>>(n);
    higher = scratch.template take<LogSum<double>>(n);
    pairs = scratch.template take<Index>(n);
    order = scratch.template take<Index>(n);
    for (Index i = 0; i < n; ++i) {
      numbers[2 * i] = static_cast<double>(target(i));
      numbers[2 * i + 1] = scale * nearness(i);
      if (!is_finite(numbers[2 * i + 1])) fail_value_overflow(numbers[2 * i + 1]);
      lower[i] = higher[i] = {};
      pairs[i] = 0;
    }
    each_part(n, [&](Index first, Index some) {
      NumbersByTarget::sort(numbers + 2 * first, some, order + first);
    });
  });
  const auto own = [&](Index i) { return TargetedNumber::at(numbers, i); };
  call.each_block_of_numbers(numbers, 2, [&](const double* block, Index count) {
    each_part(count, [&](Index first, Index some) {
      const ScratchLoan loan(scratch);
      const NumbersByTarget part(scratch, block + 2 * first, some);
      each_row(n, call.threads(),
               [&](Index i) { pairs[i] += part.add_to(own(i).target, lower[i], higher[i]); });
    });
  });

  LogSum<double> all;
  call.sum_over_rows(
      &all, 1,
      [&] {
        each_part(n, [&](Index first, Index some) {
          for (Index rank = first; rank < first + some; ++rank) {
            const Index i = first + order[rank];
            const double exponent = lower[i].value() - own(i).x;
            if (exponent == std::numeric_limits<double>::infinity()) fail_value_overflow(exponent);
            add_exponent(exponent, all);
          }
        });
      },
      [](LogSum<double>* sum, const LogSum<double>* more) { sum->merge(*more); });
  OrderedPairs out;
  out.pairs = std::accumulate(pairs, pairs + n, std::int64_t(0));
  if (all.sum > 0) out.value = Softplus<double>(all.value()).value;
  if (!is_finite(out.value)) fail_value_overflow(out.value);
  if (!call.wants_gradients()) return out;

  // A pair's share of dL/dx is exp(x_i - x_j - L), at most 1.
  const auto share = [&](double exponent) {
    return portable::exp(std::min(exponent - out.value, 0.0));
  };
  each_row(n, call.threads(), [&](Index i) {
    slopes[i] = share(own(i).x + higher[i].value()) - share(lower[i].value() - own(i).x);
  });
  // Slopes sum to zero: nearness may be relative to any of them, here to the first of all.
  std::array<double, 2> reference = {};  // and whether there is one
  call.sum_over_rows(
      reference.data(), 2,
      [&] {
        if (n > 0 && reference[1] == 0) reference = {nearness(0), 1};
      },
      [](double* first, const double* more) {
        if (first[1] == 0) std::copy_n(more, 2, first);
      });
  out.d_scale = call.sum(n, [&](Index i) { return slopes[i] * (nearness(i) - reference[0]); });
  return out;
}

}  // namespace nearfar::detail
