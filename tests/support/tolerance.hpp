#pragma once

/// \file
/// The tolerances of results, in one place.

namespace support {

/// All are relative: to the largest magnitude in a sum (scores, gradients), or to the value itself.
/// They allow for the rounding errors of sums of a few hundred terms.
template <class S>
struct Tolerance;

template <>
struct Tolerance<double> {
  static constexpr double score = 1e-12;
  static constexpr double value = 1e-12;
  static constexpr double gradient = 1e-12;
  /// For two results that are equal in exact arithmetic, with different rounding errors.
  static constexpr double same = 1e-11;
};

template <>
struct Tolerance<float> {
  static constexpr double score = 1e-6;
  static constexpr double value = 1e-5;
  static constexpr double gradient = 1e-5;
  static constexpr double same = 1e-4;
};

}  // namespace support
