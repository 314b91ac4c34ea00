# Debian looks for a package's licence in a folder of the package's name.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER "${component}" COMPONENT)
  set(name "${CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME}")
  set(folder "${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/doc/${name}")
  file(MAKE_DIRECTORY "${folder}")
  file(COPY_FILE "${CPACK_RESOURCE_FILE_LICENSE}" "${folder}/copyright")
endforeach()
