/// \file
/// A decision by memory that nobody wrote, and memory that nobody gave back. What memcheck must
/// report, for its silence about the tests to say anything.

#include <cstdio>
#include <cstdlib>

int main(int arguments, char**) {
  auto* numbers = static_cast<int*>(std::malloc(2 * sizeof(int)));
  numbers[0] = arguments;
  // One, without arguments: which compilers, which would warn, do not know.
  std::puts(numbers[arguments] == numbers[0] ? "equal" : "different");
}
