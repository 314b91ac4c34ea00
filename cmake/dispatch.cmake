# Vector code, src/loops/, in several instruction sets, one of which is chosen when the program starts.
#
# Each set has its names in a namespace of its own (NEARFAR_SET), and a table of pointers to its
# functions, which src/dispatch/ picks. Inline functions have one body a program, the linker's choice,
# and a body with wide instructions must not become the baseline's: so these files include nothing that
# would leave a function or variable of others in their objects. tests/dispatch/symbols.cmake holds them
# to it.

set(nearfar_instruction_sets baseline avx2 avx512)  # in the order of nearfar::InstructionSet
set(nearfar_flags_avx2 -mavx2 -mfma)
set(nearfar_flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma)
# Products of bfloat16 alone, beside avx512.
set(nearfar_flags_avx512_bf16 ${nearfar_flags_avx512} -mavx512bf16)

# Whether this compiler and system can do it. On Windows GCC does not align the stack for wide vectors
# (GCC bug 54412), and clang does not link the part of its runtime that knows the processor.
function(nearfar_can_dispatch out)
  set(${out} OFF PARENT_SCOPE)
  if(NEARFAR_NATIVE OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" OR WIN32 OR CYGWIN)
    return()
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles(
    "#ifndef __x86_64__
     #error another architecture
     #endif
     __attribute__((constructor(101))) static void choose() { __builtin_cpu_init(); }
     int main() { return __builtin_cpu_supports(\"avx512vl\") != 0; }"
    NEARFAR_CHOOSES_AT_RUN_TIME)
  if(NEARFAR_CHOOSES_AT_RUN_TIME)
    set(${out} ON PARENT_SCOPE)
  endif()
endfunction()

# Adds `objects`, vector code for an instruction set: these files of src/loops/. They get neither Eigen
# nor OpenMP: what they include is the library's own.
function(nearfar_loops objects set)
  list(TRANSFORM ARGN PREPEND "${PROJECT_SOURCE_DIR}/src/loops/" OUTPUT_VARIABLE sources)
  add_library(${objects} OBJECT ${sources})
  nearfar_compiled(${objects})
  target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  target_compile_features(${objects} PRIVATE cxx_std_20)
  target_compile_definitions(${objects} PRIVATE NEARFAR_SET=${set})
  target_compile_options(${objects} PRIVATE ${nearfar_flags_${set}})
  if(NEARFAR_NATIVE)
    target_compile_options(${objects} PRIVATE -march=native)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" AND NOT MSVC)
    # Nothing there throws, and what handles exceptions would be emitted with it.
    target_compile_options(${objects} PRIVATE -fno-exceptions)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Its own headers' undefined vectors are deliberate, but inlined they look like mistakes to it
    # (GCC bug 105593).
    target_compile_options(${objects} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set_target_properties(${objects} PROPERTIES UNITY_BUILD OFF)
endfunction()
