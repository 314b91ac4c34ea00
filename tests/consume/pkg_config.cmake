# Compiles, links and runs a program with what pkg-config says of the nearfar in PREFIX and nothing
# else. KIND=static: in a prefix without the shared library, which the linker would take before it.

file(REMOVE_RECURSE "${WORK}")
file(COPY "${PREFIX}/" DESTINATION "${WORK}/installed")
if(KIND STREQUAL "static")
  file(GLOB_RECURSE shared "${WORK}/installed/*.so*")
  if(shared)
    file(REMOVE ${shared})
  endif()
endif()
file(GLOB_RECURSE pc "${WORK}/installed/nearfar.pc")
get_filename_component(folder "${pc}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${folder}")

function(ask out)
  execute_process(COMMAND "${PKG_CONFIG}" ${ARGN} nearfar OUTPUT_VARIABLE answer
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(answer UNIX_COMMAND "${answer}")
  set(${out} "${answer}" PARENT_SCOPE)
endfunction()

ask(version --modversion)
if(NOT version VERSION_EQUAL VERSION)
  message(FATAL_ERROR "wanted version ${VERSION}, got ${version}")
endif()
ask(cflags --cflags)
set(how)
if(KIND STREQUAL "static")
  set(how --static)
endif()
ask(libs --libs ${how})
ask(libdir --variable=libdir)

# clang has warnings for Eigen's headers unless they are a system's. Its OpenMP is a package apart.
if(CLANG)
  set(without_openmp ${cflags})
  list(FILTER without_openmp EXCLUDE REGEX "^-fopenmp")
  execute_process(COMMAND "${CLANG}" -std=c++20 -fsyntax-only -Wall -Wextra -Wconversion -Werror
                          -Wno-unknown-pragmas ${without_openmp} "${SOURCE}" COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -O1 "${SOURCE}" -o "${WORK}/one_loss"
          ${cflags} ${libs} COMMAND_ERROR_IS_FATAL ANY)
set(ENV{LD_LIBRARY_PATH} "${libdir}")
execute_process(COMMAND "${WORK}/one_loss" COMMAND_ERROR_IS_FATAL ANY)
