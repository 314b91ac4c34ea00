# Libraries made of one set of objects. They are position independent whatever they end up in, which
# costs nothing that could be measured on x86-64: so a static and a shared library come of one build.

# Adds `target` as a library of `kind`, static or shared, also known as nearfar::<kind>.
function(nearfar_library target kind)
  string(TOUPPER ${kind} type)
  add_library(${target} ${type} "$<TARGET_OBJECTS:nearfar_objects>" ${nearfar_isolated_objects})
  add_library(nearfar::${kind} ALIAS ${target})
  set_target_properties(
    ${target} PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME nearfar VERSION ${PROJECT_VERSION}
                         SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  nearfar_usage(${target} PUBLIC)
  if(TARGET nearfar_isolate)
    add_dependencies(${target} nearfar_isolate)  # else both libraries would make them at once
  endif()
  if(kind STREQUAL "shared" AND CMAKE_NM AND UNIX AND NOT APPLE)
    # Offered to others is what users call, by name: nothing of Eigen's, of the standard library's or
    # of namespace detail. Inside, the library's own functions are called, not a program's.
    set(exports "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
    add_custom_command(
      TARGET ${target} PRE_LINK
      COMMAND "${CMAKE_COMMAND}" "-DOBJECTS=$<TARGET_OBJECTS:nearfar_objects>" "-DNM=${CMAKE_NM}"
              "-DOUT=${exports}" -P "${PROJECT_SOURCE_DIR}/cmake/write_exports.cmake"
      VERBATIM)
    set_target_properties(
      ${target} PROPERTIES LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/write_exports.cmake")
    target_link_options(${target} PRIVATE "-Wl,--version-script=${exports}"
                                          "-Wl,-Bsymbolic-functions")
  endif()
endfunction()
