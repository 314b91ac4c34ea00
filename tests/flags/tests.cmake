# Flags that let compilers change arithmetic (-ffast-math and its parts): headers alone give right
# values or refuse them, the compiled library is right whatever its users' flags and its parent
# project's. With each compiler there is. Label "once": the flags here are all there are.

set(here "${CMAKE_CURRENT_LIST_DIR}")
# What one flag allows a compiler, several together allow it, too. Sums are regrouped by all but the
# first.
set(in_order -freciprocal-math -fno-signed-zeros -fno-trapping-math)
set(unsafe -funsafe-math-optimizations)
set(all_but_finite -Ofast -fno-finite-math-only)
set(parents -Ofast -ffast-math -fassociative-math -freciprocal-math ${NEARFAR_EXACT_FLAGS})
set(openmp)
if(NEARFAR_OPENMP AND OpenMP_CXX_FOUND)
  separate_arguments(openmp NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
endif()

function(nearfar_flags_test name compiler)
  set(command "${compiler}" -std=c++20 -O2 "-I${PROJECT_SOURCE_DIR}/include" ${eigen_dirs} ${ARGN})
  add_test(NAME flags.${name}
           COMMAND "${CMAKE_COMMAND}" -P "${here}/compile_and_run.cmake"
                   "${CMAKE_CURRENT_BINARY_DIR}/flags_${name}" ${command})
  set_tests_properties(flags.${name} PROPERTIES LABELS once)
endfunction()

find_program(NEARFAR_GCC NAMES g++-12 g++)
find_program(NEARFAR_CLANG NAMES clang++-14 clang++)
foreach(kind gcc clang)
  string(TOUPPER ${kind} KIND)
  set(compiler "${NEARFAR_${KIND}}")
  if(NOT compiler)
    continue()
  endif()
  foreach(flags in_order unsafe all_but_finite)
    nearfar_flags_test(${kind}.headers_alone.${flags} "${compiler}" -DNEARFAR_HEADER_ONLY=1 ${${flags}}
                       "${here}/careless.cpp")
  endforeach()
  foreach(flag -ffast-math -ffinite-math-only -Ofast)
    add_test(NAME flags.${kind}.refused${flag}
             COMMAND "${CMAKE_COMMAND}" -P "${here}/../compile_fail/expect_error.cmake"
                     "${here}/refused.cpp" "${compiler}" -std=c++20 -fsyntax-only
                     "-I${PROJECT_SOURCE_DIR}/include" ${eigen_dirs} -DNEARFAR_HEADER_ONLY=1 ${flag})
    set_tests_properties(flags.${kind}.refused${flag} PROPERTIES LABELS once)
  endforeach()
  # The library in this tree is of one compiler; its interface is the other's, too.
  nearfar_flags_test(${kind}.compiled "${compiler}" ${openmp} -Ofast -ffast-math
                     "${here}/careless.cpp" "$<TARGET_FILE:nearfar>"
                     "-Wl,-rpath,$<TARGET_FILE_DIR:nearfar>")
endforeach()

# How the library's own objects are compiled in a project whose flags these are, and its shared form
# linked: what sets a processor to flush small numbers to zero stays out of it.
nearfar_flags_test(parents_flags "${CMAKE_CXX_COMPILER}" -DNEARFAR_HEADER_ONLY=1 ${parents}
                   "${here}/careless.cpp")
add_test(NAME flags.parents_flags_linked COMMAND "${CMAKE_CXX_COMPILER}" -Ofast -ffast-math -shared
         ${NEARFAR_EXACT_FLAGS} ${NEARFAR_EXACT_LINK_FLAGS} "-###" -x c++ /dev/null)
set_tests_properties(flags.parents_flags_linked PROPERTIES LABELS once FAIL_REGULAR_EXPRESSION
                                                           crtfastmath)
