#pragma once

/// \file
/// How far a result may be from the exact one, in one place.

namespace support {

/// All are relative: to the largest magnitude that enters a sum (scores, gradients), or to the
/// value itself. They leave room for the roundings of sums of a few hundred terms, no more.
template <class S>
struct Tolerance;

template <>
struct Tolerance<double> {
  static constexpr double score = 1e-12;
  static constexpr double value = 1e-12;
  static constexpr double gradient = 1e-12;
  /// Of two results that are equal in exact arithmetic, by different roundings.
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
