# An overlay port, for this repository as it lies here:
#   vcpkg install nearfar --overlay-ports=<this repository>/packaging/vcpkg
# Published, vcpkg_from_git with the repository's address and a commit takes the place of this line.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_check_features(
  OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    dispatch NEARFAR_DISPATCH
    openmp NEARFAR_OPENMP)

# The triplet says which library: vcpkg sets BUILD_SHARED_LIBS.
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    -DNEARFAR_DEVELOPER=OFF
    -DNEARFAR_INSTALL=ON
    -DNEARFAR_BOTH_LIBRARIES=OFF
    ${FEATURE_OPTIONS})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/nearfar)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
