# Installing: headers, libraries, and the packages that find_package(nearfar) and pkg-config read from
# wherever the tree was moved to. In two parts, as distributions have them: what programs need to run,
# and what it takes to build them.

include(CMakePackageConfigHelpers)

set(nearfar_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/nearfar")
set(nearfar_needs_openmp OFF)
if(NEARFAR_OPENMP AND OpenMP_CXX_FOUND)
  set(nearfar_needs_openmp ON)
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/nearfar" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT development)
install(
  TARGETS ${nearfar_libraries} nearfar_header_only
  EXPORT nearfarTargets
  RUNTIME COMPONENT runtime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE COMPONENT development)
install(EXPORT nearfarTargets NAMESPACE nearfar:: DESTINATION "${nearfar_package_dir}"
        COMPONENT development)

configure_package_config_file(
  cmake/nearfarConfig.cmake.in "${PROJECT_BINARY_DIR}/nearfarConfig.cmake"
  INSTALL_DESTINATION "${nearfar_package_dir}")
# Before 1.0 a new minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/nearfarConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/nearfarConfig.cmake"
              "${PROJECT_BINARY_DIR}/nearfarConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/nearfar-mpi.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/nearfar-torch.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/nearfarMpi.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/nearfarTorch.cmake"
        DESTINATION "${nearfar_package_dir}" COMPONENT development)

# ---- pkg-config --------------------------------------------------------------------------------

# From the .pc file up to the prefix, so that the tree can be moved; folders outside of the prefix stay
# where they are.
set(nearfar_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${nearfar_pc_dir}")
  set(nearfar_pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH nearfar_up "/${nearfar_pc_dir}" "/")
  string(REGEX REPLACE "/$" "" nearfar_up "${nearfar_up}")
  set(nearfar_pc_prefix "\${pcfiledir}/${nearfar_up}")
endif()
foreach(folder INCLUDEDIR LIBDIR)
  set(nearfar_pc_${folder} "${CMAKE_INSTALL_${folder}}")
  if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    string(PREPEND nearfar_pc_${folder} "\${prefix}/")
  endif()
endforeach()
set(nearfar_pc_openmp "")
if(nearfar_needs_openmp)
  set(nearfar_pc_openmp "${OpenMP_CXX_FLAGS}")  # compilers link by it, too
endif()
# Eigen's own file says -I, and clang's -Wconversion then speaks of Eigen's headers in users' programs.
# To compilers a folder that is also named by -isystem is a system folder.
set(nearfar_pc_eigen "")
get_target_property(nearfar_eigen_imported Eigen3::Eigen IMPORTED)
if(Eigen3_FOUND AND nearfar_eigen_imported)
  get_target_property(nearfar_eigen_folders Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
  list(REMOVE_ITEM nearfar_eigen_folders ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
  list(TRANSFORM nearfar_eigen_folders REPLACE "(.+)" "-isystem \"\\1\"")
  list(JOIN nearfar_eigen_folders " " nearfar_pc_eigen)
endif()
# For linkers that are not C++'s.
set(nearfar_pc_private "")
foreach(library stdc++ c++ m)
  if(library IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    string(APPEND nearfar_pc_private " -l${library}")
  endif()
endforeach()
configure_file(cmake/nearfar.pc.in "${PROJECT_BINARY_DIR}/nearfar.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/nearfar.pc" DESTINATION "${nearfar_pc_dir}"
        COMPONENT development)

include(cmake/cps.cmake)

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        COMPONENT development)
