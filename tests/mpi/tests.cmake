# Programs of several processes, run as many would: as root in a container, with more processes than
# processors. MPI implementations are told so by environment variables, each its own.

set(nearfar_mpi_environment
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    OMPI_MCA_btl_base_warn_component_unused=0 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    OMP_NUM_THREADS=1)

# Adds the test `name`, labelled `labels`, of `processes` processes of a program and its arguments.
function(nearfar_mpi_test name labels processes)
  add_test(NAME ${name} COMMAND "${MPIEXEC_EXECUTABLE}" "${MPIEXEC_NUMPROC_FLAG}" ${processes}
                                ${MPIEXEC_PREFLAGS} ${ARGN} ${MPIEXEC_POSTFLAGS})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600 PROCESSORS 2
                                          ENVIRONMENT "${nearfar_mpi_environment}")
endfunction()

find_package(MPI REQUIRED COMPONENTS CXX)
add_executable(mpi_processes mpi/processes.cpp)
target_include_directories(mpi_processes PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(mpi_processes PRIVATE nearfar::mpi GTest::gtest)
nearfar_warnings(mpi_processes)
foreach(processes 1 2 3 4)
  nearfar_mpi_test(mpi.processes_${processes} "mpi;once" ${processes} $<TARGET_FILE:mpi_processes>)
endforeach()

# Ends soon, and not well.
add_test(NAME mpi.a_process_that_dies
         COMMAND "${CMAKE_COMMAND}" "-DMPIEXEC=${MPIEXEC_EXECUTABLE}" -DPROCESSES=3
                 "-DPROGRAM=$<TARGET_FILE:mpi_processes>" -P
                 "${CMAKE_CURRENT_LIST_DIR}/a_process_that_dies.cmake")
set_tests_properties(mpi.a_process_that_dies PROPERTIES LABELS "mpi;once" TIMEOUT 120 PROCESSORS 2
                                                        ENVIRONMENT "${nearfar_mpi_environment}")
