# The others are to name it, and to say so by their exit status.
execute_process(COMMAND "${MPIEXEC}" -n ${PROCESSES} "${PROGRAM}" stand_still
                RESULT_VARIABLE result TIMEOUT 60 OUTPUT_QUIET ERROR_QUIET)
if(NOT result EQUAL 7)
  message(FATAL_ERROR "${MPIEXEC} ended with: ${result}")
endif()
