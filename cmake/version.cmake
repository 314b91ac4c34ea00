# Reads nearfar_version, such as 0.1.0, from the header that says so.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../include/nearfar/version.hpp" nearfar_version
     REGEX "^#define NEARFAR_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
list(TRANSFORM nearfar_version REPLACE ".* " "")
list(LENGTH nearfar_version numbers)
if(NOT numbers EQUAL 3)
  message(FATAL_ERROR "nearfar/version.hpp: wanted major, minor and patch, got ${nearfar_version}")
endif()
list(JOIN nearfar_version "." nearfar_version)
