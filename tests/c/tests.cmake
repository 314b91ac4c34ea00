# The C interface as C sees it.

enable_language(C)
add_executable(c_every_loss c/every_loss.c)
set_target_properties(c_every_loss PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
target_link_libraries(c_every_loss PRIVATE nearfar::nearfar)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(c_every_loss PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Werror)
endif()
add_test(NAME c.every_loss COMMAND c_every_loss)
set_tests_properties(c.every_loss PROPERTIES LABELS c)
