# Every way to use nearfar from outside. Label "once": one build type of nearfar is enough. The outside
# projects are not optimised but where they say so: they ask whether it compiles, links and runs, and a
# user's build type need not be the library's. What is compiled already is not compiled again.

set(work "${CMAKE_CURRENT_BINARY_DIR}/consume")
set(prefix "${work}/installed")
set(config "$<IF:$<BOOL:$<CONFIG>>,$<CONFIG>,Release>")
set(here "${CMAKE_CURRENT_LIST_DIR}")

function(nearfar_once_test name)
  add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS once)
endfunction()

# Somebody else's project in tests/`room`/consume, which asks the installed package for a component; what
# follows runs its program, consumer. A Debug build: does it compile, link and run?
function(nearfar_component_test room environment)
  set(work "${CMAKE_CURRENT_BINARY_DIR}/${room}/consume")
  add_test(
    NAME ${room}.consume
    COMMAND
      "${CMAKE_CTEST_COMMAND}" --build-and-test "${CMAKE_CURRENT_SOURCE_DIR}/${room}/consume" "${work}"
      --build-generator "${CMAKE_GENERATOR}" --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}" -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_PREFIX_PATH=${prefix}"
      -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF --test-command ${ARGN} "${work}/consumer")
  set_tests_properties(${room}.consume PROPERTIES LABELS "${room};once" FIXTURES_REQUIRED installed
                                                  ENVIRONMENT "${environment}")
endfunction()

# nearfar_consume_test(name from -D...)
function(nearfar_consume_test name from)
  nearfar_once_test(
    consume.${name} "-DFROM=${from}" "-DPREFIX=${prefix}" "-DREADME=${PROJECT_SOURCE_DIR}/README.md"
    "-DWORK=${work}/${name}" "-DNEARFAR_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "-DGENERATOR=${CMAKE_GENERATOR}" "-DCOMPILER=${CMAKE_CXX_COMPILER}"
    "-DCXX_FLAGS=${CMAKE_CXX_FLAGS}" ${ARGN} -P "${here}/consume.cmake")
  if(from STREQUAL "package")
    set_tests_properties(consume.${name} PROPERTIES FIXTURES_REQUIRED installed)
  endif()
endfunction()

nearfar_consume_test(fetch_content fetch_content -DTARGETS=nearfar::header_only)
nearfar_consume_test(add_subdirectory subdirectory -DTARGETS=nearfar::nearfar)
set_tests_properties(consume.add_subdirectory PROPERTIES PROCESSORS 2)

if(TARGET nearfar::shared AND UNIX AND NOT APPLE)
  nearfar_once_test(consume.exports "-DLIBRARY=$<TARGET_FILE:nearfar::shared>" "-DNM=${CMAKE_NM}"
                    "-DABI=${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}"
                    "-DOBJDUMP=${CMAKE_OBJDUMP}" -P "${here}/exports.cmake")
endif()

if(NOT NEARFAR_INSTALL)
  return()
endif()

nearfar_once_test(consume.install "-DBUILD=${PROJECT_BINARY_DIR}" "-DPREFIX=${prefix}"
                  "-DCONFIG=${config}" -P "${here}/install.cmake")
set_tests_properties(consume.install PROPERTIES FIXTURES_SETUP installed)

# Components are names of targets, and the compiled library is compiled.
set(compiled)
foreach(kind static shared)
  if(TARGET nearfar::${kind})
    list(APPEND compiled ${kind})
  endif()
endforeach()
list(TRANSFORM compiled PREPEND nearfar:: OUTPUT_VARIABLE compiled_targets)
set(version "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
nearfar_consume_test(find_package package "-DWANTED_VERSION=${version}" "-DTARGETS=${compiled_targets}"
                     "-DCOMPONENTS=compiled;${compiled}" -DOTHER_FLAGS=ON)
set_tests_properties(consume.find_package PROPERTIES PROCESSORS 2)
nearfar_consume_test(header_only package "-DWANTED_VERSION=${version}" -DCOMPONENTS=header_only
                     -DTARGETS=nearfar::header_only)
nearfar_consume_test(unknown_component package "-DWANTED_VERSION=${version}" -DCOMPONENTS=cuda
                     "-DEXPECTED_ERROR=nearfar has no component cuda here; it has compiled, header_only")
math(EXPR next_minor "${PROJECT_VERSION_MINOR} + 1")
nearfar_consume_test(
  later_version package "-DWANTED_VERSION=${PROJECT_VERSION_MAJOR}.${next_minor}"
  "-DEXPECTED_ERROR=nearfarConfig.cmake, version: ${PROJECT_VERSION}")

get_target_property(eigen_folders Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
nearfar_once_test(consume.eigen_versions "-DPREFIX=${prefix}" "-DWORK=${work}/eigen_versions"
                  "-DHEADERS=${eigen_folders}" "-DGENERATOR=${CMAKE_GENERATOR}"
                  "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DNEARFAR_SOURCE_DIR=${PROJECT_SOURCE_DIR}" -P
                  "${here}/eigen_versions.cmake")
set_tests_properties(consume.eigen_versions PROPERTIES FIXTURES_REQUIRED installed)

find_program(NEARFAR_PKG_CONFIG NAMES pkg-config pkgconf)
find_program(NEARFAR_CLANG NAMES clang++)
if(NEARFAR_PKG_CONFIG)
  foreach(kind IN LISTS compiled)
    nearfar_once_test(consume.pkg_config_${kind} "-DKIND=${kind}" "-DPREFIX=${prefix}"
                      "-DWORK=${work}/pkg_config_${kind}" "-DPKG_CONFIG=${NEARFAR_PKG_CONFIG}"
                      "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DCLANG=$<$<BOOL:${NEARFAR_CLANG}>:${NEARFAR_CLANG}>"
                      "-DVERSION=${PROJECT_VERSION}"
                      "-DSOURCE=${PROJECT_SOURCE_DIR}/packaging/conan/test_package/one_loss.cpp" -P
                      "${here}/pkg_config.cmake")
    set_tests_properties(consume.pkg_config_${kind} PROPERTIES FIXTURES_REQUIRED installed)
  endforeach()
endif()
