#pragma once

#include <gtest/gtest.h>

#include "support/public_call.hpp"

/// \file
/// Calls that want some of their gradients, or none.

namespace support {

/// Arguments with a destination for every gradient.
struct WithGradients {
  Arguments<double> a;
  std::vector<Matrix<double>> gradients;
  Matrix<double> d_parameter;

  WithGradients(const PublicCall<double>& call, Arguments<double> arguments)
      : a(std::move(arguments)), gradients(a.rows.size()) {
    a.gradients.assign(gradients.begin(), gradients.end());
    if (call.parametric) a.options.d_parameter = d_parameter;
  }
  WithGradients(const WithGradients&) = delete;
};

/// Without one set's gradient all others are the same, `accumulate` adds to the contents of the
/// buffer, and a call may want no gradient at all.
inline void expect_left_out_gradients_to_change_nothing(const PublicCall<double>& call) {
  SCOPED_TRACE(call.name);
  WithGradients all(call, call.good);
  const std::vector<double> result = call.call(Way::forward_backward, all.a);
  for (std::size_t k = 0; k < all.gradients.size(); ++k) {
    WithGradients only(call, call.good);
    for (std::size_t other = 0; other < all.gradients.size(); ++other) {
      if (other != k) only.a.gradients[other] = nearfar::no_gradient;
    }
    only.gradients[k] = Matrix<double>::Ones(all.gradients[k].rows(), all.gradients[k].cols());
    only.a.gradients[k] = nearfar::accumulate(only.gradients[k]);
    EXPECT_EQ(call.call(Way::forward_backward, only.a), result);
    const Matrix<double> added = only.gradients[k].array() - 1;
    EXPECT_LE((added - all.gradients[k]).norm(), 1e-12);
  }
  WithGradients none(call, call.good);
  none.a.gradients.assign(none.gradients.size(), nearfar::no_gradient);
  EXPECT_EQ(call.call(Way::forward_backward, none.a), result);
  if (call.parametric) {
    EXPECT_LE((none.d_parameter - all.d_parameter).norm(), 1e-12);
  }
}

}  // namespace support
