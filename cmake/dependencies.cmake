# What nearfar needs from others: an installed package where there is one, else the upstream source
# at a fixed tag. All are SYSTEM, so that their headers answer to their own warnings only.

include_guard()
include(FetchContent)

set(nearfar_eigen_oldest 3.4)
set(nearfar_eigen_fetched 3.4.0)

# Macros, not functions: find_package must leave its variables with the caller.

# Of any version, and then compared: to Eigen 5's version file 3.4 means 3.4 alone, and that of 3.4.0
# takes no range that reaches 5. CMake's own ways to ask for fetched sources are heeded:
# FETCHCONTENT_TRY_FIND_PACKAGE_MODE=NEVER, FETCHCONTENT_SOURCE_DIR_EIGEN3.
macro(nearfar_require_eigen)
  if(NOT TARGET Eigen3::Eigen)
    set(nearfar_why_fetched "as was asked for")
    if(NOT FETCHCONTENT_TRY_FIND_PACKAGE_MODE STREQUAL "NEVER" AND NOT FETCHCONTENT_SOURCE_DIR_EIGEN3)
      find_package(Eigen3 QUIET NO_MODULE)
      set(nearfar_why_fetched "because no installed one was found")
    endif()
    if(NOT TARGET Eigen3::Eigen)
      # Eigen's own CMakeLists brings in tests, Fortran checks and more; the headers are all it takes,
      # hence a folder without a CMakeLists.txt as SOURCE_SUBDIR.
      message(STATUS "nearfar: fetching Eigen ${nearfar_eigen_fetched}, ${nearfar_why_fetched}")
      FetchContent_Declare(
        Eigen3
        GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git
        GIT_TAG ${nearfar_eigen_fetched}
        GIT_SHALLOW ON
        SOURCE_SUBDIR Eigen)
      FetchContent_MakeAvailable(Eigen3)
      if(NOT TARGET Eigen3::Eigen)
        add_library(Eigen3::Eigen INTERFACE IMPORTED)
        target_include_directories(Eigen3::Eigen SYSTEM INTERFACE "${eigen3_SOURCE_DIR}")
      endif()
    elseif(Eigen3_VERSION AND Eigen3_VERSION VERSION_LESS nearfar_eigen_oldest)
      message(FATAL_ERROR "nearfar: needs Eigen ${nearfar_eigen_oldest} or later, found is "
                          "${Eigen3_VERSION} in ${Eigen3_DIR}. Eigen3_DIR names another; "
                          "FETCHCONTENT_TRY_FIND_PACKAGE_MODE=NEVER has ${nearfar_eigen_fetched} fetched")
    endif()
  endif()
endmacro()

macro(nearfar_require_gtest)
  if(NOT TARGET GTest::gtest_main)
    set(INSTALL_GTEST OFF)
    FetchContent_Declare(
      GTest
      GIT_REPOSITORY https://github.com/google/googletest.git
      GIT_TAG release-1.12.1
      GIT_SHALLOW ON
      SYSTEM FIND_PACKAGE_ARGS)
    FetchContent_MakeAvailable(GTest)
  endif()
endmacro()

macro(nearfar_require_benchmark)
  if(NOT TARGET benchmark::benchmark_main)
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    FetchContent_Declare(
      benchmark
      GIT_REPOSITORY https://github.com/google/benchmark.git
      GIT_TAG v1.7.1
      GIT_SHALLOW ON
      SYSTEM FIND_PACKAGE_ARGS)
    FetchContent_MakeAvailable(benchmark)
  endif()
endmacro()

macro(nearfar_require_json)
  if(NOT TARGET nlohmann_json::nlohmann_json)
    FetchContent_Declare(
      nlohmann_json
      GIT_REPOSITORY https://github.com/nlohmann/json.git
      GIT_TAG v3.11.2
      GIT_SHALLOW ON
      SYSTEM FIND_PACKAGE_ARGS)
    FetchContent_MakeAvailable(nlohmann_json)
  endif()
endmacro()

macro(nearfar_require_cli11)
  if(NOT TARGET CLI11::CLI11)
    FetchContent_Declare(
      CLI11
      GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git
      GIT_TAG v2.1.2
      GIT_SHALLOW ON
      SYSTEM FIND_PACKAGE_ARGS)
    FetchContent_MakeAvailable(CLI11)
  endif()
endmacro()
