# The operators, from Python: of a Python that has the torch that they were built with.
find_program(NEARFAR_TORCH_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
set(no_torch 1)
if(NEARFAR_TORCH_PYTHON)
  execute_process(COMMAND "${NEARFAR_TORCH_PYTHON}" -c "import torch" RESULT_VARIABLE no_torch
                  OUTPUT_QUIET ERROR_QUIET)
endif()
if(no_torch EQUAL 0)
  add_test(NAME torch_ops.operators
           COMMAND "${NEARFAR_TORCH_PYTHON}" "${CMAKE_CURRENT_LIST_DIR}/operators_test.py"
                   "$<TARGET_FILE:nearfar_torch_ops>")
  add_test(NAME torch_ops.example
           COMMAND "${NEARFAR_TORCH_PYTHON}" "${PROJECT_SOURCE_DIR}/examples/torch_ops.py"
                   "$<TARGET_FILE:nearfar_torch_ops>" --check)
  # The peers of scripts/bench --rival have the same results.
  add_test(NAME torch_ops.rival
           COMMAND "${NEARFAR_TORCH_PYTHON}" "${PROJECT_SOURCE_DIR}/bench/peers/pytorch_rival.py"
                   "$<TARGET_FILE:nearfar_torch_ops>" --check)
  set_tests_properties(torch_ops.operators torch_ops.example torch_ops.rival PROPERTIES LABELS "torch_ops;once" TIMEOUT 600)
  set_tests_properties(torch_ops.example PROPERTIES SKIP_RETURN_CODE 77)
endif()
