#include <gtest/gtest.h>
#include <nearfar/nearfar.h>

#include <cstdlib>
#include <new>
#include <vector>

/// Where memory runs out. Scratch memory is aligned, and this program's aligned new fails when
/// told.

namespace {

bool memory_is_out = false;

}  // namespace

// Out of line: inlined, the compiler sees memory of new given to free and warns.
#if defined(__GNUC__)
#define NEARFAR_TEST_OUT_OF_LINE __attribute__((noinline))
#else
#define NEARFAR_TEST_OUT_OF_LINE
#endif

NEARFAR_TEST_OUT_OF_LINE void* operator new(std::size_t size, std::align_val_t align) {
  if (memory_is_out) throw std::bad_alloc();
  const auto a = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
NEARFAR_TEST_OUT_OF_LINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
// Sanitizers bring arrays' functions of their own, which don't call those above.
NEARFAR_TEST_OUT_OF_LINE void* operator new[](std::size_t size, std::align_val_t align) {
  return operator new(size, align);
}
NEARFAR_TEST_OUT_OF_LINE void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
NEARFAR_TEST_OUT_OF_LINE void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace {

TEST(COutOfMemory, IsAStatusAndWritesNothing) {
  nearfar_loss* loss = nullptr;
  ASSERT_EQ(nearfar_uniformity_create(nullptr, &loss), NEARFAR_OK);
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> dx(4, -77);
  const nearfar_rows rows = nearfar_float_rows(x.data(), 2, 2);
  const nearfar_gradient gradient = nearfar_float_gradient(dx.data(), 2, 2);
  nearfar_result result;
  nearfar_result_init(&result, sizeof result);
  result.value = -77;

  memory_is_out = true;
  const nearfar_status status =
      nearfar_one_set_forward_backward(loss, &rows, &gradient, nullptr, &result);
  memory_is_out = false;
  EXPECT_EQ(status, NEARFAR_OUT_OF_MEMORY);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: out of memory");
  EXPECT_EQ(result.value, -77);
  EXPECT_EQ(dx, std::vector<float>(4, -77));

  EXPECT_EQ(nearfar_one_set_forward_backward(loss, &rows, &gradient, nullptr, &result), NEARFAR_OK);
  EXPECT_NE(result.value, -77);
  nearfar_loss_destroy(loss);
}

}  // namespace
