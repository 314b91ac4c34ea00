#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

/// \file
/// Counts every allocation of the program it is included in: by one source file of it only.

namespace support {

inline std::atomic<long> allocations{0};

}  // namespace support

// Out of line: inlined, the compiler sees memory of new given to free and warns.
#if defined(__GNUC__)
#define NEARFAR_TEST_OUT_OF_LINE __attribute__((noinline))
#else
#define NEARFAR_TEST_OUT_OF_LINE
#endif

NEARFAR_TEST_OUT_OF_LINE void* operator new(std::size_t size) {
  ++support::allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
NEARFAR_TEST_OUT_OF_LINE void* operator new(std::size_t size, std::align_val_t align) {
  ++support::allocations;
  const auto a = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p) noexcept { std::free(p); }
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::size_t) noexcept { std::free(p); }
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
