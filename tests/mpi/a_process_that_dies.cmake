# mpirun is to end the others within a minute, and to say so by its exit status.
execute_process(COMMAND "${MPIEXEC}" -n ${PROCESSES} "${PROGRAM}" die RESULT_VARIABLE result
                TIMEOUT 60 OUTPUT_QUIET ERROR_QUIET)
if(result MATCHES "timeout" OR result EQUAL 0)
  message(FATAL_ERROR "${MPIEXEC} ended with: ${result}")
endif()
