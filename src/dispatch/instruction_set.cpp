#include "nearfar/core/instruction_set.hpp"

#include <atomic>
#include <type_traits>

#include "nearfar/core/determinism.hpp"
#include "nearfar/loops/bfloat16_products.hpp"
#include "nearfar/loops/tables.hpp"

#ifdef NEARFAR_DISPATCH
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "processor.hpp"
#endif

// The selected loops: those of the processor, or those that give the same bits on every machine.

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
inline namespace avx512_bf16 {
extern const Bfloat16Loops* const bfloat16_loops_of_set;
}
#define NEARFAR_FIRST_SET baseline
#else
NEARFAR_TABLES_OF(native)
inline namespace native {
extern const Bfloat16Loops* const bfloat16_loops_of_set;
}
#define NEARFAR_FIRST_SET native
#endif

namespace {

struct Tables {
  const LoopTables<float>* single;
  const LoopTables<double>* twice;
  const Bfloat16Loops* bfloat16;  ///< null without the instructions
};

// The set that every processor has.
constexpr Tables first_set = {&NEARFAR_FIRST_SET::float_tables, &NEARFAR_FIRST_SET::double_tables,
                              nullptr};

// It is in use until choose() runs, before constructors without a priority.
constinit std::atomic<const LoopTables<float>*> chosen_float = first_set.single;
constinit std::atomic<const LoopTables<double>*> chosen_double = first_set.twice;
#ifdef NEARFAR_DISPATCH
constinit std::atomic<const Bfloat16Loops*> chosen_bfloat16 = first_set.bfloat16;
#endif

template <class S>
const LoopTables<S>& chosen_tables() {
  if constexpr (std::is_same_v<S, float>) {
    return *chosen_float.load(std::memory_order_relaxed);
  } else {
    return *chosen_double.load(std::memory_order_relaxed);
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

void use(const Tables& tables) {
  chosen_float.store(tables.single, std::memory_order_relaxed);
  chosen_double.store(tables.twice, std::memory_order_relaxed);
  chosen_bfloat16.store(tables.bfloat16, std::memory_order_relaxed);
}

// The tables of the processor, or of NEARFAR_ISA.
constinit Tables widest = first_set;

__attribute__((constructor(101))) void choose() {
  __builtin_cpu_init();
  switch (chosen_set()) {
    case InstructionSet::avx512:
      widest = {&avx512::float_tables, &avx512::double_tables,
                processor_has_bfloat16() ? avx512_bf16::bfloat16_loops_of_set : nullptr};
      break;
    case InstructionSet::avx2:
      widest = {&avx2::float_tables, &avx2::double_tables, nullptr};
      break;
    case InstructionSet::baseline:
      break;
  }
  use(widest);
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

const Bfloat16Loops* bfloat16_loops() {
#ifdef NEARFAR_DISPATCH
  return chosen_bfloat16.load(std::memory_order_relaxed);
#else
  return native::bfloat16_loops_of_set;
#endif
}

}  // namespace detail

bool has_bfloat16_products() { return detail::bfloat16_loops() != nullptr; }

InstructionSet active_instruction_set() { return detail::chosen_tables<float>().set; }

void set_determinism(Determinism wanted) {
#ifdef NEARFAR_DISPATCH
  detail::use(wanted == Determinism::across_machines ? detail::first_set : detail::widest);
#else
  if (wanted == Determinism::across_machines) detail::fail_across_machines();
#endif
}

Determinism determinism() {
#ifdef NEARFAR_DISPATCH
  if (active_instruction_set() == InstructionSet::baseline) return Determinism::across_machines;
#endif
  return Determinism::across_threads;
}

}  // namespace nearfar
