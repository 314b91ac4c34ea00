# A kernel of a user's own brings no engine into the user's program: fails when OBJECT defines any
# function of the library's but the shells of losses, the kernel's table and what views of rows
# need, or does not leave the loss to the compiled library.
#
# -DNM=... -DOBJECT=...

set(inside "^_Z[A-Z]*N[KVrRO]*7nearfar6detail")
# kernel_value makes the table; the others are checks of types without any arithmetic.
set(allowed "12kernel_value|14score_function|11KernelValue|23require_contiguous_rows|19has_contiguous_rows"
            "|6InputsI|14LabelledInputs")
string(CONCAT allowed "${inside}(" ${allowed} ")")
# The engine, under whichever namespace.
set(engine "OneSidedPass|TwoSidedPass|PerQueryPass|PanelProducts|ScorePanel|ScoreRows|PackedRows")
string(APPEND engine "|RowTerm|SoftmaxTerm|4CallI|register_block|multiply_|_tablesE")

execute_process(COMMAND "${NM}" --defined-only --format=posix "${OBJECT}" OUTPUT_VARIABLE lines
                                                                         COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${lines}")
list(FILTER lines INCLUDE REGEX "7nearfar")
foreach(line IN LISTS lines)
  if((line MATCHES "${inside}" AND NOT line MATCHES "${allowed}") OR line MATCHES "${engine}")
    message(SEND_ERROR "part of the engine in a user's object file: ${line}")
  endif()
endforeach()
if(NOT lines MATCHES "12kernel_valueIf9OwnKernelE")
  message(SEND_ERROR "the user's kernel is not in the user's object file")
endif()

execute_process(COMMAND "${NM}" --undefined-only --format=posix "${OBJECT}" OUTPUT_VARIABLE wanted
                                                                           COMMAND_ERROR_IS_FATAL ANY)
if(NOT wanted MATCHES "_ZN7nearfar6detail8evaluateIfEENS_17TemperatureResultERKNS_14InfoNceOptions")
  message(SEND_ERROR "nearfar::detail::evaluate is not left to the library")
endif()
list(LENGTH lines count)
message(STATUS "${count} symbols of nearfar's")
