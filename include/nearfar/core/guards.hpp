#pragma once

#include <cstddef>

#ifdef NEARFAR_GUARDS
#include <sanitizer/asan_interface.h>
#endif

/// \file
/// Marks for the address sanitizer in memory that is given out in parts. Without them the sanitizer
/// checks whole allocations only, and misses an access past the end of a part. Only with
/// NEARFAR_GUARDS. All code that shares a Workspace must define it or none, because code without it
/// uses memory that other code has marked.

namespace nearfar::detail {

#ifdef NEARFAR_GUARDS

/// Bytes between two parts.
inline constexpr std::size_t guard_bytes = 64;

/// Marks these bytes: an access is an error from now on.
inline void forbid(const void* p, std::size_t bytes) { ASAN_POISON_MEMORY_REGION(p, bytes); }
/// Removes the mark.
inline void allow(const void* p, std::size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(p, bytes); }

#else

inline constexpr std::size_t guard_bytes = 0;
inline void forbid(const void*, std::size_t) {}
inline void allow(const void*, std::size_t) {}

#endif

}  // namespace nearfar::detail
