# nearfar.cps, the package in the terms of the Common Package Specification, for tools that read neither
# CMake's files nor pkg-config's. It has what the exported targets have, and is installed where asked for:
# CMake 4.3 reads it before CMake's own files, and then knows neither OpenMP's flags nor all components.

option(NEARFAR_CPS "Install a description in the Common Package Specification, too" OFF)

set(nearfar_cps_dir "${CMAKE_INSTALL_LIBDIR}/cps/nearfar")
if(IS_ABSOLUTE "${nearfar_cps_dir}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  if(NEARFAR_CPS)
    message(FATAL_ERROR "nearfar: NEARFAR_CPS needs folders of libraries and headers that are below the prefix")
  endif()
  return()
endif()
set(nearfar_has_cps ON)

# A component's members, after its type. Eigen has no version here: to its own files 3.4 leaves out 5, and
# the headers say which it must be.
function(nearfar_cps_component out name type more)
  set(requires "\"Eigen3:Eigen\"")
  if(nearfar_needs_openmp)
    string(APPEND requires ", \":openmp\"")
  endif()
  string(APPEND ${out} "${${out}_separator}
    \"${name}\": {
      \"type\": \"${type}\",${more}
      \"includes\": [\"@prefix@/${CMAKE_INSTALL_INCLUDEDIR}\"],
      \"compile_features\": [\"c++20\"],
      \"requires\": [${requires}]
    }")
  set(${out} "${${out}}" PARENT_SCOPE)
  set(${out}_separator "," PARENT_SCOPE)
endfunction()

set(nearfar_cps_components "")
set(nearfar_cps_components_separator "")
foreach(target IN LISTS nearfar_libraries)
  get_target_property(type ${target} TYPE)
  set(cps_type archive)
  if(type STREQUAL "SHARED_LIBRARY")
    set(cps_type dylib)
  endif()
  set(cps_name nearfar)
  if(NOT target STREQUAL "nearfar")
    set(cps_name ${nearfar_other_kind})
  endif()
  nearfar_cps_component(nearfar_cps_components ${cps_name} ${cps_type} "
      \"location\": \"@prefix@/${CMAKE_INSTALL_LIBDIR}/$<TARGET_FILE_NAME:${target}>\",")
endforeach()
nearfar_cps_component(nearfar_cps_components header_only interface "
      \"definitions\": {\"*\": {\"NEARFAR_HEADER_ONLY\": null}},")
if(nearfar_needs_openmp)
  string(APPEND nearfar_cps_components ",
    \"openmp\": {
      \"type\": \"interface\",
      \"compile_flags\": [\"${OpenMP_CXX_FLAGS}\"],
      \"link_flags\": [\"${OpenMP_CXX_FLAGS}\"]
    }")
endif()

# Before 1.0 a new minor version may break its users.
file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/$<CONFIG>/nearfar.cps" CONTENT
"{
  \"cps_version\": \"0.13.0\",
  \"name\": \"nearfar\",
  \"description\": \"${PROJECT_DESCRIPTION}\",
  \"license\": \"MIT\",
  \"version\": \"${PROJECT_VERSION}\",
  \"compat_version\": \"${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}.0\",
  \"cps_path\": \"@prefix@/${nearfar_cps_dir}\",
  \"requires\": {\"Eigen3\": {}},
  \"default_components\": [\"nearfar\"],
  \"components\": {${nearfar_cps_components}
  }
}
")
if(NEARFAR_CPS)
  install(FILES "${PROJECT_BINARY_DIR}/$<CONFIG>/nearfar.cps" DESTINATION "${nearfar_cps_dir}"
          COMPONENT development)
endif()
