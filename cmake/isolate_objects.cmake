# Copies OBJECTS to FOLDER, by name, where they offer nothing but the functions of NAMESPACE.
include("${CMAKE_CURRENT_LIST_DIR}/public_symbols.cmake")

file(MAKE_DIRECTORY "${FOLDER}")
foreach(object IN LISTS OBJECTS)
  get_filename_component(name "${object}" NAME_WE)
  set(isolated "${FOLDER}/${name}.o")
  # Functions that several objects define come in groups, of which the linker keeps one; a group can
  # be kept or lost as a whole only, so that its symbols can't be made local before it is dissolved.
  execute_process(COMMAND "${LD}" -r --force-group-allocation -o "${isolated}.whole" "${object}"
                          COMMAND_ERROR_IS_FATAL ANY)
  nearfar_symbols("${isolated}.whole" "${NM}" "${NAMESPACE}" symbols)
  if(NOT symbols)
    message(FATAL_ERROR "${object} defines nothing in namespace ${NAMESPACE}")
  endif()
  list(JOIN symbols "\n" list)
  file(WRITE "${isolated}.symbols" "${list}\n")
  execute_process(COMMAND "${OBJCOPY}" "--keep-global-symbols=${isolated}.symbols"
                          "${isolated}.whole" "${isolated}" COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE "${isolated}.whole")
endforeach()
