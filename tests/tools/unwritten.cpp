/// \file
/// A branch on memory that was never written, and memory that is never freed. memcheck must report
/// both; otherwise its silence about the tests means nothing.

#include <cstdio>
#include <cstdlib>

int main(int arguments, char**) {
  auto* numbers = static_cast<int*>(std::malloc(2 * sizeof(int)));
  numbers[0] = arguments;
  // One, without arguments. Compilers, which would warn, do not know this.
  std::puts(numbers[arguments] == numbers[0] ? "equal" : "different");
}
