# Builds and runs the README's first program in a project outside the tree. What the README shows is
# what is compiled here: the ```cpp block after the line <!-- quickstart -->.
#
# -DFROM=package|subdirectory|fetch_content -DTARGETS=... -DREADME=... -DWORK=... and how to compile.
# With -DEXPECTED_ERROR=... it must not configure, and say so.

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

# A subdirectory is compiled anew: once is enough, and in large pieces, as a user's unity build would.
if(FROM STREQUAL "subdirectory")
  set(how -DNEARFAR_DISPATCH=OFF -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12)
elseif(FROM STREQUAL "fetch_content")
  set(how -DFETCHCONTENT_FULLY_DISCONNECTED=ON "-DFETCHCONTENT_SOURCE_DIR_NEARFAR=${NEARFAR_SOURCE_DIR}")
else()
  set(how "-DCMAKE_PREFIX_PATH=${PREFIX}" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
          "-DWANTED_VERSION=${WANTED_VERSION}" "-DCOMPONENTS=${COMPONENTS}")
endif()
set(configure
    "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS} -O0" "-DFROM=${FROM}"
    "-DTARGETS=${TARGETS}" "-DOTHER_FLAGS=${OTHER_FLAGS}" "-DSNIPPET=${WORK}/quickstart.cpp"
    "-DNEARFAR_SOURCE_DIR=${NEARFAR_SOURCE_DIR}" ${how})

if(EXPECTED_ERROR)
  execute_process(COMMAND ${configure} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")  # CMake wraps what it says
  string(FIND "${output}" "${EXPECTED_ERROR}" found)
  if(status EQUAL 0 OR found EQUAL -1)
    message("${output}")
    message(FATAL_ERROR "wanted an error that says: ${EXPECTED_ERROR}")
  endif()
  return()
endif()

execute_process(COMMAND ${configure} COMMAND_ERROR_IS_FATAL ANY)
set(names consumer)
if(OTHER_FLAGS)
  list(APPEND names plain native unaligned)
endif()
set(programs)
foreach(target IN LISTS TARGETS)
  string(REPLACE "nearfar::" "" kind "${target}")
  list(TRANSFORM names APPEND "_${kind}" OUTPUT_VARIABLE linked)
  list(APPEND programs ${linked})
endforeach()
# By name: header-only, nearfar's own library is nobody's business.
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" --parallel 2 --target ${programs}
                        COMMAND_ERROR_IS_FATAL ANY)
foreach(program IN LISTS programs)
  file(GLOB path "${WORK}/build/${program}" "${WORK}/build/Debug/${program}")
  execute_process(COMMAND "${path}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
