// A Workspace keeps scratch memory from step to step: the second step allocates nothing.
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <new>

std::atomic<int> allocations = 0;

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }

int main() {
  const nearfar::Matrix<float> queries = nearfar::Matrix<float>::Random(256, 32);
  const nearfar::Matrix<float> keys = nearfar::Matrix<float>::Random(256, 32);
  nearfar::Matrix<float> d_queries, d_keys;
  const nearfar::InfoNce<float> loss;
  nearfar::Workspace workspace;

  int in_step[2];
  for (int& count : in_step) {
    const int before = allocations;
    loss.forward_backward(queries, keys, d_queries, d_keys, {.workspace = &workspace});
    count = allocations - before;
  }
  std::cout << "allocations: first step " << in_step[0] << ", second " << in_step[1] << "; kept "
            << workspace.bytes() << " bytes\n";
  return in_step[0] > 0 && in_step[1] == 0 ? 0 : 1;
}
