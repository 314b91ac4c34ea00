#include "nearfar/core/instruction_set.hpp"

#include <type_traits>

#include "nearfar/loops/tables.hpp"

#ifdef NEARFAR_DISPATCH
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "processor.hpp"
#endif

// The set of the selected loops.

namespace nearfar {

namespace detail {

#define NEARFAR_TABLES_OF(set)                   \
  inline namespace set {                         \
  extern const LoopTables<float> float_tables;   \
  extern const LoopTables<double> double_tables; \
  }
#ifdef NEARFAR_DISPATCH
NEARFAR_TABLES_OF(baseline)
NEARFAR_TABLES_OF(avx2)
NEARFAR_TABLES_OF(avx512)
#define NEARFAR_FIRST_SET baseline
#else
NEARFAR_TABLES_OF(native)
#define NEARFAR_FIRST_SET native
#endif

namespace {

// The set that every processor has, until choose() runs, before constructors without a priority.
constinit const LoopTables<float>* chosen_float = &NEARFAR_FIRST_SET::float_tables;
constinit const LoopTables<double>* chosen_double = &NEARFAR_FIRST_SET::double_tables;

template <class S>
const LoopTables<S>& chosen_tables() {
  if constexpr (std::is_same_v<S, float>) {
    return *chosen_float;
  } else {
    return *chosen_double;
  }
}

#ifdef NEARFAR_DISPATCH

InstructionSet chosen_set() {
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

__attribute__((constructor(101))) void choose() {
  __builtin_cpu_init();
  switch (chosen_set()) {
    case InstructionSet::avx512:
      chosen_float = &avx512::float_tables;
      chosen_double = &avx512::double_tables;
      break;
    case InstructionSet::avx2:
      chosen_float = &avx2::float_tables;
      chosen_double = &avx2::double_tables;
      break;
    case InstructionSet::baseline:
      break;
  }
}

#endif

}  // namespace

#define NEARFAR_CHOSEN_LOOPS(Loops, loops)     \
  template <class S>                           \
  const Loops<S>& loops() {                    \
    return chosen_tables<S>().loops;           \
  }                                            \
  template const Loops<float>& loops<float>(); \
  template const Loops<double>& loops<double>();
NEARFAR_LOOP_FAMILIES(NEARFAR_CHOSEN_LOOPS)

}  // namespace detail

InstructionSet active_instruction_set() { return detail::chosen_float->set; }

}  // namespace nearfar
