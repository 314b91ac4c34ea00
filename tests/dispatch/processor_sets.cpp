#include <cstdio>
#include <initializer_list>

#include "../../src/dispatch/processor.hpp"

// Prints the instruction sets of this processor, the widest last.
int main() {
  using nearfar::InstructionSet;
  __builtin_cpu_init();
  for (const InstructionSet set :
       {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (nearfar::detail::processor_has(set)) std::printf("%s;", nearfar::name_of(set));
  }
}
