# Warnings are for nearfar's own developers: always PRIVATE, never seen by a user's compiler.

include_guard()

set(NEARFAR_WARNING_FLAGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
  # g++ 12 sees overlapping copies inside std::string where there are none (GCC bug 105651).
  list(APPEND NEARFAR_WARNING_FLAGS -Wno-restrict)
endif()

function(nearfar_warnings target)
  if(NOT NEARFAR_DEVELOPER OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    return()
  endif()
  target_compile_options(${target} PRIVATE ${NEARFAR_WARNING_FLAGS})
  # -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF on the command line has the last word: the sanitizers make
  # g++ see uninitialised variables where there are none.
  if(NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
    set_target_properties(${target} PROPERTIES COMPILE_WARNING_AS_ERROR ON)
  endif()
endfunction()
