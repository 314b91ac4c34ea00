# Makes Debian packages of the build tree BUILD and looks at what is in them.

file(REMOVE_RECURSE "${WORK}")
execute_process(COMMAND "${CPACK}" -G DEB --config "${BUILD}/CPackConfig.cmake" -B "${WORK}"
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

# Fails unless the package called `name` has all fields and files that are wanted.
function(check_package name fields files)
  file(GLOB package "${WORK}/${name}_*.deb")
  if(NOT EXISTS "${package}")
    message(FATAL_ERROR "no package ${name}, or several: ${package}")
  endif()
  execute_process(COMMAND dpkg-deb --field "${package}" OUTPUT_VARIABLE control
                                                        COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND dpkg-deb --contents "${package}" OUTPUT_VARIABLE contents
                                                           COMMAND_ERROR_IS_FATAL ANY)
  foreach(wanted IN LISTS fields)
    if(NOT control MATCHES "(^|\n)${wanted}")
      message(SEND_ERROR "${name}: no field like ${wanted} in\n${control}")
    endif()
  endforeach()
  foreach(wanted IN LISTS files ITEMS "share/doc/${name}/copyright")
    if(NOT contents MATCHES " \\./usr/${wanted}( -> [^\n]*)?\n")
      message(SEND_ERROR "${name}: no file like ${wanted} in\n${contents}")
    endif()
  endforeach()
  set(contents "${contents}" PARENT_SCOPE)
endfunction()

string(REPLACE "." "\\." version "${VERSION}")
string(REGEX REPLACE "\\.[0-9]+$" "" abi "${VERSION}")
set(depends "libeigen3-dev \\(>= 3\\.4\\)")
set(files include/nearfar/nearfar.hpp include/nearfar/version.hpp "lib/.*cmake/nearfar/nearfarConfig.cmake"
          "lib/.*pkgconfig/nearfar.pc")
if(STATIC)
  list(APPEND files "lib/.*libnearfar\\.a")
endif()
if(SHARED)
  string(PREPEND depends "libnearfar${abi} \\(= ${version}-1\\), ")
  list(APPEND files "lib/.*libnearfar\\.so")
  # What the shared library needs is found by dpkg-shlibdeps.
  check_package(
    libnearfar${abi}
    "Version: ${version}-1;Section: libs;Depends: [^\n]*libc6 \\(>= ;Depends: [^\n]*libstdc\\+\\+6 \\(>= "
    "lib/.*libnearfar\\.so\\.${abi};lib/.*libnearfar\\.so\\.${version}")
  if(contents MATCHES "include/|cmake/|libnearfar\\.so( |\n)")
    message(SEND_ERROR "what programs run with has what they are built with:\n${contents}")
  endif()
endif()
check_package(libnearfar-dev "Version: ${version}-1;Section: libdevel;Depends: ${depends}\n" "${files}")
