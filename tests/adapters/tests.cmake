# nearfar::torch as the installed package's component. A Debug build: does it compile, link and run?
if(NEARFAR_INSTALL)
  set(work "${CMAKE_CURRENT_BINARY_DIR}/adapters/consume")
  add_test(
    NAME adapters.consume
    COMMAND
      "${CMAKE_CTEST_COMMAND}" --build-and-test "${CMAKE_CURRENT_LIST_DIR}/consume" "${work}"
      --build-generator "${CMAKE_GENERATOR}" --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}" -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_PREFIX_PATH=${prefix}"
      -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF --test-command "${work}/consumer")
  set_tests_properties(adapters.consume PROPERTIES LABELS "adapters;once" FIXTURES_REQUIRED installed)
endif()
