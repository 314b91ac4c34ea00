# nearfar::torch as the installed package's component.
if(NEARFAR_INSTALL)
  nearfar_component_test(adapters "")
endif()

# Sharded losses over a process group.
if(NEARFAR_GLOO_INCLUDE)
  add_executable(adapters_processes adapters/processes.cpp)
  nearfar_test_options(adapters_processes)
  target_compile_definitions(adapters_processes PRIVATE USE_C10D_GLOO)
  target_link_libraries(adapters_processes PRIVATE nearfar::torch GTest::gtest)
  foreach(processes 1 2 4)
    add_test(NAME adapters.processes_${processes} COMMAND adapters_processes ${processes})
    set_tests_properties(adapters.processes_${processes} PROPERTIES LABELS "adapters;once" TIMEOUT 600
                                                                    PROCESSORS 2)
  endforeach()
endif()
