/// \file
/// Memory that is never freed, beside OpenMP's memory for teams of several sizes, which OpenMP
/// keeps. The address sanitizer must report the first and not the second; otherwise its silence
/// about the tests means nothing.

#include <cstdio>
#include <cstdlib>

int main() {
  int sum = 0;
  for (int threads = 1; threads < 5; ++threads) {
#pragma omp parallel for num_threads(threads) reduction(+ : sum)
    for (int k = 0; k < 100; ++k) sum += k;
  }
  void* volatile block = std::malloc(77);
  std::printf("%d, %p\n", sum, block);
  block = nullptr;
}
