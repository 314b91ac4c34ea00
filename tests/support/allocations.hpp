#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

/// \file
/// Counts every allocation of the program, and makes chosen ones fail. Include it in one source
/// file of the program only. Memory from malloc, such as that of Eigen's matrices, counts if the
/// linker redirects malloc (NEARFAR_TEST_WRAPS_MALLOC, with --wrap=malloc and --wrap=free).

namespace support {

inline std::atomic<long> allocations{0};
inline std::atomic<long> frees{0};  ///< of counted memory

/// During its life, allocation number `first` from now on (0: the next) fails, or that one and all
/// later ones.
class FailingAllocations {
 public:
  enum class Which { one, all_after };

  FailingAllocations(long first, Which which) {
    lasting() = which == Which::all_after;
    left() = first;
  }
  ~FailingAllocations() { left() = none; }
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;

  /// True if any has failed.
  bool any() const { return left() < 0; }

  /// Called at each allocation; counts those that do not fail.
  static bool next_fails() {
    if (left() != none) {
      const long before = left().fetch_sub(1);
      if (lasting() ? before <= 0 : before == 0) return true;
    }
    ++allocations;
    return false;
  }

 private:
  static constexpr long none = -0x7fffffff;
  static std::atomic<long>& left() {
    static std::atomic<long> count{none};
    return count;
  }
  static std::atomic<bool>& lasting() {
    static std::atomic<bool> all_after{false};
    return all_after;
  }
};

}  // namespace support

// Not inline: otherwise the compiler sees memory of new passed to free and warns.
#if defined(__GNUC__)
#define NEARFAR_TEST_OUT_OF_LINE __attribute__((noinline))
#else
#define NEARFAR_TEST_OUT_OF_LINE
#endif

#ifdef NEARFAR_TEST_WRAPS_MALLOC
// Names for the linker's --wrap.
extern "C" {
void* __real_malloc(std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void __real_free(void* p);              // NOLINT(bugprone-reserved-identifier)
NEARFAR_TEST_OUT_OF_LINE void* __wrap_malloc(
    std::size_t size) {  // NOLINT(bugprone-reserved-identifier)
  return support::FailingAllocations::next_fails() ? nullptr : __real_malloc(size);
}
NEARFAR_TEST_OUT_OF_LINE void __wrap_free(void* p) {  // NOLINT(bugprone-reserved-identifier)
  if (p != nullptr) ++support::frees;
  __real_free(p);
}
}
#define NEARFAR_TEST_MALLOC __real_malloc
#define NEARFAR_TEST_FREE __real_free
#else
#define NEARFAR_TEST_MALLOC std::malloc
#define NEARFAR_TEST_FREE std::free
#endif

namespace support {

NEARFAR_TEST_OUT_OF_LINE inline void counted_free(void* p) noexcept {
  if (p != nullptr) ++frees;
  NEARFAR_TEST_FREE(p);
}

}  // namespace support

NEARFAR_TEST_OUT_OF_LINE void* operator new(std::size_t size) {
  if (support::FailingAllocations::next_fails()) throw std::bad_alloc();
  if (void* p = NEARFAR_TEST_MALLOC(size)) return p;
  throw std::bad_alloc();
}
NEARFAR_TEST_OUT_OF_LINE void* operator new(std::size_t size, std::align_val_t align) {
  if (support::FailingAllocations::next_fails()) throw std::bad_alloc();
  const auto a = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p) noexcept { support::counted_free(p); }
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::size_t) noexcept {
  support::counted_free(p);
}
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::align_val_t) noexcept {
  support::counted_free(p);
}
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  support::counted_free(p);
}
