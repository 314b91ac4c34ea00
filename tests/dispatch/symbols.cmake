# Fails when LIBRARY offers a function or variable that is not of nearfar's own namespaces: compiled
# with wide instructions, it could become the one body of it in a whole program.

execute_process(COMMAND "${NM}" --defined-only --extern-only --format=posix "${LIBRARY}"
                OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
set(count 0)
foreach(line IN LISTS lines)
  if(line MATCHES ":$")
    continue()  # the name of a member
  endif()
  math(EXPR count "${count} + 1")
  if(NOT line MATCHES "^_ZNK?(7nearfar|16nearfar_baseline|12nearfar_avx2|14nearfar_avx512)[0-9A-Z]"
     AND NOT line MATCHES "^nearfar_instruction_set ")
    message(SEND_ERROR "offered to everybody: ${line}")
  endif()
endforeach()
if(count LESS 1000)
  message(SEND_ERROR "only ${count} symbols: is this the library?")
endif()
message(STATUS "${count} symbols, all of nearfar's own namespaces")
