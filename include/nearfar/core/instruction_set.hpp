#pragma once

#include "nearfar/core/export.hpp"

/// \file
/// The vector instructions of the library's loops.

namespace nearfar {

/// Instruction sets of the compiled library's loops.
enum class InstructionSet {
  baseline,  ///< that of every processor of the architecture (x86-64: SSE2)
  avx2,      ///< AVX2 and FMA
  avx512     ///< AVX-512 F, DQ, BW and VL
};

namespace detail {

/// The set that the compiler's flags allow. An immediate function, because its result depends on
/// the flags: no object file contains it.
consteval InstructionSet compiled_instruction_set() {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return InstructionSet::avx512;
#elif defined(__AVX2__) && defined(__FMA__)
  return InstructionSet::avx2;
#else
  return InstructionSet::baseline;
#endif
}

/// Whether the compiler's flags allow products in bfloat16.
consteval bool compiled_bfloat16_products() {
#if defined(__AVX512BF16__)
  return compiled_instruction_set() == InstructionSet::avx512;
#else
  return false;
#endif
}

}  // namespace detail

/// The instruction set that the loops use. With the compiled library it is the widest that both the
/// processor and the library have, or the one that the environment variable NEARFAR_ISA names
/// (baseline, avx2 or avx512), if both have it. The choice is made once, when the program starts.
/// Header-only: the one of the compiler's flags.
#ifdef NEARFAR_HEADER_ONLY
constexpr InstructionSet active_instruction_set() { return detail::compiled_instruction_set(); }
#else
NEARFAR_EXPORT InstructionSet active_instruction_set();
#endif

/// True if calls take Products::bfloat16: the active set is AVX-512, and the processor has AVX-512
/// BF16. Header-only: if the compiler's flags have both.
#ifdef NEARFAR_HEADER_ONLY
constexpr bool has_bfloat16_products() { return detail::compiled_bfloat16_products(); }
#else
NEARFAR_EXPORT bool has_bfloat16_products();
#endif

/// The name of a set in NEARFAR_ISA.
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
