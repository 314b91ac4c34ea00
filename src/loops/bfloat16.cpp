#include "nearfar/loops/impl/bfloat16_products.hpp"

// Compiled once, for AVX-512 BF16 or, without a choice at run time, with the compiler's own flags
// (cmake/dispatch.cmake).

namespace nearfar::detail {
inline namespace NEARFAR_SET {

constinit const Bfloat16Loops* const bfloat16_loops_of_set = bfloat16_loops_here;

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
