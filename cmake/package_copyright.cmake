# Debian looks for a package's licence in a folder of the package's name.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER "${component}" COMPONENT)
  set(name "${CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME}")
  file(COPY_FILE "${CPACK_RESOURCE_FILE_LICENSE}" "${CPACK_TEMPORARY_DIRECTORY}/copyright")
  file(INSTALL "${CPACK_TEMPORARY_DIRECTORY}/copyright" TYPE FILE
       DESTINATION "${CPACK_TEMPORARY_DIRECTORY}/${component}/usr/share/doc/${name}")
  file(REMOVE "${CPACK_TEMPORARY_DIRECTORY}/copyright")
endforeach()
