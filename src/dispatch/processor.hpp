#pragma once

#include "nearfar/core/instruction_set.hpp"

namespace nearfar::detail {

/// True if this processor and its system support the set. Call __builtin_cpu_init() before.
inline bool processor_has(InstructionSet set) {
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

/// True if it also has AVX-512 BF16, given the set avx512.
inline bool processor_has_bfloat16() { return __builtin_cpu_supports("avx512bf16") != 0; }

}  // namespace nearfar::detail
