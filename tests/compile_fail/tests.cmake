# What must not compile, and the sentence a user then reads; and that every header that users include
# compiles alone.
# Label "once": the compiler's answers are the same for every build type.

set(syntax_only "${CMAKE_CXX_COMPILER}" -std=c++20 -fsyntax-only -Werror ${NEARFAR_WARNING_FLAGS}
                "-I${PROJECT_SOURCE_DIR}/include")
get_target_property(eigen_dirs Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
list(TRANSFORM eigen_dirs PREPEND "-isystem")
list(APPEND syntax_only ${eigen_dirs})
if(NEARFAR_OPENMP AND OpenMP_CXX_FOUND)
  separate_arguments(openmp_flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  list(APPEND syntax_only ${openmp_flags})
endif()

# Without the echoed source line, which would contain the text of a static_assert whether it failed
# or not.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(no_echo -fno-diagnostics-show-caret)
else()
  set(no_echo -fno-caret-diagnostics)
endif()

file(GLOB cases CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/*.cpp")
foreach(case IN LISTS cases)
  get_filename_component(name "${case}" NAME_WE)
  add_test(NAME compile_fail.${name}
           COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_LIST_DIR}/expect_error.cmake" "${case}"
                   ${syntax_only} ${no_echo})
  set_tests_properties(compile_fail.${name} PROPERTIES LABELS once ENVIRONMENT LC_ALL=C)
endforeach()

# Adapters need the frameworks they adapt to; the adapters' own tests compile them. Most headers of
# implementations are the first that a source of the library includes; `scripts/check headers`
# compiles each of them alone.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include"
     "${PROJECT_SOURCE_DIR}/include/nearfar/*.hpp")
list(FILTER headers EXCLUDE REGEX "^nearfar/adapters/|/impl/")
foreach(header IN LISTS headers)
  add_test(NAME header_alone.${header} COMMAND ${syntax_only} -include "${header}" -x c++ /dev/null)
  set_tests_properties(header_alone.${header} PROPERTIES LABELS once)
endforeach()
