#pragma once

#include <cstddef>

#ifdef NEARFAR_GUARDS
#include <sanitizer/asan_interface.h>
#endif

/// \file
/// Marks for the address sanitizer in memory that is given out in parts: by itself it checks whole
/// allocations only, and reports no step from one part into the next. Only
/// where NEARFAR_GUARDS is defined, which all that share a Workspace must have in common: a library
/// that was compiled without it would use what others have forbidden.

namespace nearfar::detail {

#ifdef NEARFAR_GUARDS

/// Bytes that are left between two parts.
inline constexpr std::size_t guard_bytes = 64;

/// From here on an access to one of these bytes is an error.
inline void forbid(const void* p, std::size_t bytes) { ASAN_POISON_MEMORY_REGION(p, bytes); }
/// From here on it is none.
inline void allow(const void* p, std::size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(p, bytes); }

#else

inline constexpr std::size_t guard_bytes = 0;
inline void forbid(const void*, std::size_t) {}
inline void allow(const void*, std::size_t) {}

#endif

}  // namespace nearfar::detail
