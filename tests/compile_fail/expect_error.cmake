# cmake -P expect_error.cmake SOURCE COMPILER FLAGS...
# Passes when SOURCE does not compile and the compiler's message contains what the first line of
# SOURCE, "// expect: ...", says, and little more: one sentence of the library's, and 30 lines in all.

set(source "${CMAKE_ARGV3}")
set(command)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 4 ${last})
  list(APPEND command "${CMAKE_ARGV${i}}")
endforeach()

file(READ "${source}" text)
if(NOT text MATCHES "^// expect: ([^\n]+)\n")
  message(FATAL_ERROR "${source}: the first line is not \"// expect: ...\"")
endif()
set(expected "${CMAKE_MATCH_1}")

execute_process(
  COMMAND ${command} "${source}"
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(status EQUAL 0)
  message(FATAL_ERROR "${source} compiles and must not")
endif()
string(FIND "${output}" "${expected}" found)
if(found EQUAL -1)
  message("${output}")  # Apart: a fatal error's text would be wrapped.
  message(FATAL_ERROR "${source}: the message above does not contain: ${expected}")
endif()
function(expect_at_most most pattern what)
  string(REGEX MATCHALL "${pattern}" all "${output}")
  list(LENGTH all count)
  if(count GREATER most)
    message("${output}")
    message(FATAL_ERROR "${source}: the message above has ${count} ${what}")
  endif()
endfunction()
expect_at_most(1 "error:[^\n]*nearfar: " "sentences of the library's")
expect_at_most(30 "\n" "lines")
