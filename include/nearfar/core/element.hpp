#pragma once

/// \file
/// How elements of rows are stored.

namespace nearfar::detail {

/// As the scalar type that a loss computes in or, where that is float, in 16 bits.
enum class Element : unsigned char { scalar, bfloat16, half };

}  // namespace nearfar::detail
