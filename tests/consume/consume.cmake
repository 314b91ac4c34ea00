# Builds and runs the README's first program in a project outside the tree. What the README shows is
# what is compiled here: the ```cpp block after the line <!-- quickstart -->.
#
# -DFROM=package|subdirectory -DTARGET=... -DREADME=... -DWORK=... and how to compile.

file(READ "${README}" readme)
string(FIND "${readme}" "\n<!-- quickstart -->\n" mark)
if(mark EQUAL -1)
  message(FATAL_ERROR "${README} has no line <!-- quickstart -->")
endif()
string(SUBSTRING "${readme}" ${mark} -1 rest)
string(FIND "${rest}" "\n```cpp\n" begin)
if(begin EQUAL -1)
  message(FATAL_ERROR "${README} has no \`\`\`cpp block after <!-- quickstart -->")
endif()
math(EXPR begin "${begin} + 8")
string(SUBSTRING "${rest}" ${begin} -1 rest)
string(FIND "${rest}" "\n```" end)
if(end EQUAL -1)
  message(FATAL_ERROR "${README}: the block after <!-- quickstart --> is not closed")
endif()
string(SUBSTRING "${rest}" 0 ${end} snippet)
if(NOT snippet MATCHES "int main\\(")
  message(FATAL_ERROR "${README}: the block after <!-- quickstart --> is not a whole program")
endif()

file(REMOVE_RECURSE "${WORK}")
file(WRITE "${WORK}/quickstart.cpp" "${snippet}\n")

# A subdirectory is compiled anew; once is enough.
execute_process(
  COMMAND
    "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
    "-DCMAKE_BUILD_TYPE=${CONFIG}" "-DFROM=${FROM}" "-DTARGET=${TARGET}"
    "-DSNIPPET=${WORK}/quickstart.cpp" "-DNEARFAR_SOURCE_DIR=${NEARFAR_SOURCE_DIR}"
    "-DNEARFAR_DISPATCH=OFF" "-DCMAKE_PREFIX_PATH=${PREFIX}" "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF"
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" --config "${CONFIG}" --parallel 2
                        COMMAND_ERROR_IS_FATAL ANY)
foreach(name consumer other_flags)
  find_program(${name} ${name} PATHS "${WORK}/build" "${WORK}/build/${CONFIG}" NO_DEFAULT_PATH
                                     REQUIRED)
  execute_process(COMMAND "${${name}}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
