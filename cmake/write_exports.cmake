# Writes OUT, a linker's version script: a shared library made of OBJECTS offers the public functions
# of namespace nearfar and of its C interface, and nothing else.
include("${CMAKE_CURRENT_LIST_DIR}/public_symbols.cmake")

set(exports)
foreach(object IN LISTS OBJECTS)
  nearfar_public_symbols("${object}" "${NM}" nearfar symbols)
  nearfar_c_symbols("${object}" "${NM}" c_symbols)
  list(APPEND exports ${symbols} ${c_symbols})
endforeach()
if(NOT exports)
  message(FATAL_ERROR "the library's objects define nothing in namespace nearfar")
endif()
# What has types of namespace detail or of the library's own Eigen in its name cannot be called from
# outside, where these are others.
list(FILTER exports EXCLUDE REGEX "6detail|15compiled_detail|14EigenInNearfar")
list(REMOVE_DUPLICATES exports)
list(SORT exports)
list(JOIN exports ";\n  " exports)
file(WRITE "${OUT}" "{\nglobal:\n  ${exports};\nlocal:\n  *;\n};\n")
