# Fails unless the shared LIBRARY offers functions of nearfar's and nothing else: of the standard
# library's, of Eigen's, or of one instruction set.

execute_process(COMMAND "${NM}" -D --defined-only --format=posix "${LIBRARY}" OUTPUT_VARIABLE lines
                                                                  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^((_ZNK?7nearfar[0-9]|nearfar_)[A-Za-z0-9_]+ [TW]|_ZT[ISV]N7nearfar[A-Za-z0-9_]+ [DRV]) "
     OR line MATCHES "5Eigen|7nearfar6detail(8baseline|4avx2|6avx512|6native)")
    message(SEND_ERROR "offered to everybody: ${line}")
  endif()
endforeach()
list(LENGTH lines count)
if(count LESS 100)
  message(SEND_ERROR "only ${count} symbols: is this the library?")
endif()
foreach(wanted _ZN7nearfar22active_instruction_setEv nearfar_instruction_set_name)
  if(NOT lines MATCHES "(^|;)${wanted} ")
    message(SEND_ERROR "not offered: ${wanted}")
  endif()
endforeach()

execute_process(COMMAND "${OBJDUMP}" -p "${LIBRARY}" OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
if(NOT headers MATCHES "SONAME +libnearfar\\.so\\.${ABI}\n")
  message(SEND_ERROR "wanted the soname libnearfar.so.${ABI}")
endif()
if(headers MATCHES "TEXTREL")
  message(SEND_ERROR "code that is not position independent")
endif()
message(STATUS "${count} symbols, all of them entry points")
