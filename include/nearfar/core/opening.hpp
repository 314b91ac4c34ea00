#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "nearfar/core/matrix.hpp"

/// \file
/// Memory for the outputs of a call. If there is not enough for all, none changes.

namespace nearfar::detail {

/// An output and its shape. Outputs that are not wanted may be among them.
template <class S>
struct Output {
  GradientRows<S>* rows;
  Index count;
  Index cols;
};

/// Opens all of them. Throws std::bad_alloc, or std::invalid_argument if two of them overlap; all
/// are then unchanged. Two that both accumulate may overlap, their gradients add up; but not in 16
/// bits, where each would be rounded and checked by itself.
template <class S>
void open_all(std::span<const Output<S>> some, std::span<const Output<S>> others = {}) {
  const std::array<std::span<const Output<S>>, 2> lists = {some, others};
  const auto each = [&](const auto& body) {
    for (const auto& list : lists) {
      for (const Output<S>& output : list) {
        if (output.rows->wanted()) body(output);
      }
    }
  };
  each([&](const Output<S>& a) {
    each([&](const Output<S>& b) {
      const bool in_16_bits =
          a.rows->element() != Element::scalar || b.rows->element() != Element::scalar;
      const bool add_up = a.rows->accumulates() && b.rows->accumulates() && !in_16_bits;
      if (a.rows == b.rows || add_up || !a.rows->overlaps(*b.rows)) return;
      if (in_16_bits) {
        fail_argument("gradients", "memory of its own for each gradient in 16 bits",
                      "two that overlap");
      } else {
        fail_argument("gradients",
                      "memory of its own for each, or accumulate for all that share it",
                      "two that overlap");
      }
    });
  });
  try {
    each([](const Output<S>& output) { output.rows->reserve(output.count, output.cols); });
  } catch (...) {
    each([](const Output<S>& output) { output.rows->release(); });
    throw;
  }
  each([](const Output<S>& output) { output.rows->open(output.count, output.cols); });
}

template <class S>
void open_all(std::initializer_list<Output<S>> some, std::initializer_list<Output<S>> others = {}) {
  open_all(std::span<const Output<S>>(some.begin(), some.size()),
           std::span<const Output<S>>(others.begin(), others.size()));
}

}  // namespace nearfar::detail
