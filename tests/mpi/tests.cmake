# Programs of several processes.

# Adds the test `name`, labelled `labels`, of `processes` processes of a program and its arguments.
function(nearfar_mpi_test name labels processes)
  add_test(NAME ${name} COMMAND "${MPIEXEC_EXECUTABLE}" "${MPIEXEC_NUMPROC_FLAG}" ${processes}
                                ${MPIEXEC_PREFLAGS} ${ARGN} ${MPIEXEC_POSTFLAGS})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600 PROCESSORS 2
                                          ENVIRONMENT "${nearfar_mpi_environment}")
endfunction()

add_executable(mpi_processes mpi/processes.cpp)
nearfar_test_options(mpi_processes)
target_link_libraries(mpi_processes PRIVATE nearfar::mpi sharded_subjects GTest::gtest)
foreach(processes 1 2 3 4)
  nearfar_mpi_test(mpi.processes_${processes} "mpi;once" ${processes} $<TARGET_FILE:mpi_processes>)
endforeach()

# End soon, and not well.
foreach(end a_process_that_dies a_process_that_stands_still)
  add_test(NAME mpi.${end}
           COMMAND "${CMAKE_COMMAND}" "-DMPIEXEC=${MPIEXEC_EXECUTABLE}" -DPROCESSES=3
                   "-DPROGRAM=$<TARGET_FILE:mpi_processes>" -P
                   "${CMAKE_CURRENT_LIST_DIR}/${end}.cmake")
  set_tests_properties(mpi.${end} PROPERTIES LABELS "mpi;once" TIMEOUT 120 PROCESSORS 2
                                             ENVIRONMENT "${nearfar_mpi_environment}")
endforeach()

# nearfar::mpi as the installed package's component.
if(NEARFAR_INSTALL)
  nearfar_component_test(mpi "${nearfar_mpi_environment}" ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 2)
endif()
