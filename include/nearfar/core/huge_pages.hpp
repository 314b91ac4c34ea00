#pragma once

#include <cstddef>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/// \file
/// Huge pages, where the system gives them on request.

namespace nearfar::detail {

/// Bytes of a huge page, as x86-64 and most of Arm have them.
inline constexpr std::size_t huge_page = std::size_t(1) << 21;

/// Asks for `size` bytes from `p` (aligned to huge_page) to be kept in huge pages. A wish: where it
/// is not granted nothing is lost but speed.
inline void ask_for_huge_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  static_cast<void>(madvise(p, size, MADV_HUGEPAGE));
#endif
}

}  // namespace nearfar::detail
