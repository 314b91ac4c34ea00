# The tools that watch tests are shown what they must report: one that sees nothing says nothing.

function(nearfar_must_report name message)
  add_executable(tools_${name} tools/${name}.cpp)
  target_link_libraries(tools_${name} PRIVATE nearfar::header_only)
  add_test(NAME tools.${name}_is_reported COMMAND tools_${name})
  set_tests_properties(tools.${name}_is_reported PROPERTIES LABELS tools PASS_REGULAR_EXPRESSION
                                                                         "${message}")
endfunction()

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  nearfar_must_report(race "WARNING: ThreadSanitizer: data race.*tests/tools/race.cpp")
elseif(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address")
  nearfar_must_report(leak "SUMMARY: AddressSanitizer: 77 byte.s. leaked in 1 allocation")
elseif(CMAKE_CROSSCOMPILING_EMULATOR MATCHES "valgrind")
  nearfar_must_report(unwritten "ninitialised value.*definitely lost")
endif()
