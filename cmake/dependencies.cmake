# What nearfar needs from others: an installed package where there is one, else the upstream source
# at a fixed tag. All are SYSTEM, so that their headers answer to their own warnings only.

include_guard()
include(FetchContent)

# Macros, not functions: find_package must leave its variables with the caller.

macro(nearfar_require_eigen)
  if(NOT TARGET Eigen3::Eigen)
    # Eigen's own CMakeLists brings in tests, Fortran checks and more; the headers are all it takes,
    # hence a folder without a CMakeLists.txt as SOURCE_SUBDIR.
    FetchContent_Declare(
      Eigen3
      GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git
      GIT_TAG 3.4.0
      GIT_SHALLOW ON
      SOURCE_SUBDIR Eigen
      FIND_PACKAGE_ARGS 3.4 NO_MODULE)
    FetchContent_MakeAvailable(Eigen3)
    if(NOT TARGET Eigen3::Eigen)
      add_library(Eigen3::Eigen INTERFACE IMPORTED)
      target_include_directories(Eigen3::Eigen SYSTEM INTERFACE "${eigen3_SOURCE_DIR}")
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
