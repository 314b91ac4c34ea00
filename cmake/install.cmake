# Installing: headers, library, and a package that find_package(nearfar) reads from wherever the
# tree was moved to.

include(CMakePackageConfigHelpers)

set(nearfar_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/nearfar")
set(nearfar_needs_openmp OFF)
if(NEARFAR_OPENMP AND OpenMP_CXX_FOUND)
  set(nearfar_needs_openmp ON)
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/nearfar" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS nearfar nearfar_header_only EXPORT nearfarTargets)
install(EXPORT nearfarTargets NAMESPACE nearfar:: DESTINATION "${nearfar_package_dir}")

configure_package_config_file(
  cmake/nearfarConfig.cmake.in "${PROJECT_BINARY_DIR}/nearfarConfig.cmake"
  INSTALL_DESTINATION "${nearfar_package_dir}")
# Before 1.0 a new minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/nearfarConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/nearfarConfig.cmake"
              "${PROJECT_BINARY_DIR}/nearfarConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/nearfarTorch.cmake"
        DESTINATION "${nearfar_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
