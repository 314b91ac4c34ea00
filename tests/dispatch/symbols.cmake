# Fails when LIBRARY offers a function or variable that is not of nearfar's own namespaces: compiled
# with wide instructions, it could become the one body of it in a whole program. Objects called ONCE,
# the C interface's, are compiled without such instructions, and offer what they were compiled from.

execute_process(COMMAND "${NM}" --defined-only --extern-only --format=posix "${LIBRARY}"
                OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
set(count 0)
set(of_once -1)
foreach(line IN LISTS lines)
  if(line MATCHES "\\[([^]]+)\\]:$")
    list(FIND ONCE "${CMAKE_MATCH_1}" of_once)
    continue()
  endif()
  math(EXPR count "${count} + 1")
  if(NOT line MATCHES "^_ZNK?(7nearfar|16nearfar_baseline|12nearfar_avx2|14nearfar_avx512)[0-9A-Z]"
     AND NOT line MATCHES "^nearfar_instruction_set "
     AND NOT (of_once GREATER -1 AND line MATCHES "^(nearfar_[a-z_]+ T|[^ ]+ [WVu]) "))
    message(SEND_ERROR "offered to everybody: ${line}")
  endif()
endforeach()
if(count LESS 1000)
  message(SEND_ERROR "only ${count} symbols: is this the library?")
endif()
message(STATUS "${count} symbols, all of nearfar's own namespaces")
