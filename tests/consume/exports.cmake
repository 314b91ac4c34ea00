# Fails unless what the shared LIBRARY offers is nearfar's public functions and nothing else.

execute_process(COMMAND "${NM}" -D --defined-only --format=posix "${LIBRARY}" OUTPUT_VARIABLE lines
                                                                  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^(_ZNK?7nearfar[0-9]|nearfar_)[A-Za-z0-9_]+ [TW] "
     OR line MATCHES "6detail|compiled_detail|Eigen|nearfar_(baseline|avx)|nearfar_instruction_set ")
    message(SEND_ERROR "offered to everybody: ${line}")
  endif()
endforeach()
list(LENGTH lines count)
if(count LESS 1000)
  message(SEND_ERROR "only ${count} symbols: is this the library?")
endif()
foreach(wanted _ZN7nearfar22active_instruction_setEv)
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
message(STATUS "${count} symbols, all of them public functions")
