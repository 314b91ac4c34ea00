# Three ways to use nearfar from outside. Label "once": one build type of nearfar is enough. The
# outside projects are Debug builds: they ask whether it compiles, links and runs, and a user's build
# type need not be the library's.

set(prefix "${CMAKE_CURRENT_BINARY_DIR}/consume/installed")
set(config "$<IF:$<BOOL:$<CONFIG>>,$<CONFIG>,Release>")

if(NEARFAR_INSTALL)
  add_test(NAME consume.install
           COMMAND "${CMAKE_COMMAND}" "-DBUILD=${PROJECT_BINARY_DIR}" "-DPREFIX=${prefix}"
                   "-DCONFIG=${config}" -P "${CMAKE_CURRENT_LIST_DIR}/install.cmake")
  set_tests_properties(consume.install PROPERTIES LABELS once FIXTURES_SETUP installed)
endif()

function(nearfar_consume_test name from target)
  add_test(
    NAME consume.${name}
    COMMAND
      "${CMAKE_COMMAND}" "-DFROM=${from}" "-DTARGET=${target}" "-DPREFIX=${prefix}"
      "-DREADME=${PROJECT_SOURCE_DIR}/README.md" "-DWORK=${CMAKE_CURRENT_BINARY_DIR}/consume/${name}"
      "-DNEARFAR_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DGENERATOR=${CMAKE_GENERATOR}"
      "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DCXX_FLAGS=${CMAKE_CXX_FLAGS}" -DCONFIG=Debug -P
      "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/consume.cmake")
  set_tests_properties(consume.${name} PROPERTIES LABELS once PROCESSORS 2)
  if(from STREQUAL "package")
    set_tests_properties(consume.${name} PROPERTIES FIXTURES_REQUIRED installed)
  endif()
endfunction()

if(NEARFAR_INSTALL)
  nearfar_consume_test(find_package package nearfar::nearfar)
  nearfar_consume_test(header_only package nearfar::header_only)
endif()
nearfar_consume_test(add_subdirectory subdirectory nearfar::nearfar)
