#pragma once

#include <cstddef>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/// \file
/// Huge pages, on systems that have them on request.

namespace nearfar::detail {

/// Bytes of a huge page on x86-64 and most Arm systems.
inline constexpr std::size_t huge_page = std::size_t(1) << 21;

/// Requests huge pages for `size` bytes from `p` (aligned to huge_page). If the system refuses,
/// only speed is lost.
inline void ask_for_huge_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  static_cast<void>(madvise(p, size, MADV_HUGEPAGE));
#endif
}

}  // namespace nearfar::detail
