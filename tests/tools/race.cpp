/// \file
/// A data race: two threads of a parallel region add to one number. The thread sanitizer must
/// report it; otherwise its silence about the tests means nothing.

#include <cstdio>

int main() {
  int sum = 0;
#pragma omp parallel num_threads(2)
  for (int k = 0; k < 1000; ++k) ++sum;
  std::printf("%d\n", sum);
}
