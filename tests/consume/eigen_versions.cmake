# Which Eigens the source tree and the installed package take, by packages that say a version and have
# the HEADERS of the one that is here. Nothing is compiled, and nothing is fetched.

file(REMOVE_RECURSE "${WORK}")

# Versions are compared as Eigen's own files do: 3.4.0's takes its major version, 5's its minor one.
include(CMakePackageConfigHelpers)
foreach(version 3.3.9 3.4.0 5.0.1)
  set(folder "${WORK}/eigen-${version}")
  file(WRITE "${folder}/Eigen3Config.cmake"
       "if(NOT TARGET Eigen3::Eigen)
          add_library(Eigen3::Eigen INTERFACE IMPORTED)
          target_include_directories(Eigen3::Eigen INTERFACE \"${HEADERS}\")
        endif()\n")
  set(compatible SameMajorVersion)
  if(version VERSION_GREATER_EQUAL 5)
    set(compatible SameMinorVersion)
  endif()
  write_basic_package_version_file("${folder}/Eigen3ConfigVersion.cmake" VERSION ${version}
                                   COMPATIBILITY ${compatible} ARCH_INDEPENDENT)
endforeach()

file(WRITE "${WORK}/package/CMakeLists.txt"
     "cmake_minimum_required(VERSION 3.25)
      project(consumer LANGUAGES CXX)
      find_package(nearfar CONFIG REQUIRED)
      message(STATUS \"took \${Eigen3_VERSION}\")
      if(NOT TARGET nearfar::header_only)
        message(FATAL_ERROR \"found, and without its targets\")
      endif()\n")
file(WRITE "${WORK}/optional/CMakeLists.txt"
     "cmake_minimum_required(VERSION 3.25)
      project(consumer LANGUAGES CXX)
      find_package(nearfar CONFIG)
      if(nearfar_FOUND OR TARGET nearfar::header_only)
        message(FATAL_ERROR \"found, or not and yet with targets\")
      endif()\n")
file(WRITE "${WORK}/tree/CMakeLists.txt"
     "cmake_minimum_required(VERSION 3.25)
      project(consumer LANGUAGES NONE)
      include(\"${NEARFAR_SOURCE_DIR}/cmake/dependencies.cmake\")
      nearfar_require_eigen()
      message(STATUS \"took \${Eigen3_VERSION}\")
      if(NOT TARGET Eigen3::Eigen)
        message(FATAL_ERROR \"no target Eigen3::Eigen\")
      endif()\n")

# Configures a project above with more -D...; it must end as wanted, 0 or 1, and say so.
function(configure project status_wanted said)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${WORK}/${project}" -B "${WORK}/build" -G "${GENERATOR}" --fresh
            "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${PREFIX}"
            -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -DFETCHCONTENT_FULLY_DISCONNECTED=ON ${ARGN}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " words "${output}")  # CMake wraps what it says
  string(FIND "${words}" "${said}" found)
  if(NOT status EQUAL status_wanted OR found EQUAL -1)
    message("${output}")
    message(SEND_ERROR "${project} ${ARGN}: wanted the status ${status_wanted} and: ${said}")
  endif()
endfunction()

foreach(version 3.4.0 5.0.1)
  configure(package 0 "took ${version}" "-DEigen3_DIR=${WORK}/eigen-${version}")
  configure(tree 0 "took ${version}" "-DEigen3_DIR=${WORK}/eigen-${version}")
endforeach()
set(refused "eeds Eigen 3.4 or later, found is 3.3.9 in ${WORK}/eigen-3.3.9")
set(old "-DEigen3_DIR=${WORK}/eigen-3.3.9")
configure(package 1 "nearfar n${refused}" "${old}")
configure(optional 0 "nearfar n${refused}" "${old}")
configure(tree 1 "nearfar: n${refused}" "${old}")

# What would be fetched lies where its folder is said to be, or where it was fetched before.
list(GET HEADERS 0 headers)
set(here "-DFETCHCONTENT_SOURCE_DIR_EIGEN3=${headers}")
configure(tree 0 "nearfar: fetching Eigen 3.4.0, as was asked for" "${here}" "${old}")
set(nothing -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON)
file(MAKE_DIRECTORY "${WORK}/build/_deps/eigen3-src")
configure(tree 0 "nearfar: fetching Eigen 3.4.0, because no installed one was found" ${nothing})
configure(tree 0 "nearfar: fetching Eigen 3.4.0, as was asked for" "${old}"
          -DFETCHCONTENT_TRY_FIND_PACKAGE_MODE=NEVER)
