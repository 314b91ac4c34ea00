/// \file
/// Memory that nobody gave back, beside OpenMP's for teams of several sizes, which it keeps. What
/// the address sanitizer must report, and nothing of OpenMP's, for its silence about the tests to
/// say anything.

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
