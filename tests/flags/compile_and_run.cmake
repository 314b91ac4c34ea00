# cmake -P compile_and_run.cmake PROGRAM COMMAND...
# Passes when COMMAND, a compiler's, makes PROGRAM and PROGRAM succeeds.

set(program "${CMAKE_ARGV3}")
set(command)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 4 ${last})
  list(APPEND command "${CMAKE_ARGV${i}}")
endforeach()
execute_process(COMMAND ${command} -o "${program}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${program}" COMMAND_ERROR_IS_FATAL ANY)
