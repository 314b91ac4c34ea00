#pragma once

#include <string>

#include "nearfar/core/errors.hpp"

/// \file
/// How a call computes the products of its rows.

namespace nearfar {

/// How a call multiplies rows: a member of CallOptions.
enum class Products {
  /// In the scalar type of the loss. Rows in 16 bits become floats, exactly.
  scalar,
  /// In bfloat16 with sums in float (AVX-512 BF16), where has_bfloat16_products(): about twice as
  /// fast. Scores have the error of a float's sums. In the products of the gradients each weight is
  /// rounded to bfloat16, by at most 2^-8 of itself. For rows of Eigen::bfloat16 under an inner
  /// product or a cosine, in InfoNce (a query's own negatives excepted), Clip, NtXent, SupCon,
  /// Sincere, Dclw, HardNegative, Rince, RinceViews and SigLip. Other calls throw
  /// std::invalid_argument.
  bfloat16
};

namespace detail {

/// Whether a loss takes Products::bfloat16. It may if all its products of scores and weights are
/// those of score passes.
enum class Bfloat16Use { refused, taken };

/// Throws for products in bfloat16. `why` they are not possible here.
[[noreturn]] inline void fail_bfloat16(const char* why) {
  fail_argument("products", "Products::scalar", std::string("Products::bfloat16, ") + why);
}

/// Throws if a call that does not take products in bfloat16 is asked for them.
inline void refuse_bfloat16(Products products) {
  if (products == Products::bfloat16) fail_bfloat16("which this loss or metric does not take");
}

}  // namespace detail
}  // namespace nearfar
