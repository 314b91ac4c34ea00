# The library in each instruction set that the processor at hand has but the widest, with which all
# other tests run.

set(sets ${nearfar_instruction_sets})
if(NOT CMAKE_CROSSCOMPILING)
  try_run(ran compiled SOURCES "${CMAKE_CURRENT_LIST_DIR}/processor_sets.cpp" NO_CACHE
          CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${PROJECT_SOURCE_DIR}/include"
          COMPILE_OUTPUT_VARIABLE output RUN_OUTPUT_VARIABLE sets CXX_STANDARD 20
                                                                  CXX_STANDARD_REQUIRED ON)
  if(NOT compiled OR NOT ran EQUAL 0)
    message(FATAL_ERROR "which instruction sets does this processor have? ${output}")
  endif()
  list(REMOVE_ITEM sets "")
  list(POP_BACK sets)
endif()
# Typed tests, whose names have a slash, take long; of the losses those that are not are enough.
file(GLOB pages "${PROJECT_SOURCE_DIR}/docs/losses/*.md")
set(values "")
foreach(page IN LISTS pages)
  get_filename_component(loss "${page}" NAME_WE)
  if(TARGET losses_${loss}_test)
    list(APPEND values losses_${loss}_test)
  endif()
endforeach()
set(contracts golden_golden_test losses_contract_test losses_properties_test losses_targets_test
              scores_gradients_test scores_values_test)
foreach(set IN LISTS sets)
  foreach(target IN LISTS contracts values)
    set(filter "*")
    if(target IN_LIST values)
      set(filter "-*/*")
    endif()
    add_test(NAME dispatch.${set}.${target} COMMAND ${target} --gtest_brief=1 "--gtest_filter=${filter}")
    set_tests_properties(dispatch.${set}.${target} PROPERTIES ENVIRONMENT "NEARFAR_ISA=${set}"
                                                              LABELS dispatch)
  endforeach()
  # Teams of threads that wait for each other take eight times as long beside another test.
  set_tests_properties(dispatch.${set}.losses_contract_test PROPERTIES PROCESSORS 2)
endforeach()

foreach(set IN LISTS nearfar_instruction_sets)
  add_test(NAME dispatch.${set}.is_what_runs COMMAND dispatch_instruction_set_test
                                                     --gtest_filter=*IsThatOfTheEnvironment*)
  set_tests_properties(
    dispatch.${set}.is_what_runs
    PROPERTIES ENVIRONMENT "NEARFAR_ISA=${set}" LABELS dispatch SKIP_REGULAR_EXPRESSION "SKIPPED")
endforeach()

add_test(NAME dispatch.unknown_set_is_refused COMMAND dispatch_instruction_set_test
                                                      --gtest_filter=*HasAName*)
set_tests_properties(
  dispatch.unknown_set_is_refused
  PROPERTIES ENVIRONMENT "NEARFAR_ISA=mmx" LABELS dispatch PASS_REGULAR_EXPRESSION
             "NEARFAR_ISA: wanted baseline, avx2 or avx512.*got mmx; using")

# The GNU C library has functions for processors with FMA, whose results differ in the last digit.
add_test(NAME dispatch.no_fused_c_library.across_machines COMMAND losses_across_machines_test
                                                                  --gtest_brief=1)
set_tests_properties(
  dispatch.no_fused_c_library.across_machines
  PROPERTIES ENVIRONMENT "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4" LABELS dispatch)

function(nearfar_symbols_test name)
  add_test(NAME dispatch.${name}.symbols
           COMMAND "${CMAKE_COMMAND}" ${ARGN} "-DNM=${CMAKE_NM}" -P
                   "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/symbols.cmake")
  set_tests_properties(dispatch.${name}.symbols PROPERTIES LABELS dispatch SKIP_REGULAR_EXPRESSION
                                                           "SKIPPED")
endfunction()

function(nearfar_set_symbols_test name set target offered)
  nearfar_symbols_test(${name} -DSET=${set} "-DOBJECTS=$<TARGET_OBJECTS:${target}>"
                       -DOFFERED=${offered})
endfunction()

set(tables float_tables,double_tables)
foreach(set IN LISTS nearfar_instruction_sets)
  nearfar_set_symbols_test(${set} ${set} nearfar_loops_${set} ${tables})
endforeach()
nearfar_set_symbols_test(bfloat16 avx512_bf16 nearfar_loops_bfloat16 bfloat16_loops_of_set)
# A user's library without optimisation, where nothing is inlined that need not be.
nearfar_loops(loops_unoptimised avx512 float.cpp double.cpp)
nearfar_loops(bfloat16_unoptimised avx512_bf16 bfloat16.cpp)
foreach(target loops_unoptimised bfloat16_unoptimised)
  target_compile_options(${target} PRIVATE -O0)
endforeach()
nearfar_set_symbols_test(unoptimised avx512 loops_unoptimised ${tables})
nearfar_set_symbols_test(unoptimised_bfloat16 avx512_bf16 bfloat16_unoptimised
                         bfloat16_loops_of_set)
foreach(kind static shared)
  if(TARGET nearfar::${kind})
    nearfar_symbols_test(${kind} "-DLIBRARY=$<TARGET_FILE:nearfar::${kind}>" -DCONFIG=$<CONFIG>)
  endif()
endforeach()

# A user's own kernel: in each set the same engine as the library's kernels, and none of it in the
# user's program. (The widest set runs with all other tests.)
foreach(set IN LISTS sets)
  foreach(target dispatch_own_kernel_test kernels_own_kernel_test)
    add_test(NAME dispatch.${set}.${target} COMMAND ${target} --gtest_brief=1)
    set_tests_properties(dispatch.${set}.${target} PROPERTIES ENVIRONMENT "NEARFAR_ISA=${set}"
                                                              LABELS dispatch)
  endforeach()
endforeach()
add_library(own_kernel OBJECT "${CMAKE_CURRENT_LIST_DIR}/own_kernel.cpp")
target_link_libraries(own_kernel PRIVATE nearfar::nearfar)
nearfar_warnings(own_kernel)
add_test(NAME dispatch.own_kernel.symbols
         COMMAND "${CMAKE_COMMAND}" "-DNM=${CMAKE_NM}" "-DOBJECT=$<TARGET_OBJECTS:own_kernel>" -P
                 "${CMAKE_CURRENT_LIST_DIR}/own_kernel_symbols.cmake")
set_tests_properties(dispatch.own_kernel.symbols PROPERTIES LABELS dispatch)
