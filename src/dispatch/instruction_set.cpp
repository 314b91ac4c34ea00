#include "nearfar/core/instruction_set.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

// The one part of the library that is compiled once: it says which of the others runs.

#ifndef NEARFAR_DISPATCH

namespace nearfar {

InstructionSet active_instruction_set() { return detail::compiled_instruction_set(); }

}  // namespace nearfar

#else

extern "C" {
// What entries (see cmake/write_entries.cmake) jump by. Until the constructor below has run it says
// baseline, which every processor has.
__attribute__((visibility("hidden"))) int nearfar_instruction_set = 0;
}

namespace nearfar {

namespace {

bool processor_has(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
             processor_has(InstructionSet::avx2);
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case InstructionSet::baseline:
      break;
  }
  return true;
}

InstructionSet chosen() {
  InstructionSet widest = InstructionSet::baseline;
  const char* const wanted = std::getenv("NEARFAR_ISA");
  for (const InstructionSet set :
       {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (!processor_has(set)) continue;
    widest = set;
    if (wanted != nullptr && std::strcmp(wanted, name_of(set)) == 0) return set;
  }
  if (wanted != nullptr && *wanted != '\0') {
    std::fprintf(stderr,
                 "nearfar: NEARFAR_ISA: wanted baseline, avx2 or avx512, as far as the processor "
                 "goes, got %s; using %s\n",
                 wanted, name_of(widest));
  }
  return widest;
}

// Before constructors without a priority, whose losses then run as all others.
__attribute__((constructor(101))) void choose() {
  __builtin_cpu_init();
  nearfar_instruction_set = static_cast<int>(chosen());
}

}  // namespace

InstructionSet active_instruction_set() {
  return static_cast<InstructionSet>(nearfar_instruction_set);
}

}  // namespace nearfar

#endif
