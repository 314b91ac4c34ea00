#pragma once

#include <stdexcept>

#include "nearfar/core/export.hpp"

/// \file
/// The conditions under which equal calls give equal bits.

namespace nearfar {

/// Where the same call on the same rows gives the same bits.
enum class Determinism {
  /// At any number of threads, with one instruction set.
  across_threads,
  /// On all processors of the architecture, with any compiler and C library too.
  across_machines
};

namespace detail {

[[noreturn]] inline void fail_across_machines() {
  throw std::invalid_argument(
      "nearfar: determinism: wanted the compiled library with its instruction sets for "
      "across_machines, got a program or library compiled for one");
}

}  // namespace detail

/// Sets the conditions for all later calls of the program. across_machines selects the loops of
/// InstructionSet::baseline, which round every product and every sum. docs/reliability.md lists the
/// losses that it covers, docs/performance.md its price. No call of the library may run in another
/// thread meanwhile.
///
/// Throws std::invalid_argument for across_machines in header-only programs, whose bits depend on
/// the compiler's flags, and in libraries built for one instruction set (NEARFAR_DISPATCH=OFF,
/// NEARFAR_NATIVE, architectures other than x86-64).
#ifdef NEARFAR_HEADER_ONLY
inline void set_determinism(Determinism wanted) {
  if (wanted == Determinism::across_machines) detail::fail_across_machines();
}
#else
NEARFAR_EXPORT void set_determinism(Determinism wanted);
#endif

/// The conditions that hold: across_machines if it is set, or if NEARFAR_ISA names the baseline.
#ifdef NEARFAR_HEADER_ONLY
inline Determinism determinism() { return Determinism::across_threads; }
#else
NEARFAR_EXPORT Determinism determinism();
#endif

}  // namespace nearfar
