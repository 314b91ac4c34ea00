# The library in each of its instruction sets. One that the processor lacks is the widest it has, once
# more.

foreach(set IN LISTS nearfar_instruction_sets)
  foreach(target golden_golden_test losses_contract_test losses_label_values_test losses_mined_values_test
                 losses_properties_test losses_row_values_test losses_tags_test scores_gradients_test
                 scores_values_test)
    add_test(NAME dispatch.${set}.${target} COMMAND ${target} --gtest_brief=1)
    set_tests_properties(dispatch.${set}.${target} PROPERTIES ENVIRONMENT "NEARFAR_ISA=${set}"
                                                              LABELS dispatch)
  endforeach()
  add_test(NAME dispatch.${set}.is_what_runs COMMAND dispatch_instruction_set_test
                                                     --gtest_filter=*IsTheOneAskedFor*)
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

list(TRANSFORM nearfar_c_sources REPLACE "^.*/([^/]+)$" "\\1${CMAKE_CXX_OUTPUT_EXTENSION}"
                                 OUTPUT_VARIABLE once)
add_test(NAME dispatch.nothing_wide_leaks
         COMMAND "${CMAKE_COMMAND}" "-DLIBRARY=$<TARGET_FILE:nearfar>" "-DNM=${CMAKE_NM}"
                 "-DONCE=${once}" -P "${CMAKE_CURRENT_LIST_DIR}/symbols.cmake")
set_tests_properties(dispatch.nothing_wide_leaks PROPERTIES LABELS dispatch)
