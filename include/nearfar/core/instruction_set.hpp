#pragma once

#include "nearfar/core/export.hpp"

/// \file
/// The vector instructions that losses are computed with.

namespace nearfar {

/// Instruction sets that the compiled library may hold its loops in.
enum class InstructionSet {
  baseline,  ///< that of every processor of the architecture (x86-64: SSE2)
  avx2,      ///< AVX2 and FMA
  avx512     ///< AVX-512 F, DQ, BW and VL
};

namespace detail {

/// The set that the compiler's flags allow. Immediate, since its body depends on that: no object
/// has it.
consteval InstructionSet compiled_instruction_set() {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return InstructionSet::avx512;
#elif defined(__AVX2__) && defined(__FMA__)
  return InstructionSet::avx2;
#else
  return InstructionSet::baseline;
#endif
}

}  // namespace detail

/// The instruction set that losses run with. With the compiled library: the widest that the
/// processor has and the library holds, chosen once when the program starts; or the one named by
/// the environment variable NEARFAR_ISA (baseline, avx2 or avx512), where it can be had.
/// Header-only: the one of the compiler's flags.
#ifdef NEARFAR_HEADER_ONLY
constexpr InstructionSet active_instruction_set() { return detail::compiled_instruction_set(); }
#else
NEARFAR_EXPORT InstructionSet active_instruction_set();
#endif

/// Its name in NEARFAR_ISA.
constexpr const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::baseline:
      break;
  }
  return "baseline";
}

}  // namespace nearfar
