#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "nearfar/core/matrix.hpp"

/// \file
/// A gradient checker for this library's losses and for your own.

namespace nearfar {

/// One input of a function and its claimed gradient, both N x D. The checker changes the input's
/// elements one at a time and restores each.
template <class S>
struct CheckedInput {
  std::string name;
  Eigen::Ref<Matrix<S>, 0, Eigen::OuterStride<>> values;
  Matrix<S> gradient;
};

struct GradientCheckOptions {
  /// Largest error allowed, relative to the largest entry of the claimed and the measured gradient
  /// of the same input; 0 means 1e-6 for double, 2e-3 for float.
  double tolerance = 0;
  /// Step of the differences, relative to max(1, |element|); 0 means 1e-3 for double, 2e-2 for
  /// float.
  double step = 0;
  /// Slopes of two steps that differ by more than this share of the largest entry indicate a kink
  /// between them; 0 means 1e-3 for double, 2e-2 for float.
  double kink = 0;
};

/// The report of the checker.
struct GradientCheckReport {
  Index checked = 0;    ///< elements compared
  Index kinks = 0;      ///< elements skipped, because the function has a kink within one step
  bool passed = false;  ///< at least one element was compared, and no error was above the tolerance

  struct Entry {
    std::string input;
    Index row = 0;
    Index col = 0;
    double claimed = 0;
    double measured = 0;
    double error = 0;  ///< |claimed - measured| / largest entry
  } worst;             ///< the element with the largest error

  friend std::ostream& operator<<(std::ostream& out, const GradientCheckReport& r) {
    out << (r.passed ? "passed" : "FAILED") << ": " << r.checked << " elements checked, " << r.kinks
        << " at kinks skipped";
    if (r.checked > 0) {
      out << "; worst error " << r.worst.error << " at " << r.worst.input << "(" << r.worst.row
          << ", " << r.worst.col << "): claimed " << r.worst.claimed << ", measured "
          << r.worst.measured;
    }
    return out;
  }
};

/// Compares claimed gradients with central differences of `value`, for every element of every
/// input.
///
/// For an element x with step h the slopes D(h) = (f(x + h) - f(x - h)) / 2h and D(h/2) give the
/// estimate (4 D(h/2) - D(h)) / 3, whose error is O(h^4) (Richardson extrapolation). If the two
/// slopes, or the slopes to the left and to the right, do not converge as h shrinks, the function
/// has a kink (a hinge's corner, a change of the hardest negative) within the step. There is then
/// no derivative to compare with, and the checker skips and counts the element. The decision does
/// not depend on the claimed gradient. Look at `kinks`: if all elements are skipped, `passed` is
/// false.
///
/// `value` must return the function at the inputs' present elements. The inputs are unchanged at
/// the end, also if `value` throws. Throws std::invalid_argument, before `value` is called, if
/// there is no function, a gradient and its input differ in shape, or an option is negative or not
/// finite.
template <class S>
GradientCheckReport check_gradient(const std::function<double()>& value,
                                   std::vector<CheckedInput<S>> inputs,
                                   GradientCheckOptions options = {}) {
  check_not_negative("tolerance", options.tolerance);
  check_not_negative("step", options.step);
  check_not_negative("kink", options.kink);
  if (!value) fail_argument("value", "a function", "none");
  for (const CheckedInput<S>& input : inputs) {
    if (input.gradient.rows() != input.values.rows() ||
        input.gradient.cols() != input.values.cols()) {
      fail_shape("gradient of " + input.name, input.values.rows(), input.values.cols(),
                 input.gradient.rows(), input.gradient.cols());
    }
  }
  constexpr bool single = sizeof(S) == sizeof(float);
  const double tolerance = options.tolerance > 0 ? options.tolerance : (single ? 2e-3 : 1e-6);
  const double relative_step = options.step > 0 ? options.step : (single ? 2e-2 : 1e-3);
  const double kink = options.kink > 0 ? options.kink : (single ? 2e-2 : 1e-3);

  struct PutBack {
    S& element;
    S original;
    ~PutBack() { element = original; }
  };

  GradientCheckReport report;
  const double at_rest = value();
  for (CheckedInput<S>& input : inputs) {
    struct Measured {
      double slope;
      double doubt;  // difference of the two steps' slopes
    };
    std::vector<Measured> measured;
    double largest = 0;
    const auto see = [&](double entry) {
      if (detail::is_finite(entry)) largest = std::max(largest, std::abs(entry));
    };
    for (Index i = 0; i < input.values.rows(); ++i) {
      for (Index k = 0; k < input.values.cols(); ++k) {
        S& element = input.values(i, k);
        const PutBack put_back{element, element};
        const double h = relative_step * std::max(1.0, std::abs(double(put_back.original)));
        const auto at = [&](double offset) {
          element = static_cast<S>(double(put_back.original) + offset);
          const double moved = double(element) - double(put_back.original);
          return std::pair(value(), moved);  // the actual step, after rounding
        };
        const auto [right, step_right] = at(h);
        const auto [left, step_left] = at(-h);
        const auto [near_right, half_right] = at(h / 2);
        const auto [near_left, half_left] = at(-h / 2);
        const double wide = (right - left) / (step_right - step_left);
        const double narrow = (near_right - near_left) / (half_right - half_left);
        // f(x+h) - 2 f(x) + f(x-h), over h: of order h where f is smooth, and halved with h; of
        // order one at a kink.
        const double bend = (right - at_rest) / step_right - (left - at_rest) / step_left;
        const double near_bend =
            (near_right - at_rest) / half_right - (near_left - at_rest) / half_left;
        const double slope = (4 * narrow - wide) / 3;
        measured.push_back(
            {slope, std::max(std::abs(wide - narrow), std::abs(near_bend - bend / 2))});
        see(slope);
        see(static_cast<double>(input.gradient(i, k)));
      }
    }
    const double scale = largest > 0 ? largest : 1;
    Index at = 0;
    for (Index i = 0; i < input.values.rows(); ++i) {
      for (Index k = 0; k < input.values.cols(); ++k, ++at) {
        const Measured& m = measured[static_cast<std::size_t>(at)];
        if (m.doubt > kink * scale) {
          ++report.kinks;
          continue;
        }
        ++report.checked;
        const double claimed = static_cast<double>(input.gradient(i, k));
        const double off = std::abs(claimed - m.slope);
        // NaN is the largest error.
        const double error =
            detail::is_finite(off) ? off / scale : std::numeric_limits<double>::infinity();
        if (report.checked == 1 || error > report.worst.error) {
          report.worst = {input.name, i, k, claimed, m.slope, error};
        }
      }
    }
  }
  report.passed = report.checked > 0 && report.worst.error <= tolerance;
  return report;
}

}  // namespace nearfar
