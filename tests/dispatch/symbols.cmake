# What is compiled with wide instructions must not become the one body of it in a whole program:
#
# -DSET=<set> -DOBJECTS=... -DOFFERED=NAME,... fails when these objects offer a function or variable
# that is not of namespace nearfar::detail::<set>, or do not offer these of it.
# -DLIBRARY=... fails when the library holds anything of Eigen's, whose functions' bodies depend on
# whoever compiles them, or when what is of a set's namespace can be had from outside.

set(all_sets "8baseline|4avx2|6avx512|11avx512_bf16|6native")
if(SET)
  set(files ${OBJECTS})
  set(options --extern-only)
  string(LENGTH "${SET}" length)
  # A function or variable, what it keeps (_ZGV, _ZGR), what is local to it (_ZZ).
  set(allowed "^_Z(GV|GR)?Z*N[KVrRO]*7nearfar6detail${length}${SET}[0-9a-zA-Z]")
  set(forbidden "^$")
  string(REPLACE "," ";" names "${OFFERED}")
  foreach(name IN LISTS names)
    list(APPEND wanted "_ZN7nearfar6detail${length}${SET}[0-9]+${name}E")
  endforeach()
elseif(CONFIG STREQUAL "Debug")
  message(STATUS "SKIPPED: without optimisation Eigen's headers leave their constants' constructors")
  return()
else()
  set(files "${LIBRARY}")
  set(allowed "")
  set(forbidden "5Eigen")
  set(wanted "_ZN7nearfar22active_instruction_setEv")
  if(LIBRARY MATCHES "\\.so")
    set(options --dynamic)
    string(APPEND forbidden "|7nearfar6detail(${all_sets})")
  else()
    set(options --extern-only)
  endif()
endif()

execute_process(COMMAND "${NM}" ${options} --defined-only --format=posix ${files} OUTPUT_VARIABLE lines
                                                                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
list(FILTER lines EXCLUDE REGEX ":$")  # names of files
foreach(line IN LISTS lines)
  if(NOT line MATCHES "${allowed}" OR line MATCHES "${forbidden}")
    message(SEND_ERROR "offered to everybody: ${line}")
  endif()
endforeach()
foreach(symbol IN LISTS wanted)
  if(NOT lines MATCHES "(^|;)${symbol} ")
    message(SEND_ERROR "not offered: ${symbol}")
  endif()
endforeach()
list(LENGTH lines count)
message(STATUS "${count} symbols")
