# Functions of a namespace that an object defines for others. Mangled: _ZN12nearfar_avx2...,
# _ZNK12nearfar_avx2... for const members. Those of its namespace detail are for the library's other
# objects of the same instruction set.
function(nearfar_symbols object nm namespace out)
  execute_process(COMMAND "${nm}" --defined-only --extern-only --format=posix "${object}"
                  OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
  string(LENGTH "${namespace}" length)
  string(REGEX MATCHALL "_ZNK?${length}${namespace}[A-Za-z0-9_]+ [TW] " symbols "${lines}")
  list(TRANSFORM symbols REPLACE " .*" "")
  list(REMOVE_DUPLICATES symbols)
  set(${out} "${symbols}" PARENT_SCOPE)
endfunction()

# Those of them that users call.
function(nearfar_public_symbols object nm namespace out)
  nearfar_symbols("${object}" "${nm}" "${namespace}" symbols)
  string(LENGTH "${namespace}" length)
  list(FILTER symbols EXCLUDE REGEX "^_ZNK?${length}${namespace}6detail")
  set(${out} "${symbols}" PARENT_SCOPE)
endfunction()

# Functions with C linkage whose names say whose they are: nearfar_...
function(nearfar_c_symbols object nm out)
  execute_process(COMMAND "${nm}" --defined-only --extern-only --format=posix "${object}"
                  OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "(^|\n)nearfar_[A-Za-z0-9_]+ T " symbols "${lines}")
  list(TRANSFORM symbols REPLACE "\n| .*" "")
  set(${out} "${symbols}" PARENT_SCOPE)
endfunction()
